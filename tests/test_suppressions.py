"""What a user says is fine: directives, cleared wording, and that neither hides more than it says."""

from __future__ import annotations

from collections import Counter
from datetime import date

import pytest
from growth import grows_linearly
from helpers import ACTION, EFFICACY, SAFETY, STIGMA, STUB_THRESHOLDS, stub_screener
from hypothesis import given
from hypothesis import strategies as st

from mdclaims.findings.cleared import BASELINE_REASON, baseline, read_cleared
from mdclaims.findings.findings import fold
from mdclaims.findings.suppressions import carries_directive, entry_notes, parse_directive, suppress
from mdclaims.labels import LABELS
from mdclaims.reading import read_bytes
from mdclaims.reading.page import Directive

TODAY = date(2026, 6, 1)
FLOORS = STUB_THRESHOLDS["screen"]


def read(text, format="markdown"):
    return read_bytes(text.encode(), source="draft", format=format)


def placed(text, format):
    """Return (line, text, blocks it belongs to) of each directive."""
    page = read(text, format)
    return [
        (
            entry.line,
            entry.text,
            [page.text[b.start : b.end] for b in page.blocks[entry.first_block : entry.last_block]],
        )
        for entry in page.directives
    ]


def outcome(text, format="markdown", cleared=None, file="draft.md", today=TODAY, **settings):
    screener = stub_screener(**settings)
    result = screener.screen_page(read(text, format))
    return suppress(result, today=today, floors=FLOORS, names=screener.names, cleared=cleared, file=file)


def hidden(found):
    return [
        (found.result.sentences[finding.sentence].sentence.text, finding.name)
        for finding in found.result.findings
        if finding.suppressed
    ]


def notes(found):
    return [(note.source, note.kind) for note in found.notes]


# --- where a directive stands -----------------------------------------------------------------------------------

PLACES = {
    "before a paragraph": ("html", "<!-- mdclaims: ok a --><p>One.</p><p>Two.</p>", [(1, "ok a", ["One."])]),
    "inside": ("html", "<p>One <!-- mdclaims: ok a -->here.</p><p>Two.</p>", [(1, "ok a", ["One here."])]),
    "at its end": ("html", "<p>One.<!-- mdclaims: ok a --></p><p>Two.</p>", [(1, "ok a", ["One."])]),
    "images belong to it": ("html", "<p><img alt=pic> One.<!-- mdclaims: x --></p>", [(1, "x", ["pic", "One."])]),
    "an empty element": ("html", "<p><!-- mdclaims: x --></p>\n<p>One.</p>", [(1, "x", ["One."])]),
    "a button": ("html", "<p>A.</p>\n<!-- mdclaims: x -->\n<input type=submit value=Go>", [(2, "x", ["Go"])]),
    "the head": (
        "html",
        "<html><head>\n<!-- mdclaims: x --><title>T</title><meta name=description content=D></head><body><p>P.</p>",
        [(2, "x", ["T", "D"])],
    ),
    "before the document": ("html", "<!-- mdclaims: x --><!doctype html><p>P.</p>", [(1, "x", ["P."])]),
    "before a document with a title": (
        "html",
        "<!-- mdclaims: x -->\n<!doctype html><!-- mdclaims: y --><title>T</title><p>P.</p>",
        [(1, "x", ["T"]), (2, "y", ["T"])],
    ),
    "several lines": ("html", "<p>A.</p>\n<!--\n mdclaims: ok\n a -->\n<p>B.</p>", [(3, "ok a", ["B."])]),
    "behind all text": ("html", "<p>A.</p><!-- mdclaims: x -->", [(1, "x", [])]),
    "two": ("html", "<!-- mdclaims: x -->\n<!-- mdclaims: x -->\n<p>A.</p>", [(1, "x", ["A."]), (2, "x", ["A."])]),
    "no directive": ("html", "<!-- about mdclaims: x --><p>A.</p>", []),
    "not in code": ("html", "<script>/*<!-- mdclaims: x -->*/</script><p>A.</p>", []),
    "Markdown before": ("markdown", "# H\n\n<!-- mdclaims: x -->\nOne.\n\nTwo.\n", [(3, "x", ["One."])]),
    "Markdown apart": ("markdown", "<!-- mdclaims: x -->\n\nOne.\n\nTwo.\n", [(1, "x", ["One."])]),
    "Markdown inside": ("markdown", "A.\n\nOne <!-- mdclaims: x --> two.\n", [(3, "x", ["One two."])]),
    "Markdown item": ("markdown", "- one <!-- mdclaims: x -->\n- two\n", [(1, "x", ["one"])]),
    "Markdown HTML": ("markdown", "Hi.\n\n<div>\n<p>A</p><!-- mdclaims: x --><p>B</p></div>\n", [(4, "x", ["B"])]),
    "Markdown code": ("markdown", "One.\n\n```\n<!-- mdclaims: x -->\n```\n", []),
    "text before": ("text", "Head\n\n[mdclaims: x]\nOne is here.\n\nTwo.\n", [(3, "x", ["One is here."])]),
    "text apart": ("text", "[mdclaims: x]\n\nOne.\n\nTwo.\n", [(1, "x", ["One."])]),
    "text below": ("text", "One.\n[mdclaims: x]\n\nTwo.\n", [(2, "x", ["One."])]),
    "text item": ("text", "- one\n[mdclaims: x]\n- two\n", [(2, "x", ["two"])]),
    "text end": ("text", "One.\n\n[mdclaims: x]\n", [(3, "x", [])]),
    "text in a line": ("text", "One [mdclaims: x] two.\n", []),
}


@pytest.mark.parametrize(("format", "text", "expected"), PLACES.values(), ids=PLACES)
def test_a_directive_belongs_to_its_block_or_the_next(format, text, expected):
    assert placed(text, format) == expected
    assert carries_directive(read(text, format)) is bool(expected)


@pytest.mark.parametrize(("format", "text", "expected"), PLACES.values(), ids=PLACES)
def test_a_directive_is_no_text(format, text, expected):
    if expected:
        assert "mdclaims" not in read(text, format).text


def test_a_directive_line_leaves_a_wrapped_paragraph_whole():
    lines = ["This paragraph is long enough to be wrapped by its", "writer in an editor that breaks its lines here."]
    plain = read("\n".join(lines), "text")
    marked = read(f"{lines[0]}\n[mdclaims: ok a]\n{lines[1]}\n", "text")
    assert [block.kind for block in marked.blocks] == [block.kind for block in plain.blocks]
    assert marked.text == plain.text


# --- what it says -----------------------------------------------------------------------------------------------


def parsed(text):
    return parse_directive(Directive(text, 1, 0, 1))


def test_a_whole_directive():
    found = parsed(
        "ok efficacy_claim, safety_claim, reason: as in the leaflet, page 3, until: 2027-01-31, owner: Ann, "
        "reference: L7"
    )
    assert found.names == (EFFICACY, SAFETY)
    assert (found.reason, found.until) == ("as in the leaflet, page 3", date(2027, 1, 31))
    assert (found.owner, found.reference, found.evidence) == ("Ann", "L7", None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no directive"),
        ("okay efficacy_claim", "is no directive"),
        ("ok", "names no label"),
        ("ok, reason: x", "names no label"),
        ("ok efficacy, reason: x", "unknown label 'efficacy'"),
        ("ok efficacy_claim reason: x", "unknown label 'reason:'"),
        ("ok efficacy_claim, reason: x, until: soon", "no date in until: 'soon'"),
        ("ok efficacy_claim, reason: x, until: 2027-02-30", "no date in until"),
        ("ok efficacy_claim, reason: x, reason: y", "gives reason twice"),
    ],
)
def test_a_malformed_directive_says_what_is_wrong(text, message):
    assert message in parsed(text)


@given(st.text(max_size=80))
def test_any_directive_is_read_or_refused(text):
    found = parsed(f"ok {text}")
    assert isinstance(found, str) or set(found.names) <= set(LABELS)


# --- what a directive hides -------------------------------------------------------------------------------------

CLAIMS = "The laser [e90] relieves [s90] pain. It [e90] heals.\n\nThe laser [e90] melts fat.\n"


def test_a_directive_hides_its_label_in_its_block():
    found = outcome(f"<!-- mdclaims: ok efficacy_claim, reason: checked -->\n{CLAIMS}")
    assert hidden(found) == [("The laser [e90] relieves [s90] pain.", EFFICACY), ("It [e90] heals.", EFFICACY)]
    (suppression, *_) = [finding.suppressed for finding in found.result.findings if finding.suppressed]
    assert (suppression.kind, suppression.where, suppression.scope) == ("inline", "draft:1", "here")
    assert (suppression.reason, suppression.until) == ("checked", None)
    assert found.notes == ()


@pytest.mark.parametrize(
    ("directive", "kind"),
    [
        ("ok efficacy_claim", "no_reason"),
        ("ok efficacy_claim, reason:  ", "no_reason"),
        ("ok efficacy_claim, reason: x, until: 2026-05-31", "expired"),
        ("ok efficacy_claims, reason: x", "malformed"),
    ],
)
def test_what_is_not_obeyed_is_told(directive, kind):
    found = outcome(f"Hello.\n\n<!-- mdclaims: {directive} -->\n{CLAIMS}")
    assert hidden(found) == []
    assert notes(found) == [("draft:3", kind)]


def test_the_last_day_counts():
    text = f"<!-- mdclaims: ok efficacy_claim, reason: x, until: 2026-06-01 -->\n{CLAIMS}"
    assert len(hidden(outcome(text, today=date(2026, 6, 1)))) == 2
    assert hidden(outcome(text, today=date(2026, 6, 2))) == []


def test_a_directive_that_does_nothing_is_told():
    first = "<!-- mdclaims: ok stigma_framing efficacy_claim, reason: x -->"
    found = outcome(f"{first}\n{CLAIMS}\n<!-- mdclaims: ok safety_claim, reason: x -->")
    assert notes(found) == [("draft:1", "unused"), ("draft:6", "unused")]
    assert STIGMA in found.notes[0].note
    assert "no text follows" in found.notes[1].note


@pytest.mark.parametrize("text", ["<blockquote>{}</blockquote>", "{}"])
def test_thousands_of_directives_take_no_longer(text):
    def suppressing(times):
        directives = "<p>The laser heals.</p><!-- mdclaims: ok efficacy_claim, reason: r -->" * times
        result = stub_screener().screen_page(read(text.format(directives), "html"))
        return lambda: suppress(result, today=TODAY, floors=FLOORS)

    found = suppressing(10_000)()
    assert {note.kind for note in found.notes} == {"unused"}
    assert len(found.notes) == 10_000
    assert grows_linearly(suppressing, of=500)


def test_what_another_mode_would_find_is_not_unused():
    text = "<!-- mdclaims: ok efficacy_claim, reason: x -->\nThe laser [e60] heals."
    assert notes(outcome(text, mode="edit")) == []
    assert notes(outcome(text.replace("[e60]", "[e10]"), mode="edit")) == [("draft:1", "unused")]


def test_nothing_is_said_of_labels_that_nobody_asked_for():
    text = "<!-- mdclaims: ok efficacy_claim, reason: x -->\nThe laser heals."
    assert notes(outcome(text, labels=(ACTION,))) == []


def test_screening_does_not_obey():
    page = read(f"<!-- mdclaims: ok efficacy_claim, reason: we say so -->\n{CLAIMS}")
    assert carries_directive(page)
    findings = stub_screener().screen_page(page).findings
    assert len(findings) == 4
    assert all(finding.suppressed is None for finding in findings)


# --- cleared wording --------------------------------------------------------------------------------------------

CLEARED = """
[[cleared]]
label = "efficacy_claim"
text = "The laser [e90] relieves pain."
scope = "everywhere"
reason = "approved"
until = 2026-12-31
reference = "MED-1"
"""


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "mdclaims-cleared.toml"
        path.write_text(text, encoding="utf-8")
        return read_cleared(path)

    return write


def test_exact_reuse_is_cleared_wherever_it_stands(write):
    cleared = write(CLEARED)
    text = "# Other heading\n\nHello. THE LASER\n[e90] relieves pain.\n\nThe laser [e90] relieves pain!\n"
    found = outcome(text, cleared=cleared, file=None)
    assert [fold(sentence) for sentence, _ in hidden(found)] == ["the laser [e90] relieves pain."]
    (suppression,) = [finding.suppressed for finding in found.result.findings if finding.suppressed]
    assert (suppression.kind, suppression.scope, suppression.reference) == ("file", "everywhere", "MED-1")
    assert suppression.where.endswith("mdclaims-cleared.toml:2")
    (close,) = [finding.close_to for finding in found.result.findings if finding.close_to]
    assert (close.similarity, close.differences) == (1.0, ())


def test_near_reuse_is_shown_and_never_cleared(write):
    found = outcome("The laser [e90] always relieves pain.\n", cleared=write(CLEARED))
    assert hidden(found) == []
    (finding,) = found.result.findings
    assert finding.close_to.reference == "MED-1"
    assert finding.close_to.valid
    assert [(entry.before, entry.after) for entry in finding.close_to.differences] == [("", "always")]


def test_another_label_is_neither_cleared_nor_close(write):
    found = outcome("The laser [s90] relieves pain.\n", cleared=write(CLEARED.replace("[e90]", "[s90]")))
    assert hidden(found) == []
    assert [finding.close_to for finding in found.result.findings] == [None]


@pytest.mark.parametrize(
    ("change", "kind"), [(("2026-12-31", "2026-05-31"), "expired"), (('reason = "approved"\n', ""), "no_reason")]
)
def test_an_entry_that_does_not_hold_is_told_where_it_would_apply(write, change, kind):
    cleared = write(CLEARED.replace(*change))
    found = outcome("The laser [e90] relieves pain.\n", cleared=cleared)
    assert hidden(found) == []
    assert not found.result.findings[0].close_to.valid
    told = entry_notes(cleared, [found], files=["draft.md"], whole=False, today=TODAY)
    assert [note.kind for note in told] == [kind]
    other = outcome("Hello.\n", cleared=cleared)
    assert entry_notes(cleared, [other], files=["draft.md"], whole=False, today=TODAY) == []
    assert len(entry_notes(cleared, [other], files=["draft.md"], whole=True, today=TODAY)) == 1


def test_an_unused_entry_is_told_when_its_whole_folder_was_read(write):
    cleared = write(CLEARED)
    found = outcome("Hello.\n", cleared=cleared)
    assert entry_notes(cleared, [found], files=["draft.md"], whole=False, today=TODAY) == []
    (note,) = entry_notes(cleared, [found], files=["draft.md"], whole=True, today=TODAY)
    assert (note.kind, note.source) == ("unused", cleared.entries[0].where)
    used = outcome("The laser [e90] relieves pain.\n", cleared=cleared)
    assert entry_notes(cleared, [used, found], files=["a", "b"], whole=True, today=TODAY) == []


def test_an_entry_for_another_mode_is_not_unused(write):
    cleared = write(CLEARED.replace("e90", "e60"))
    found = outcome("The laser [e60] relieves pain.\n", cleared=cleared, mode="edit")
    assert found.result.findings == ()
    assert entry_notes(cleared, [found], files=["draft.md"], whole=True, today=TODAY) == []


# --- one place --------------------------------------------------------------------------------------------------


def cleared_places(tmp_path, text, name="draft.md"):
    """Return a baseline of a Markdown text."""
    page = read_bytes(text.encode(), source=str(tmp_path / name), format="markdown")
    path = tmp_path / "mdclaims-cleared.toml"
    path.unlink(missing_ok=True)
    content, count = baseline([stub_screener().screen_page(page)], path)
    path.write_text(content, encoding="utf-8")
    cleared = read_cleared(path)
    assert len(cleared.entries) == count
    return cleared


def only(cleared, number):
    from mdclaims.findings.cleared import ClearedWording

    return ClearedWording(cleared.path, cleared.entries[number : number + 1])


SENTENCES = st.lists(
    st.sampled_from(
        ["The laser [e90] heals.", "It [s90] is safe.", "Call [a90] us.", "We close.", "THE laser [e90] heals."]
    ),
    min_size=1,
    max_size=7,
)


@given(SENTENCES, st.integers(0, 20))
def test_here_hides_exactly_one_finding(tmp_path_factory, sentences, number):
    text = "# Heading\n\n" + "\n\n".join(sentences)
    cleared = cleared_places(tmp_path_factory.mktemp("here"), text)
    if not cleared.entries:
        assert not any("[" in sentence for sentence in sentences)
        return
    found = outcome(text, cleared=only(cleared, number % len(cleared.entries)))
    assert len(hidden(found)) == 1
    assert hidden(outcome(text, cleared=cleared, file="other.md")) == []


@given(SENTENCES)
def test_everywhere_hides_only_equal_text(tmp_path_factory, sentences):
    path = tmp_path_factory.mktemp("everywhere") / "mdclaims-cleared.toml"
    entry = (
        '[[cleared]]\nlabel = "efficacy_claim"\ntext = "the laser [e90]  heals."\nscope = "everywhere"\nreason = "x"\n'
    )
    path.write_text(entry, encoding="utf-8")
    found = outcome("\n\n".join(sentences), cleared=read_cleared(path))
    expected = [(text, EFFICACY) for text in sentences if fold(text) == "the laser [e90] heals."]
    assert Counter(hidden(found)) == Counter(expected)


@given(SENTENCES, st.randoms(use_true_random=False))
def test_here_survives_moving_and_rewrapping(tmp_path_factory, sentences, random):
    text = "# Heading\n\n" + "\n\n".join(sentences)
    cleared = cleared_places(tmp_path_factory.mktemp("moved"), text)
    moved = list(sentences)
    random.shuffle(moved)
    again = "# HEADING\n\nNew words.\n\n" + "\n\n".join(entry.replace(" ", "\n", 1) for entry in moved)
    found = outcome(again, cleared=cleared)
    assert len(hidden(found)) == len(found.result.findings) == len(cleared.entries)


def test_here_ends_under_another_heading_and_the_words_are_found_again(tmp_path):
    cleared = cleared_places(tmp_path, "# What we do\n\nThe laser [e90] heals.\n")
    changed = outcome("# What nobody does\n\nThe laser [e90] heals.\n", cleared=cleared)
    assert hidden(changed) == []
    (note,) = entry_notes(cleared, [changed], files=["draft.md"], whole=False, today=TODAY)
    assert (note.kind, "under another heading" in note.note) == ("unused", True)


def test_here_with_a_text_changed_by_hand_hides_nothing(tmp_path):
    text = "The laser [e90] heals.\n"
    path = cleared_places(tmp_path, text).path
    path.write_text(path.read_text().replace("heals", "may heal"))
    assert hidden(outcome(text, cleared=read_cleared(path))) == []


def test_a_reviewed_place_is_named_where_its_words_stand_again(tmp_path):
    path = cleared_places(tmp_path, "The laser [e90] heals.\n").path
    path.write_text(path.read_text().replace(BASELINE_REASON, "approved"))
    (finding,) = outcome("The laser [e90] heals.\n", cleared=read_cleared(path), file="other.md").result.findings
    assert finding.suppressed is None
    assert (finding.close_to.file, finding.close_to.differences) == ("draft.md", ())


def test_a_baseline_clears_no_wording(tmp_path):
    cleared = cleared_places(tmp_path, "The laser [e90] heals.\n")
    (finding,) = outcome("The laser [e90] heals.\n", cleared=cleared, file="other.md").result.findings
    assert (finding.suppressed, finding.close_to) == (None, None)


def test_a_file_that_is_gone_is_told_when_the_folder_was_read(tmp_path):
    cleared = cleared_places(tmp_path, "The laser [e90] heals.\n", name="gone.md")
    (note,) = entry_notes(cleared, [], files=[], whole=True, today=TODAY)
    assert "gone.md is gone or renamed" in note.note
    (tmp_path / "gone.md").write_text("x")
    assert entry_notes(cleared, [], files=[], whole=True, today=TODAY) == []
