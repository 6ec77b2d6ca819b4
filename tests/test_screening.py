"""The whole way: every sentence is listed, labels follow thresholds and the filter, offsets are right."""

from __future__ import annotations

import copy
import math
import pickle
from dataclasses import replace

import pytest
from helpers import (
    ACTION,
    EFFICACY,
    LABELS,
    SAFETY,
    STIGMA,
    STUB_THRESHOLDS,
    StubClassifier,
    stub_screener,
    tiny_classifier,
    tiny_documents,
    tiny_screener,
)
from hypothesis import given, settings
from hypothesis import strategies as st

import mdclaims
from mdclaims.config import MODES, Settings
from mdclaims.errors import MdclaimsError, ModelError, ReadError, UsageError
from mdclaims.findings.screening import Screener, load
from mdclaims.model.persistence import LoadedModel
from mdclaims.reading import Limits, read_bytes

DRAFT = """Why choose our laser clinic?

Laser therapy [e90] relieves pain for good. It is [s60] safe, painless and free of side effects.
Nobody should [g30] feel ashamed.

- Book now [a90][e70]
- Parking behind the house

We close early on Mondays.
"""


def check_invariants(result):
    """What holds for every result; returns the number of sentences looked at."""
    text = result.page.text
    end = 0
    for entry in result.sentences:
        sentence = entry.sentence
        assert text[sentence.start : sentence.end] == sentence.text != ""
        assert text[end : sentence.start].strip() == ""
        assert sentence.block.start <= sentence.start < sentence.end <= sentence.block.end
        assert tuple(entry.scores) == LABELS
        end = sentence.end
    assert text[end:].strip() == ""
    expected = [(n, label) for n, entry in enumerate(result.sentences) for label in entry.labels]
    assert [(finding.sentence, finding.label) for finding in result.findings] == expected
    for finding in result.findings:
        entry = result.sentences[finding.sentence]
        assert finding.score == entry.scores[finding.label]
        for cue in finding.cues:
            assert text[cue.start : cue.end] == cue.text != ""
            assert entry.sentence.start <= cue.start < cue.end <= entry.sentence.end
    return len(result.sentences)


# --- sentences and labels ---------------------------------------------------------------------------------------


def test_every_sentence_is_listed_with_its_labels():
    result = stub_screener().screen_text(DRAFT)
    assert [(entry.sentence.text, entry.labels) for entry in result.sentences] == [
        ("Why choose our laser clinic?", ()),
        ("Laser therapy [e90] relieves pain for good.", (EFFICACY,)),
        ("It is [s60] safe, painless and free of side effects.", (SAFETY,)),
        ("Nobody should [g30] feel ashamed.", ()),
        ("Book now [a90][e70]", (EFFICACY, ACTION)),
        ("Parking behind the house", ()),
        ("We close early on Mondays.", ()),
    ]
    assert check_invariants(result) == 7


def test_scores_are_those_of_the_model():
    result = stub_screener().screen_text(DRAFT)
    assert result.sentences[1].scores == {EFFICACY: 0.9, SAFETY: 0.01, STIGMA: 0.01, ACTION: 0.01}
    assert [round(finding.score, 2) for finding in result.findings] == [0.9, 0.6, 0.7, 0.9]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.sampled_from(
            [
                "Laser [e90] heals.",
                "Safe [s60]!",
                "“Call [a90] us.”",
                "Dr. Lee is in.",
                "• Item",
                "\n",
                "\n\n",
                "# H",
                " ",
                "👩‍⚕️ Hi",
                "ok",
                "50%",
            ]
        ),
        min_size=1,
        max_size=12,
    ).map(" ".join)
)
def test_slices_and_findings_agree_on_any_text(text):
    try:
        result = stub_screener().screen_text(text)
    except ReadError:
        assert not text.strip()
        return
    assert check_invariants(result) >= 1


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=60))
def test_any_text_gives_a_result_or_an_error_of_ours(text):
    try:
        result = stub_screener().screen_text(text)
    except MdclaimsError:
        return
    assert check_invariants(result) >= 1


@pytest.mark.parametrize("document", tiny_documents(), ids=lambda document: document.doc)
def test_the_tiny_corpus_is_screened_whole(document):
    result = tiny_screener().screen_page(document.page())
    assert check_invariants(result) == len(list(document.sentences()))


def test_the_context_reaches_the_model():
    asked = []

    class Listener(StubClassifier):
        def scores(self, inputs):
            asked.extend(inputs)
            return super().scores(inputs)

    model = LoadedModel(classifier=Listener(), name="stub", version="0", sha256="", meta={})
    page = read_bytes(b"<h2>Risks</h2><ul><li>Burns</li><li>Scars</li></ul>", source="x", format="html")
    Screener(model, Settings()).screen_page(page)
    assert [(entry.text, entry.kind, entry.heading) for entry in asked] == [
        ("Risks", "heading", ""),
        ("Burns", "list_item", "Risks"),
        ("Scars", "list_item", "Risks"),
    ]
    assert (asked[1].previous, asked[1].next) == ("Risks", "Scars")


# --- thresholds, modes, labels ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("screen", [(1, EFFICACY), (2, SAFETY), (3, STIGMA), (4, EFFICACY), (4, ACTION)]),
        ("balanced", [(1, EFFICACY), (2, SAFETY), (4, EFFICACY), (4, ACTION)]),
        ("edit", [(1, EFFICACY), (4, ACTION)]),
    ],
)
def test_labels_follow_the_thresholds_of_the_mode(mode, expected):
    screener = stub_screener(mode=mode)
    assert screener.thresholds == STUB_THRESHOLDS[mode]
    result = screener.screen_text(DRAFT)
    assert [(finding.sentence, finding.label) for finding in result.findings] == expected


@pytest.mark.parametrize(("score", "labels"), [("49", ()), ("50", (EFFICACY,)), ("51", (EFFICACY,))])
def test_a_score_at_the_threshold_counts(score, labels):
    result = stub_screener().screen_text(f"Laser [e{score}] heals.")
    assert [entry.labels for entry in result.sentences] == [labels]


@pytest.mark.parametrize("label", LABELS)
def test_a_lower_threshold_marks_at_least_as_much(label):
    marked = {}
    for mode in MODES:
        results = [tiny_screener(mode=mode).screen_page(document.page()) for document in tiny_documents()]
        marked[mode] = {
            (n, finding.sentence)
            for n, result in enumerate(results)
            for finding in result.findings
            if finding.label == label
        }
    assert any(marked.values())
    by_threshold = sorted(MODES, key=lambda mode: tiny_classifier().thresholds[mode][label])
    assert marked[by_threshold[0]] >= marked[by_threshold[1]] >= marked[by_threshold[2]]


def test_screen_marks_at_least_what_balanced_marks():
    text = "\n\n".join(f"Sentence number {n} stands [e{n:02d}] here alone." for n in range(10, 100, 10))
    found = {
        mode: {finding.sentence for finding in stub_screener(mode=mode).screen_text(text).findings} for mode in MODES
    }
    assert [len(found[mode]) for mode in ("screen", "balanced", "edit")] == [8, 5, 2]
    assert found["screen"] > found["balanced"] > found["edit"]


def test_the_label_filter_leaves_sentences_and_scores():
    result = stub_screener(labels=(ACTION,)).screen_text(DRAFT)
    everything = stub_screener().screen_text(DRAFT)
    assert [finding.label for finding in result.findings] == [ACTION]
    assert [entry.labels for entry in result.sentences if entry.labels] == [(ACTION,)]
    assert [entry.scores for entry in result.sentences] == [entry.scores for entry in everything.sentences]


def test_the_filter_does_not_change_fingerprints():
    only = stub_screener(labels=(ACTION,)).screen_text(DRAFT).findings
    everything = [finding for finding in stub_screener().screen_text(DRAFT).findings if finding.label == ACTION]
    assert [finding.fingerprint for finding in only] == [finding.fingerprint for finding in everything]
    assert len(only) == 1


# --- cues -------------------------------------------------------------------------------------------------------


def test_cues_stand_where_they_say():
    result = stub_screener().screen_text("We open at nine.\n\nLaser [e90] relieves pain and improves sleep.")
    (finding,) = result.findings
    assert {("effect_relief", "relieves"), ("effect_improve", "improves sleep"), ("condition_pain", "pain")} <= {
        (cue.name, cue.text) for cue in finding.cues
    }
    assert all(result.page.text[cue.start : cue.end] == cue.text for cue in finding.cues)


def test_all_findings_of_a_sentence_have_its_cues():
    one, two = stub_screener().screen_text("It [e90][s90] relieves pain.").findings
    assert one.cues == two.cues
    assert one.cues


# --- explanations -----------------------------------------------------------------------------------------------

CLAIMS = """Why choose our laser clinic?

Laser therapy relieves pain for good 👍. It is safe, painless and free of side effects.

- Book your visit now
- Parking behind the house
"""


def test_findings_are_explained_only_when_asked():
    plain = tiny_screener(mode="screen").screen_text(CLAIMS)
    explained = tiny_screener(mode="screen", explain=True).screen_text(CLAIMS)
    assert len(plain.findings) >= 3
    assert {finding.explanation for finding in plain.findings} == {None}
    assert all(finding.explanation is not None for finding in explained.findings)
    # Nothing else changes.
    assert tuple(replace(finding, explanation=None) for finding in explained.findings) == plain.findings
    assert explained.sentences == plain.sentences


def test_settings_ask_for_no_explanation_by_default():
    assert not Settings().explain


def test_explanations_are_those_of_their_finding():
    result = tiny_screener(mode="screen", explain=True).screen_text(CLAIMS)
    texts = [entry.sentence.text for entry in result.sentences]
    assert len({finding.label for finding in result.findings}) >= 2
    parts = set()
    for finding in result.findings:
        # The tiny model is so sure that a score can be 1, which has no log-odds.
        assert 1 / (1 + math.exp(-finding.explanation.log_odds)) == pytest.approx(finding.score, abs=1e-6)
        where = {
            "sentence": texts[finding.sentence],
            "heading": texts[0] if finding.sentence else "",
            "previous": texts[finding.sentence - 1] if finding.sentence else "",
            "next": texts[finding.sentence + 1],
        }
        for part in finding.explanation.contributions:
            if part.part != "circumstance":
                assert where[part.part][part.start : part.end] == part.text
            parts.add(part.part)
    assert parts == {"sentence", "heading", "previous", "next", "circumstance"}


def test_explanations_of_the_shipped_model_add_up():
    screener = mdclaims.load(settings=Settings(mode="screen", explain=True))
    findings = [finding for document in tiny_documents() for finding in screener.screen_page(document.page()).findings]
    assert len(findings) > 20
    for finding in findings:
        assert finding.explanation.log_odds == pytest.approx(math.log(finding.score / (1 - finding.score)), abs=1e-4)


# --- entries ----------------------------------------------------------------------------------------------------


def test_text_and_file_give_the_same_findings(tmp_path):
    (tmp_path / "draft.txt").write_text(DRAFT, encoding="utf-8")
    screener = stub_screener()
    by_file, by_text = screener.screen_file(tmp_path / "draft.txt"), screener.screen_text(DRAFT)
    assert by_file.sentences == by_text.sentences
    assert by_file.findings == by_text.findings
    assert by_file.page.source == str(tmp_path / "draft.txt")
    assert by_text.page.source == "text"


@pytest.mark.parametrize("text", ["", "  \n ", "\u200b"])
def test_no_text_is_an_error(text):
    with pytest.raises(ReadError):
        stub_screener().screen_text(text)


def test_lone_surrogates_do_not_break_anything():
    result = stub_screener().screen_text("It \ud800 works [e90].")
    assert len(result.findings) == 1


def test_limits_hold_for_text_and_files(tmp_path):
    screener = stub_screener(limits=Limits(max_bytes=10))
    (tmp_path / "a.txt").write_text("x" * 11)
    with pytest.raises(ReadError, match="max_bytes"):
        screener.screen_file(tmp_path / "a.txt")
    with pytest.raises(ReadError, match="max_bytes"):
        screener.screen_text("x" * 11)
    with pytest.raises(ReadError, match="max_chars"):
        stub_screener(limits=Limits(max_chars=10)).screen_text("x" * 11)


def test_a_screener_can_be_used_again_and_again():
    screener = stub_screener()
    assert screener.screen_text(DRAFT) == screener.screen_text(DRAFT)


# --- loading ----------------------------------------------------------------------------------------------------


def test_load_gives_the_shipped_model():
    screener = mdclaims.load()
    assert isinstance(screener, mdclaims.Screener)
    assert screener.settings == Settings()
    result = screener.screen_text("Laser therapy melts stubborn fat.")
    assert [entry.labels for entry in result.sentences] == [(EFFICACY,)]  # the docstring of mdclaims


def test_load_takes_settings():
    assert load(settings=Settings(mode="screen")).thresholds == load().model.classifier.thresholds["screen"]


def test_load_refuses_an_unknown_folder(tmp_path):
    with pytest.raises(ModelError, match="not a folder"):
        mdclaims.load(tmp_path / "gone")


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"mode": "strict"}, "unknown mode 'strict'"), ({"labels": ("claims",)}, "unknown label 'claims'")],
)
def test_wrong_settings(changes, message):
    with pytest.raises(UsageError, match=message):
        Settings(**changes)


def test_labels_of_the_settings_are_in_their_order():
    assert Settings(labels=(ACTION, EFFICACY, ACTION)).labels == (EFFICACY, ACTION)


def test_an_unknown_name_of_the_package():
    with pytest.raises(AttributeError, match="no attribute 'scan'"):
        _ = mdclaims.scan


def test_screening_survives_pickling_and_copying():
    screener = mdclaims.load()
    text = "Laser therapy melts stubborn fat. We open at nine."
    wanted = [entry.scores for entry in screener.screen_text(text).sentences]
    assert len(wanted) == 2
    for again in (pickle.loads(pickle.dumps(screener)), copy.deepcopy(screener)):
        assert [entry.scores for entry in again.screen_text(text).sentences] == wanted


def test_screening_takes_a_path_as_text(tmp_path):
    with pytest.raises(ModelError, match="is not a folder"):
        mdclaims.load(str(tmp_path / "gone"))


@pytest.mark.parametrize("text", ["------", "\u276f", "\u2192 * \u2192"])
def test_screening_gives_no_label_to_what_has_no_word(text):
    (entry,) = mdclaims.load().screen_text(f"{text} ").sentences
    assert not entry.labels
    assert set(entry.scores.values()) == {0}


def test_screening_notes_what_is_not_english():
    screener = mdclaims.load()
    german = "Unsere Behandlung heilt Arthrose in wenigen Wochen. Ohne Operation, ohne Tabletten und ohne Risiko."
    assert "does not look like English" in screener.screen_text(german).page.notes[0]
    english = "We treat the joint without surgery, and most of our patients walk better within a month or two."
    assert not screener.screen_text(english).page.notes
    assert not screener.screen_text("Botox Filler Peel").page.notes


def test_a_memory_changes_no_result():
    pages = [
        read_bytes(text.encode(), source="draft", format="text")
        for text in (DRAFT, DRAFT + "\n\nLaser therapy [e70] ends pain.", "Book now [a90] for your visit.", DRAFT)
    ]
    plain = load(settings=Settings(mode="screen"))
    for memory in (1, 5, 1000):
        remembering = load(settings=Settings(mode="screen"), memory=memory)
        assert [remembering.screen_page(page) for page in pages] == [plain.screen_page(page) for page in pages]
    assert sum(len(plain.screen_page(page).findings) for page in pages) > 10


@pytest.mark.parametrize("jurisdictions", [(), ("uk", "us")])
def test_pages_together_give_what_each_gives_alone(jurisdictions):
    texts = (
        DRAFT,
        "Menu",
        DRAFT,
        "# Knee care\n\nOur laser cures arthritis of the knee for good.",
        "Il fait beau aujourd'hui.",
    )
    pages = [read_bytes(text.encode(), source="draft", format="markdown") for text in texts]
    options = Settings(mode="screen", jurisdictions=jurisdictions)
    alone = [load(settings=options).screen_page(page) for page in pages]
    assert load(settings=options).screen_pages(pages) == alone
    assert load(settings=options, memory=1000).screen_pages(pages) == alone
    assert load(settings=options).screen_pages([]) == []
    assert any(finding.rules for result in alone for finding in result.findings) == bool(jurisdictions)


def test_without_suggestions_all_else_is_the_same():
    text = "Our laser ends back pain for good.\n\nDrug users are welcome."
    plain = load(settings=Settings(mode="screen")).screen_text(text)
    bare = load(settings=Settings(mode="screen"), suggest=False).screen_text(text)
    assert any(finding.suggestions for finding in plain.findings)
    assert bare.findings == tuple(replace(finding, suggestions=()) for finding in plain.findings)
    assert bare.sentences == plain.sentences


@pytest.mark.parametrize(
    ("html", "treatments", "priority"),
    [
        ("<title>Laser therapy</title><p>[e90] It always works.", ("Laser therapy",), "high"),
        ("<title>Laser therapy</title><p>[e90] It works.", (), "info"),  # not strong: the page's subject is no claim
        ("<title>Laser therapy</title><p>We use shockwave. [e90] It always works.", ("shockwave",), "high"),
        ("<title>Laser therapy</title><p>[e90] It always works, unlike surgery.", ("Laser therapy",), "high"),
        ("<title>Our team</title><p>We use shockwave.<p>[e90] It always works.", (), "info"),  # of another paragraph
        ("<title>Our team</title><p>Laser? [e90] It always works. We use shockwave.", ("Laser",), "high"),
    ],
)
def test_a_strong_claim_is_about_the_treatment_named_before_it(html, treatments, priority):
    screener = stub_screener()
    result = screener.screen_page(read_bytes(html.encode(), source="a.html", format="html"))
    (finding,) = [found for found in result.findings if found.label == EFFICACY]
    assert finding.attributes.treatments == treatments
    assert finding.priority == priority
