"""Reads a page of a case again, from the evidence or its input, and says in what its exhibits are not the page's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mdclaims.cases.exhibits import quotation
from mdclaims.cases.manifest import Manifest, is_below, is_inside
from mdclaims.cases.store import CAPTURES, EVIDENCE
from mdclaims.cases.versions import same_readers, version_here
from mdclaims.errors import ReadError
from mdclaims.findings.findings import fingerprints, groups
from mdclaims.language.pipeline import shared_pipeline
from mdclaims.language.sentences import Sentence, page_inputs, split_page
from mdclaims.reading import Page, format_of, read_page
from mdclaims.reading.archive import Capture, Place, block_digest_agrees, is_archive, page_of, read_capture
from mdclaims.reading.limits import Limits


def find_input(case: Path, folders: Sequence[Path], name: str) -> Path | None:
    """Return where an input is: among the captures of the case, or below one of the folders; None if nowhere."""
    if not is_below(name):
        return None
    places = [(case / CAPTURES, name), *((folder, name) for folder in folders)]
    return next((folder / below for folder, below in places if is_inside(folder, below)), None)


@dataclass(frozen=True, slots=True)
class Reread:
    """A page that was read again.

    Attributes
    ----------
    page : Page
    sentences : sequence of Sentence
    wrong : tuple of str
        In what the record is not the one that the case describes.
    is_same_reader : bool
        It was read by the versions that read it for the case.
    """

    page: Page
    sentences: Sequence[Sentence]
    wrong: tuple[str, ...]
    is_same_reader: bool


class UncheckableError(Exception):
    """Nothing is there to check against; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Originals:
    """What the pages of a case were read from.

    Attributes
    ----------
    case : Path
    names : frozenset of str
        The inputs of the case.
    folders : tuple of Path
        Where to look for them.
    limits : Limits
    evidence : bool
        The case has copies of the records.
    same_readers : frozenset of str
        The kinds of page that are read by the versions that read them for the case.
    """

    case: Path
    names: frozenset[str]
    folders: tuple[Path, ...]
    limits: Limits
    evidence: bool
    same_readers: frozenset[str]

    @classmethod
    def of_case(cls, case: Path, manifest: Manifest, folders: Sequence[Path], *, evidence: bool) -> Originals:
        """Return what the pages of a case were read from, as its manifest says.

        Parameters
        ----------
        case : Path
        manifest : Manifest
        folders : sequence of Path
            Where to look for its inputs.
        evidence : bool
            A page without a copy in the evidence is an error; False looks for its input, for of pages without findings
            no copy is kept.
        """
        here = {name: version_here(name) for name in manifest.versions}
        return cls(
            case,
            frozenset(name for name, _, _ in manifest.inputs),
            tuple(folders),
            manifest.limits,
            evidence,
            same_readers(manifest.versions, here),
        )

    def reread(self, row: Mapping[str, Any], offset: int | None) -> Reread:
        """Read the page of a row, from the evidence of the case or from its input.

        Raises
        ------
        ReadError, UsageError
            If it cannot be read.
        UncheckableError
            If the input is not there.
        """
        name, is_same_reader = str(row["file"]), row["kind"] in self.same_readers
        if row["offset"] is None:
            page = self._read_file(name)
            wrong = _differences(row, {"kind": format_of(Path(name)), "sha256": page.sha256})
        else:
            if offset is not None:
                if not is_inside(self.case, EVIDENCE):
                    raise ReadError("is not in the case any more")
                place = Place(self.case / EVIDENCE, None, offset)
            elif self.evidence:
                raise ReadError("no evidence: the list of offsets does not name the page, though evidence was kept")
            else:
                place = Place(self._input(name), row["member"], row["offset"], row["skip"] or 0)
            capture = read_capture(place, limits=self.limits)
            page = page_of(capture, limits=self.limits, apart=False)
            wrong = [*_differences(row, _described(capture)), *_wrong_block(place)]
        if is_same_reader:
            unread = {"images_without_text": page.unread.images, "videos": page.unread.videos}
            directives = [directive.text for directive in page.directives]
            unread |= {"frames": page.unread.frames}
            wrong += _differences(row, {"title": page.title, "directives": directives, **unread})
        return Reread(page, split_page(page, shared_pipeline()), tuple(wrong), is_same_reader)

    def _read_file(self, name: str) -> Page:
        if format_of(Path(name)) is None:
            raise ReadError("is no file that screen reads; its suffix is unknown")
        return read_page(self._input(name), limits=self.limits, apart=False)

    def _input(self, name: str) -> Path:
        """Return where an input is."""
        if name not in self.names:
            raise ReadError("is no input of the case; not read")
        path = find_input(self.case, self.folders, name)
        if path is None:
            kept = "no evidence was kept" if is_archive(Path(name)) else "a file's evidence is the file"
            raise UncheckableError(f"{kept}, and the input is not there; name its folder with --inputs")
        return path


def wrong_sentences(rows: Sequence[Mapping[str, Any]], reread: Reread) -> list[str]:
    """Say which kept sentences are not those of the page."""
    if not reread.is_same_reader:
        return []
    wrong = []
    for row in rows:
        number = row["sentence"]
        known = number is not None and 0 <= number < len(reread.sentences)
        if not known or _differences(row, _kept(reread.sentences[number])):
            wrong.append(f"sentence {number} in the table of sentences is not the page's")
    return wrong


def wrong_findings(
    row: Mapping[str, Any], findings: Sequence[Mapping[str, Any]], reread: Reread
) -> Iterator[list[str]]:
    """Yield for each finding in what it is not the page's."""
    marks = _marks(findings, reread.sentences)
    folded = "" if reread.is_same_reader else _folded(reread.page.text)
    address = row["address"] if row["offset"] is not None else None
    for finding, mark in zip(findings, marks, strict=True):
        wrong = _wrong_finding(finding, mark, reread.sentences, address)
        if wrong and not reread.is_same_reader:
            # Another version may divide a page otherwise; what is quoted must be there all the same.
            quoted = ("quote", "before", "after", "qualifier")
            absent = [key for key in quoted if _folded(finding[key] or "") not in folded]
            wrong = [f"its {key} is nowhere on the page" for key in absent]
        yield wrong


def _wrong_finding(
    finding: Mapping[str, Any], mark: Mapping[str, str], sentences: Sequence[Sentence], address: str | None
) -> list[str]:
    number = finding["sentence"]
    if number is None or not 0 <= number < len(sentences):
        return [f"the page has no sentence {number}"]
    wrong = _differences(finding, {**quotation(sentences, number, address), **mark})
    if not _has_qualifier(finding, sentences):
        wrong.append("its qualifier does not stand where the exhibit says")
    return wrong


def _has_qualifier(finding: Mapping[str, Any], sentences: Sequence[Sentence]) -> bool:
    """True if the qualifier of a finding stands at its distance, or the finding has none."""
    columns = ("qualifier", "qualifier_kind", "qualifier_sentences_away", "qualifier_blocks_away", "qualifier_hidden")
    text, _, away, blocks, hidden = (finding[name] for name in columns)
    if text is None:
        return all(finding[name] is None for name in columns)
    claim = sentences[finding["sentence"]].block
    for number in {finding["sentence"] + (away or 0), finding["sentence"] - (away or 0)}:
        if away is not None and 0 <= number < len(sentences):
            block = sentences[number].block
            beside = (block.region, block.heading_path) == (claim.region, claim.heading_path)
            place = (sentences[number].text, abs(block.index - claim.index), block.hidden)
            if beside and place == (text, blocks, hidden):
                return True
    return False


def _marks(findings: Sequence[Mapping[str, Any]], sentences: Sequence[Sentence]) -> list[dict[str, str]]:
    """Return fingerprint and claim of each finding; nothing for those without a label, whose rule has them."""
    inputs = page_inputs(sentences)
    known = [
        n
        for n, finding in enumerate(findings)
        if finding["label"] is not None
        and finding["sentence"] is not None
        and 0 <= finding["sentence"] < len(sentences)
    ]
    places = [(findings[n]["label"], findings[n]["sentence"]) for n in known]
    marks = fingerprints([(label, inputs[number].text, inputs[number].heading) for label, number in places])
    firsts = groups([(label, sentences[number]) for label, number in places])
    found: list[dict[str, str]] = [{} for _ in findings]
    for n, mark, first in zip(known, marks, firsts, strict=True):
        found[n] = {"fingerprint": mark, "claim": marks[first]}
    return found


def _kept(sentence: Sentence) -> dict[str, Any]:
    """Return what the table of sentences says of a sentence, scores apart."""
    block = sentence.block
    heading = block.heading_path[-1] if block.heading_path else None
    return {
        "text": sentence.text, "kind": block.kind, "region": block.region, "hidden": block.hidden, "heading": heading
    }  # fmt: skip


def _described(capture: Capture) -> dict[str, Any]:
    """Return what the table of pages says of a record."""
    return {
        "address": capture.address,
        "kind": capture.kind,
        "status": capture.status,
        "captured": capture.time,
        "sha256": capture.sha256,
        "content_type": capture.content_type,
        "redirect": capture.redirect,
        "digest_agrees": capture.digest_agrees,
    }


def _wrong_block(place: Place) -> list[str]:
    if block_digest_agrees(place) is False:
        return ["its record does not agree with its WARC-Block-Digest: HTTP header or body were changed"]
    return []


_LONGEST_SHOWN = 80


def _differences(row: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Say in which columns a row is not what was found."""
    return [
        f"its {name} is {_shown(row[name])} in the case and {_shown(value)} in the evidence"
        for name, value in found.items()
        if row[name] != value
    ]


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, (str, list, type(None))) else str(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"


def _folded(text: str) -> str:
    return " ".join(text.split())
