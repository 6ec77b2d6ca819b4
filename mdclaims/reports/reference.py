"""What mdclaims knows, for reading: the rules, labels, stances and cue lists, with their sources.

Run as a module it prints ``docs/rules.md``; a test keeps the file up to date.
"""

from __future__ import annotations

import difflib
import io
import json
from collections.abc import Sequence
from datetime import date

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mdclaims.config import JURISDICTIONS
from mdclaims.errors import UsageError
from mdclaims.findings.rules import Rule, marks, rules, rules_of, term_lists
from mdclaims.labels import Label, label_info
from mdclaims.language.cues import CueList, cue_lists
from mdclaims.reports.json_report import rule_data
from mdclaims.reports.report import one_line, today

_WIDEST = 100
_EXPLAINED = "corpus/GUIDELINES.md"


def rules_json(jurisdictions: Sequence[str], *, on: date | None = None) -> str:
    """Return the rules of these jurisdictions as JSON.

    Parameters
    ----------
    jurisdictions : sequence of str
    on : date, optional
        The day that tells whether a source was checked long ago; today if not given.
    """
    data = {
        "rules": [
            {**rule_data(rule, on or today()), "fires": list(rule.fires), "silent": list(rule.silent)}
            for rule in rules_of(jurisdictions)
        ]
    }
    return json.dumps(data, ensure_ascii=False, indent=1) + "\n"


def render_rules(
    jurisdictions: Sequence[str], *, on: date | None = None, width: int | None = None, colour: bool = False
) -> str:
    """Return the rules of these jurisdictions as text, a few lines each."""
    day = on or today()
    parts: list[RenderableType] = []
    for name in jurisdictions:
        chosen = rules_of([name])
        read = sum(rule.verified for rule in chosen)
        parts += [
            Text(f"{JURISDICTIONS[name]}: {len(chosen)} rules, {read} read at their source", style="bold"),
            Text(),
        ]
        for rule in chosen:
            parts.append(Text.assemble((rule.id, "bold"), f"  {rule.title}"))
            parts.append(Padding(Text(f"{rule.citation}{marks(rule, day)}", style="dim"), (0, 0, 1, 2)))
    parts.append(Text("mdclaims explain ID shows one of them. A hit is something to check, no breach."))
    return _rendered(Group(*parts), width=width, colour=colour)


def render_entry(id: str, *, on: date | None = None, width: int | None = None, colour: bool = False) -> str:
    """Return what one label, stance, list or rule means.

    Raises
    ------
    UsageError
        If there is none of that name; the message names those that are near.
    """
    wanted = id.strip().casefold()
    known = _entries()
    if wanted not in known:
        near = [known[name][0] for name in difflib.get_close_matches(wanted, known, n=3, cutoff=0.5)]
        hint = f"did you mean {', '.join(near)}?" if near else "mdclaims rules lists the rules"
        raise UsageError(f"nothing is called {one_line(id)!r}; {hint}")
    name, entry = known[wanted]
    if isinstance(entry, Rule):
        shown = _rule(entry, on or today())
    elif isinstance(entry, CueList):
        shown = _list(entry)
    else:
        shown = _label(entry) if name == entry.name else _stance(entry, name.rsplit("/")[-1])
    return _rendered(shown, width=width, colour=colour)


def _entries() -> dict[str, tuple[str, Rule | CueList | Label]]:
    """Return everything that can be explained, by its name in small letters, with its name as it is written."""
    found: dict[str, tuple[str, Rule | CueList | Label]] = {}
    for label in label_info().values():
        found[label.name] = (label.name, label)
        for stance in label.stances:
            # Stances have names of their own; with the label they are told apart from lists ("suffer").
            found.setdefault(stance, (stance, label))
            found[f"{label.name}/{stance}"] = (f"{label.name}/{stance}", label)
    for entry in (*cue_lists(), *term_lists()):
        found.setdefault(entry.name, (entry.name, entry))
    for rule in rules():
        found[rule.id.casefold()] = (rule.id, rule)
    return found


def _rule(rule: Rule, day: date) -> RenderableType:
    read = "read" if rule.verified else "not verified"
    rows = [
        ("Possible", f"check {rule.citation}{marks(rule, day)}"),
        ("What to check", rule.check),
        ("About", ", ".join(rule.scope)),
        ("Where", rule.address),
        ("Source", f"{read}; last checked on {rule.checked:%Y-%m-%d}"),
        ("Note", rule.note),
        *(("Brought up by" if n == 0 else "", one_line(" ".join(text.split()))) for n, text in enumerate(rule.fires)),
        *(("Not by" if n == 0 else "", one_line(" ".join(text.split()))) for n, text in enumerate(rule.silent)),
        ("Data", f"mdclaims/data/rules/{rule.jurisdiction}.toml"),
    ]
    return Group(_head(rule.id, rule.title), _rows(rows))


def _label(label: Label) -> RenderableType:
    rows = [
        ("Means", label.meaning),
        *((stance, _stance_words(label, stance)) for stance in label.stances),
        ("Cue lists", ", ".join(entry.name for entry in cue_lists() if entry.label == label.name)),
        ("Source", f"{_EXPLAINED}; mdclaims/data/labels.toml"),
    ]
    return Group(_head(label.name, label.display), _rows(rows))


def _stance(label: Label, stance: str) -> RenderableType:
    rows = [
        ("Means", _stance_words(label, stance)),
        ("Stance of", f"{label.name} ({label.display})"),
        ("Source", f"{_EXPLAINED}; mdclaims/data/labels.toml"),
    ]
    return Group(_head(stance, "what a sentence does with its label"), _rows(rows))


def _stance_words(label: Label, stance: str) -> str:
    return label.stances[stance] + ("" if stance in label.forward else " (only noted)")


def _list(entry: CueList) -> RenderableType:
    folder = "rules" if entry in term_lists() else "cues"
    rows = [
        ("About", entry.about),
        ("Keyword for", entry.label or "no label"),
        ("Phrases", f"{len(entry.phrases):,}, among them {', '.join(entry.phrases[:12])}"),
        *(("Found in" if n == 0 else "", text) for n, text in enumerate(entry.fires)),
        *(("Not in" if n == 0 else "", text) for n, text in enumerate(entry.silent)),
        ("Used by", ", ".join(rule.id for rule in rules() if _uses(rule, entry.name))),
        ("Data", f"mdclaims/data/{folder}/{entry.file}"),
    ]
    return Group(_head(entry.name, "list of phrases"), _rows(rows))


def _uses(rule: Rule, name: str) -> bool:
    return any(
        name in (*when.lists_any, *when.lists_all, *when.lists_none, *when.page_any, *when.page_none)
        or name in (*when.headings_any, *when.headings_none)
        for when in rule.when
    )


def _head(name: str, title: str) -> Text:
    return Text.assemble((name, "bold"), f"  {title}", "\n")


def _rows(rows: Sequence[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for name, text in rows:
        if text:
            table.add_row(Text(name), Text(text))
    return table


def _rendered(shown: RenderableType, *, width: int | None, colour: bool) -> str:
    stream = io.StringIO()
    console = Console(
        file=stream, width=min(width or 80, _WIDEST), force_terminal=colour, no_color=not colour,
        color_system="standard" if colour else None,
        highlight=False, markup=False, emoji=False, legacy_windows=False,
    )  # fmt: skip
    console.print(shown)
    return "\n".join(line.rstrip() for line in stream.getvalue().split("\n"))


_HEAD = """\
# The rules

What `mdclaims check --jurisdiction us|uk|au|eu` may bring up. A hit is something for a person to check, never a
breach. “Read” means that the provision's own text was read on the day given; everything else is not verified, and
reports say so. `mdclaims explain ID` shows what brings a rule up. This page is made from `mdclaims/data/rules`:
`python -m mdclaims.reports.reference > docs/rules.md`.
"""


def rules_markdown() -> str:
    """Return the page of all rules."""
    lines = [_HEAD]
    for name, full in JURISDICTIONS.items():
        lines.append(f"## {full}\n\n| rule | what to check | provision | source |\n|---|---|---|---|")
        for rule in rules_of([name]):
            status = f"{'read' if rule.verified else '**not verified**'}, {rule.checked:%Y-%m-%d}"
            note = f". {rule.note}" if rule.note else ""
            lines.append(
                f"| `{rule.id}` {rule.title} | {rule.check} | [{rule.citation}]({rule.address}) | {status}{note} |"
            )
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    print(rules_markdown(), end="")  # noqa: T201
