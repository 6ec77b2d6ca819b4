"""qualifiers.py: the nearest risk, limit or source in a claim's section."""

from hypothesis import given
from hypothesis import strategies as st

from mdclaims.findings.qualifiers import KINDS, nearest_qualifiers
from mdclaims.language.pipeline import shared_pipeline
from mdclaims.language.sentences import split_page
from mdclaims.reading import read_bytes


def sentences(markdown):
    page = read_bytes(markdown.encode(), source="x.md", format="markdown")
    return split_page(page, shared_pipeline())


PAGE = sentences("# A\n\nOne. Two. Three.\n\nFour.\n\n# B\n\nFive. Six.")
TEXTS = [sentence.text for sentence in PAGE]


def nearest(kinds, claim):
    found = nearest_qualifiers(PAGE, {TEXTS.index(text): kind for text, kind in kinds.items()}, [TEXTS.index(claim)])
    qualifier = found[TEXTS.index(claim)]
    return (
        None
        if qualifier is None
        else (TEXTS[qualifier.sentence], qualifier.kind, qualifier.sentences_away, qualifier.blocks_away)
    )


def test_the_nearest_of_its_section():
    kinds = {"One.": "risk", "Four.": "limit", "Five.": "source"}
    assert nearest(kinds, "Two.") == ("One.", "risk", 1, 0)
    assert nearest(kinds, "Three.") == ("Four.", "limit", 1, 1)
    assert nearest(kinds, "Six.") == ("Five.", "source", 1, 0)


def test_a_claim_may_qualify_itself():
    assert nearest({"Two.": "limit", "One.": "risk"}, "Two.") == ("Two.", "limit", 0, 0)


def test_of_two_as_near_the_later_counts():
    assert nearest({"One.": "risk", "Three.": "limit"}, "Two.") == ("Three.", "limit", 1, 0)


def test_another_section_does_not_count():
    assert nearest({"Five.": "risk"}, "Four.") is None
    assert nearest({}, "Four.") is None


def test_hidden_text_counts_only_where_no_shown_text_does():
    hidden = [sentence._replace(block=sentence.block._replace(hidden=sentence.text == "Two.")) for sentence in PAGE]
    one, two, four = (TEXTS.index(text) for text in ("One.", "Two.", "Four."))
    assert nearest_qualifiers(hidden, {two: "risk"}, [one])[one].hidden
    found = nearest_qualifiers(hidden, {two: "risk", four: "limit"}, [one])[one]
    assert (found.sentence, found.hidden) == (four, False)


@given(st.dictionaries(st.integers(0, len(PAGE) - 1), st.sampled_from(KINDS)), st.integers(0, len(PAGE) - 1))
def test_it_is_as_near_as_the_definition_says(kinds, claim):
    found = nearest_qualifiers(PAGE, kinds, [claim])[claim]
    section = [n for n in kinds if PAGE[n].block.heading_path == PAGE[claim].block.heading_path]
    assert (found is None) == (not section)
    if found is not None:
        assert found.sentences_away == min(abs(n - claim) for n in section) == abs(found.sentence - claim)
        assert found.kind == kinds[found.sentence]
