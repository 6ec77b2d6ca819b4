"""The terminal report: the same without colour, within its width, and no control character gets through."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from helpers import ACTION, EFFICACY, LABELS, SAFETY, explained, report_of, stub_report, stub_screener, tiny_screener
from hypothesis import given, settings
from hypothesis import strategies as st

from mdclaims.config import MODES
from mdclaims.labels import label_info
from mdclaims.reading import read_bytes
from mdclaims.reports.report import by_label, settings_line, summary_line, visible_controls
from mdclaims.reports.terminal import render_terminal

TEXT = """Why choose our laser clinic?

The laser [e90] relieves pain in the knee, the hip and the back, so that most people walk home without a stick. It is
quite [s60] gentle on the skin. We have two rooms on the second floor of the old mill.

- Book now [a90][e70]
- Parking behind the house
"""
DISPLAY = {label: label_info()[label].display for label in LABELS}


def html_report(html, **changes):
    screener = stub_screener(**changes)
    return report_of(screener, [screener.screen_page(read_bytes(html.encode(), source="page.html", format="html"))])


def words(text):
    return " ".join(text.split())


def margin(label, score):
    """Return a pattern of a label in the margin; how the figures are lined up is not its matter."""
    return rf"{DISPLAY[label]} +{score}% ▌"


# --- layout -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_the_first_line_says_the_mode(mode):
    screener = stub_screener(mode=mode)
    lines = render_terminal(stub_report(TEXT, screener=screener), width=120).splitlines()
    assert lines[0] == settings_line(screener.settings)
    assert lines[0].startswith(f"Mode: {mode} (")
    assert "Jurisdictions: none chosen" in lines[0]


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("colour", [False, True])
def test_no_line_is_longer_than_the_width(width, colour):
    report = stub_report(TEXT, errors=[("some/folder/gone.txt", "does not exist; check the path and try it again")])
    lines = re.sub(r"\x1b\[[0-9;]*m", "", render_terminal(report, width=width, colour=colour)).splitlines()
    assert len(lines) > 10
    assert max(map(len, lines)) <= width
    assert max(map(len, lines)) > width - 25  # the width is used


def test_very_wide_terminals_are_not_filled():
    assert max(map(len, render_terminal(stub_report(TEXT), width=400).splitlines())) <= 120


def test_without_a_width_lines_have_80_columns():
    assert render_terminal(stub_report(TEXT)) == render_terminal(stub_report(TEXT), width=80)


@pytest.mark.parametrize("width", [1, 5, 40, 75, 76, 120])
def test_every_sentence_is_shown_at_any_width(width):
    report = stub_report(TEXT)
    shown = "".join(render_terminal(report, width=width).split())
    for entry in report.pages[0].sentences:
        for word in entry.sentence.text.split():
            assert word in shown or width < 76
    if width < 76:  # narrow: text is not beside a margin, so that it can be compared whole
        for entry in report.pages[0].sentences:
            assert "".join(entry.sentence.text.split()) in shown


def test_labels_stand_in_the_margin_with_their_scores():
    lines = render_terminal(stub_report(TEXT), width=100).splitlines()
    (row,) = [text for text in lines if re.search(margin(EFFICACY, 90), text)]
    assert row.split("▌")[1].strip().startswith("The laser [e90] relieves pain")
    (row,) = [text for text in lines if re.search(margin(SAFETY, 60), text)]
    assert "gentle" not in row.split("▌")[0]


def test_two_labels_of_a_sentence_stand_on_two_lines():
    lines = render_terminal(stub_report(TEXT), width=100).splitlines()
    (at,) = [n for n, text in enumerate(lines) if "Book now" in text]
    assert re.search(margin(EFFICACY, 70), lines[at])
    assert re.search(rf"{DISPLAY[ACTION]} +90%", lines[at + 1])


@pytest.mark.parametrize("width", [40, 75])
def test_narrow_labels_stand_above_their_sentence(width):
    lines = render_terminal(stub_report(TEXT), width=width).splitlines()
    (at,) = [n for n, text in enumerate(lines) if re.fullmatch(margin(SAFETY, 60), text)]
    assert lines[at + 1].startswith("It is quite [s60] gentle")
    assert not any("▌  " in text for text in lines)


def test_the_margin_begins_at_76_columns():
    assert "▌  " not in render_terminal(stub_report(TEXT), width=75)
    assert "▌  " in render_terminal(stub_report(TEXT), width=76)


@pytest.mark.parametrize("score", [50, 51, 99])
def test_scores_are_per_cent(score):
    assert re.search(margin(EFFICACY, score), render_terminal(stub_report(f"It [e{score}] heals.")))


@pytest.mark.parametrize("width", [40, 76, 120])
@pytest.mark.parametrize("label", LABELS)
def test_no_label_is_cut_off(label, width):
    letter = {EFFICACY: "e", SAFETY: "s", ACTION: "a"}.get(label, "g")
    text = render_terminal(stub_report(f"It [{letter}99] heals."), width=width)
    assert re.search(margin(label, 99), text)


def test_no_score_is_shown_as_certain():
    report = stub_report("It [e90] heals.")
    page = report.pages[0]
    entry = replace(page.sentences[0], scores={**page.sentences[0].scores, EFFICACY: 0.9999})
    text = render_terminal(replace(report, pages=(replace(page, sentences=(entry,)),)))
    assert re.search(margin(EFFICACY, 99), text)


def test_no_trailing_white_space():
    lines = render_terminal(stub_report(TEXT)).split("\n")
    assert lines == [text.rstrip() for text in lines]
    assert lines[-1] == ""


@pytest.mark.parametrize(
    ("html", "shown"),
    [
        ("<h3>Our rooms</h3>", "### Our rooms"),
        ("<ul><li>Anxiety</li></ul>", "• Anxiety"),
        ("<button>Book</button>", "[button] Book"),
        ("<p><a href=x>Visit</a></p>", "[link] Visit"),
        ("<img src=x alt='A smile'>", "[image] A smile"),
        ("<blockquote>It was fine</blockquote>", "> It was fine"),
    ],
)
def test_kinds_can_be_told_without_colour(html, shown):
    assert shown in render_terminal(html_report(html)).splitlines() or shown in words(
        render_terminal(html_report(html))
    )


def test_the_title_stands_beside_the_source():
    lines = render_terminal(html_report("<title>Birch Rooms</title><p>We close.</p>")).splitlines()
    assert "page.html  Birch Rooms" in lines


# --- what drove a finding ---------------------------------------------------------------------------------------

REASONS = (
    ("sentence", "Relieves", 2.04),
    ("sentence", "pain", 0.55),
    ("heading", "clinic", 0.35),
    ("previous", "Why", -0.61),
    ("next", "quite", -0.3),
    ("circumstance", "kind: list_item", -1.25),
    ("sentence", ".", 1.5),  # no word
    ("sentence", "the", 0.2),
    ("sentence", "THE", 0.2),  # with "the" strong enough
    ("sentence", "weak", 0.29),
    ("circumstance", "9 words long", -0.29),
)
FOR_IT = "“relieves” +2.0, “pain” +0.6, “the” +0.4, “clinic” (heading) +0.3"
AGAINST_IT = "kind: list item −1.2, “why” (sentence before) −0.6, “quite” (sentence after) −0.3"


def explained_report(*reasons, text=TEXT):
    report = stub_report(text)
    return replace(report, pages=(explained(report.pages[0], *(reasons or REASONS)),))


def test_findings_are_not_explained_unless_asked():
    assert "for it" not in render_terminal(stub_report(TEXT))


@pytest.mark.parametrize("width", [40, 76, 100])
def test_reasons_stand_below_their_sentence(width):
    lines = render_terminal(explained_report(), width=width).splitlines()
    below = " ".join(words("\n".join(lines)).split("Book now [a90][e70]")[1].split("• Parking")[0].split())
    line = f"for it {FOR_IT}; against it {AGAINST_IT}"
    shown = [f"{DISPLAY[label]}: {line}" for label in (EFFICACY, ACTION)]
    # In the wide form the second label of the margin stands beside them.
    assert re.sub(margin(ACTION, 90), "", below).split() == " ".join(shown).split()
    assert words("\n".join(lines)).count(": for it ") == 4


def test_reasons_are_beside_the_margin_in_the_wide_form_only():
    wide = render_terminal(explained_report(), width=100).splitlines()
    narrow = render_terminal(explained_report(), width=60).splitlines()
    (text,) = [n for n, line in enumerate(wide) if "gentle on the skin" in line]
    at = wide[text].index("It is")
    assert wide[text + 1].index(DISPLAY[SAFETY]) == at > 0
    (text,) = [n for n, line in enumerate(narrow) if "gentle on the skin" in line]
    assert narrow[text + 1].startswith(f"{DISPLAY[SAFETY]}: for it “relieves” +2.0")


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("colour", [False, True])
def test_reasons_keep_within_the_width(width, colour):
    lines = re.sub(r"\x1b\[[0-9;]*m", "", render_terminal(explained_report(), width=width, colour=colour)).splitlines()
    assert sum("against it" in line for line in lines) >= 2 or width < 76
    assert max(map(len, lines)) <= width
    assert [line.rstrip() for line in lines] == render_terminal(explained_report(), width=width).splitlines()


def test_reasons_change_no_other_line():
    plain, with_reasons = render_terminal(stub_report(TEXT), width=60), render_terminal(explained_report(), width=60)
    left = iter(with_reasons.splitlines())
    assert all(line in left for line in plain.splitlines())


def test_the_strongest_five_reasons_of_each_side_are_shown():
    many = [("sentence", f"w{n}", sign * (1 + n / 10)) for n in range(7) for sign in (1, -1)]
    text = words(render_terminal(explained_report(*many, text="It [e90] heals."), width=120))
    assert "for it “w6” +1.6, “w5” +1.5, “w4” +1.4, “w3” +1.3, “w2” +1.2; against it" not in text  # one word, both ways
    many = [("sentence", f"w{n}", 1 + n / 10) for n in range(7)] + [("next", f"v{n}", -1 - n / 10) for n in range(7)]
    text = words(render_terminal(explained_report(*many, text="It [e90] heals."), width=120))
    assert "for it “w6” +1.6, “w5” +1.5, “w4” +1.4, “w3” +1.3, “w2” +1.2; against it “v6” (sentence after) −1.6" in text
    assert text.count("(sentence after)") == 5


@pytest.mark.parametrize("reasons", [[("sentence", "it", 0.1)], [("sentence", "!", 9.0)], [("sentence", "it", -0.1)]])
def test_no_reason_stands_out(reasons):
    text = words(render_terminal(explained_report(*reasons, text="It [e90] heals.")))
    assert f"{DISPLAY[EFFICACY]}: for it nothing in particular" in text
    assert "against" not in text


def test_a_word_that_speaks_both_ways_counts_by_its_sum():
    reasons = [("sentence", "it", 2.0), ("sentence", "It", -0.5), ("heading", "it", -3.0)]
    text = words(render_terminal(explained_report(*reasons, text="It [e90] heals."), width=120))
    assert "for it “it” +1.5; against it “it” (heading) −3.0" in text


def test_the_real_reasons_name_words_of_the_page():
    screener = tiny_screener(mode="screen", explain=True)
    report = report_of(screener, [screener.screen_text("Why us?\n\nThe laser relieves pain. We close early.\n")])
    assert report.findings
    text = words(render_terminal(report, width=100))
    assert text.count(": for it ") == report.findings
    named = re.findall(r"“(.+?)”", text)
    assert named
    assert set(named) <= {"why", "us", "the", "laser", "relieves", "pain", "we", "close", "early"}


# --- notes, errors, summary -------------------------------------------------------------------------------------


def test_notes_are_shown():
    html = "<meta charset=iso-8859-1><p>Café [e90] heals.</p>"
    text = words(render_terminal(html_report(html)))
    assert "note: declares cp1252, but is valid UTF-8" in text


def test_errors_are_shown_after_the_pages():
    report = stub_report("It [e90] heals.", errors=[("gone.txt", "does not exist"), ("b.txt", "is empty")])
    lines = render_terminal(report).splitlines()
    assert [text for text in lines if text.startswith("not read: ")] == [
        "not read: gone.txt: does not exist",
        "not read: b.txt: is empty",
    ]
    assert lines.index("not read: gone.txt: does not exist") > lines.index("draft.txt")


def test_a_report_of_errors_only():
    lines = render_terminal(stub_report(errors=[("gone.txt", "does not exist")])).splitlines()
    assert lines[0].startswith("Mode: ")
    assert lines[-1] == "not read: gone.txt: does not exist"


def test_the_summary_counts():
    report = stub_report(TEXT)
    line = summary_line(report.pages[0], LABELS)
    assert line.endswith("sentences carry a label: 2 says it works, 1 says how safe it is, 1 asks the reader to act.")
    assert line.startswith("3 of 6 ")
    assert line in render_terminal(report, width=120).splitlines()


def test_the_summary_of_a_page_without_findings():
    report = stub_report("We close early on Mondays. We open late.")
    assert summary_line(report.pages[0], LABELS) == "0 of 2 sentences carry a label."


def test_the_summary_of_one_sentence_is_grammatical():
    assert summary_line(stub_report("It [e90] heals.").pages[0], LABELS).startswith("1 of 1 sentence carries a label")


def test_counts_by_label():
    report = stub_report(TEXT)
    assert by_label(report.pages[0], LABELS) == {EFFICACY: 2, SAFETY: 1, "stigma_framing": 0, ACTION: 1}
    assert by_label(report.pages[0], (SAFETY,)) == {SAFETY: 1}
    assert report.findings == 4


def test_every_page_is_shown():
    text = render_terminal(stub_report("One [e90] heals.", "Two [s90] is safe."))
    assert text.count("draft.txt") == 2
    assert text.index("One [e90]") < text.index("Two [s90]")


# --- colour and control characters ------------------------------------------------------------------------------


def test_no_escape_codes_without_colour():
    report = stub_report(TEXT, errors=[("gone.txt", "does not exist")])
    assert "\x1b" not in render_terminal(report)
    assert "\x1b[" in render_terminal(report, colour=True)


@pytest.mark.parametrize("width", [40, 80, 120])
def test_colour_adds_nothing_but_codes(width):
    report = stub_report(TEXT, errors=[("gone.txt", "does not exist")])
    coloured = re.sub(r"\x1b\[[0-9;]*m", "", render_terminal(report, width=width, colour=True))
    assert [text.rstrip() for text in coloured.splitlines()] == render_terminal(report, width=width).splitlines()


@pytest.mark.parametrize("variable", ["FORCE_COLOR", "NO_COLOR", "COLUMNS", "TERM"])
def test_the_environment_changes_nothing(variable, monkeypatch):
    report = stub_report(TEXT)
    plain, coloured = render_terminal(report), render_terminal(report, colour=True)
    monkeypatch.setenv(variable, "33")
    assert render_terminal(report) == plain
    assert render_terminal(report, colour=True) == coloured


CONTROLS = {
    "escape": "\x1b[31mred\x1b[0m",
    "title": "\x1b]0;owned\x07",
    "bell": "\x07",
    "backspace": "\x08\x08",
    "delete": "\x7f",
    "one-byte CSI": "\x9b31m",
    "carriage return": "\rfake",
    "right-to-left override": "\u202egnp.exe\u202c",
    "isolate": "\u2066x\u2069",
    "marks": "\u200e\u200f",
    "form feed": "\x0c",
    "escape alone": "\x1b",
}
FORBIDDEN = set("\x00\x07\x08\x0c\r\x1b\x7f\x9b\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")


@pytest.mark.parametrize("control", CONTROLS.values(), ids=CONTROLS)
@pytest.mark.parametrize("place", ["text", "labelled", "source", "title", "error", "error source", "reason"])
def test_control_characters_never_reach_the_output(control, place):
    # Long enough not to be taken for a binary file.
    before = "The old mill on the river has two rooms for patients and a garden. " * 5
    texts = {"text": f"{before} We {control} close.", "labelled": f"{before} It {control} [e90] heals."}
    source = f"a{control}b.txt" if place == "source" else "draft.txt"
    errors = [
        (
            f"gone{control}.txt" if place == "error source" else "gone.txt",
            f"bad {control}" if place == "error" else "bad",
        )
    ]
    report = stub_report(texts.get(place, "We close."), errors=errors, source=source)
    if place == "title":
        page = report.pages[0]
        report = replace(report, pages=(replace(page, page=replace(page.page, title=f"A {control} b")),))
    if place == "reason":
        report = explained_report(("sentence", f"a{control}b", 1.0), text="It [e90] heals.")
    for width in (40, 100):
        text = render_terminal(report, width=width)
        assert not FORBIDDEN & set(text)
        if control[0] not in "\r\f":  # in a text these end a line
            assert "\ufffd" in text


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=40))
def test_visible_controls_keeps_the_length_and_the_rest(text):
    shown = visible_controls(text)
    assert len(shown) == len(text)
    assert not FORBIDDEN & set(shown)
    assert all(a == b or b == "\ufffd" for a, b in zip(text, shown, strict=True))


def test_visible_controls_keeps_what_is_harmless():
    harmless = "Ünï — “côdé” 痛み 👩‍⚕️ لا ألم\n50 %"
    assert visible_controls(harmless) == harmless


def test_markup_of_rich_is_text():
    text = render_terminal(stub_report("It [bold]really[/bold] [e90] heals [link=x]us[/link] :smile: today."))
    assert "It [bold]really[/bold] [e90] heals [link=x]us[/link] :smile: today." in words(text)
