"""The figures of the corpus's datasheet, made from the corpus itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from mdclaims.errors import CorpusError
from mdclaims.labels import LABELS
from mdclaims.model.agreement import agreement
from mdclaims.model.corpus import SPLITS, CorpusDocument


def corpus_figures(documents: Sequence[CorpusDocument]) -> str:
    """Return Markdown tables: sizes, label rates, agreement, kinds of page, varieties and therapy areas."""
    lines = ["| | documents | sites | sentences | " + " | ".join(f"`{label}`" for label in LABELS) + " | no label |"]
    lines.append("|---|---|---|---|" + "---|" * (len(LABELS) + 1))
    lines += [
        _row(name, [document for document in documents if name in (document.split, "all")]) for name in (*SPLITS, "all")
    ]
    lines += ["", *_agreement_lines(documents), ""]
    lines += _counts("kind of page", documents, lambda document: document.page_kind)
    lines += _counts("variety of English", documents, lambda document: document.variety)
    areas = {document.area for document in documents if document.area}
    lines.append(f"Therapy areas and subjects: {len(areas)} different names.")
    return "\n".join(lines) + "\n"


BEGIN, END = "<!-- figures -->\n", "<!-- /figures -->"


def replace_figures(file: Path, figures: str) -> None:
    """Put figures between the marks of a Markdown file.

    Raises
    ------
    CorpusError
        If the file cannot be read or lacks the marks.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise CorpusError(f"{file} cannot be read ({error.strerror or error}); check the path") from error
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise CorpusError(f"{file} must hold the lines {BEGIN.strip()} and {END} once each; add them")
    before, _, rest = text.partition(BEGIN)
    file.write_text(f"{before}{BEGIN}{figures}{END}{rest.partition(END)[2]}", encoding="utf-8", newline="\n")


def _row(name: str, documents: Sequence[CorpusDocument]) -> str:
    labels = [row for document in documents for _, row in document.sentences()]
    shares = [_share(sum(label in row for row in labels), len(labels)) for label in LABELS]
    none = _share(sum(not row for row in labels), len(labels))
    sites = len({document.site for document in documents})
    return f"| {name} | {len(documents):,} | {sites:,} | {len(labels):,} | {' | '.join([*shares, none])} |"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def _agreement_lines(documents: Sequence[CorpusDocument]) -> list[str]:
    rows = agreement(documents, "writer", "reader")
    lines = [f"Agreement of writer and blind reader over {rows[0].sentences:,} sentences, before settling:", ""]
    lines += ["| label | writer | reader | both | Cohen's kappa |", "|---|---|---|---|---|"]
    lines += [f"| `{row.label}` | {row.first:,} | {row.second:,} | {row.both:,} | {row.kappa:.3f} |" for row in rows]
    return lines


def _counts(name: str, documents: Sequence[CorpusDocument], key: Callable[[CorpusDocument], str | None]) -> list[str]:
    counts = Counter(key(document) or "not recorded" for document in documents)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    listed = ", ".join(f"{value} {count}" for value, count in ranked)
    return [f"Documents by {name}: {listed}.", ""]
