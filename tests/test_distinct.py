"""The same words are one claim of a site; nearly the same words are one family of sites; nothing else is joined."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from overview_pages import CURE, FROM_SOURCE, SAFE, SERIOUS

from mdclaims.cases.casefile import open_case
from mdclaims.cases.distinct import (
    FEWEST_WORDS,
    SAME,
    _serious_names,
    claims_of_site,
    copies,
    distinct_claims,
    family,
    group_claims,
    near_copies,
)
from mdclaims.cases.exhibits import exhibit_id
from mdclaims.findings.findings import fold
from mdclaims.findings.similarity import similarity, word_keys

WORDS = st.sampled_from("laser acne cures pain safe gentle weeks patients results clinic heals skin knee back".split())
TEXTS = st.lists(st.lists(WORDS, min_size=FEWEST_WORDS, max_size=16).map(" ".join), max_size=12)


@pytest.fixture
def case(ranked_case):
    with open_case(ranked_case) as opened:
        yield opened


def one(case, quote, site):
    (claim,) = distinct_claims(case, "f.quote = ? AND c.site = ? AND c.label = 'efficacy_claim'", [quote, site])
    return claim


def test_findings_with_the_same_words_are_one_claim_of_their_site(case):
    grouping = group_claims(case)
    claim = next(entry for entry in claims_of_site(case, "loud.example") if fold(entry.quote) == fold(CURE))
    assert (claim.copies, claim.pages) == (2, 2)
    addresses = [copy.address for copy in copies(case, claim.id)]
    assert addresses == ["https://loud.example/", "https://loud.example/again"]
    assert claim.exhibit in {copy.exhibit for copy in copies(case, claim.id)}
    assert claim.exhibit == exhibit_id(claim.address, claim.fingerprint)
    [(rows,)] = case.connection.execute("SELECT count(*) FROM findings").fetchall()
    assert grouping.findings == rows > grouping.claims > 0
    assert grouping.hidden == grouping.not_compared == 0


def test_every_finding_is_a_copy_of_just_one_claim(case):
    group_claims(case)
    claims = list(distinct_claims(case))
    found = [copy.exhibit + copy.page for claim in claims for copy in copies(case, claim.id)]
    [(rows,)] = case.connection.execute("SELECT count(*) FROM findings").fetchall()
    assert len(found) == len(set(found)) == rows == sum(claim.copies for claim in claims)


def test_a_claim_of_two_sites_with_another_name_in_it_is_one_family(case):
    group_claims(case)
    claim = one(case, FROM_SOURCE.format("Southgate Practice"), "copy.example")
    assert claim.family_sites == 2
    assert [entry.site for entry in family(case, claim)] == ["copy.example", "loud.example"]
    assert one(case, SERIOUS, "loud.example").family_sites == 1


def test_a_claim_tells_what_it_names(case):
    group_claims(case)
    claim = one(case, SERIOUS, "loud.example")
    assert claim.serious == ("arthritis", "multiple sclerosis")
    assert (claim.priority, claim.unqualified, claim.headings) == ("high", True, ("Knee pain",))
    assert "UK-CAP-12.2" in claim.rules
    safe = next(distinct_claims(case, "f.quote = ?", [SAFE]))
    assert safe.label == safe.name == "safety_claim"


def test_grouping_again_gives_the_same(case):
    first = group_claims(case), list(distinct_claims(case))
    assert (group_claims(case), list(distinct_claims(case))) == first


@given(TEXTS, st.randoms(use_true_random=False))
def test_every_member_of_a_family_is_near_its_first_text(texts, chance):
    rows = {str(number): text for number, text in enumerate(texts)}
    joined = dict(near_copies(list(rows.items())))
    for member, first in joined.items():
        assert first not in joined
        assert int(first) < int(member)
        assert similarity(word_keys(rows[member]), word_keys(rows[first])) >= SAME


def test_near_copies_are_found_among_many_others():
    generator = random.Random(1)
    vocabulary = [f"word{number}" for number in range(400)]
    texts = [[generator.choice(vocabulary) for _ in range(14)] for _ in range(2_000)]
    renamed = [[*text[:5], "another", "name", *text[7:]] for text in texts[:300]]
    rows = [(f"{number:05d}", " ".join(text)) for number, text in enumerate([*texts, *renamed])]
    joined = dict(near_copies(rows))
    right = sum(joined.get(f"{2_000 + number:05d}") == f"{number:05d}" for number in range(300))
    # Two words of 14 differ: 12 of 16 overlap, of which the buckets find 98 in 100.
    assert right >= 285
    assert len(joined) == right


def test_short_texts_have_no_near_copies():
    assert list(near_copies([("a", "fast lasting results for all"), ("b", "fast lasting results for all")])) == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("It helps after a stroke, and after strokes.", ["stroke"]),
        ("For type 2 diabetes and COVID-19", ["covid", "diabetes"]),
        ("It aids sleep.", []),
        ("AIDS and HIV", ["aids", "hiv"]),
        ("Alzheimer’s disease", ["alzheimer's"]),
        ("Our seasonal offer", []),
    ],
)
def test_serious_conditions_have_one_name_each(text, names):
    assert _serious_names(text) == names
