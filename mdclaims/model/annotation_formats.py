"""Sentences to and from annotation tools: doccano, Label Studio, Argilla, Prodigy. docs/exchange.md shows each setup.

A tool is given the sentence, what stands around it, and where it comes from, in the file format that the tool itself
imports and exports for texts with several labels. Whatever it adds is passed over in reading.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mdclaims.errors import CorpusError
from mdclaims.labels import LABELS, label_info
from mdclaims.model.agreement import Agreement, pairwise
from mdclaims.model.corpus import assign_split
from mdclaims.reading.page import KINDS, REGIONS, Fragment, fold_white_space, replace_unencodable

FORMATS: tuple[str, ...] = ("doccano", "label-studio", "argilla", "prodigy")
NONE = "none"
"""The choice for a sentence that carries no label, which some tools cannot tell from one that nobody judged."""
SUGGESTED = "mdclaims"
"""The annotator under whose name the model's own labels are taken, if they are asked for."""
_QUESTION, _FIELD = "label", "text"


@dataclass(frozen=True, slots=True)
class Item:
    """A sentence for annotators, and what came back of it.

    Attributes
    ----------
    id : str
    text : str
        White space folded, as in the corpus.
    doc, site : str
        The document that it becomes part of, and the site of that.
    sentence : int
        Its number on the page.
    kind, region : str
        Of its block.
    level : int or None
        1 to 6 for headings.
    heading, before, after : str
        The nearest heading, and the sentences beside it; "" for none.
    first_block : bool
        It stands in the first block of its region.
    suggested : tuple of str or None
        The model's labels; None for no suggestion.
    annotations : dict of str to tuple of str
        Each annotator's labels, in the order of `LABELS`.
    """

    id: str
    text: str
    doc: str
    site: str
    sentence: int
    kind: str = "paragraph"
    region: str = "main"
    level: int | None = None
    heading: str = ""
    before: str = ""
    after: str = ""
    first_block: bool = False
    suggested: tuple[str, ...] | None = None
    annotations: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def folded(text: str) -> str:
    """Return a text as the corpus keeps sentences: one line, single spaces, nothing invisible."""
    return fold_white_space([Fragment(replace_unencodable(text))])[0]


# --- writing ------------------------------------------------------------------------------------------------------


def write_items(items: Sequence[Item], format: str) -> str:
    """Return a file that a tool imports.

    Parameters
    ----------
    items : sequence of Item
        In the order in which annotators shall meet them.
    format : str
        One of `FORMATS`.
    """
    rows = [_WRITERS[format](item) for item in items]
    if format in {"doccano", "prodigy"}:
        return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
    return json.dumps(rows, ensure_ascii=False, indent=1) + "\n"


def _about(item: Item) -> dict[str, Any]:
    """Return where an item comes from, in plain keys; what is empty is left out, since Argilla takes no nulls."""
    about = {
        "item": item.id,
        "doc": item.doc,
        "site": item.site,
        "sentence": item.sentence,
        "kind": item.kind,
        "region": item.region,
        "level": item.level,
        "heading": item.heading,
        "before": item.before,
        "after": item.after,
        "first_block": int(item.first_block),
    }
    return {key: value for key, value in about.items() if value not in {None, ""}}


def _or_none(labels: Sequence[str]) -> list[str]:
    return list(labels) or [NONE]


def _doccano(item: Item) -> dict[str, Any]:
    labels = [] if item.suggested is None else _or_none(item.suggested)
    return {"text": item.text, "label": labels, **_about(item)}


def _label_studio(item: Item) -> dict[str, Any]:
    task: dict[str, Any] = {"data": {_FIELD: item.text, **_about(item)}}
    if item.suggested is not None:
        choices = {"from_name": _QUESTION, "to_name": _FIELD, "type": "choices"}
        result = [{**choices, "value": {"choices": _or_none(item.suggested)}}]
        task["predictions"] = [{"model_version": SUGGESTED, "result": result}]
    return task


def _argilla(item: Item) -> dict[str, Any]:
    suggestions = {}
    if item.suggested is not None:
        suggestions = {_QUESTION: {"value": _or_none(item.suggested), "score": None, "agent": SUGGESTED}}
    around = {"heading": item.heading, "before": item.before, "after": item.after}
    return {
        "id": item.id,
        "fields": {_FIELD: item.text, **around},
        "metadata": _about(item),
        "suggestions": suggestions,
        "responses": {},
        "vectors": {},
        "_server_id": None,
    }


def _prodigy(item: Item) -> dict[str, Any]:
    options = [{"id": label, "text": label_info()[label].display} for label in LABELS]
    task: dict[str, Any] = {"text": item.text, "options": options}
    if item.suggested is not None:
        task["accept"] = list(item.suggested)
    shown = {"heading": item.heading, "before": item.before, "after": item.after}
    return {**task, "meta": {key: text for key, text in shown.items() if text}, "mdclaims": _about(item)}


_WRITERS: dict[str, Callable[[Item], dict[str, Any]]] = {
    "doccano": _doccano,
    "label-studio": _label_studio,
    "argilla": _argilla,
    "prodigy": _prodigy,
}


# --- reading ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReadItems:
    """What a tool's file holds.

    Attributes
    ----------
    items : tuple of Item
        Those that anybody judged, or that have a suggestion.
    passed_over : int
        Entries that nobody judged, or that were skipped or rejected.
    """

    items: tuple[Item, ...]
    passed_over: int


def read_items(path: Path, format: str, annotator: str | None = None) -> ReadItems:
    """Read what a tool exported.

    Parameters
    ----------
    path : Path
    format : str
        One of `FORMATS`.
    annotator : str, optional
        Who judged, where the file does not say; by default the file's name without its suffix.

    Raises
    ------
    CorpusError
        If it is not in that format; the message names the place.
    """
    items = []
    passed_over = 0
    for number, (place, entry) in enumerate(_entries(path, lines=format in {"doccano", "prodigy"}), 1):
        try:
            text, about, suggested, annotations = _READERS[format](entry, annotator or path.stem)
            item = _item(path, number, text, about)
            item = replace(
                item,
                suggested=None if suggested is None else _labels(suggested),
                annotations={str(name): _labels(labels) for name, labels in annotations.items()},
            )
        except CorpusError as error:
            raise CorpusError(f"{place}: {error}") from error
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            missing = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
            raise CorpusError(f"{place}: is no entry of {format} for texts with labels ({missing})") from error
        if item.annotations or item.suggested is not None:
            items.append(item)
        else:
            passed_over += 1
    return ReadItems(tuple(items), passed_over)


def _entries(path: Path, *, lines: bool) -> Iterator[tuple[str, Any]]:
    """Yield the entries of a file, each with its place."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"{path}: cannot be read as UTF-8 text ({error})") from error
    if lines:
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                yield f"{path}:{number}", _json(line, f"{path}:{number}")
    else:
        content = _json(text, str(path))
        if not isinstance(content, list):
            raise CorpusError(f"{path}: must be a JSON list, as the tool exports it")
        yield from ((f"{path}, entry {number}", entry) for number, entry in enumerate(content, 1))


def _json(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{place}: not valid JSON ({error}); is it another --format?") from error


_Read = tuple[str, Mapping[str, Any], Sequence[Any] | None, dict[str, Sequence[Any]]]


def _read_doccano(entry: Mapping[str, Any], annotator: str) -> _Read:
    """Read a line of doccano: ``label``, and of its older versions ``annotations`` with their users."""
    annotations: dict[str, list[Any]] = {}
    if "annotations" in entry:
        for one in entry["annotations"]:
            annotations.setdefault(str(one.get("user_name", one.get("user", annotator))), []).append(one["label_name"])
    elif labels := entry["label"]:
        annotations[annotator] = labels
    return entry["text"], entry, None, dict(annotations)


def _read_label_studio(entry: Mapping[str, Any], annotator: str) -> _Read:
    """Read a task of Label Studio."""
    annotations: dict[str, Sequence[Any]] = {}
    for one in entry.get("annotations", ()):
        if not one.get("was_cancelled"):
            annotations[_who(one.get("completed_by"), annotator)] = _choices(one["result"])
    predictions = entry.get("predictions") or ()
    suggested = _choices(predictions[0]["result"]) if predictions else None
    return entry["data"][_FIELD], entry["data"], suggested, annotations


def _who(completed_by: Any, annotator: str) -> str:
    """Return the name of who completed an annotation: an address, or the number that the tool gives."""
    if isinstance(completed_by, Mapping):
        completed_by = completed_by.get("email") or completed_by.get("id")
    return annotator if completed_by is None else str(completed_by)


def _choices(result: Iterable[Mapping[str, Any]]) -> list[Any]:
    return [choice for one in result if one.get("type") == "choices" for choice in one["value"]["choices"]]


def _read_argilla(entry: Mapping[str, Any], annotator: str) -> _Read:
    """Read a record of Argilla 2."""
    responses = entry.get("responses", {}).get(_QUESTION, ())
    annotations = {str(one.get("user_id") or annotator): one["value"] for one in responses}
    suggestion = entry.get("suggestions", {}).get(_QUESTION)
    suggested = None if suggestion is None else suggestion["value"]
    return entry["fields"][_FIELD], entry.get("metadata", {}), suggested, annotations


def _read_prodigy(entry: Mapping[str, Any], annotator: str) -> _Read:
    """Read a task of Prodigy's interface ``choice``."""
    if "options" not in entry:
        raise CorpusError("has no options; only tasks of Prodigy's interface choice are read")
    about = entry.get("mdclaims", {})
    if "answer" not in entry:
        return entry["text"], about, entry.get("accept"), {}
    who = str(entry.get("_annotator_id") or entry.get("_session_id") or annotator)
    annotations = {who: entry.get("accept", ())} if entry["answer"] == "accept" else {}
    return entry["text"], about, None, annotations


_READERS: dict[str, Callable[[Mapping[str, Any], str], _Read]] = {
    "doccano": _read_doccano,
    "label-studio": _read_label_studio,
    "argilla": _read_argilla,
    "prodigy": _read_prodigy,
}


def _labels(names: Sequence[Any]) -> tuple[str, ...]:
    """Return labels in their order."""
    if isinstance(names, str) or not isinstance(names, Sequence):
        names = [names]
    unknown = [name for name in names if name not in (*LABELS, NONE)]
    if unknown:
        raise CorpusError(f"unknown label {unknown[0]!r}; known are {', '.join((*LABELS, NONE))}")
    if NONE in names and len(set(names)) > 1:
        raise CorpusError(f"both {NONE!r} and a label; mend it in the tool")
    return tuple(label for label in LABELS if label in names)


def _item(path: Path, number: int, text: str, about: Mapping[str, Any]) -> Item:
    """Return an entry as an item; one that does not come from us is a paragraph of a document named as the file."""
    item = Item(id=f"{path.stem}:{number}", text=folded(text), doc=path.stem, site=path.stem, sentence=number)
    if not item.text:
        raise CorpusError("has no text")
    if "item" not in about:
        return item
    kind, region = str(about["kind"]), str(about["region"])
    if kind not in KINDS or region not in REGIONS:
        raise CorpusError(f"unknown kind {kind!r} or region {region!r}")
    level = about.get("level")
    return replace(
        item,
        id=str(about["item"]),
        doc=str(about["doc"]),
        site=str(about["site"]),
        sentence=int(about["sentence"]),
        kind=kind,
        region=region,
        level=None if level is None else int(level),
        heading=str(about.get("heading") or ""),
        before=str(about.get("before") or ""),
        after=str(about.get("after") or ""),
        first_block=bool(about.get("first_block")),
    )


# --- the corpus ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Settled:
    """Annotated sentences as lines of the corpus.

    Attributes
    ----------
    lines : tuple of dict
        See corpus/GUIDELINES.md, one sentence each.
    ties : int
        Sentences with a label on which annotators were divided evenly; it was given to them.
    """

    lines: tuple[dict[str, Any], ...]
    ties: int


def to_corpus(items: Iterable[Item], *, settle: str | None = None) -> Settled:
    """Put annotators' labels together and return documents in the corpus format.

    A label is settled if at least half of its annotators give it, or, where they are divided evenly, if `settle` does.

    Parameters
    ----------
    items : iterable of Item
        The same sentence may come several times, from several annotators; an annotator's last word counts.
    settle : str, optional
        The annotator who decides ties.

    Raises
    ------
    CorpusError
        If one id stands for two texts.
    """
    merged: dict[str, Item] = {}
    for item in items:
        known = merged.setdefault(item.id, item)
        if (known.text, known.doc, known.sentence) != (item.text, item.doc, item.sentence):
            raise CorpusError(f"{item.id} stands for two texts: {known.text[:60]!r} and {item.text[:60]!r}")
        merged[item.id] = replace(known, annotations={**known.annotations, **item.annotations})
    annotated = sorted(
        (item for item in merged.values() if item.annotations), key=lambda item: (item.doc, item.sentence)
    )
    settled = [_settle(item, settle) for item in annotated]
    lines = tuple(_line(item, labels) for item, (labels, _) in zip(annotated, settled, strict=True))
    return Settled(lines, sum(tied for _, tied in settled))


def _settle(item: Item, settle: str | None) -> tuple[list[str], bool]:
    """Return the settled labels, and whether a tie was decided."""
    labels = []
    tied = False
    for label in LABELS:
        votes = [label in given for given in item.annotations.values()]
        is_tie = sum(votes) * 2 == len(votes)
        tied = tied or is_tie
        if is_tie and settle is not None and settle in item.annotations:
            given = label in item.annotations[settle]
        else:
            given = sum(votes) * 2 >= len(votes)
        if given:
            labels.append(label)
    return labels, tied


def _line(item: Item, labels: Sequence[str]) -> dict[str, Any]:
    level = {"level": item.level} if item.kind == "heading" and item.level is not None else {}
    return {
        "doc": item.doc,
        "site": item.site,
        "block": item.sentence,
        "kind": item.kind,
        **level,
        "region": item.region,
        "sentences": [item.text],
        "labels": [list(labels)],
        "split": assign_split(item.site),
        "annotations": {name: [list(given)] for name, given in sorted(item.annotations.items())},
        "context": {
            "heading": item.heading,
            "previous": item.before,
            "next": item.after,
            "first_block": item.first_block,
        },
    }


@dataclass(frozen=True, slots=True)
class Imported:
    """Labels that came back.

    Attributes
    ----------
    text : str
        A file in the corpus format.
    sentences : int
    annotators : tuple of str
    passed_over, ties : int
        See `ReadItems` and `Settled`.
    agreements : tuple of (str, str, list of Agreement)
        Of each two annotators over the sentences that both judged.
    """

    text: str
    sentences: int
    annotators: tuple[str, ...]
    passed_over: int
    ties: int
    agreements: tuple[tuple[str, str, list[Agreement]], ...]

    def lines(self) -> Iterator[str]:
        """Yield what a user should know of it."""
        if self.passed_over:
            yield f"{self.passed_over:,} entries that nobody judged, or that were skipped, were passed over"
        if self.ties:
            yield (
                f"{self.ties:,} sentences have a label on which annotators are divided evenly; --settle NAME lets one "
                "decide, without it the label stands"
            )
        for first, second, rows in self.agreements:
            told = ", ".join(f"{row.label} {row.kappa:.2f}" for row in rows)
            yield f"agreement of {first} and {second} over {rows[0].sentences:,} sentences (Cohen's kappa): {told}"


def import_labels(
    files: Sequence[Path],
    format: str,
    *,
    annotator: str | None = None,
    settle: str | None = None,
    suggestions: bool = False,
) -> Imported:
    """Read what a tool exported and put it together.

    Parameters
    ----------
    files : sequence of Path
    format : str
        One of `FORMATS`.
    annotator : str, optional
        See `read_items`.
    settle : str, optional
        See `to_corpus`.
    suggestions : bool
        Take the model's suggestions as an annotator's, called `SUGGESTED`.

    Raises
    ------
    CorpusError
        If a file is not in the format, or nobody judged anything.
    """
    items: list[Item] = []
    passed_over = 0
    for path in files:
        found = read_items(path, format, annotator)
        passed_over += found.passed_over
        for item in found.items:
            given = dict(item.annotations)
            if suggestions and item.suggested is not None:
                given[SUGGESTED] = item.suggested
            passed_over += not given
            items.append(replace(item, annotations=given))
    annotators = tuple(sorted({name for item in items for name in item.annotations}))
    if not annotators:
        raise CorpusError(f"{files[0]}: nobody judged any sentence; annotate them first, then export from the tool")
    if settle is not None and settle not in annotators:
        raise CorpusError(f"no annotator is called {settle!r}; found: {', '.join(annotators)}")
    settled = to_corpus(items, settle=settle)
    judged: dict[str, dict[tuple[str, int], Sequence[str]]] = {name: {} for name in annotators}
    for line in settled.lines:
        for name, given_labels in line["annotations"].items():
            judged[name][line["doc"], line["block"]] = given_labels[0]
    return Imported(
        text="".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in settled.lines),
        sentences=len(settled.lines),
        annotators=annotators,
        passed_over=passed_over,
        ties=settled.ties,
        agreements=tuple(pairwise(judged, LABELS)),
    )
