"""What mdclaims knows, for reading: rules, labels, stances, cue lists and wording, with their sources.

Run as a module it prints ``docs/rules.md``; a test keeps the file up to date.
"""

from __future__ import annotations

import difflib
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from functools import cache

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mdclaims.config import JURISDICTIONS
from mdclaims.errors import UsageError
from mdclaims.findings.rules import TERMS_FILE, Rule, check_line, rules, rules_of, source_marks, term_lists
from mdclaims.findings.wording import Entry, Question, shipped_wording
from mdclaims.labels import Label, label_info
from mdclaims.language.cues import CueList, cue_lists
from mdclaims.reports.json_report import rule_data
from mdclaims.reports.report import one_line

_WIDEST = 100
_EXPLAINED = "corpus/GUIDELINES.md"
_WORDING = "mdclaims/data/wording"


def rules_json(jurisdictions: Sequence[str], *, on: date) -> str:
    """Return the rules of these jurisdictions as JSON.

    Parameters
    ----------
    jurisdictions : sequence of str
    on : date, optional
        The day that tells whether a source was checked long ago.
    """
    data = {
        "rules": [
            {**rule_data(rule, on), "fires": list(rule.fires), "silent": list(rule.silent)}
            for rule in rules_of(jurisdictions)
        ]
    }
    return json.dumps(data, ensure_ascii=False, indent=1) + "\n"


def render_rules(jurisdictions: Sequence[str], *, on: date, width: int | None = None, colour: bool = False) -> str:
    """Return the rules of these jurisdictions as text, a few lines each."""
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
            parts.append(Padding(Text(f"{rule.citation}{source_marks(rule, on)}", style="dim"), (0, 0, 1, 2)))
    parts.append(Text("mdclaims explain ID shows one of them. A hit is something to check, no breach."))
    return _rendered(Group(*parts), width=width, colour=colour)


_Known = Rule | Label | tuple[Label, str] | CueList | Entry | Question
"""What can be explained; a stance as its label and its name."""


def render_entry(id: str, *, on: date, width: int | None = None, colour: bool = False) -> str:
    """Return what one rule, label, stance, list or entry on wording means; all of them that have this name.

    Raises
    ------
    UsageError
        If there is none of that name; the message names those that are near.
    """
    known = _known()
    found = known.get(id.strip().casefold())
    if found is None:
        near = difflib.get_close_matches(id.strip().casefold(), known, n=3, cutoff=0.5)
        names = ", ".join(known[name][0][0] for name in near)
        hint = f"did you mean {names}?" if near else "mdclaims rules lists the rules"
        raise UsageError(f"nothing is called {one_line(id)[:60]!r}; {hint}")
    return _rendered(Group(*(_explained(entry, on) for _, entry in found)), width=width, colour=colour)


@cache
def _known() -> dict[str, list[tuple[str, _Known]]]:
    """Return everything that can be explained, by its name in small letters, each with its name as it is written."""
    wording = shipped_wording()
    entries: list[tuple[str, _Known]] = [
        *((rule.id, rule) for rule in rules()),
        *((entry.name, entry) for entry in label_info().values()),
        *((entry.name, entry) for entry in (*cue_lists(), *term_lists())),
        *((entry.name, entry) for entry in wording.entries),
        *((entry.name, entry) for entry in wording.questions),
    ]
    for label in label_info().values():
        for stance in label.stances:
            entries += [(stance, (label, stance)), (f"{label.name}/{stance}", (label, stance))]
    found: dict[str, list[tuple[str, _Known]]] = {}
    for name, known in entries:
        found.setdefault(name.casefold(), []).append((name, known))
    return found


def _explained(entry: _Known, on: date) -> RenderableType:
    match entry:
        case Rule():
            return _rule(entry, on)
        case Label():
            return _label(entry)
        case CueList():
            return _list(entry)
        case Entry():
            return _entry(entry)
        case Question():
            return _question(entry)
        case (label, stance):
            return _stance(label, stance)


def _rule(rule: Rule, day: date) -> RenderableType:
    read = "read" if rule.verified else "not verified"
    rows = [
        ("Shown as", check_line(rule, day)),
        ("What to check", rule.check),
        ("About", ", ".join(rule.scope)),
        ("Where", rule.address),
        ("Source", f"{read}; last checked on {rule.checked:%Y-%m-%d}"),
        ("Note", rule.note),
        *_several("Brought up by", rule.fires),
        *_several("Not by", rule.silent),
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
    folder = "rules" if entry.file == TERMS_FILE else "cues"
    rows = [
        ("About", entry.about),
        ("Keyword for", entry.label or "no label"),
        ("Phrases", f"{len(entry.phrases):,}, among them {', '.join(entry.phrases[:12])}"),
        *_several("Found in", entry.fires),
        *_several("Not in", entry.silent),
        ("Used by", ", ".join(rule.id for rule in rules() if any(entry.name in when.lists for when in rule.when))),
        ("Data", f"mdclaims/data/{folder}/{entry.file}"),
    ]
    return Group(_head(entry.name, "list of phrases"), _rows(rows))


def _entry(entry: Entry) -> RenderableType:
    checked = "" if entry.guide.verified else " (not checked at its source)"
    rows = [
        ("About", entry.about),
        ("Advice", entry.advice),
        *_several("Instead", (f"{one} → {other}" for one, other in entry.examples)),
        *_several("Advice for", entry.advised),
        *_several("Not in", entry.silent),
        ("Guide", f"{entry.guide.name}{checked}"),
        ("Where", entry.guide.address),
        ("Data", _WORDING),
    ]
    return Group(_head(entry.name, "what to write instead"), _rows(rows))


def _question(question: Question) -> RenderableType:
    rows = [
        ("About", question.about),
        ("Asks", question.advice),
        ("Of", ", ".join(sorted(question.stances))),
        *_several("Asked of", question.fires),
        *_several("Not of", question.silent),
        ("Data", _WORDING),
    ]
    return Group(_head(question.name, "a question about a claim"), _rows(rows))


def _several(name: str, texts: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield a row for each text, the first with the name."""
    for n, text in enumerate(texts):
        yield ("" if n else name, one_line(" ".join(text.split())))


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
