"""Fingerprints: stable under what does not change a statement, different for what does."""

from __future__ import annotations

import re

import pytest
from helpers import ACTION, EFFICACY, LABELS, SAFETY, stub_screener
from hypothesis import given
from hypothesis import strategies as st

from mdclaims.findings.findings import fingerprints, fold, groups
from mdclaims.language.pipeline import shared_pipeline
from mdclaims.language.sentences import split_page
from mdclaims.reading import read_bytes

BASE = (EFFICACY, "Laser melts fat.", "Why us")


def mark(label=EFFICACY, text="Laser melts fat.", heading="Why us"):
    return fingerprints([(label, text, heading)])[0]


def test_sixteen_hex_digits():
    assert re.fullmatch("[0-9a-f]{16}", mark())


def test_a_known_fingerprint_never_changes():
    """People keep fingerprints in their suppressions: a change of this value breaks them all."""
    import hashlib

    expected = hashlib.sha256(b"efficacy_claim\x1flaser melts fat.\x1fwhy us\x1f0").hexdigest()[:16]
    assert mark() == expected


@pytest.mark.parametrize(
    "text",
    ["LASER MELTS FAT.", "laser  melts\nfat.", " Laser melts fat. ", "Laser\u00a0melts\tfat.", "Laser melts\r\nfat."],
)
def test_case_and_white_space_do_not_matter(text):
    assert mark(text=text) == mark()
    assert mark(heading=text) == mark(heading="Laser melts fat.")


def test_typographic_quotes_do_not_matter():
    assert mark(text="“We’re ‘safe’”") == mark(text="\"We're 'safe'\"")


@pytest.mark.parametrize(
    "changes",
    [
        {"label": SAFETY},
        {"text": "Laser melts fat"},
        {"text": "Laser melts fats."},
        {"text": "Lasermelts fat."},
        {"heading": "Why"},
        {"heading": ""},
        {"text": "Laser melts fat. Why us", "heading": ""},
    ],
)
def test_what_changes_the_statement_changes_the_fingerprint(changes):
    assert mark(**changes) != mark()


def test_equal_statements_are_told_apart_by_occurrence():
    marks = fingerprints([BASE, BASE, (EFFICACY, "LASER melts fat.", "why us"), (SAFETY, *BASE[1:])])
    assert len(set(marks)) == 4
    assert marks[0] == mark()


def test_occurrences_are_counted_for_each_statement_alone():
    other = (ACTION, "Book now.", "")
    assert fingerprints([BASE, other, BASE]) == [
        fingerprints([BASE])[0],
        fingerprints([other])[0],
        fingerprints([BASE, BASE])[1],
    ]


def test_no_key_no_fingerprint():
    assert fingerprints([]) == []


KEYS = st.tuples(st.sampled_from(LABELS), st.sampled_from(["a", "b b", "C"]), st.sampled_from(["", "h"]))


@given(st.lists(KEYS, max_size=12))
def test_all_fingerprints_of_a_page_differ(keys):
    marks = fingerprints(keys)
    assert len(marks) == len(keys)
    assert len(set(marks)) == len(keys)


@given(st.lists(KEYS, max_size=8, unique=True), st.randoms(use_true_random=False))
def test_moving_different_statements_keeps_their_fingerprints(keys, random):
    moved = list(keys)
    random.shuffle(moved)
    assert dict(zip(moved, fingerprints(moved), strict=True)) == dict(zip(keys, fingerprints(keys), strict=True))


@given(st.text(max_size=30))
def test_folding_twice_is_folding_once(text):
    assert fold(fold(text)) == fold(text)


def test_fold():
    assert fold("  It’s\u00a0a  “STRASSE”, STRAẞE ") == 'it\'s a "strasse", strasse'


# --- on pages ---------------------------------------------------------------------------------------------------


def marks_of(text):
    return {finding.fingerprint for finding in stub_screener().screen_text(text).findings}


def test_rewrapping_and_moving_keep_the_fingerprints_of_a_page():
    one = "Our laser [e90] melts the fat around your waist, and it is quite [s90] gentle on the skin of most people."
    two = "You should call our friendly team [a90] and ask for a time that suits you and your family this week."
    before = marks_of(f"{one}\n\n{two}\n")
    assert len(before) == 3
    words = one.split()
    wrapped = " ".join(words[:9]) + "\n" + " ".join(words[9:])
    assert marks_of(f"{wrapped}\n\n{two}\n") == before
    assert marks_of(f"We close early on Mondays and on most holidays.\n\n{two}\n\n{one}\n") == before


def test_the_same_sentence_twice_on_a_page_has_two_fingerprints():
    marks = marks_of("The laser [e90] melts fat today.\n\nWe have two rooms.\n\nThe laser [e90] melts fat today.\n")
    assert len(marks) == 2


def grouped(markdown):
    """Return the texts of each group of the page's sentences, all taken as one label."""
    page = read_bytes(markdown.encode(), source="x.md", format="markdown")
    sentences = split_page(page, shared_pipeline())
    found = {}
    for sentence, first in zip(sentences, groups([(EFFICACY, sentence) for sentence in sentences]), strict=True):
        found.setdefault(first, []).append(sentence.text)
    return list(found.values())


def test_short_items_under_one_heading_are_one_group():
    assert grouped("# All that it treats\n\n- Anxiety\n- Low mood\n\nIt helps.") == [
        ["All that it treats"], ["Anxiety", "Low mood"], ["It helps."],
    ]  # fmt: skip


def test_a_heading_of_few_words_is_of_one_group_with_the_first_under_it():
    assert grouped("# Better sleep\n\nYou sleep through.\n\nYou wake rested.") == [
        ["Better sleep", "You sleep through."], ["You wake rested."],
    ]  # fmt: skip
    assert grouped("# It treats\n\n- Anxiety\n- Low mood") == [["It treats", "Anxiety", "Low mood"]]
    # A heading of more words says enough.
    assert grouped("# Sleep\n\n## Deep rest for you all\n\nYou sleep.") == [
        ["Sleep", "Deep rest for you all"], ["You sleep."],
    ]  # fmt: skip


def test_equal_text_is_one_group_also_under_other_headings():
    """A button that stands under every heading is one claim, not a list under each."""
    assert grouped("# One\n\n- Feel better\n\n# Two\n\n- FEEL better\n\nFeel better") == [
        ["One"], ["Feel better", "FEEL better", "Feel better"], ["Two"],
    ]  # fmt: skip


def test_labels_are_never_of_one_group():
    (sentence,) = split_page(read_bytes(b"It helps.", source="x.md", format="markdown"), shared_pipeline())
    assert groups([(EFFICACY, sentence), (SAFETY, sentence), (EFFICACY, sentence)]) == [0, 1, 0]
