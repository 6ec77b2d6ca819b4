"""stance.py: what the cues tell of a claim, and which priority and reason follow."""

import itertools

import pytest

from mdclaims.findings.qualifiers import Qualifier
from mdclaims.findings.stance import (
    CARE,
    CLEAR,
    FAINT,
    FRAGMENT,
    PICTURE,
    PRIORITIES,
    PURPOSE,
    QUOTED,
    SEARCH_WORDS,
    UNCLEAR,
    Attributes,
    attributes,
    only_described,
    only_named,
    only_noted,
    priority,
    reason,
)
from mdclaims.labels import LABELS, label_info
from mdclaims.language.cues import shared_matcher
from mdclaims.language.pipeline import shared_pipeline
from mdclaims.language.sentences import Sentence
from mdclaims.reading.page import Block

EFFICACY, SAFETY, STIGMA, ACTION = LABELS
NEAR = Qualifier(sentence=1, kind="risk", sentences_away=1, blocks_away=0, hidden=False)


def cues(text):
    return shared_matcher().find(shared_pipeline().make_doc(text))


def facts(text, *headings):
    return attributes(cues(text), [cue for heading in headings for cue in cues(heading)])


@pytest.mark.parametrize(
    ("text", "strength"),
    [
        ("Shockwave always ends heel pain.", "absolute"),
        ("Shockwave may cure heel pain for good.", "absolute"),
        ("Shockwave may ease heel pain.", "hedged"),
        ("Shockwave eases heel pain.", "plain"),
    ],
)
def test_strength(text, strength):
    assert facts(text).strength == strength


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("It helped 80% of patients.", "quantified"),
        ("A study published in the Lancet says so.", "sourced"),
        ("Since my treatment my knee is fine, it changed my life.", "testimonial"),
        ("Hope for people with Parkinson's disease.", "serious"),
    ],
)
def test_what_the_cues_tell(text, name):
    assert getattr(facts(text), name) is True
    assert getattr(facts("We open at nine."), name) is False


def test_the_rival():
    assert facts("Pills only mask the symptoms.").about == "rival"
    assert facts("Shockwave eases heel pain.").about == "own"


def test_treatments_and_conditions_of_the_sentence_stand_before_those_of_the_headings():
    named = facts("Acupuncture eases migraine.", "Botox for sciatica")
    assert (named.treatments, named.conditions) == (("Acupuncture",), ("migraine",))
    inherited = facts("It works.", "Botox for sciatica")
    assert (inherited.treatments, inherited.conditions) == (("Botox",), ("sciatica",))


def test_a_treatment_is_named_once_and_by_its_longest_name():
    named = facts("Laser hair removal, LASER HAIR REMOVAL and a laser")
    assert [name.casefold() for name in named.treatments] == ["laser hair removal"]


@pytest.mark.parametrize("text", ["Relief without surgery.", "Unlike antidepressants it is quick."])
def test_what_one_is_spared_or_compared_with_is_not_what_is_offered(text):
    assert facts(text).treatments == ()
    assert facts(text, "Shockwave").treatments == ("Shockwave",)


def test_a_word_for_any_treatment_names_none():
    assert facts("Each treatment session helps.").treatments == ()


def test_a_serious_condition_of_the_heading_counts():
    assert facts("It helps.", "Stem cells for multiple sclerosis").serious


CLAIM = Attributes(
    strength="plain", quantified=False, sourced=False, about="own", testimonial=False, serious=False,
    treatments=("TMS",), conditions=(),
)  # fmt: skip


def changed(**changes):
    return Attributes(**{**{name: getattr(CLAIM, name) for name in CLAIM.__dataclass_fields__}, **changes})


@pytest.mark.parametrize("label", [EFFICACY, SAFETY])
@pytest.mark.parametrize(
    ("claim", "near", "expected"),
    [
        (CLAIM, None, "normal"),
        (changed(strength="absolute"), None, "high"),
        (changed(strength="absolute"), NEAR, "normal"),
        (changed(quantified=True), None, "high"),
        (changed(quantified=True, sourced=True), None, "normal"),
        (changed(serious=True), None, "high"),
        (changed(serious=True, strength="absolute", treatments=()), None, "info"),
        (changed(strength="hedged"), None, "normal"),
        (changed(strength="hedged", sourced=True), None, "info"),
        (changed(strength="hedged", serious=True), None, "high"),
    ],
)
def test_priority_of_claims_that_are_put_forward(label, claim, near, expected):
    assert priority(label, label_info()[label].forward[0], claim, near) == expected


@pytest.mark.parametrize(
    ("label", "stance", "expected"),
    [
        (STIGMA, "demeans", "high"),
        (STIGMA, "wording", "normal"),
        (ACTION, "presses", "normal"),
        (STIGMA, None, "normal"),
    ],
)
def test_priority_of_the_other_labels(label, stance, expected):
    assert priority(label, stance, None, None) == expected


@pytest.mark.parametrize("label", LABELS)
def test_what_is_only_noted_is_info_however_strong(label):
    noted = [stance for stance in label_info()[label].stances if stance not in label_info()[label].forward]
    assert noted
    strong = changed(strength="absolute", quantified=True, serious=True) if label in (EFFICACY, SAFETY) else None
    assert {priority(label, stance, strong, None) for stance in noted} == {"info"}


def test_every_reason_begins_with_the_stance_and_is_one_line():
    texts = ["It cures diabetes for 90% of\n patients, guaranteed.", "Addicts suffer.", "Call now, 20% off!", "Hello."]
    for label, text in itertools.product(LABELS, texts):
        for stance in label_info()[label].stances:
            claim = facts(text) if label in (EFFICACY, SAFETY) else None
            said = reason(label, stance, claim, None, cues(text))
            assert said.startswith(label_info()[label].stances[stance])
            assert "\n" not in said
            assert priority(label, stance, claim, None) in PRIORITIES


@pytest.mark.parametrize(
    ("text", "near", "parts"),
    [
        ("TMS cures depression in 90% of patients.", None,
         ["promises an end of it", "a figure without a source (“%”)", "about a serious condition", "no risk, limit"]),
        ("TMS always works.", None, ["leaves no exception (“always”)", "no risk, limit or source stands in its"]),
        ("TMS always works.", NEAR, ["leaves no exception (“always”)"]),
        ("You will feel better.", None, ["names no treatment"]),
        ("A study published in JAMA found that TMS may help.", None, ["in careful words and with a source"]),
    ],
)  # fmt: skip
def test_reasons_of_claims(text, near, parts):
    said = reason(EFFICACY, "promotes", facts(text), near, cues(text))
    for part in parts:
        assert part in said
    assert ("no risk" in said) == any("no risk" in part for part in parts)


def test_the_reason_names_a_rival():
    said = reason(EFFICACY, "promotes", facts("Pills only mask it."), NEAR, [])
    assert said.startswith("says that something else fails")


def test_reasons_quote_the_words():
    assert reason(STIGMA, "wording", None, None, cues("Tinnitus sufferers")).endswith("(“sufferers”)")
    assert "“20% off”" not in reason(ACTION, "signposts", None, None, cues("Hello"))


def test_what_is_not_clear_and_in_none_of_the_usual_words_is_only_noted():
    def noted(label, stance, score, text):
        return only_noted(label, stance, score, cues(text), quoted=False)

    assert noted(EFFICACY, "promotes", CLEAR - 0.01, "A chair by the door.") == FAINT
    assert noted(EFFICACY, "promotes", CLEAR, "A chair by the door.") is None
    assert noted(EFFICACY, "promotes", 0.5, "It eases pain.") is None
    assert noted(EFFICACY, "promotes", 0.5, "For people with migraine.") is None
    # A word of another label does not count.
    assert noted(SAFETY, "reassures", 0.5, "It eases pain.") == FAINT
    assert noted(STIGMA, "demeans", 0.5, "A chair by the door.") is None


@pytest.mark.parametrize(
    ("text", "strength"),
    [
        ("Surgery does not cure diabetes.", "hedged"),
        ("It cures diabetes.", "absolute"),
        ("It not only cures diabetes, it prevents it.", "absolute"),
        ("Results are not guaranteed.", "hedged"),
        ("No more pain.", "absolute"),
        ("No needles, and results guaranteed.", "absolute"),
    ],
)
def test_what_is_denied_is_not_absolute(text, strength):
    assert facts(text).strength == strength
    told = reason(EFFICACY, "promotes", facts(text), None, cues(text))
    assert ("promises an end" in told or "leaves no exception" in told) == (strength == "absolute")


KEYWORDS = "knee pain, knee brace, knee surgery, knee laser, worn knee, knee clinic, knee doctor"


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("Care for neck and back pain.", "list_item", PURPOSE),
        ("Botox for frown lines", "heading", PURPOSE),
        ("Exercises to improve accommodation", "list_item", None),  # an effect, whatever it is on
        ("Massage eases tension.", "paragraph", None),
        ("Faster than surgery.", "paragraph", None),
        ("Restored Comfort", "heading", FRAGMENT),
        ("Restored comfort.", "paragraph", None),  # a sentence, however short
        ("Restored Comfort", "list_item", None),  # the heading above it may promise it
        ("Never fails", "heading", None),
        ("Care for 90% of patients with back pain.", "paragraph", None),
        ("A therapist holds a knee to ease its pain", "alt", PICTURE),
        ("Laser heals the knee, guaranteed", "alt", None),
        ("Paralysis", "list_item", PURPOSE),
        ("Therapy for diabetes.", "paragraph", None),  # serious
        (KEYWORDS + ", guaranteed relief", "structured", SEARCH_WORDS),
        (f"We ease {KEYWORDS}.", "paragraph", None),
    ],
)
def test_what_an_editor_knows_of_effects_is_only_described(text, kind, expected):
    assert only_described(EFFICACY, made(text, kind), 0.95, cues(text), facts(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Massage eases tension.", UNCLEAR),
        ("Massage always eases tension.", None),
        ("Massage eases tension in 9 of 10 patients, or 90%.", None),
        ("Massage eases depression.", None),  # serious
    ],
)
def test_what_is_not_clear_is_no_news_to_an_editor_unless_it_is_strong(text, expected):
    assert only_described(EFFICACY, made(text), CLEAR - 0.01, cues(text), facts(text)) == expected
    assert only_described(EFFICACY, made(text), CLEAR, cues(text), facts(text)) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("We offer nitrous oxide and other sedation.", CARE),
        ("You will be watched by a nurse after the procedure.", CARE),
        ("Sedation keeps you comfortable.", None),
        ("You go home the same day.", None),
        ("No needles.", None),
        ("Guaranteed sedation.", None),  # absolute
    ],
)
def test_what_an_editor_knows_of_care_is_only_described(text, expected):
    assert only_described(SAFETY, made(text), 0.99, cues(text), facts(text)) == expected


def made(text, kind="paragraph"):
    block = Block(
        index=0,
        start=0,
        end=len(text),
        kind=kind,
        region="main",
        level=None,
        hidden=False,
        selector=None,
        heading_path=(),
    )
    return Sentence(start=0, end=len(text), text=text, block=block, quoted=False)


def test_wording_about_people_in_a_quotation_is_only_noted():
    words = cues("I was suffering from gout.")
    assert only_noted(STIGMA, "wording", 0.99, words, quoted=True) == QUOTED
    assert only_noted(STIGMA, "wording", 0.99, words, quoted=False) is None
    assert only_noted(STIGMA, "demeans", 0.99, words, quoted=True) is None
    assert only_noted(EFFICACY, "promotes", 0.99, words, quoted=True) is None


def test_what_is_only_noted_is_for_information_and_says_why():
    named = facts("Shockwave twice a month.")
    assert priority(EFFICACY, "promotes", named, None) == "normal"
    assert priority(EFFICACY, "promotes", named, None, noted=FAINT) == "info"
    assert reason(EFFICACY, "promotes", named, None, [], noted=FAINT) == f"says that it works, {FAINT}"


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("Glaucoma surgery", "heading", PURPOSE),
        ("Glaucoma surgery", "link", PURPOSE),
        ("Glaucoma surgery", "list_item", None),  # what stands above it may promise it
        ("Glaucoma surgery restores sight", "heading", None),
        ("Always glaucoma surgery", "heading", None),
        ("Glaucoma surgery for 90% of patients", "button", None),
    ],
)
def test_a_name_in_a_heading_or_menu_is_only_named(text, kind, expected):
    assert only_named(EFFICACY, made(text, kind), cues(text), facts(text)) == expected
    assert only_named(SAFETY, made(text, kind), cues(text), facts(text)) is None


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("Name", "other", FAINT),
        ("Other", "button", FAINT),
        ("Name", "paragraph", None),
        ("Addicts", "other", None),
        ("Those who let themselves go", "other", None),
    ],
)
def test_a_field_of_a_form_demeans_nobody(text, kind, expected):
    assert only_named(STIGMA, made(text, kind), cues(text), None) == expected
