"""The plain words that the formats share: certainty, places, quotes."""

from dataclasses import replace

import pytest
from helpers import STUB_THRESHOLDS, stub_report, stub_screener

from mdclaims.reading import read_bytes
from mdclaims.reports.report import certainty, distance_words, heading_words, place_words, quote_words


def sentences_of(html):
    result = stub_screener().screen_page(read_bytes(html.encode(), source="x", format="html"))
    return [entry.sentence for entry in result.sentences]


@pytest.mark.parametrize(
    ("score", "threshold", "word"),
    [
        (0.5, 0.5, "borderline"),
        (0.599, 0.5, "borderline"),
        (0.6, 0.5, "likely"),
        (0.899, 0.5, "likely"),
        (0.9, 0.5, "clear"),
        (1.0, 0.5, "clear"),
        # The mode's threshold counts.
        (0.69, 0.61, "borderline"),
        (0.72, 0.61, "likely"),
        # Above 0.9 a high threshold makes nothing doubtful.
        (0.95, 0.9, "clear"),
        (0.89, 0.85, "borderline"),
        # With the low thresholds of mode screen, what is more often wrong than right is not likely.
        (0.2, 0.07, "borderline"),
        (0.49, 0.07, "borderline"),
        (0.5, 0.07, "likely"),
    ],
)
def test_certainty(score, threshold, word):
    assert certainty(score, threshold) == word


@pytest.mark.parametrize("threshold", [table["efficacy_claim"] for table in STUB_THRESHOLDS.values()])
def test_certainty_rises_with_the_score(threshold):
    words = [certainty(threshold + n / 1000, threshold) for n in range(round(1000 * (1 - threshold)) + 1)]
    order = ("borderline", "likely", "clear")
    assert words == sorted(words, key=order.index)
    assert {words[0], words[-1]} == {"borderline", "clear"}


def test_places_in_words():
    html = "<h1>Why us</h1><p hidden>“It heals.”</p><footer><a href=/>Book now</a></footer>"
    first, second, third = sentences_of(html)
    assert place_words(first) == "heading, main text"
    assert place_words(second) == "paragraph, main text, in quotation marks, present, not shown at first"
    assert place_words(third) == "link, footer"
    assert (heading_words(first), heading_words(second), heading_words(third)) == ("", "Why us", "")


def test_a_short_quote_has_its_heading():
    sentences = sentences_of("<h1>What TMS treats</h1><ul><li>Anxiety</li><li>Worry that comes back</li></ul>")
    assert [quote_words(sentence, 12) for sentence in sentences] == [
        "“What TMS tr…”",
        "“Anxiety” (under “What TMS treats”)",
        "“Worry that …”",
    ]


def test_distances_in_words():
    report = stub_report("TMS always works [e95]. So. Mild headaches are common [s95:discloses].")
    qualifier = report.pages[0].findings[0].qualifier
    assert distance_words(qualifier) == "2 sentences away"
    assert distance_words(replace(qualifier, sentences_away=1)) == "1 sentence away"
    assert distance_words(replace(qualifier, sentences_away=0)) == "in the sentence itself"
