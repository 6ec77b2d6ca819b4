"""What several test files share: the tiny corpus, a model fitted on it, a stub model, reports, processes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from mdclaims.config import MODES, Settings
from mdclaims.findings.findings import PageResult
from mdclaims.findings.screening import Screener
from mdclaims.labels import LABELS, label_info
from mdclaims.language.hashing import Lines
from mdclaims.language.sentences import SentenceInput
from mdclaims.model.classifier import ClaimClassifier, Judgement
from mdclaims.model.corpus import CorpusDocument, read_corpus
from mdclaims.model.explanations import Explanation
from mdclaims.model.features import Contribution, FeatureSettings
from mdclaims.model.persistence import LoadedModel
from mdclaims.model.training import TrainingSettings, fit
from mdclaims.reports.report import InputError, Report

ROOT = Path(__file__).resolve().parent.parent
TINY_CORPUS = ROOT / "tests" / "data" / "tiny_corpus.jsonl"
TINY_SENTENCES = 71
TINY_SITES = 14
# Small enough that a matrix can be looked at; the widths of the shipped model gain nothing here.
SMALL_FEATURES = FeatureSettings(word_bits=12, char_bits=11, heading_bits=9, context_bits=8)

EFFICACY, SAFETY, STIGMA, ACTION = LABELS


# --- the tiny model ---------------------------------------------------------------------------------------------


@cache
def tiny_documents() -> tuple[CorpusDocument, ...]:
    return tuple(read_corpus(TINY_CORPUS))


def tiny_split(*splits: str) -> list[CorpusDocument]:
    return [document for document in tiny_documents() if document.split in splits]


def fit_tiny() -> ClaimClassifier:
    """Fit anew, on train and dev."""
    return fit(tiny_split("train", "dev"), TrainingSettings(), SMALL_FEATURES)[0]


@cache
def tiny_classifier() -> ClaimClassifier:
    return fit_tiny()


def tiny_inputs() -> list[SentenceInput]:
    return [entry for document in tiny_documents() for entry in document.inputs()]


# --- the stub model ---------------------------------------------------------------------------------------------

# A marker in a sentence gives its score and, behind a colon, its stance, so that a test says what it wants:
# "This [e95] drug" has the efficacy score 0.95, "This [e95:limits] drug" that stance too.
_MARKERS = {"e": EFFICACY, "s": SAFETY, "g": STIGMA, "a": ACTION}
STUB_THRESHOLDS: dict[str, dict[str, float]] = {
    "screen": dict.fromkeys(LABELS, 0.2),
    "balanced": dict.fromkeys(LABELS, 0.5),
    "edit": dict.fromkeys(LABELS, 0.8),
}


class StubClassifier:
    """Scores by markers in the text; counts what it is asked."""

    labels = LABELS

    def __init__(self, thresholds: Mapping[str, Mapping[str, float]] = STUB_THRESHOLDS) -> None:
        self.thresholds = thresholds

    def scores(self, inputs: Sequence[SentenceInput]) -> np.ndarray:
        rows = np.full((len(inputs), len(LABELS)), 0.01)
        for row, entry in enumerate(inputs):
            for letter, label in _MARKERS.items():
                at = entry.text.lower().find(f"[{letter}")
                if at >= 0:
                    rows[row, LABELS.index(label)] = int(entry.text[at + 2 : at + 4]) / 100
        return rows

    def judge(self, inputs: Sequence[SentenceInput], lines: Lines | None = None) -> Judgement:
        stances = {label: [next(iter(label_info()[label].forward))] * len(inputs) for label in LABELS}
        for row, entry in enumerate(inputs):
            for letter, stance in re.findall(r"\[(\w)\d\d:(\w+)\]", entry.text):
                stances[_MARKERS[letter]][row] = stance
        return Judgement(scores=self.scores(inputs), stances=stances)


@cache
def stub_screener(**settings: Any) -> Screener:
    """Return one screener for each choice of settings: building the cue matcher takes longer than most tests."""
    classifier: Any = StubClassifier()
    model = LoadedModel(classifier=classifier, name="stub", version="1.2.3", sha256="0" * 64, meta={})
    return Screener(model, Settings(**settings))


@cache
def tiny_screener(**settings: Any) -> Screener:
    model = LoadedModel(classifier=tiny_classifier(), name="tiny", version="0", sha256="0" * 64, meta={})
    return Screener(model, Settings(**settings))


def stub_report(
    *texts: str, errors: Sequence[tuple[str, str]] = (), screener: Screener | None = None, source: str = "draft.txt"
) -> Report:
    screener = screener or stub_screener()
    return report_of(screener, [screener.screen_text(text, source=source) for text in texts], errors=errors)


def explained(result: PageResult, *contributions: tuple[str, str, float]) -> PageResult:
    """Explain every finding by the same (part, text, weight); the offsets of words are of no matter here."""
    parts = tuple(
        Contribution(part, *((None, None) if part == "circumstance" else (0, len(text))), text, weight)
        for part, text, weight in contributions
    )
    explanation = Explanation(-1.0, parts)
    return replace(result, findings=tuple(replace(entry, explanation=explanation) for entry in result.findings))


HOSTILE_SOURCES = (
    "a b%20c#d?.txt", "a:b.txt", "=cmd|' /C calc'!A0.txt", "-x.md", "<b>&\"'.html", "\x1b[31m\u202e.txt",
    "é/痛み 👍.txt", "\ufffd.txt", "../up.txt", "/abs/olute.txt",
    "standard input", "\ufffe\uffff", "](1) {0}.txt", "a\nb.txt",
)  # fmt: skip
"""Names of inputs that a format could take for something of its own."""


def report_of(screener: Screener, results: Sequence[Any], *, errors: Sequence[tuple[str, str]] = ()) -> Report:
    return Report(
        tool_version="0.0.1",
        model_name=screener.model.name,
        model_version=screener.model.version,
        model_sha256=screener.model.sha256,
        settings=screener.settings,
        thresholds=screener.thresholds,
        pages=tuple(results),
        errors=tuple(InputError(source, error) for source, error in errors),
    )


# --- corpus files -----------------------------------------------------------------------------------------------


def line(**changes: Any) -> dict[str, Any]:
    """Return a valid line of the corpus format with some keys changed; None takes a key away."""
    entry: dict[str, Any] = {
        "doc": "one",
        "site": "one.example",
        "block": 0,
        "kind": "paragraph",
        "sentences": ["We close early."],
        "labels": [[]],
        "split": "train",
    }
    entry.update(changes)
    return {key: value for key, value in entry.items() if value is not None}


def write_lines(path: Path, *entries: Mapping[str, Any] | str) -> Path:
    rows = [entry if isinstance(entry, str) else json.dumps(entry, ensure_ascii=False) for entry in entries]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


# --- processes --------------------------------------------------------------------------------------------------


def environment(**changes: str) -> dict[str, str]:
    """Return an environment in which nothing of the outer terminal counts."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if key not in {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM", "PYTHONPATH"} and not key.startswith("COV")
    }
    return {**kept, "PYTHONUTF8": "1", **changes}


def run_python(*arguments: str, cwd: Path = ROOT, **changes: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=environment(**changes),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        check=False,
    )


def run_cli(*arguments: str, data: bytes = b"", cwd: Path = ROOT, **changes: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "mdclaims", *arguments],
        cwd=cwd,
        env=environment(**changes),
        input=data,
        capture_output=True,
        timeout=120,
        check=False,
    )


def git(folder: Path, *arguments: str) -> None:
    """Run git in a folder, without the settings of this machine."""
    who = ("-c", "user.name=Ann", "-c", "user.email=ann@clinic.example", "-c", "init.defaultBranch=main")
    changes = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", *who, *arguments], cwd=folder, env=environment(**changes), check=True, capture_output=True)


assert set(STUB_THRESHOLDS) == set(MODES)
