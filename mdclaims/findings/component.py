"""The spaCy component: ``nlp.add_pipe("mdclaims")``.

spaCy imports this module in every ``Language()``, so that only spaCy and the standard library stand at its
top; the model is loaded when the component is made.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from spacy.language import Language
from spacy.tokens import Doc, Span

if TYPE_CHECKING:
    from mdclaims.findings.screening import Screener

FINDINGS_KEY = "mdclaims"
SENTENCES_KEY = "mdclaims_sentences"


@Language.factory("mdclaims", default_config={"mode": "balanced", "model": None, "trust_model": False})
def create_mdclaims(nlp: Language, name: str, mode: str, model: str | None, trust_model: bool) -> MdclaimsComponent:
    """Return the component.

    Parameters
    ----------
    nlp : Language
    name : str
    mode : str
        "balanced", "edit" or "screen".
    model : str or None
        A model folder; None is the shipped model.
    trust_model : bool
        Load a model folder that is not the shipped one; loading it runs its code.

    Raises
    ------
    UsageError, ModelError
        For an unknown mode, or a model that may not or cannot be loaded.
    """
    from mdclaims.config import Settings
    from mdclaims.findings.screening import load

    screener = load(Path(model) if model else None, trust_model=trust_model, settings=Settings(mode=mode))
    if not Span.has_extension("claim_scores"):
        Span.set_extension("claim_scores", default=None)
    return MdclaimsComponent(screener)


class MdclaimsComponent:
    """Puts findings and scored sentences into ``doc.spans``; the user's sentence boundaries stay as they are.

    The doc's text is read in blocks split on blank lines. ``doc.spans["mdclaims"]`` gets one span per finding,
    its label the finding's; ``doc.spans["mdclaims_sentences"]`` every sentence, with all its scores in
    ``span._.claim_scores``. Spans are widened to whole tokens of the user's tokenizer.
    """

    def __init__(self, screener: Screener) -> None:
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
                if source is None:
                    continue
                span = doc.char_span(*source, alignment_mode="expand")
                if span is None:
                    continue
                sentences.append(span)
                span._.claim_scores = dict(entry.scores)
                findings += [Span(doc, span.start, span.end, label=label) for label in entry.labels]
        doc.spans[FINDINGS_KEY] = findings
        doc.spans[SENTENCES_KEY] = sentences
        return doc
