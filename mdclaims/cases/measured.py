"""The model measured on one's own case: what was drawn, what people judged, and the figures that follow.

`measured.json` in the case holds the judgements beside the figures, and the draw they belong to is named by its
SHA-256, so that `verify` can work the figures out again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mdclaims.cases.manifest import MOST_BYTES, is_inside
from mdclaims.cases.store import MANIFEST, MEASURED, SAMPLES, file_sha256, write_file
from mdclaims.errors import ReadError, UsageError
from mdclaims.labels import LABELS
from mdclaims.model.agreement import Agreement, pairwise
from mdclaims.model.evaluation import rounded
from mdclaims.model.survey import POOLED, Judged, LabelEstimate, Stratum, estimate, estimate_lines

SCHEMA_VERSION = 1
_DRAW = re.compile(r"[0-9a-f]{12}\.json")


@dataclass(frozen=True, slots=True)
class DrawnRow:
    """A sentence of a sample.

    Attributes
    ----------
    page : str
    sentence : int
        Its number on the page.
    stratum : str
    found : tuple of str
        The labels of its findings.
    """

    page: str
    sentence: int
    stratum: str
    found: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Draw:
    """How a sample was drawn.

    Attributes
    ----------
    tool : str
        Version of mdclaims.
    manifest : str
        SHA-256 of the case's manifest.
    seed, asked : int
    labels : tuple of str
        That the case was screened for.
    strata : tuple of Stratum
    covered, judged : (int, int)
        Pages and sentences that could be drawn from, and all that were judged in the case.
    unread : tuple of (str, str)
        Pages that came up and could not be read as the case describes them, each with the reason.
    rows : tuple of DrawnRow
        In the order of the sheet, numbered from 1.
    """

    tool: str
    manifest: str
    seed: int
    asked: int
    labels: tuple[str, ...]
    strata: tuple[Stratum, ...]
    covered: tuple[int, int]
    judged: tuple[int, int]
    unread: tuple[tuple[str, str], ...]
    rows: tuple[DrawnRow, ...]

    def to_bytes(self) -> bytes:
        """Return the file that is kept in the case."""
        content = {"schema_version": SCHEMA_VERSION, **asdict(self)}
        return json.dumps(content, ensure_ascii=False, indent=1).encode() + b"\n"

    def notes(self) -> Iterator[str]:
        """Yield what the sample does not cover."""
        pages, sentences = (all_ - here for all_, here in zip(self.judged, self.covered, strict=True))
        if pages:
            yield (
                f"not covered: {sentences:,} of {self.judged[1]:,} sentences that were judged, on {pages:,} pages that "
                "are not at hand; name the folder of the inputs with --inputs"
            )
        if self.unread:
            yield (
                f"{len(self.unread):,} pages could not be read as the case describes them and others took their place; "
                f"the figures take their sentences for like the others ({self.unread[0][1]})"
            )
        for stratum in self.strata:
            drawn = sum(row.stratum == stratum.name for row in self.rows)
            if stratum.size and not drawn:
                yield f"no sentence of {stratum.size:,} could be drawn: {stratum.name}"


def draw_name(content: bytes) -> str:
    """Return the name of a draw's file: the first 12 hex digits of its SHA-256, which are the sample's id."""
    return f"{sha256(content).hexdigest()[:12]}.json"


def is_draw(name: str) -> bool:
    """True for the name, in a case, of a file that can be a draw."""
    folder, _, rest = name.partition("/")
    return folder == SAMPLES and _DRAW.fullmatch(rest) is not None


def read_draw(case: Path, sample: str) -> Draw:
    """Read how a sample was drawn.

    Raises
    ------
    ReadError
        If the case has no such sample, or its file is not the one that was written.
    """
    name = f"{SAMPLES}/{sample}.json"
    content = _content(case, name)
    if content is None or not is_draw(name):
        raise ReadError(f"{case} has no sample {sample}; name the case that the sheet was exported from")
    if draw_name(content) != f"{sample}.json":
        raise ReadError(f"{case / name} was changed: its SHA-256 is not the one in its name; get the case again")
    try:
        told = json.loads(content)
        return Draw(
            tool=str(told["tool"]),
            manifest=str(told["manifest"]),
            seed=int(told["seed"]),
            asked=int(told["asked"]),
            labels=tuple(label for label in LABELS if label in told["labels"]),
            strata=tuple(
                Stratum(str(entry["name"]), int(entry["size"]), {str(k): int(v) for k, v in entry["found"].items()})
                for entry in told["strata"]
            ),
            covered=_pair(told["covered"]),
            judged=_pair(told["judged"]),
            unread=tuple((str(page), str(reason)) for page, reason in told["unread"]),
            rows=tuple(
                DrawnRow(str(row["page"]), int(row["sentence"]), str(row["stratum"]), tuple(map(str, row["found"])))
                for row in told["rows"]
            ),
        )
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ReadError(f"{case / name} is none that mdclaims writes ({type(error).__name__}: {error})") from error


def _pair(numbers: Sequence[Any]) -> tuple[int, int]:
    one, other = numbers
    return int(one), int(other)


@dataclass(frozen=True, slots=True)
class Measured:
    """What people found of a sample, and what follows for the case.

    Attributes
    ----------
    sample : str
        Its id.
    time : str
        When it was measured, UTC.
    answers : dict of str to dict of int to tuple of str
        For each annotator the labels of the rows that were judged.
    draw : Draw
    """

    sample: str
    time: str
    answers: Mapping[str, Mapping[int, tuple[str, ...]]]
    draw: Draw

    @property
    def judged(self) -> int:
        """How many sentences at least one person judged."""
        return len({number for rows in self.answers.values() for number in rows})

    def estimates(self) -> list[LabelEstimate]:
        """Return the figures for each label, and pooled."""
        rows = []
        for number, drawn in enumerate(self.draw.rows, 1):
            told = [set(answers[number]) for answers in self.answers.values() if number in answers]
            if told:
                carried = {label: sum(label in one for one in told) / len(told) for label in self.draw.labels}
                carried[POOLED] = sum(map(bool, told)) / len(told)
                rows.append(Judged(drawn.stratum, frozenset(drawn.found), carried))
        return estimate(self.draw.strata, rows, self.draw.labels)

    def agreements(self) -> Iterator[tuple[str, str, list[Agreement]]]:
        """Return the agreement of each two annotators over the sentences that both judged."""
        return pairwise(self.answers, self.draw.labels)

    def figures(self) -> dict[str, Any]:
        """Return everything that follows from draw and judgements, as JSON data."""
        estimates = {row.label: row.to_json() for row in self.estimates()}
        pages, sentences = self.draw.covered
        return {
            "intervals": "95 %; Wilson with effective sample sizes, combined by MOVER",
            "drawn": len(self.draw.rows),
            "judged": self.judged,
            "covered": {"pages": pages, "sentences": sentences},
            "all": {"pages": self.draw.judged[0], "sentences": self.draw.judged[1]},
            "pooled": estimates.pop(POOLED),
            "labels": estimates,
            "agreement": [
                {
                    "annotators": [first, second],
                    "sentences": rows[0].sentences,
                    "kappa": {row.label: rounded(row.kappa) for row in rows},
                }
                for first, second, rows in self.agreements()
            ],
        }

    def to_json(self) -> dict[str, Any]:
        """Return what `measured.json` holds; docs/sample.md says what the keys mean."""
        return {
            "schema_version": SCHEMA_VERSION,
            "tool": {"name": "mdclaims", "version": version("mdclaims")},
            "manifest": self.draw.manifest,
            "sample": self.sample,
            "time": self.time,
            "answers": {
                name: {str(number): list(labels) for number, labels in sorted(rows.items())}
                for name, rows in self.answers.items()
            },
            "figures": self.figures(),
        }

    def notes(self) -> Iterator[str]:
        """Yield what a reader of the figures should know."""
        drawn = len(self.draw.rows)
        for name, rows in self.answers.items():
            if len(rows) < drawn:
                yield (
                    f"{name} judged {len(rows):,} of {drawn:,} sentences; the others are left out, as if chance had "
                    "chosen them: finish the sheet rather than the easy rows"
                )
        if len(self.answers) > 1:
            yield "a sentence on which annotators differ counts in part: by the share of them who say yes"
        yield from self.draw.notes()

    def lines(self) -> Iterator[str]:
        """Yield the figures in words, for the terminal, letters and overviews."""
        pages, sentences = self.draw.covered
        yield (
            f"{self.judged:,} of {len(self.draw.rows):,} sampled sentences judged blind by "
            f"{' and '.join(self.answers)}; drawn from {sentences:,} sentences on {pages:,} pages; intervals: 95 %"
        )
        yield ""
        yield from estimate_lines(self.estimates())
        for first, second, rows in self.agreements():
            told = ", ".join(f"{row.label} {row.kappa:.2f}" for row in rows)
            yield ""
            yield f"agreement of {first} and {second} over {rows[0].sentences:,} sentences (Cohen's kappa): {told}"


def measure(case: Path, sheets: Sequence[Path]) -> Measured:
    """Measure a case by one or more filled sheets of one sample, and keep the result in the case.

    Parameters
    ----------
    case : Path
    sheets : sequence of Path
        One for each annotator, who is called by the name of the file.

    Raises
    ------
    ReadError
        If a sheet cannot be read, or is of another sample or case.
    UsageError
        If nothing was judged, or two sheets have one name.
    """
    from mdclaims.cases.sheets import read_sheet

    names = [path.stem for path in sheets]
    if len(set(names)) != len(names):
        raise UsageError("two sheets have the same name, which stands for the annotator; rename one")
    if not is_inside(case, MANIFEST):
        raise ReadError(f"{case} is no case; name the folder that mdclaims screen wrote")
    samples = {path: read_sheet(path).sample for path in sheets}
    sample = samples[sheets[0]]
    if len(set(samples.values())) != 1:
        other = next(path for path in sheets if samples[path] != sample)
        raise ReadError(f"{sheets[0]} and {other} are sheets of two samples; evaluate each by itself")
    draw = read_draw(case, sample)
    if draw.manifest != file_sha256(case / MANIFEST):
        raise ReadError(f"{sheets[0]} was drawn from another screening than {case} now holds; export a new sample")
    answers = {path.stem: read_sheet(path, draw.labels).answers for path in sheets}
    for path in sheets:
        beyond = [number for number in answers[path.stem] if not 1 <= number <= len(draw.rows)]
        if beyond:
            raise ReadError(f"{path}: {sample}-{beyond[0]:03d} is no row of the sample; restore its id")
    if not any(answers.values()):
        raise UsageError(f"{sheets[0]}: no row is judged yet; choose yes or no in the columns of the labels first")
    result = Measured(sample, datetime.now(UTC).isoformat(timespec="seconds"), answers, draw)
    content = json.dumps(result.to_json(), ensure_ascii=False, indent=1).encode() + b"\n"
    write_file(case / MEASURED, content)
    return result


def read_measured(case: Path) -> Measured | None:
    """Return what was measured on a case; None if nothing was.

    Raises
    ------
    ReadError
        If it cannot be read, is of another screening, or its figures do not follow from its judgements.
    """
    if not (case / MEASURED).exists() and not (case / MEASURED).is_symlink():
        return None
    content = _content(case, MEASURED)
    if content is None:
        raise ReadError(f"{case / MEASURED} is no file of the case, or too large; remove it")
    try:
        told = json.loads(content)
        sample, time = str(told["sample"]), str(told["time"])
        answers = {
            str(name): {int(number): tuple(map(str, labels)) for number, labels in rows.items()}
            for name, rows in told["answers"].items()
        }
        figures, manifest = told["figures"], told["manifest"]
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ReadError(f"{case / MEASURED} is none that mdclaims writes ({type(error).__name__}: {error})") from error
    result = Measured(sample, time, answers, read_draw(case, sample))
    if manifest != result.draw.manifest or manifest != file_sha256(case / MANIFEST):
        raise ReadError(f"{case / MEASURED} was measured on another screening; remove it and measure again")
    try:
        follows = figures == json.loads(json.dumps(result.figures()))
    except (ArithmeticError, KeyError, ValueError) as error:
        raise ReadError(
            f"{case / MEASURED}: its sample is none that mdclaims draws ({error}); measure again"
        ) from error
    if not follows:
        raise ReadError(f"{case / MEASURED}: its figures do not follow from its judgements; measure again")
    return result


def _content(case: Path, name: str) -> bytes | None:
    """Return the bytes of a file in the case; None if it is none, or a link, or larger than any of ours."""
    path = case / name
    if not is_inside(case, name) or path.stat().st_size > MOST_BYTES:
        return None
    return path.read_bytes()
