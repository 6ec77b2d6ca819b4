"""Write the model card's figures into docs/limits.md, between its marks; `make model` runs this after the card."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/limits.md"
_MARKS = re.compile(r"(<!-- figures: [^>]*-->\n)(.*?)(<!-- /figures -->)", re.DOTALL)


def figures() -> str:
    """Return the tables: how often each mode is right and misses, and the figures on real pages if the card has any."""
    (file,) = sorted((ROOT / "models").glob("*/README.md"))
    card = file.read_text(encoding="utf-8")
    columns = {mode: _rates(card, mode) for mode in ("edit", "balanced", "screen")}
    lines = [
        "Of 100 sentences that it marks, so many are right; of 100 such sentences, so many are missed. Counted on text",
        "like that of the training, from sites that were kept out of it:\n",
        "| label | `edit`: right, missed | `balanced`: right, missed | `screen`: right, missed |",
        "|---|---|---|---|",
    ]
    for label in columns["edit"]:
        cells = [", ".join(rates[label]) for rates in columns.values()]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    reading = re.search(r"^Of 100 sentences, \d+ \([^)]*\) are marked[^;.]*", card, re.MULTILINE)
    if reading is None:
        raise SystemExit(f"{file}: no sentence says how much of a text mode screen marks")
    lines += ["", f"Reading costs time: in mode `screen`, {reading[0][0].lower()}{reading[0][1:]}.", ""]
    real = re.search(r"^## On real pages\n\n(.*?)\n## ", card, re.MULTILINE | re.DOTALL)
    if real:
        lines += ["On real pages:\n", real[1].strip(), ""]
    return "\n".join(lines)


def written(page: str) -> str:
    """Return the page with the figures of today between its marks."""
    return _MARKS.sub(lambda match: f"{match[1]}{figures()}{match[3]}", page)


def _rates(card: str, mode: str) -> dict[str, tuple[str, str]]:
    """Return of each label how many of a hundred marked are right, and how many of a hundred are missed."""
    section = card.split(f"### Mode `{mode}`", 1)[1].split("\n### ", 1)[0].split("\n## ", 1)[0]
    rows = re.findall(r"^\| ([^|(]+) \(`\w+`\) \| (\d+) \([^)]*\) \| (\d+) \(", section, re.MULTILINE)
    return {label: (right, missed) for label, right, missed in rows}


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
