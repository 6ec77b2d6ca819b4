"""The spaCy component: findings and scored sentences as spans, and nothing of the user's is touched."""

from __future__ import annotations

import json

import pytest
import spacy
from helpers import ACTION, EFFICACY, LABELS, SAFETY, run_python, stub_screener
from spacy.tokens import Doc, Span

from mdclaims.errors import UsageError
from mdclaims.findings.component import FINDINGS_KEY, SENTENCES_KEY, MdclaimsComponent

TEXT = "The laser [e90] relieves pain. It is [s90][a90] safe.\n\nWe close early."


@pytest.fixture(scope="module")
def component() -> MdclaimsComponent:
    if not Span.has_extension("claim_scores"):
        Span.set_extension("claim_scores", default=None)
    return MdclaimsComponent(stub_screener())


@pytest.fixture(scope="module")
def nlp():
    return spacy.blank("en")


def test_findings_are_spans_with_their_label(component, nlp):
    doc = component(nlp(TEXT))
    assert [(span.text, span.label_) for span in doc.spans[FINDINGS_KEY]] == [
        ("The laser [e90] relieves pain.", EFFICACY),
        ("It is [s90][a90] safe.", SAFETY),
        ("It is [s90][a90] safe.", ACTION),
    ]


def test_every_sentence_has_its_scores(component, nlp):
    doc = component(nlp(TEXT))
    sentences = doc.spans[SENTENCES_KEY]
    assert [span.text for span in sentences] == [
        "The laser [e90] relieves pain.",
        "It is [s90][a90] safe.",
        "We close early.",
    ]
    assert [tuple(span._.claim_scores) for span in sentences] == [LABELS] * 3
    assert sentences[0]._.claim_scores[EFFICACY] == 0.9
    assert sentences[2]._.claim_scores == dict.fromkeys(LABELS, 0.01)


def test_the_text_is_read_in_blocks(component, nlp):
    doc = component(nlp("one block without\nfull stop\n\nanother block\n \t\nthird"))
    assert [span.text for span in doc.spans[SENTENCES_KEY]] == [
        "one block without\nfull stop",
        "another block",
        "third",
    ]


@pytest.mark.parametrize("text", ["", " ", "\n\n\n"])
def test_an_empty_doc(component, nlp, text):
    doc = component(nlp(text))
    assert list(doc.spans[FINDINGS_KEY]) == []
    assert list(doc.spans[SENTENCES_KEY]) == []


def test_offsets_are_right_behind_odd_white_space(component, nlp):
    text = "  \n\n  Call   our [a90]\n team.  \r\n\r\n Bye\u00a0 \u200bnow. "
    doc = component(nlp(text))
    sentences = doc.spans[SENTENCES_KEY]
    assert len(sentences) == 2
    assert " ".join(sentences[0].text.split()) == "Call our [a90] team."
    assert [span.label_ for span in doc.spans[FINDINGS_KEY]] == [ACTION]
    assert sentences[1].text.startswith("Bye")
    assert sentences[1].text.endswith("now.")


def test_spans_are_widened_to_the_tokens_of_the_user(component, nlp):
    # One token from the end of a sentence into the next.
    doc = Doc(nlp.vocab, words=["Laser", "[e90]", "heals.Call", "us", "[a90]", "now."], spaces=[True] * 5 + [False])
    component(doc)
    assert [(span.text, span.label_) for span in doc.spans[FINDINGS_KEY]] == [
        ("Laser [e90] heals.Call", EFFICACY),
        ("heals.Call us [a90] now.", ACTION),
    ]


def test_the_users_sentences_stay_as_they_are(component):
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer", config={"punct_chars": ["l"]})
    text = "The laser relieves pain. It is a l safe. We close."
    before = [(span.start, span.end) for span in nlp(text).sents]
    doc = component(nlp(text))
    assert [(span.start, span.end) for span in doc.sents] == before
    assert len(before) == 2
    assert len(doc.spans[SENTENCES_KEY]) == 3


def test_a_doc_without_sentences_gets_none(component, nlp):
    doc = component(nlp(TEXT))
    assert not doc.has_annotation("SENT_START")


def test_entities_and_other_spans_stay(component, nlp):
    doc = nlp(TEXT)
    doc.ents = [Span(doc, 1, 2, label="DEVICE")]
    doc.spans["mine"] = [doc[0:2]]
    component(doc)
    assert [(span.text, span.label_) for span in doc.ents] == [("laser", "DEVICE")]
    assert [span.text for span in doc.spans["mine"]] == ["The laser"]


# --- as a pipe --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shipped():
    nlp = spacy.blank("en")
    nlp.add_pipe("mdclaims")
    return nlp


def test_add_pipe_uses_the_shipped_model(shipped):
    assert shipped.pipe_names == ["mdclaims"]
    doc = shipped("Laser therapy melts stubborn fat.")
    assert [(span.text, span.label_) for span in doc.spans["mdclaims"]] == [
        ("Laser therapy melts stubborn fat.", EFFICACY)
    ]
    (sentence,) = doc.spans["mdclaims_sentences"]
    assert all(0 <= score <= 1 for score in sentence._.claim_scores.values())
    assert tuple(sentence._.claim_scores) == LABELS


def test_pipe_gives_what_single_calls_give(shipped):
    texts = ["Laser therapy melts stubborn fat.", "", "Book now."]
    docs = list(shipped.pipe(texts))
    assert len(docs) == 3
    for text, doc in zip(texts, docs, strict=True):
        single = shipped(text)
        assert [span._.claim_scores for span in doc.spans["mdclaims_sentences"]] == [
            span._.claim_scores for span in single.spans["mdclaims_sentences"]
        ]


def test_the_mode_is_an_option():
    screen = spacy.blank("en")
    screen.add_pipe("mdclaims", config={"mode": "screen"})
    assert screen.get_pipe_meta("mdclaims").default_config["mode"] == "balanced"
    assert screen.get_pipe("mdclaims")._screener.settings.mode == "screen"


def test_a_wrong_mode_is_refused():
    with pytest.raises(UsageError, match="unknown mode 'strict'"):
        spacy.blank("en").add_pipe("mdclaims", config={"mode": "strict"})


@pytest.mark.parametrize("key", ["model", "trust_model"])
def test_a_config_can_name_no_model(key):
    # A pipeline's config file reaches the factory, and loading a model runs its code.
    with pytest.raises(Exception, match=f"mdclaims -> {key}"):
        spacy.blank("en").add_pipe("mdclaims", config={key: "x"})


def test_the_config_of_a_pipeline_can_be_written_and_read(shipped):
    again = spacy.blank("en").from_config(shipped.config)
    assert again.pipe_names == ["mdclaims"]
    assert len(again("Laser therapy melts stubborn fat.").spans["mdclaims"]) == 1


@pytest.mark.e2e
def test_importing_the_component_imports_nothing_heavy():
    """spaCy imports it in every Language()."""
    code = "import json, sys; import mdclaims.findings.component; print(json.dumps(sorted(sys.modules)))"
    done = run_python("-c", code)
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout))
    assert {name for name in loaded if name.split(".")[0] == "mdclaims"} == {
        "mdclaims", "mdclaims.errors", "mdclaims.findings", "mdclaims.findings.component",
    }  # fmt: skip
    # spaCy itself brings numpy, and rich by way of typer.
    assert not loaded & {"sklearn", "scipy", "joblib", "selectolax", "mdit_py_plugins"}


@pytest.mark.e2e
def test_a_blank_pipeline_does_not_load_the_model():
    code = "import sys, spacy; spacy.blank('en'); print('mdclaims.model' in sys.modules, 'sklearn' in sys.modules)"
    done = run_python("-c", code)
    assert done.stdout.split() == [b"False", b"False"], done.stderr
