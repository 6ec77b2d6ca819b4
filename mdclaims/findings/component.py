"""The spaCy component: ``nlp.add_pipe("mdclaims")``.

spaCy imports this module in every ``Language()``, so that only spaCy and the standard library stand at its
top; the model is loaded when the component is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spacy.language import Language
from spacy.tokens import Doc, Span

if TYPE_CHECKING:
    from mdclaims.findings.screening import Screener

FINDINGS_KEY = "mdclaims"
SENTENCES_KEY = "mdclaims_sentences"


@Language.factory("mdclaims", default_config={"mode": "balanced", "jurisdictions": []})
def create_mdclaims(nlp: Language, name: str, mode: str, jurisdictions: list[str]) -> MdclaimsComponent:
    """Return the component, with the shipped model.

    A pipeline's config file can reach this factory, and loading a model runs its code: so the config names no
    model. From Python, ``MdclaimsComponent(mdclaims.load(folder, trust_model=True))`` takes any.

    Parameters
    ----------
    nlp : Language
    name : str
    mode : str
        "balanced", "edit" or "screen".
    jurisdictions : list of str
        Whose rules to apply: "us", "uk", "au", "eu".

    Raises
    ------
    UsageError, ModelError
        For an unknown mode or jurisdiction, or a shipped model that is missing or damaged.
    """
    from mdclaims.config import Settings
    from mdclaims.findings.screening import load

    return MdclaimsComponent(load(settings=Settings(mode=mode, jurisdictions=tuple(jurisdictions))))


class MdclaimsComponent:
    """Puts findings and scored sentences into ``doc.spans``; the user's sentence boundaries stay as they are.

    The doc's text is read in blocks split on blank lines. ``doc.spans["mdclaims"]`` gets one span per finding,
    its label the finding's or, if it has none, the id of its rule; ``doc.spans["mdclaims_sentences"]`` every
    sentence, with all its scores in ``span._.claim_scores``. Spans are widened to whole tokens of the user's
    tokenizer.
    """

    def __init__(self, screener: Screener) -> None:
        if not Span.has_extension("claim_scores"):
            Span.set_extension("claim_scores", default=None)
        self._screener = screener

    def __call__(self, doc: Doc) -> Doc:
        """Return `doc` with its findings and scored sentences."""
        from mdclaims.reading.text_reader import blocks_on_blank_lines

        findings: list[Span] = []
        sentences: list[Span] = []
        page = blocks_on_blank_lines(doc.text)
        if page.blocks:
            result = self._screener.screen_page(page)
            for entry in result.sentences:
                source = page.source_span(entry.sentence.start, entry.sentence.end)
                span = None if source is None else doc.char_span(*source, alignment_mode="expand")
                if span is None:
                    raise RuntimeError(f"the sentence at {entry.sentence.start} has no place in the doc")
                sentences.append(span)
                span._.claim_scores = dict(entry.scores)
            for finding in result.findings:
                span = sentences[finding.sentence]
                findings.append(Span(doc, span.start, span.end, label=finding.name))
        doc.spans[FINDINGS_KEY] = findings
        doc.spans[SENTENCES_KEY] = sentences
        return doc
