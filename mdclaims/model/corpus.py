"""Reads and checks annotated documents: the corpus and every gold file. The format is in corpus/GUIDELINES.md.

One line of JSON per block; the blocks of a document are adjacent and in reading order. Every error names
file and line.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mdclaims.errors import CorpusError
from mdclaims.labels import LABELS, label_info
from mdclaims.language.sentences import Sentence, SentenceInput, page_inputs
from mdclaims.reading.page import KINDS, REGIONS, Fragment, Page, PageBuilder, fold_white_space, replace_unencodable

SPLITS: tuple[str, ...] = ("train", "dev", "test")
PAGE_KINDS: tuple[str, ...] = (
    "about", "aftercare", "blog", "booking", "contact", "education", "faq", "home", "landing", "newsletter",
    "non_medical", "press_release", "prices", "product", "service", "team", "testimonials",
)  # fmt: skip
VARIETIES: tuple[str, ...] = ("en-AU", "en-CA", "en-GB", "en-IN", "en-L2", "en-US")

_REQUIRED = {"doc": str, "block": int, "kind": str, "sentences": list, "labels": list}
_OPTIONAL = {
    "site": str, "area": str, "level": int, "region": str, "page_kind": str, "variety": str, "year": int,
    "split": str, "annotations": dict, "stance": list, "stance_annotations": dict, "context": dict,
}  # fmt: skip
_CONTEXT = {"heading": str, "previous": str, "next": str, "first_block": bool}
_CLOSED = {"kind": KINDS, "region": REGIONS, "split": SPLITS, "page_kind": PAGE_KINDS, "variety": VARIETIES}


@dataclass(frozen=True, slots=True)
class CorpusBlock:
    """One annotated block.

    Attributes
    ----------
    kind, region : str
    level : int or None
        1 to 6 for headings.
    sentences : tuple of str
        Joined with one space they are the block's text.
    labels : tuple of tuple of str
        The settled labels of each sentence, in the order of `LABELS`.
    annotations : dict of str to tuple of tuple of str
        Each annotator's labels; empty where only the settled ones are kept.
    stances : tuple of dict of str to str
        The settled stance of each label of each sentence; an empty dict where none was judged.
    stance_annotations : dict of str to tuple of dict of str to str
        Each annotator's stances.
    context : dict or None
        For a single sentence out of a page: what the model sees around it (``heading``, ``previous``, ``next``,
        ``first_block``), which is in no other line. None where the lines around it say so.
    place : str
        "file:line".
    """

    kind: str
    region: str
    level: int | None
    sentences: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]
    annotations: dict[str, tuple[tuple[str, ...], ...]]
    stances: tuple[dict[str, str], ...]
    stance_annotations: dict[str, tuple[dict[str, str], ...]]
    context: dict[str, Any] | None
    place: str


@dataclass(frozen=True, slots=True)
class CorpusDocument:
    """One annotated document.

    Attributes
    ----------
    doc, site : str
        Its id, and the site it stands on (the document's id if none is given).
    area, page_kind, variety, split : str or None
    blocks : tuple of CorpusBlock
        In reading order.
    """

    doc: str
    site: str
    area: str | None
    page_kind: str | None
    variety: str | None
    split: str | None
    blocks: tuple[CorpusBlock, ...]

    def sentences(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield each sentence with its labels."""
        for block in self.blocks:
            yield from zip(block.sentences, block.labels, strict=True)

    def stances(self) -> list[dict[str, str]]:
        """Return the stance of each label of each sentence, as far as they were judged."""
        return [row for block in self.blocks for row in block.stances]

    def page(self) -> Page:
        """Return the document as the page that it was, by the code that builds every page."""
        builder = PageBuilder()
        for block in self.blocks:
            text = " ".join(block.sentences)
            builder.add([Fragment(text)], kind=block.kind, region=block.region, level=block.level)
        return builder.build(source=self.doc, sha256="", title=None, encoding="utf-8")

    def gold_sentences(self) -> list[Sentence]:
        """Return the annotated sentences with their places on `page`."""
        sentences: list[Sentence] = []
        for block, annotated in zip(self.page().blocks, self.blocks, strict=True):
            start = block.start
            for text in annotated.sentences:
                sentences.append(Sentence(start, start + len(text), text, block, quoted=False))
                start += len(text) + 1
        return sentences

    def inputs(self) -> list[SentenceInput]:
        """Return what the model sees of each annotated sentence, in order."""
        contexts = [block.context for block in self.blocks for _ in block.sentences]
        return [
            entry._replace(**context) if context else entry
            for entry, context in zip(page_inputs(self.gold_sentences()), contexts, strict=True)
        ]


def corpus_files(path: Path) -> list[Path]:
    """Return the ``.jsonl`` files of a folder, sorted, or the file itself.

    Raises
    ------
    CorpusError
        If there is none.
    """
    found = sorted(path.rglob("*.jsonl")) if path.is_dir() else [path]
    if not found or not all(file.is_file() for file in found):
        raise CorpusError(f"{path}: no .jsonl file found; pass a corpus folder or a file in the corpus format")
    return found


def read_corpus(path: Path) -> list[CorpusDocument]:
    """Read a file or a folder of documents.

    Raises
    ------
    CorpusError
        At the first line that breaks the format.
    """
    documents: list[CorpusDocument] = []
    for file in corpus_files(path):
        found, problems = parse_documents(file)
        if problems:
            raise CorpusError(problems[0])
        documents += found
    return documents


def parse_documents(file: Path) -> tuple[list[CorpusDocument], list[str]]:
    """Read one file; return its documents and every breach of the format, each with file and line."""
    problems: list[str] = []
    groups: dict[str, list[tuple[dict[str, Any], CorpusBlock]]] = {}
    last = None
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        return [], [f"{file}: cannot be read as UTF-8 text ({error})"]
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        place = f"{file}:{number}"
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError) as error:
            problems.append(f"{place}: not valid JSON ({error})")
            continue
        faults = list(_faults(entry))
        if faults:
            problems += [f"{place}: {fault}" for fault in faults]
            continue
        doc = entry["doc"]
        if doc in groups and doc != last:
            problems.append(f"{place}: document {doc!r} goes on after another began; keep its blocks together")
        blocks = groups.setdefault(doc, [])
        if blocks and entry["block"] <= blocks[-1][0]["block"]:  # gaps are fine: gold text can lose blocks
            problems.append(f"{place}: block {entry['block']} of {doc!r} stands after block {blocks[-1][0]['block']}")
        if blocks:
            changed = [
                key
                for key in ("site", "area", "page_kind", "variety", "year", "split")
                if entry.get(key) != blocks[0][0].get(key)
            ]
            if changed:
                problems.append(f"{place}: {', '.join(changed)} differ from the first block of {doc!r}")
        blocks.append((entry, _block(entry, place)))
        last = doc
    return [_document(doc, blocks) for doc, blocks in groups.items()], problems


def _faults(entry: object) -> Iterator[str]:
    """Yield what is wrong with one line."""
    if not isinstance(entry, dict):
        yield "a line must be a JSON object"
        return
    structural = list(_key_faults(entry))
    yield from structural
    if structural:
        return
    for key, values in _CLOSED.items():
        if key in entry and entry[key] not in values:
            yield f"unknown {key} {entry[key]!r}; known are {', '.join(values)}"
    if entry["kind"] == "heading" and entry.get("level", 2) not in range(1, 7):
        yield f"heading level {entry['level']} is not 1 to 6"
    if not entry["sentences"]:
        yield "has no sentences"
    for sentence in entry["sentences"]:
        if not isinstance(sentence, str) or not sentence:
            yield f"sentence {sentence!r} is not a text"
        elif fold_white_space([Fragment(replace_unencodable(sentence))])[0] != sentence:
            yield f"sentence {sentence!r} has white space at its ends, doubled white space or invisible characters"
    yield from _label_faults("labels", entry["labels"], len(entry["sentences"]))
    for name, rows in entry.get("annotations", {}).items():
        yield from _label_faults(f"annotations {name!r}", rows, len(entry["sentences"]))
    yield from _context_faults(entry)
    for name, rows in _stance_rows(entry):
        if rows is not None:
            yield from _stance_faults(name, rows, entry["labels"])


def _key_faults(entry: dict[str, Any]) -> Iterator[str]:
    """Yield unknown and missing keys, and values of the wrong type."""
    for key in entry:
        if key not in _REQUIRED and key not in _OPTIONAL:
            yield f"unknown key {key!r}"
    for key, expected in (_REQUIRED | _OPTIONAL).items():
        if key in entry and (not isinstance(entry[key], expected) or isinstance(entry[key], bool)):
            yield f"{key!r} must be of type {expected.__name__}"
        elif key in _REQUIRED and key not in entry:
            yield f"lacks {key!r}"


def _label_faults(name: str, rows: object, sentences: int) -> Iterator[str]:
    """Yield what is wrong with one annotator's labels of a block."""
    if not isinstance(rows, list) or len(rows) != sentences:
        yield f"{name} must have one list for each of the {sentences} sentences"
        return
    for row in rows:
        if not isinstance(row, list):
            yield f"{name}: {row!r} is not a list of labels"
            continue
        unknown = [label for label in row if label not in LABELS]
        if unknown:
            yield f"{name}: unknown label {unknown[0]!r}; known are {', '.join(LABELS)}"
        elif len(set(row)) != len(row):
            yield f"{name}: a label stands twice in {row}"


def _context_faults(entry: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the context of a single sentence."""
    context = entry.get("context")
    if context is None:
        return
    if len(entry["sentences"]) != 1:
        yield "has a context, which is for blocks of one sentence"
    if {key: type(value) for key, value in context.items()} != _CONTEXT:
        yield f"a context has {', '.join(_CONTEXT)}: three texts and true or false"


def _stance_rows(entry: dict[str, Any]) -> Iterator[tuple[str, object]]:
    yield "stance", entry.get("stance")
    for name, rows in entry.get("stance_annotations", {}).items():
        yield f"stance annotations {name!r}", rows


def _stance_faults(name: str, rows: object, labels: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield what is wrong with one annotator's stances of a block."""
    if not isinstance(rows, list) or len(rows) != len(labels) or not all(isinstance(row, dict) for row in rows):
        yield f"{name} must have one object for each of the {len(labels)} sentences"
        return
    for row, carried in zip(rows, labels, strict=True):
        for label, stance in row.items():
            if label not in carried:
                yield f"{name}: {label!r} is no label of its sentence"
            elif stance not in (known := label_info()[label].stances):
                yield f"{name}: unknown stance {stance!r} of {label}; known are {', '.join(known)}"


def _block(entry: dict[str, Any], place: str) -> CorpusBlock:
    def ordered(rows: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
        return tuple(tuple(label for label in LABELS if label in row) for row in rows)

    is_heading = entry["kind"] == "heading"
    return CorpusBlock(
        kind=entry["kind"],
        region=entry.get("region", "main"),
        # Real text labelled before levels were kept has none; a section heading is the likeliest.
        level=entry.get("level", 2) if is_heading else None,
        sentences=tuple(entry["sentences"]),
        labels=ordered(entry["labels"]),
        annotations={name: ordered(rows) for name, rows in entry.get("annotations", {}).items()},
        stances=tuple(entry.get("stance") or ({} for _ in entry["sentences"])),
        stance_annotations={name: tuple(rows) for name, rows in entry.get("stance_annotations", {}).items()},
        context=entry.get("context"),
        place=place,
    )


def _document(doc: str, blocks: Sequence[tuple[dict[str, Any], CorpusBlock]]) -> CorpusDocument:
    first = blocks[0][0]
    return CorpusDocument(
        doc=doc,
        site=first.get("site") or doc,
        area=first.get("area"),
        page_kind=first.get("page_kind"),
        variety=first.get("variety"),
        split=first.get("split"),
        blocks=tuple(block for _, block in blocks),
    )


# --- checking ---------------------------------------------------------------------------------------------------

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_LONG_SENTENCE = 8
_SHINGLE = 5
_NEAR = 0.7
_SHARED = 0.2


def check_corpus(path: Path) -> list[str]:
    """Return every problem of a corpus, each beginning with file and line; empty if all is well.

    Checked are the format, repeated document ids, exact and near duplicates between documents of different
    sites (5-gram Jaccard 0.7 among sentences of eight words or more), documents that share more than a fifth
    of their sentences, a missing split, and sites that stand in two splits.
    """
    problems: list[str] = []
    documents: list[CorpusDocument] = []
    for file in corpus_files(path):
        found, faults = parse_documents(file)
        problems += faults
        documents += found
    problems += _repeated_ids(documents)
    problems += _split_problems(documents)
    problems += _near_duplicates(documents)
    problems += _shared_sentences(documents)
    return problems


def _repeated_ids(documents: Iterable[CorpusDocument]) -> Iterator[str]:
    seen: dict[str, str] = {}
    for document in documents:
        place = document.blocks[0].place
        if document.doc in seen:
            yield f"{place}: document {document.doc!r} stands already at {seen[document.doc]}"
        seen.setdefault(document.doc, place)


def _split_problems(documents: Iterable[CorpusDocument]) -> Iterator[str]:
    site_split: dict[str, tuple[str, str]] = {}
    for document in documents:
        place = document.blocks[0].place
        if document.split is None:
            yield f"{place}: document {document.doc!r} has no split; give it train, dev or test"
            continue
        split, where = site_split.setdefault(document.site, (document.split, place))
        if split != document.split:
            yield f"{place}: site {document.site!r} leaks: {document.split} here, {split} at {where}"


def _words(sentence: str) -> list[str]:
    return [word.lower().replace("’", "'") for word in _WORD.findall(sentence)]


def _near_duplicates(documents: Sequence[CorpusDocument]) -> Iterator[str]:
    """Yield long sentences that stand, nearly alike, in documents of different sites."""
    index: dict[tuple[str, ...], list[int]] = defaultdict(list)
    kept: list[tuple[str, str, frozenset[tuple[str, ...]], str]] = []
    for document in documents:
        for block in document.blocks:
            for sentence in block.sentences:
                words = _words(sentence)
                if len(words) < _LONG_SENTENCE:
                    continue
                shingles = frozenset(tuple(words[n : n + _SHINGLE]) for n in range(len(words) - _SHINGLE + 1))
                shared = Counter(other for shingle in shingles for other in index.get(shingle, ()))
                for other, count in sorted(shared.items()):
                    site, place, theirs, text = kept[other]
                    if site != document.site and count / len(shingles | theirs) >= _NEAR:
                        yield f"{block.place}: near duplicate of {place}: {sentence[:60]!r} / {text[:60]!r}"
                        break
                for shingle in shingles:
                    index[shingle].append(len(kept))
                kept.append((document.site, block.place, shingles, sentence))


def _shared_sentences(documents: Sequence[CorpusDocument]) -> Iterator[str]:
    """Yield documents that share more than a fifth of their sentences of three words or more.

    Menus, headers and footers do not count: on one site they are the same on every page.
    """
    holders: dict[str, set[int]] = defaultdict(set)
    folded: list[set[str]] = []
    for n, document in enumerate(documents):
        body = (block for block in document.blocks if block.region not in {"header", "nav", "footer"})
        texts = {
            " ".join(words) for block in body for sentence in block.sentences if len(words := _words(sentence)) > 2
        }
        folded.append(texts)
        for text in texts:
            holders[text].add(n)
    for n, document in enumerate(documents):
        shared = Counter(other for text in folded[n] for other in holders[text] if other < n)
        for other, count in sorted(shared.items()):
            smaller = min(len(folded[n]), len(folded[other]))
            if smaller >= 5 and count > _SHARED * smaller:
                yield (
                    f"{document.blocks[0].place}: document {document.doc!r} shares {count} of {smaller} sentences "
                    f"with {documents[other].doc!r}"
                )


# --- splitting and hashing --------------------------------------------------------------------------------------


def assign_split(site: str) -> str:
    """Return the split of a site: about 70 % train, 15 % dev, 15 % test, by a hash of its name.

    A new document of a known site lands where the site is, and no later growth moves a site.
    """
    share = int.from_bytes(hashlib.sha256(site.encode()).digest()[:4], "big") / 2**32
    return "train" if share < 0.70 else "dev" if share < 0.85 else "test"


def corpus_digest(path: Path) -> str:
    """Return one SHA-256 over the corpus files, names and contents."""
    digest = hashlib.sha256()
    for file in corpus_files(path):
        digest.update(f"{file.name}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()
