"""The whole way in one place: page -> sentences -> inputs -> scores -> findings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mdclaims.config import Settings
from mdclaims.findings.findings import Finding, PageResult, ScoredSentence, fingerprints, firsts, fold, groups
from mdclaims.findings.qualifiers import nearest_qualifiers
from mdclaims.findings.rules import Carried, Hit, Terms, rule_book
from mdclaims.findings.stance import CLAIMS, attributes, priority, reason
from mdclaims.labels import LABELS, label_info
from mdclaims.language.cues import Cue, shared_matcher
from mdclaims.language.hashing import Lines
from mdclaims.language.pipeline import looks_english, shared_pipeline
from mdclaims.language.sentences import Sentence, SentenceInput, page_inputs, split_page
from mdclaims.model.classifier import Judgement, Scores
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
        self._rules = rule_book(settings.jurisdictions) if settings.jurisdictions else None

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
        return self._result(page, sentences, inputs, self.model.classifier.judge(inputs))

    def _result(
        self, page: Page, sentences: Sequence[Sentence], inputs: Sequence[SentenceInput], judgement: Judgement
    ) -> PageResult:
        scores = judgement.scores
        carried = self._carried(scores, self.settings.mode)
        asked = np.array([label in self.settings.labels for label in LABELS])
        scored = tuple(
            ScoredSentence(
                sentence=sentence,
                scores={label: float(value) for label, value in zip(LABELS, row, strict=True)},
                labels=tuple(label for label, carries in zip(LABELS, carrying, strict=True) if carries),
            )
            for sentence, row, carrying in zip(sentences, scores, carried & asked, strict=True)
        )
        # Rules ask what a sentence carries, whether that was asked for or not.
        present = [
            (n, label) for n, row in enumerate(carried) for label, carries in zip(LABELS, row, strict=True) if carries
        ]
        asked_for = set(self.settings.labels)
        places = [(n, label) for n, label in present if label in asked_for]
        marks = fingerprints([(label, inputs[n].text, inputs[n].heading) for n, label in places])
        first_of = groups([(label, sentences[n]) for n, label in places])
        bearers = list(dict.fromkeys(n for n, _ in (present if self._rules else places)))
        known, terms = self._look_up(sentences, bearers)
        cues = {n: _moved(known[sentences[n].text], sentences[n].start) for n in bearers}
        # What qualifies a claim does not hang on the mode or on the labels that were asked for.
        kinds = _qualifying(self._carried(scores, "balanced"), judgement.stances, cues)
        qualifiers = nearest_qualifiers(sentences, kinds, list(cues))
        facts: dict[tuple[int, str], Carried] = {}
        headings: dict[tuple[str, ...], list[Cue]] = {}
        for n, label in present if self._rules else places:
            stance = judgement.stances[label][n] if label in judgement.stances else None
            told = qualifier = None
            if label in CLAIMS:
                path = sentences[n].block.heading_path
                if path not in headings:
                    headings[path] = [cue for text in path for cue in known[text]]
                told = attributes(cues[n], headings[path])
                qualifier = qualifiers[n] if stance is None or stance in label_info()[label].forward else None
            facts[n, label] = Carried(label, stance, told, qualifier, reported=label in asked_for)
        hits = self._hits(terms, facts, known)
        matches: dict[tuple[int, str | None], list[Hit]] = {}
        for hit in hits:
            matches.setdefault((hit.sentence, hit.label), []).append(hit)
        findings: list[Finding] = []
        for (n, label), mark, first in zip(places, marks, first_of, strict=True):
            fact = facts[n, label]
            findings.append(
                Finding(
                    sentence=n,
                    label=label,
                    score=scored[n].scores[label],
                    fingerprint=mark,
                    cues=cues[n],
                    stance=fact.stance,
                    priority=priority(label, fact.stance, fact.attributes, fact.qualifier),
                    reason=reason(label, fact.stance, fact.attributes, fact.qualifier, cues[n]),
                    group=marks[first],
                    attributes=fact.attributes,
                    qualifier=fact.qualifier,
                    rules=tuple(hit.match for hit in matches.get((n, label), ())),
                    explanation=explain(self.model.classifier, inputs[n], label) if self.settings.explain else None,
                )
            )
        findings += self._rule_findings([hit for hit in hits if hit.label is None], inputs, sentences, known)
        # Stable: the labels of a sentence stay in their order, and before its rules.
        findings.sort(key=lambda finding: finding.sentence)
        return PageResult(page=page, sentences=scored, findings=tuple(findings))

    def _look_up(
        self, sentences: Sequence[Sentence], bearers: Sequence[int]
    ) -> tuple[dict[str, Sequence[Cue]], Terms | None]:
        """Return the cues of the sentences that carry a label, and of their headings, and where rules' phrases stand.

        Where a rule may apply to a sentence without a label, its cues are there as well.
        """
        texts = dict.fromkeys(text for n in bearers for text in (sentences[n].text, *sentences[n].block.heading_path))
        if self._rules is None:
            return dict(self._cues.find_lines(Lines.read(self._nlp, list(texts)))), None
        others = dict.fromkeys(text for sentence in sentences for text in (sentence.text, *sentence.block.heading_path))
        more = [text for text in others if text not in texts and self._rules.may_hold(text)]
        read = Lines.read(self._nlp, [*texts, *more])
        terms = self._rules.look_up(sentences, read)
        texts.update(dict.fromkeys(self._rules.undecided(terms, set(bearers))))
        return dict(self._cues.find_lines(read.only(texts.keys()))), terms

    def _hits(
        self, terms: Terms | None, facts: Mapping[tuple[int, str], Carried], known: Mapping[str, Sequence[Cue]]
    ) -> list[Hit]:
        if self._rules is None or terms is None:
            return []
        carried: dict[int, list[Carried]] = {}
        for (n, _), fact in facts.items():
            carried.setdefault(n, []).append(fact)
        return list(self._rules.apply(terms, carried, known))

    def _rule_findings(
        self,
        hits: Sequence[Hit],
        inputs: Sequence[SentenceInput],
        sentences: Sequence[Sentence],
        known: Mapping[str, Sequence[Cue]],
    ) -> Iterator[Finding]:
        """Yield the findings of rules that need no label; the same words under one rule are one claim."""
        marks = fingerprints([(hit.match.id, inputs[hit.sentence].text, inputs[hit.sentence].heading) for hit in hits])
        words = [(hit.match.id, tuple(sorted({fold(cue.text) for cue in hit.match.words}))) for hit in hits]
        for hit, mark, first in zip(hits, marks, firsts(words), strict=True):
            sentence = sentences[hit.sentence]
            yield Finding(
                sentence=hit.sentence,
                label=None,
                score=None,
                fingerprint=mark,
                cues=_moved(known[sentence.text], sentence.start),
                stance=None,
                priority="normal",
                reason=hit.match.reason,
                group=marks[first],
                attributes=None,
                qualifier=None,
                rules=(hit.match,),
            )

    def _carried(self, scores: Scores, mode: str) -> npt.NDArray[np.bool_]:
        """Return which labels the sentences carry in a mode: shape (sentences, labels)."""
        thresholds = self.model.classifier.thresholds[mode]
        return np.asarray(scores >= np.array([thresholds[label] for label in LABELS]))


def _moved(cues: Sequence[Cue], by: int) -> tuple[Cue, ...]:
    return tuple(Cue(cue.name, cue.start + by, cue.end + by, cue.text) for cue in cues)


def _qualifying(
    carried: npt.NDArray[np.bool_], stances: Mapping[str, Sequence[str]], cues: Mapping[int, Sequence[Cue]]
) -> dict[int, str]:
    """Return the sentences that qualify claims, and how: by a source, a limit of the effect or a risk."""
    found = {n: "source" for n, found in cues.items() if any(cue.name == "source" for cue in found)}
    for label, kind in (("efficacy_claim", "limit"), ("safety_claim", "risk")):
        forward = label_info()[label].forward
        for n in np.flatnonzero(carried[:, LABELS.index(label)]).tolist():
            if label in stances and stances[label][n] not in forward:
                found[n] = kind
    return found


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
