"""The whole way in one place: page -> sentences -> inputs -> scores -> findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mdclaims.config import Settings
from mdclaims.findings.findings import Finding, PageResult, ScoredSentence, fingerprints
from mdclaims.labels import LABELS
from mdclaims.language.cues import Cue, shared_matcher
from mdclaims.language.pipeline import looks_english, shared_pipeline
from mdclaims.language.sentences import Sentence, SentenceInput, page_inputs, split_page
from mdclaims.model.classifier import Scores
from mdclaims.model.explanations import explain
from mdclaims.model.persistence import LoadedModel, load_model
from mdclaims.reading import Page, read_bytes, read_page


class Screener:
    """Reads pages and returns what stands in them. Make one and use it for many pages.

    Parameters
    ----------
    model : LoadedModel
    settings : Settings
    """

    def __init__(self, model: LoadedModel, settings: Settings) -> None:
        self.model = model
        self.settings = settings
        self._nlp = shared_pipeline()
        self._cues = shared_matcher()

    @property
    def thresholds(self) -> dict[str, float]:
        """The threshold of each label in this screener's mode."""
        return {label: float(self.model.classifier.thresholds[self.settings.mode][label]) for label in LABELS}

    def screen_text(self, text: str, *, source: str = "text") -> PageResult:
        """Screen plain text.

        Raises
        ------
        ReadError
            If there is no text, or more than the limits allow.
        """
        # Lone surrogates cannot be encoded; the reader would replace them in any case.
        data = text.encode("utf-8", errors="replace")
        return self.screen_page(read_bytes(data, source=source, format="text", limits=self.settings.limits))

    def screen_file(self, path: Path) -> PageResult:
        """Read and screen one file.

        Raises
        ------
        ReadError
            If it cannot be read.
        UsageError
            If reading it needs an extra that is not installed.
        """
        return self.screen_page(read_page(path, limits=self.settings.limits))

    def screen_page(self, page: Page) -> PageResult:
        """Screen a page that is already read."""
        sentences = split_page(page, self._nlp)
        if not looks_english([sentence.text for sentence in sentences]):
            page = replace(page, notes=(*page.notes, "does not look like English, the only language that is judged"))
        inputs = page_inputs(sentences)
        return self._result(page, sentences, inputs, self.model.classifier.scores(inputs))

    def _result(
        self, page: Page, sentences: Sequence[Sentence], inputs: Sequence[SentenceInput], scores: Scores
    ) -> PageResult:
        thresholds = np.array([self.thresholds[label] for label in LABELS])
        asked = np.array([label in self.settings.labels for label in LABELS])
        carried = (scores >= thresholds) & asked
        scored = tuple(
            ScoredSentence(
                sentence=sentence,
                scores={label: float(value) for label, value in zip(LABELS, row, strict=True)},
                labels=tuple(label for label, carries in zip(LABELS, marks, strict=True) if carries),
            )
            for sentence, row, marks in zip(sentences, scores, carried, strict=True)
        )
        places = [(n, label) for n, entry in enumerate(scored) for label in entry.labels]
        marks = fingerprints([(label, inputs[n].text, inputs[n].heading) for n, label in places])
        cues = {n: self._cues_of(sentences[n]) for n in dict.fromkeys(n for n, _ in places)}
        findings = tuple(
            Finding(
                sentence=n,
                label=label,
                score=scored[n].scores[label],
                fingerprint=mark,
                cues=cues[n],
                explanation=explain(self.model.classifier, inputs[n], label) if self.settings.explain else None,
            )
            for (n, label), mark in zip(places, marks, strict=True)
        )
        return PageResult(page=page, sentences=scored, findings=findings)

    def _cues_of(self, sentence: Sentence) -> tuple[Cue, ...]:
        found = self._cues.find(self._nlp.make_doc(sentence.text))
        return tuple(replace(cue, start=cue.start + sentence.start, end=cue.end + sentence.start) for cue in found)


def load(model: Path | str | None = None, *, trust_model: bool = False, settings: Settings | None = None) -> Screener:
    """Return a screener.

    Parameters
    ----------
    model : Path or str, optional
        A model folder; the shipped model if not given.
    trust_model : bool
        Load a folder that is not the shipped model. Loading it runs code from its files.
    settings : Settings, optional
        Mode, labels and limits.

    Raises
    ------
    ModelError
        If the model is missing, damaged, foreign or not trusted.
    """
    folder = None if model is None else Path(model)
    return Screener(load_model(folder, trust=trust_model), settings or Settings())
