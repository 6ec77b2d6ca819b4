"""The whole way in one place: page -> sentences -> inputs -> scores -> findings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import compress, islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mdclaims.config import Settings
from mdclaims.findings.findings import (
    Finding,
    PageResult,
    ScoredSentence,
    fingerprints,
    first_of_each,
    fold,
    groups,
)
from mdclaims.findings.qualifiers import nearest_qualifiers
from mdclaims.findings.rule_book import Carried, Hit, PageTerms, rule_book
from mdclaims.findings.stance import (
    CLAIMS,
    Attributes,
    attributes,
    lacks_treatment,
    only_described,
    only_named,
    only_noted,
    priority,
    reason,
    with_treatments_before,
)
from mdclaims.findings.wording import Suggestion, own_wording, questions_for, quoted_spans, shared_wording
from mdclaims.labels import LABELS, label_info
from mdclaims.language.cues import Cue, own_matcher, shared_matcher
from mdclaims.language.hashing import Lines
from mdclaims.language.pipeline import looks_english, shared_pipeline
from mdclaims.language.sentences import Sentence, SentenceInput, page_inputs, split_page
from mdclaims.model.classifier import Judgement, Scores
from mdclaims.model.explanations import Explanation, explain
from mdclaims.model.features import read_inputs
from mdclaims.model.persistence import LoadedModel, load_model
from mdclaims.reading import Page, read_bytes, read_page

NOT_ENGLISH = "does not look like English, the only language that is judged"
"""The note of a page in another language."""


class Screener:
    """Reads pages and returns what stands in them. Make one and use it for many pages.

    Parameters
    ----------
    model : LoadedModel
    settings : Settings
    memory : int
        How many sentences to remember, for pages of one site that repeat header, menu and footer. Equal sentences get
        equal results with any memory. Not used with ``settings.explain``, which looks at every word again.
    suggest : bool
        Say what to write instead, and what to ask; False leaves the findings' suggestions out, which takes less time.
    """

    def __init__(self, model: LoadedModel, settings: Settings, *, memory: int = 0, suggest: bool = True) -> None:
        self._remembered = _Memory(memory if not settings.explain else 0)
        self.memory = memory
        self.model = model
        self.settings = settings
        self._nlp = shared_pipeline()
        self._suggest = suggest
        self._wording = own_wording(settings.wording) if settings.wording else shared_wording()
        self._matchers = [shared_matcher(), *([own_matcher(settings.cues)] if settings.cues else [])]
        self._book = rule_book(settings.jurisdictions) if settings.jurisdictions else None
        self._severities = dict(settings.severities)

    @property
    def thresholds(self) -> dict[str, float]:
        """The threshold of each label in this screener's mode."""
        return {label: float(self.model.classifier.thresholds[self.settings.mode][label]) for label in LABELS}

    @property
    def floors(self) -> dict[str, float]:
        """The lowest threshold of each label over all modes."""
        rows = self.model.classifier.thresholds.values()
        return {label: min(float(row[label]) for row in rows) for label in LABELS}

    @property
    def names(self) -> frozenset[str]:
        """What its findings can be called: the labels asked for, and rules that need no label."""
        return frozenset(self.settings.labels) | (self._book.without_label if self._book and self._is_whole else set())

    @property
    def _is_whole(self) -> bool:
        """Whether all labels were asked for: whoever asks for some gets no findings without one."""
        return self.settings.labels == LABELS

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
        (result,) = self.screen_pages([page])
        return result

    def screen_pages(self, pages: Sequence[Page]) -> list[PageResult]:
        """Screen pages that are already read: equal to one after the other, and quicker for many small ones.

        Their sentences are judged together, so that all are in memory at once.
        """
        split = [split_page(page, self._nlp) for page in pages]
        inputs = [page_inputs(sentences) for sentences in split]
        whole = [entry for entries in inputs for entry in entries]
        new = self._remembered.unknown(whole)
        # Whatever looks at words afterwards looks at these: reading them takes longer than looking.
        paths = dict.fromkeys(sentence.block.heading_path for sentences in split for sentence in sentences)
        # Rules have phrases of their own, which nobody remembers.
        lines = read_inputs(whole if self._book else new, [text for path in paths for text in path])
        judgement = self._remembered.complete(whole, new, self.model.classifier.judge(new, lines))
        phrases = self._book.look_up(lines) if self._book else {}
        results, start = [], 0
        for page, sentences, entries in zip(pages, split, inputs, strict=True):
            if not looks_english([sentence.text for sentence in sentences]):
                page = replace(page, notes=(*page.notes, NOT_ENGLISH))
            part = judgement.part(start, start + len(entries))
            terms = self._book.terms(sentences, phrases) if self._book else None
            results.append(self._result(page, sentences, entries, lines, part, terms))
            start += len(entries)
        return results

    def _result(
        self,
        page: Page,
        sentences: Sequence[Sentence],
        inputs: Sequence[SentenceInput],
        lines: Lines,
        judgement: Judgement,
        terms: PageTerms | None,
    ) -> PageResult:
        carried = self._carried(judgement.scores, self.settings.mode)
        # Rules ask what a sentence carries, whether that was asked for or not.
        present = [(n, LABELS[column]) for n, column in np.argwhere(carried).tolist()]
        places = [(n, label) for n, label in present if label in self.settings.labels]
        known, told = self._tell(sentences, lines, judgement, present if self._book else places, terms)
        hits = self._hits(terms, told, known)
        scored = self._scored(sentences, judgement.scores, carried)
        findings = list(
            self._with_label(page, scored, inputs, lines, known, {place: told[place] for place in places}, hits)
        )
        if self._is_whole:
            alone = [hit for (_, label), found in hits.items() if label is None for hit in found]
            findings += self._without_label(alone, inputs, sentences, known)
            findings.sort(key=lambda finding: finding.sentence)  # stable: the labels of a sentence stay in their order
        return PageResult(page=page, sentences=scored, findings=tuple(findings))

    def _scored(
        self, sentences: Sequence[Sentence], scores: Scores, carried: npt.NDArray[np.bool_]
    ) -> tuple[ScoredSentence, ...]:
        """Return the sentences with their scores, and those of the labels they carry that were asked for."""
        asked = np.array([label in self.settings.labels for label in LABELS])
        return tuple(
            ScoredSentence(sentence, dict(zip(LABELS, row, strict=True)), tuple(compress(LABELS, carrying)))
            for sentence, row, carrying in zip(sentences, scores.tolist(), (carried & asked).tolist(), strict=True)
        )

    def _tell(
        self,
        sentences: Sequence[Sentence],
        lines: Lines,
        judgement: Judgement,
        places: Sequence[tuple[int, str]],
        terms: PageTerms | None,
    ) -> tuple[dict[str, list[Cue]], dict[tuple[int, str], Carried]]:
        """Return the cues by text, and what is told of each label that a sentence carries.

        The texts are those of the sentences of `places`, of the headings above them, and of what `terms` may bring up.
        """
        bearers = list(dict.fromkeys(n for n, _ in places))
        paths = dict.fromkeys(sentences[n].block.heading_path for n in bearers)
        read = [*bearers, *(terms.alone if terms else ())]
        known = self._find_cues(lines, [*(sentences[n].text for n in read), *(text for path in paths for text in path)])
        # What qualifies a claim does not hang on the mode or on the labels that were asked for.
        kinds = _qualifying(
            self._carried(judgement.scores, "balanced"),
            judgement.stances,
            {n: known[sentences[n].text] for n in bearers},
        )
        claims = list(dict.fromkeys(n for n, label in places if label in CLAIMS))
        qualifiers = nearest_qualifiers(sentences, kinds, claims)
        headings = {path: [cue for text in path for cue in known[text]] for path in paths}
        facts = {n: attributes(known[sentences[n].text], headings[sentences[n].block.heading_path]) for n in claims}
        facts |= self._with_treatments_before(sentences, lines, facts)
        told: dict[tuple[int, str], Carried] = {}
        for n, label in places:
            stance = judgement.stances[label][n] if label in judgement.stances else None
            forward = label in CLAIMS and (stance is None or stance in label_info()[label].forward)
            told[n, label] = Carried(
                label,
                stance,
                facts[n] if label in CLAIMS else None,
                qualifiers[n] if forward else None,
                reported=label in self.settings.labels,
            )
        return known, told

    def _with_treatments_before(
        self, sentences: Sequence[Sentence], lines: Lines, facts: Mapping[int, Attributes]
    ) -> dict[int, Attributes]:
        """Return anew what is told of the strong claims that name no treatment: what stands before them may name it."""
        lacking = [n for n, known in facts.items() if lacks_treatment(known)]
        if not lacking:
            return {}
        titles = [sentence.text for sentence in sentences if sentence.block.kind == "title"]
        before = {n: [*_before_in_block(sentences, n), *titles] for n in lacking}
        cues = self._find_cues(lines, list(dict.fromkeys(text for texts in before.values() for text in texts)))
        return {n: with_treatments_before(facts[n], [cues[text] for text in before[n]]) for n in lacking}

    def _with_label(
        self,
        page: Page,
        scored: Sequence[ScoredSentence],
        inputs: Sequence[SentenceInput],
        lines: Lines,
        known: Mapping[str, Sequence[Cue]],
        told: Mapping[tuple[int, str], Carried],
        hits: Mapping[tuple[int, str | None], Sequence[Hit]],
    ) -> Iterator[Finding]:
        """Yield the findings that have a label: one for each entry of `told`, in its order."""
        places = list(told)
        marks = fingerprints([(label, inputs[n].text, inputs[n].heading) for n, label in places])
        firsts = groups([(label, scored[n].sentence) for n, label in places])
        explanations: list[Explanation | None] = [None] * len(places)
        if self.settings.explain:
            explanations = [*explain(self.model.classifier, [(inputs[n], label) for n, label in places], lines)]
        cues: dict[int, tuple[Cue, ...]] = {}
        quoted: dict[int, list[tuple[int, int]]] = {}
        for (n, label), entry, mark, first, explanation in zip(
            places, told.values(), marks, firsts, explanations, strict=True
        ):
            sentence, score = scored[n].sentence, scored[n].scores[label]
            if n not in cues:
                cues[n] = _moved(known[sentence.text], sentence.start)
            noted = self._noted(sentence, entry, score, cues[n])
            is_forward = entry.stance is None or entry.stance in label_info()[label].forward
            why = reason(label, entry.stance, entry.attributes, entry.qualifier, cues[n], noted=noted)
            chosen = self._severities.get(f"{label}.{entry.stance}")
            yield Finding(
                sentence=n,
                label=label,
                score=score,
                fingerprint=mark,
                cues=cues[n],
                stance=entry.stance,
                priority=chosen or priority(label, entry.stance, entry.attributes, entry.qualifier, noted=noted),
                reason=f"{why}, {chosen} by your severities" if chosen else why,
                group=marks[first],
                attributes=entry.attributes,
                qualifier=entry.qualifier,
                rules=tuple(hit.match for hit in hits.get((n, label), ())),
                suggestions=(
                    self._advice(page, sentence, entry, cues[n], quoted)
                    if self._suggest and is_forward and noted is None
                    else ()
                ),
                explanation=explanation,
            )

    def _noted(self, sentence: Sentence, entry: Carried, score: float, cues: Sequence[Cue]) -> str | None:
        """Return why a finding is only noted although its stance puts it forward; None if it is not."""
        if entry.stance is not None and entry.stance not in label_info()[entry.label].forward:
            return None
        noted = only_noted(entry.label, entry.stance, score, cues, quoted=sentence.quoted)
        if noted is None and self.settings.mode == "edit" and entry.label in CLAIMS and entry.attributes is not None:
            noted = only_described(entry.label, sentence, score, cues, entry.attributes)
        return noted or only_named(entry.label, sentence, cues, entry.attributes)

    def _advice(
        self,
        page: Page,
        sentence: Sentence,
        entry: Carried,
        cues: Sequence[Cue],
        quoted: dict[int, list[tuple[int, int]]],
    ) -> tuple[Suggestion, ...]:
        """Return what to write instead of a sentence, or to ask about it; `quoted` keeps the quotations of blocks."""
        if entry.label != "stigma_framing":
            stances = label_info()[entry.label].forward if entry.stance is None else (entry.stance,)
            found = self._wording.wording
            return questions_for(found, sentence, stances, entry.attributes, entry.qualifier, cues)
        block = sentence.block
        if block.index not in quoted:
            quoted[block.index] = quoted_spans(page.text, block)
        return self._wording.suggest(sentence, cues, quoted[block.index])

    def _hits(
        self,
        terms: PageTerms | None,
        told: Mapping[tuple[int, str], Carried],
        known: Mapping[str, Sequence[Cue]],
    ) -> dict[tuple[int, str | None], list[Hit]]:
        """Return what touches a rule, by sentence and label, None where no label is needed."""
        found: dict[tuple[int, str | None], list[Hit]] = {}
        if self._book is not None and terms is not None:
            carried: dict[int, list[Carried]] = {}
            for (n, _), entry in told.items():
                carried.setdefault(n, []).append(entry)
            for hit in self._book.apply(terms, carried, known):
                found.setdefault((hit.sentence, hit.label), []).append(hit)
        return found

    def _without_label(
        self,
        hits: Sequence[Hit],
        inputs: Sequence[SentenceInput],
        sentences: Sequence[Sentence],
        known: Mapping[str, Sequence[Cue]],
    ) -> Iterator[Finding]:
        """Yield the findings of rules that need no label; the same words again are one claim, whatever the rule."""
        marks = fingerprints([(hit.match.id, inputs[hit.sentence].text, inputs[hit.sentence].heading) for hit in hits])
        firsts = first_of_each([tuple(sorted({fold(cue.text) for cue in hit.match.words})) for hit in hits])
        for hit, mark, first in zip(hits, marks, firsts, strict=True):
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

    def _find_cues(self, lines: Lines, texts: Sequence[str]) -> dict[str, list[Cue]]:
        """Return the cues of texts, of the shipped lists and of the user's own, by position; `lines` may hold them."""
        numbers = lines.numbers
        held = [numbers[text] for text in texts if text in numbers]
        parts = [lines.only(np.array(held, np.int64))]
        if len(held) < len(texts):  # of sentences that were remembered
            parts.append(Lines.read(self._nlp, list({text: None for text in texts if text not in numbers})))
        shipped, *others = self._matchers
        found = {text: cues for part in parts for text, cues in shipped.find_lines(part)}
        for matcher in others:
            for text, cues in (entry for part in parts for entry in matcher.find_lines(part)):
                found[text] = sorted(found[text] + cues, key=lambda cue: (cue.start, cue.end, cue.name))
        return found


class _Memory:
    """The judgements of the sentences met last.

    Parameters
    ----------
    size : int
        How many to keep.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._known: dict[SentenceInput, tuple[list[float], list[str]]] = {}

    def unknown(self, inputs: Sequence[SentenceInput]) -> Sequence[SentenceInput]:
        """Return the inputs that are not known, each once; all of them where nothing is remembered."""
        if not self._size:
            return inputs
        return [entry for entry in dict.fromkeys(inputs) if entry not in self._known]

    def complete(
        self, inputs: Sequence[SentenceInput], new: Sequence[SentenceInput], judgement: Judgement
    ) -> Judgement:
        """Return the judgement of all inputs, given that of the new ones, and remember it."""
        if not self._size:
            return judgement
        labels = list(judgement.stances)
        stances = zip(*judgement.stances.values(), strict=True) if labels else ([] for _ in new)
        for entry, row, chosen in zip(new, judgement.scores.tolist(), stances, strict=True):
            self._known[entry] = row, list(chosen)
        found = [self._known[entry] for entry in inputs]
        # The oldest first; all at once, for each look for the first passes those that are gone.
        for entry in list(islice(self._known, max(len(self._known) - self._size, 0))):
            del self._known[entry]
        return Judgement(
            scores=np.array([row for row, _ in found]).reshape(len(inputs), len(LABELS)),
            stances={label: [chosen[n] for _, chosen in found] for n, label in enumerate(labels)},
        )


def _before_in_block(sentences: Sequence[Sentence], n: int) -> Iterator[str]:
    """Yield the texts before a sentence in its block, the nearest first."""
    for m in range(n - 1, -1, -1):
        sentence = sentences[m]
        if sentence.block.index != sentences[n].block.index:
            return
        yield sentence.text


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


def load(
    model: Path | str | None = None,
    *,
    trust_model: bool = False,
    settings: Settings | None = None,
    memory: int = 0,
    suggest: bool = True,
) -> Screener:
    """Return a screener.

    Parameters
    ----------
    model : Path or str, optional
        A model folder; the shipped model if not given.
    trust_model : bool
        Load a folder that is not the shipped model. Loading it runs code from its files.
    settings : Settings, optional
        Mode, labels and limits.
    memory : int
    suggest : bool
        See `Screener`.

    Raises
    ------
    ModelError
        If the model is missing, damaged, foreign or not trusted.
    """
    folder = None if model is None else Path(model)
    return Screener(load_model(folder, trust=trust_model), settings or Settings(), memory=memory, suggest=suggest)
