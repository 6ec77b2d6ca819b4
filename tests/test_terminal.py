"""The terminal report: first what to look at, then the text; the same without colour, within its width, and no
control character gets through."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial

import pytest
from helpers import ACTION, EFFICACY, LABELS, SAFETY, explained, report_of, stub_report, stub_screener, tiny_screener
from hypothesis import given, settings
from hypothesis import strategies as st

from mdclaims.config import MODES
from mdclaims.labels import label_info
from mdclaims.reading import read_bytes
from mdclaims.reports.report import FIRST_SHOWN, ORDER_LINE, RANK_LINE, by_label, settings_line, visible_controls
from mdclaims.reports.terminal import render_terminal

TEXT = """Why choose our laser clinic?

The laser [e90] relieves pain in the knee, the hip and the back, so that most people walk home without a stick. It is
quite [s60] gentle on the skin. We have two rooms on the second floor of the old mill.

- Book relief [a90][e70]
- Parking behind the house
"""
DISPLAY = {label: label_info()[label].display for label in LABELS}


def html_report(html, **changes):
    screener = stub_screener(**changes)
    return report_of(screener, [screener.screen_page(read_bytes(html.encode(), source="page.html", format="html"))])


def words(text):
    return " ".join(text.split())


def margin(label, number):
    """Return a pattern of a claim in the margin; how the numbers are lined up is not its matter."""
    return rf"{number} {DISPLAY[label]}( · first)? [▌│]"


def text_of(report, **options):
    """Return the lines below the list of claims."""
    return render_terminal(report, **options).split("\nThe text\n\n")[1].splitlines()


everything = partial(render_terminal, everything=True)


# --- what to look at --------------------------------------------------------------------------------------------

MANY = "\n\n".join(f"The laser [e{60 + n}] relieves pain number {'abcdefghij'[n]}." for n in range(8))


def test_the_result_stands_before_the_claims_and_the_claims_before_the_text():
    lines = render_terminal(stub_report(TEXT), width=120).splitlines()
    assert lines[4] == "4 things to look at, 1 first."
    assert lines[5] == "2 claims of benefit; no sentence tells of a risk or a limit."
    assert lines[6] == ORDER_LINE
    assert [line[:2] for line in lines if re.match(r" \d  ", line)] == [" 1", " 2", " 3", " 4"]
    assert lines.index("The text") > max(n for n, line in enumerate(lines) if re.match(r" \d  ", line))


@pytest.mark.parametrize(("width", "between"), [(60, ": "), (120, " ")])
def test_a_claim_says_what_why_what_stands_beside_it_and_where(width, between):
    parts = [
        "3 “It is quite [s60] gentle on the skin.” Says how safe it is: likely",
        f"Why{between}reassures about risk, pain or effort",
        f"Beside it{between}no risk, limit or source in its section of the text read",
        f"Ask{between}Which side effects happen, and how often? Say it beside this sentence.",
        f"Where{between}paragraph under “Why choose our laser clinic?”, line 3",
    ]
    assert " ".join(parts) in words(render_terminal(stub_report(TEXT), width=width))


def test_few_words_never_stand_without_their_heading():
    assert "Under “Why choose our laser clinic?”: “Book relief [a90][e70]”" in words(render_terminal(stub_report(TEXT)))
    assert "Button: “Book [a90] now”" in words(everything(html_report("<button>Book [a90] now</button>")))


def test_the_first_claims_are_listed_and_the_others_counted():
    lines = render_terminal(stub_report(MANY), width=120).splitlines()
    assert sum(bool(re.match(r" \d  “", line)) for line in lines) == FIRST_SHOWN == 5
    assert "3 more are marked in the text below. --all lists them." in lines
    lines = everything(stub_report(MANY), width=120).splitlines()
    assert sum(bool(re.match(r" \d  “", line)) for line in lines) == 8
    assert "--all" not in "\n".join(lines)


def test_what_is_for_information_is_counted_and_shown_on_request():
    report = stub_report("The laser [e90:limits] may not help everyone. The laser [e95] relieves pain.")
    text = render_terminal(report, width=120)
    assert "1 thing to look at; 1 more for information." in text
    assert "\n--all lists what is for information.\n" in text
    assert text.count("may not help everyone") == 2  # as what stands beside the other, and in the text
    assert not re.search(margin(EFFICACY, 2), text)
    text = everything(report, width=120)
    assert text.count("may not help everyone") == 3
    assert "Says it works: clear · for information" in text
    assert "2 Says it works │  The laser [e90:limits]" in text


def test_the_score_is_shown_on_request():
    assert "%" not in render_terminal(stub_report(TEXT))
    text = render_terminal(explained_report(), width=120)
    assert "Says it works: clear (90 %)" in text
    assert "Says how safe it is, 60 %: for it" in text


def test_endless_quotes_are_cut_in_the_list_but_not_in_the_text():
    long = "The laser [e95] relieves pain " + "and stiffness " * 40 + "for good."
    first, whole = render_terminal(stub_report(long), width=60).split("The text")
    assert "…” Says it works: clear" in words(first)
    assert "for good." not in first
    assert words(long) in words(whole)


def test_a_long_text_is_followed_by_the_result():
    short, long = stub_report(TEXT), stub_report(TEXT + "\nWe close early today.\n" * 40)
    assert render_terminal(short, width=120).count("4 things to look at") == 1
    lines = render_terminal(long, width=120).splitlines()
    assert lines[-1] == "4 things to look at, 1 first."


# --- several inputs ---------------------------------------------------------------------------------------------


def test_several_inputs_begin_with_a_line_for_each_most_to_read_first_at_the_top():
    screener = stub_screener()
    texts = {"in/plain.txt": "We close early.", "in/some.txt": "The laser [s90] is gentle.", "in/most.txt": TEXT}
    results = [screener.screen_text(text, source=source) for source, text in texts.items()]
    lines = render_terminal(report_of(screener, results, errors=[("in/gone.txt", "is empty")]), width=120).splitlines()
    assert lines[2] == "3 inputs: 5 things to look at, 1 first. 1 input could not be read."
    assert lines[3] == RANK_LINE
    assert lines[5].split() == ["look", "at", "first", "info", "input", "in", "in/"]
    rows = [line.split() for line in lines[6:9]]
    assert rows == [["4", "1", "–", "most.txt"], ["1", "–", "–", "some.txt"], ["–", "–", "–", "plain.txt"]]
    assert [line.split()[0] for line in lines if line.startswith("in/")] == [
        "in/most.txt",
        "in/some.txt",
        "in/plain.txt",
    ]
    assert lines.count(ORDER_LINE) == 1
    assert lines[-3] == lines[2]
    # A text without a mark is not repeated.
    assert lines.count("The text") == 2
    assert "We close early." not in "\n".join(lines)


@pytest.mark.parametrize(
    ("sources", "shown"),
    [
        (["a/b/c.txt", "a/b/d.txt"], ["c.txt", "d.txt"]),
        (["a/b.txt", "a/bc.txt"], ["b.txt", "bc.txt"]),
        (["a.txt", "b/a.txt"], ["a.txt", "b/a.txt"]),
        (["a/b.txt", "a/b.txt"], ["b.txt", "b.txt"]),
    ],
)
def test_the_folder_that_all_inputs_share_is_told_once(sources, shown):
    screener = stub_screener()
    report = report_of(screener, [screener.screen_text("We close.", source=source) for source in sources])
    assert [line.split()[-1] for line in render_terminal(report).splitlines() if "–      –     –" in line] == shown


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


def test_labels_stand_in_the_margin_with_the_number_of_their_claim():
    lines = text_of(stub_report(TEXT), width=100)
    (row,) = [text for text in lines if re.search(margin(EFFICACY, 1), text)]
    assert row.split("▌")[1].strip().startswith("The laser [e90] relieves pain")
    assert lines[lines.index(row) + 1].split("▌")[0].strip() == "first"
    (row,) = [text for text in lines if re.search(margin(SAFETY, 3), text)]
    assert "gentle" not in row.split("▌")[0]


def test_two_labels_of_a_sentence_stand_on_two_lines():
    lines = text_of(stub_report(TEXT), width=100)
    (at,) = [n for n, text in enumerate(lines) if "Book relief" in text]
    assert re.search(margin(ACTION, 2), lines[at])
    assert re.search(margin(EFFICACY, 4), lines[at + 1])


@pytest.mark.parametrize("width", [40, 75])
def test_narrow_labels_stand_above_their_sentence(width):
    lines = text_of(stub_report(TEXT), width=width)
    (at,) = [n for n, text in enumerate(lines) if re.fullmatch(margin(SAFETY, 3), text)]
    assert lines[at + 1].startswith("It is quite [s60] gentle")
    assert f"1 {DISPLAY[EFFICACY]} · first ▌" in lines
    assert not any("▌  " in text for text in lines)


def test_the_margin_begins_at_76_columns():
    assert "▌  " not in render_terminal(stub_report(TEXT), width=75)
    assert "▌  " in render_terminal(stub_report(TEXT), width=76)


@pytest.mark.parametrize(("score", "word"), [(50, "borderline"), (59, "borderline"), (60, "likely"), (90, "clear")])
def test_certainty_is_in_words(score, word):
    text = render_terminal(stub_report(f"The laser [e{score}] relieves pain."))
    assert f"Says it works: {word}\n" in text
    assert (re.search("borderline ▌", text) is not None) == (word == "borderline")


@pytest.mark.parametrize("width", [40, 76, 120])
@pytest.mark.parametrize("label", LABELS)
def test_no_label_is_cut_off(label, width):
    letter = {EFFICACY: "e", SAFETY: "s", ACTION: "a"}.get(label, "g")
    text = everything(stub_report(f"It [{letter}99] heals."), width=width)
    assert re.search(margin(label, 1), text)


def test_no_score_is_shown_as_certain():
    report = explained_report(text="It [e90] heals.")
    page = report.pages[0]
    finding = replace(page.findings[0], score=0.9999)
    text = everything(replace(report, pages=(replace(page, findings=(finding,)),)))
    assert "clear (99 %)" in text
    assert "Says it works, 99 %:" in text


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
    below = " ".join(words("\n".join(lines)).split("• Book relief [a90][e70]")[1].split("• Parking")[0].split())
    line = f"for it {FOR_IT}; against it {AGAINST_IT}"
    shown = [f"{DISPLAY[label]}, {score} %: {line}" for label, score in ((ACTION, 90), (EFFICACY, 70))]
    # In the wide form the second label of the margin stands beside them.
    assert re.sub(margin(EFFICACY, 4), "", below).split() == " ".join(shown).split()
    assert words("\n".join(lines)).count("%: for it ") == 4


def test_reasons_are_beside_the_margin_in_the_wide_form_only():
    wide, narrow = text_of(explained_report(), width=100), text_of(explained_report(), width=60)
    (text,) = [n for n, line in enumerate(wide) if "gentle on the skin" in line]
    at = wide[text].index("It is")
    assert wide[text + 1].index(DISPLAY[SAFETY]) == at > 0
    (text,) = [n for n, line in enumerate(narrow) if "gentle on the skin" in line]
    assert narrow[text + 1].startswith(f"{DISPLAY[SAFETY]}, 60 %: for it “relieves” +2.0")


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("colour", [False, True])
def test_reasons_keep_within_the_width(width, colour):
    lines = re.sub(r"\x1b\[[0-9;]*m", "", render_terminal(explained_report(), width=width, colour=colour)).splitlines()
    assert sum("against it" in line for line in lines) >= 2 or width < 76
    assert max(map(len, lines)) <= width
    assert [line.rstrip() for line in lines] == render_terminal(explained_report(), width=width).splitlines()


def test_reasons_change_no_other_line():
    plain, with_reasons = text_of(stub_report(TEXT), width=60), text_of(explained_report(), width=60)
    left = iter(with_reasons)
    assert all(line in left for line in plain)


def test_the_strongest_five_reasons_of_each_side_are_shown():
    many = [("sentence", f"w{n}", sign * (1 + n / 10)) for n in range(7) for sign in (1, -1)]
    text = words(everything(explained_report(*many, text="It [e90] heals."), width=120))
    assert "for it “w6” +1.6, “w5” +1.5, “w4” +1.4, “w3” +1.3, “w2” +1.2; against it" not in text  # one word, both ways
    many = [("sentence", f"w{n}", 1 + n / 10) for n in range(7)] + [("next", f"v{n}", -1 - n / 10) for n in range(7)]
    text = words(everything(explained_report(*many, text="It [e90] heals."), width=120))
    assert "for it “w6” +1.6, “w5” +1.5, “w4” +1.4, “w3” +1.3, “w2” +1.2; against it “v6” (sentence after) −1.6" in text
    assert text.count("(sentence after)") == 5


@pytest.mark.parametrize("reasons", [[("sentence", "it", 0.1)], [("sentence", "!", 9.0)], [("sentence", "it", -0.1)]])
def test_no_reason_stands_out(reasons):
    text = words(everything(explained_report(*reasons, text="It [e90] heals.")))
    assert f"{DISPLAY[EFFICACY]}, 90 %: for it nothing in particular" in text
    assert "against" not in text


def test_a_word_that_speaks_both_ways_counts_by_its_sum():
    reasons = [("sentence", "it", 2.0), ("sentence", "It", -0.5), ("heading", "it", -3.0)]
    text = words(everything(explained_report(*reasons, text="It [e90] heals."), width=120))
    assert "for it “it” +1.5; against it “it” (heading) −3.0" in text


def test_the_real_reasons_name_words_of_the_page():
    screener = tiny_screener(mode="screen", explain=True)
    report = report_of(screener, [screener.screen_text("Why us?\n\nThe laser relieves pain. We close early.\n")])
    assert report.findings
    text = words("\n".join(text_of(report, width=100, everything=True)))
    assert text.count("%: for it ") == report.findings
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


def test_counts_by_label():
    report = stub_report(TEXT)
    assert by_label(report.pages[0], LABELS) == {EFFICACY: 2, SAFETY: 1, "stigma_framing": 0, ACTION: 1}
    assert by_label(report.pages[0], (SAFETY,)) == {SAFETY: 1}
    assert report.findings == 4


def test_every_page_is_shown():
    text = everything(stub_report("One [e90] heals.", "Two [s90] is safe."))
    assert text.count("draft.txt") == 4
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
        text = everything(report, width=width)
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
