"""reports/word_report.py and word_markup.py: comments on exactly the words, and nothing else changed.

The documents of LibreOffice are written by it. Those of Google Docs and Word for the web are imitations: made here by
hand, with the markup that these programs are known to write. No file from either program was at hand.
"""

import io
import re
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import docx
import pypdfium2
import pytest
from docx.oxml import parse_xml
from helpers import TODAY, report_of, run_cli, stub_screener
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from test_word_reader import OFFICE, SPACES, archive, cell, package, paragraph, picture, run, table, text_box

from mdclaims.config import JURISDICTIONS
from mdclaims.errors import ReadError
from mdclaims.findings.review_comments import KEEP, LIST_END, names_in, names_sentence
from mdclaims.findings.rule_book import RuleMatch
from mdclaims.findings.rules import rules
from mdclaims.findings.suppressions import suppress
from mdclaims.findings.wording import shipped_wording
from mdclaims.labels import LABELS
from mdclaims.reading import Limits, read_bytes
from mdclaims.reading.page import REVIEWER as AUTHOR
from mdclaims.reports.report import for_people
from mdclaims.reports.word_report import MOST_WORDS, render_word, take_out

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
W14 = "{http://schemas.microsoft.com/office/word/2010/wordml}"
FILLER = "We open at nine and close at five on every day of the week. " * 20
SAYS_OK = "To keep the words, reply “ok: reason”."


def outcome_of(data, **settings):
    screener = stub_screener(**{"mode": "edit", **settings})
    page = read_bytes(data, source="draft.docx", format="docx")
    result = screener.screen_page(page)
    return suppress(result, today=TODAY, floors=screener.floors, names=screener.names)


def report(data, **settings):
    return report_of(stub_screener(**{"mode": "edit", **settings}), [outcome_of(data, **settings).result])


def review(data, *, everything=False, **settings):
    return render_word(report(data, **settings), data, limits=Limits(), everything=everything)


def suppressed(data):
    """Return (label, reason, owner) of all that does not count."""
    return [
        (finding.label, finding.suppressed.reason, finding.suppressed.owner)
        for finding in outcome_of(data).result.findings
        if finding.suppressed
    ]


def parts(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def canonical(content):
    return etree.tostring(etree.fromstring(content), method="c14n")


def assert_same(one, other):
    """Assert that two documents hold the same parts: XML by its canonical form, the rest byte for byte."""
    before, after = parts(one), parts(other)
    assert set(before) == set(after)
    for name, content in before.items():
        is_xml = name.endswith((".xml", ".rels"))
        assert content == after[name] or (is_xml and canonical(content) == canonical(after[name])), (
            f"{name}\n{content.decode()}\n{after[name].decode()}"
        )


def main_text(data):
    return etree.fromstring(parts(data)["word/document.xml"])


def comments(data):
    """Return (author, text) of all comments by id; their paragraphs are parted by line feeds."""
    content = parts(data).get("word/comments.xml")
    return {} if content is None else {
        entry.get(f"{W}id"): (
            entry.get(f"{W}author"),
            "\n".join("".join(piece.text or "" for piece in p.iter(f"{W}t")) for p in entry.iter(f"{W}p")),
        )
        for entry in etree.fromstring(content).iter(f"{W}comment")
    }  # fmt: skip


def anchored(data):
    """Return the words that each comment stands on, as Word finds them: between its two marks; text boxes left out."""
    standing, found = set(), {}
    walk = etree.iterwalk(main_text(data), events=("start",))
    for _, element in walk:
        name = element.get(f"{W}id")
        if element.tag in {f"{W}del", f"{W}instrText", f"{W}txbxContent"}:
            walk.skip_subtree()
        elif element.tag == f"{W}commentRangeStart":
            assert name not in found
            standing.add(name)
            found[name] = ""
        elif element.tag == f"{W}commentRangeEnd":
            standing.remove(name)
        elif element.tag == f"{W}commentReference":
            assert name in found
            assert name not in standing
        elif element.tag in {f"{W}t", f"{W}tab", f"{W}br"} or etree.QName(element).localname == "t":
            for name in standing:
                found[name] += {f"{W}tab": "\t", f"{W}br": "\n"}.get(element.tag, element.text or "")
    assert not standing
    references = [entry.get(f"{W}id") for entry in main_text(data).iter(f"{W}commentReference")]
    assert sorted(references) == sorted(found)
    return found


def told(data):
    """Return (the words a comment stands on, its text) in reading order, of those by mdclaims."""
    by_id = comments(data)
    return [(words, by_id[name][1]) for name, words in anchored(data).items() if by_id[name][0] == AUTHOR]


def assert_reviewed(data, *expected, everything=True, **settings):
    """Review a document; assert that these words have comments, that they come off again, and come again the same."""
    reviewed = review(data, everything=everything, **settings)
    assert [words for words, _ in told(reviewed)] == list(expected)
    assert_same(data, take_out(reviewed, limits=Limits()))
    assert review(reviewed, everything=everything, **settings) == reviewed
    before, after = (read_bytes(content, source="a", format="docx") for content in (data, reviewed))
    assert (before.text, before.blocks) == (after.text, after.blocks)
    offsets = [n for n, character in enumerate(before.text) if not character.isspace()]
    assert [before.source_cover(n, n + 1) for n in offsets] == [after.source_cover(n, n + 1) for n in offsets]
    return reviewed


# --- where comments stand -------------------------------------------------------------------------------------------


def test_a_comment_stands_on_its_sentence_and_the_runs_keep_their_look():
    data = package(
        paragraph(
            run("We are here. Our la", "<w:b/>"), run("ser [g95] heals", "<w:i/>"), run(" all. Come in.", "<w:b/>")
        )
    )
    reviewed = assert_reviewed(data, "Our laser [g95] heals all.")
    runs = [
        ("".join(piece.text for piece in entry.iter(f"{W}t")), [child.tag for child in entry.find(f"{W}rPr")])
        for entry in main_text(reviewed).iter(f"{W}r")
        if entry.find(f"{W}rPr") is not None
    ]
    b, i = [f"{W}b"], [f"{W}i"]
    assert runs == [
        ("We are here. ", b), ("Our la", b), ("ser [g95] heals", i), (" all.", b), (" Come in.", b),
    ]  # fmt: skip


def test_runs_are_not_cut_where_a_sentence_begins_and_ends_with_them():
    data = package(paragraph(run("It heals [g95]."), run(" Come in.")))
    reviewed = assert_reviewed(data, "It heals [g95].")
    assert len(list(main_text(reviewed).iter(f"{W}r"))) == 3


LINK = '<w:hyperlink r:id="x">{}</w:hyperlink>'
INSERTED = '<w:ins w:id="7" w:author="Ann" w:date="2026-11-01T00:00:00Z">{}</w:ins>'
CONTROL = '<w:sdt><w:sdtPr><w:tag w:val="a"/></w:sdtPr><w:sdtContent>{}</w:sdtContent></w:sdt>'
BOUND = '<w:sdt><w:sdtPr><w:dataBinding w:xpath="/a"/></w:sdtPr><w:sdtContent>{}</w:sdtContent></w:sdt>'
FIELD = (
    '<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>REF a</w:instrText></w:r>'
    '<w:r><w:fldChar w:fldCharType="separate"/></w:r>{}<w:r><w:fldChar w:fldCharType="end"/></w:r>'
)


@pytest.mark.parametrize(
    "around",
    [
        LINK, INSERTED, CONTROL, LINK.format(INSERTED), CONTROL.format(CONTROL), FIELD,
        "<w:smartTag>{}</w:smartTag>", '<w:fldSimple w:instr="REF a">{}</w:fldSimple>', '<w:dir w:val="ltr">{}</w:dir>',
    ],
)  # fmt: skip
def test_sentences_in_links_insertions_content_controls_and_fields(around):
    assert_reviewed(
        package(paragraph(around.format(run("It heals [g95]."))), paragraph(run("End."))), "It heals [g95]."
    )
    whole = package(paragraph(run("One. It "), around.format(run("heals")), run(" you [g95]. End.")))
    assert_reviewed(whole, "It heals you [g95].")
    part = package(paragraph(around.format(run("One. It heals [g95]. Two. It [g95] is safe.")), run(" End.")))
    assert_reviewed(part, "It heals [g95].", "It [g95] is safe.")
    ends_inside = package(paragraph(run("One. It"), around.format(run(" heals [g95]. Two.")), run(" End.")))
    assert_reviewed(ends_inside, "It heals [g95].")


def test_the_marks_of_a_whole_insertion_stand_around_it():
    data = package(paragraph(run("One. "), INSERTED.format(run("It heals [g95].")), run(" End.")))
    (entry,) = main_text(assert_reviewed(data, "It heals [g95].")).iter(f"{W}ins")
    assert [etree.QName(near).localname for near in (entry.getprevious(), entry.getnext())] == [
        "commentRangeStart", "commentRangeEnd",
    ]  # fmt: skip


def test_a_control_that_word_fills_in_and_a_formula_stay_whole():
    bound = package(paragraph(run("See: "), BOUND.format(run("One. It heals [g95]. End."))))
    assert_reviewed(bound, "One. It heals [g95]. End.")
    formula = "<m:oMath><m:r><m:t>One. It heals [g95]. End.</m:t></m:r></m:oMath>"
    assert_reviewed(package(paragraph(run("See: "), formula)), "One. It heals [g95]. End.")
    ruby = "<w:r><w:ruby><w:rubyBase>{}</w:rubyBase></w:ruby></w:r>".format(run("One. It heals [g95]. End."))
    assert_reviewed(package(paragraph(ruby)), "One. It heals [g95]. End.")


def test_lists_tables_nested_tables_and_block_controls():
    inner = table((cell(paragraph(run("Inner [g95]. End."))),))
    data = package(
        paragraph(run("One. Item [g95]."), style="ListBullet"),
        table((cell(paragraph(run("Cell [g95]. End."))), cell(inner, paragraph(run("After."))))),
        CONTROL.format(paragraph(run("Control [g95]. End."))),
        paragraph(run("Heading [g95]"), style="Title"),
    )
    assert_reviewed(data, "Item [g95].", "Cell [g95].", "Inner [g95].", "Control [g95].", "Heading [g95]")


def test_tabs_breaks_and_several_texts_in_one_run():
    inside = (
        "<w:t>One. It</w:t><w:tab/><w:t>heals [g95].</w:t><w:br/>"
        "<w:t>It [g95] is</w:t><w:t> safe.</w:t><w:t> End.</w:t>"
    )
    data = package(paragraph(f"<w:r><w:rPr><w:b/></w:rPr>{inside}</w:r>"))
    assert_reviewed(data, "It\theals [g95].", "It [g95] is safe.")


def test_deleted_paragraph_ends_and_deleted_words():
    mark = "<w:rPr><w:del/></w:rPr>"
    deleted = f"<w:del>{run('Never. ').replace('w:t', 'w:delText')}</w:del>"
    data = package(
        paragraph(run("One. It heals"), properties=mark),
        paragraph(deleted, run(" you [g95]. End.")),
        paragraph(run("x")),
    )
    assert_reviewed(data, "It heals you [g95].")


def test_neighbours_that_nothing_parts():
    data = package(paragraph(run("It heals [g95].\u00a0\u201cIt [g95] is safe.\u201d"), run("It [g95] ends.")))
    words = [text for text, _ in told(review(data, everything=True))]
    assert len(words) > 1
    assert_reviewed(data, *words)


def test_white_space_of_the_file_stays():
    text = "\n      <w:rPr>\n <w:b/> </w:rPr>\n      <w:t>One. It [g95] heals. End.</w:t>\n    "
    body = f"\n  <w:p>\n    <w:r>{text}</w:r>\n  </w:p>\n  "
    assert_reviewed(package(body), "It [g95] heals.")
    spaced = '<w:p><w:r><w:t xml:space="preserve"> One. It [g95] heals. End. </w:t></w:r></w:p>'
    assert_reviewed(package(spaced), "It [g95] heals.")


def test_runs_that_were_two_before_stay_two():
    data = package(paragraph(run("It [g95]"), run(" heals."), run(" So"), run(" be it.")))
    assert_reviewed(data, "It [g95] heals.")
    assert len(list(main_text(take_out(review(data), limits=Limits())).iter(f"{W}r"))) == 4


# --- what allows no comment -----------------------------------------------------------------------------------------


def note(kind, name, text):
    return (f"w:{kind}s", f'<w:{kind} w:id="{name}">{paragraph(run(text))}</w:{kind}>')


def test_headers_footers_notes_text_boxes_and_images_are_told_on_the_nearest_paragraph():
    references = '<w:headerReference r:id="h" w:type="default"/><w:footerReference r:id="f" w:type="default"/>'
    sections = f"<w:sectPr>{references}</w:sectPr>"
    data = package(
        paragraph(run("First paragraph.")),
        paragraph(run("Second."), '<w:r><w:footnoteReference w:id="4"/></w:r>'),
        paragraph(run("Third."), text_box(paragraph(run("Box heals [g95].")))),
        paragraph(run("Fourth."), picture("Picture heals [g95].")),
        paragraph(run("Last paragraph.")),
        sections,
        parts=[
            ("h", "header", "header1.xml", ("w:hdr", paragraph(run("Header heals [g95].")))),
            ("f", "footer", "footer1.xml", ("w:ftr", paragraph(run("Footer heals [g95].")))),
            ("n", "footnotes", "footnotes.xml", note("footnote", "4", "Note heals [g95].")),
        ],
        core="<dc:title>Title heals [g95].</dc:title>",
    )
    reviewed = review(data, everything=True)
    by_quote = {re.search("“([^”]*heals[^”]*)”", text).group(1): (words, text) for words, text in told(reviewed)}
    assert {quote: words for quote, (words, _) in by_quote.items()} == {
        "Title heals [g95]": "First paragraph.",
        "Header heals [g95]": "First paragraph.",
        "Note heals [g95]": "Second.",
        "Box heals [g95]": "Third.",
        "Picture heals [g95]": "Fourth.",
        "Footer heals [g95]": "Last paragraph.",
    }
    places = {quote: text.split("It stands in ")[1].split(": “")[0] for quote, (_, text) in by_quote.items()}
    assert places == {
        "Title heals [g95]": "the document’s properties",
        "Header heals [g95]": "the header",
        "Note heals [g95]": "a note",
        "Box heals [g95]": "a text box or drawing",
        "Picture heals [g95]": "a text box or drawing",
        "Footer heals [g95]": "the footer",
    }
    assert all(len(text.split()) <= MOST_WORDS for _, text in by_quote.values())
    assert_same(data, take_out(reviewed, limits=Limits()))
    assert review(reviewed, everything=True) == reviewed


def test_a_document_without_a_paragraph_is_told():
    sections = '<w:sectPr><w:headerReference r:id="h" w:type="default"/></w:sectPr>'
    header = ("h", "header", "header1.xml", ("w:hdr", paragraph(run("Header heals [g95]."))))
    with pytest.raises(ReadError, match="has no paragraph in its main text"):
        review(package(sections, parts=[header]))


# --- properties -----------------------------------------------------------------------------------------------------

LOOKS = ("", "<w:b/>", "<w:i/>")
WRAPS = ("{}", "{}", "{}", LINK, INSERTED, CONTROL, "<w:smartTag>{}</w:smartTag>")
SENTENCES = (
    "It heals [g95].",
    "We open at nine.",
    "“It [g95] ends all pain!”",
    "Call [a95:presses] us now.",
    "Really?",
)


@st.composite
def bodies(draw):
    """Paragraphs of some sentences, cut into runs and wrapped anywhere; a run may hold several texts."""
    made = []
    for _ in range(draw(st.integers(1, 3))):
        text = " ".join(draw(st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=5)))
        text = draw(st.sampled_from(["", " "])) + text + draw(st.sampled_from(["", "  "]))
        cuts = sorted(draw(st.sets(st.integers(1, len(text) - 1), max_size=6)))
        runs, inside = [], ""
        for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
            keep = ' xml:space="preserve"' if draw(st.booleans()) else ""
            inside += f"<w:t{keep}>{text[start:end]}</w:t>"
            if draw(st.booleans()) or end == len(text):
                look, rsid = draw(st.sampled_from(LOOKS)), draw(st.sampled_from(["", ' w:rsidR="00AB12CD"']))
                properties = f"<w:rPr>{look}</w:rPr>" if look or draw(st.booleans()) else ""
                runs.append(draw(st.sampled_from(WRAPS)).format(f"<w:r{rsid}>{properties}{inside}</w:r>"))
                inside = ""
        made.append(paragraph(*runs))
    return "".join(made)


@given(bodies())
def test_any_cutting_into_runs_gives_exact_words_and_the_same_document_back(body):
    data = package(body)
    result = outcome_of(data).result
    expected = [
        entry.sentence.text
        for n, entry in enumerate(result.sentences)
        if any(finding.sentence == n and finding.priority != "info" for finding in result.findings)
    ]
    reviewed = review(data, everything=True)
    assert [" ".join(words.split()) for words, _ in told(reviewed)] == expected
    assert_same(data, take_out(reviewed, limits=Limits()))
    assert review(reviewed, everything=True) == reviewed
    limited = review(data)
    assert_same(data, take_out(limited, limits=Limits()))


# --- what a comment says --------------------------------------------------------------------------------------------

CODES = re.compile("|".join([*LABELS, *(re.escape(rule.id) for rule in rules())]))


def assert_readable(text):
    assert len(text.split()) <= MOST_WORDS, text
    assert not CODES.search(text), text
    assert text.endswith(KEEP)
    assert names_in(text), text


def test_a_comment_begins_with_what_to_do():
    data = package(
        paragraph(run("He is a drug addict [g95:wording].")), paragraph(run("Botox [e95:promotes] cures pain."))
    )
    first, second = (text for _, text in told(review(data, everything=True)))
    assert first.startswith("Write “person with a substance use disorder” in place of “drug addict”. Why: names people")
    assert first.endswith(f" Found here: wording about people. {KEEP}")
    assert second.startswith("Check this: does it end the condition for good")
    assert "Found here: says it works." in second


def test_every_comment_that_the_wording_lists_can_give_is_short():
    wording = shipped_wording()
    texts = [f"{before.rstrip('.')} [g95:wording]." for entry in wording.entries for before, _ in entry.examples]
    texts += [f"{text.rstrip('.')} [g95:wording]." for entry in wording.entries for text in entry.advised]
    texts += [f"{text.rstrip('.?!')} [e95:promotes]." for question in wording.questions for text in question.fires]
    texts += [f"{text.rstrip('.?!')} [s95:reassures] [a95:presses]." for q in wording.questions for text in q.fires]
    data = package(*(paragraph(run(text.replace("&", "and").replace("<", ""))) for text in texts))
    found = [text for _, text in told(review(data, everything=True, jurisdictions=tuple(JURISDICTIONS)))]
    assert len(found) > 200
    for text in found:
        assert_readable(text)
    # What to do comes first: every guide's advice begins with a verb, every question with "Check this".
    firsts = {text.split()[0] for text in found}
    assert firsts <= set("Check Give Leave Look Name Put Say Speak Take Use Write".split())


def test_every_rule_gives_short_comments_and_is_found_in_them_again():
    data = package(paragraph(run("Botox heals [g95].")))
    made = report(data)
    (result,) = made.pages
    (finding,) = result.findings
    alone = [rule for rule in rules() if not rule.needs_label]
    assert len(alone) > 10
    cases = [
        replace(finding, label=None, score=None, stance=None, rules=(RuleMatch(rule.id, "words"),)) for rule in alone
    ]
    together = [replace(finding, rules=tuple(RuleMatch(rule.id, "words") for rule in rules()))]
    for findings in [*([entry] for entry in cases), together, cases]:
        findings = [replace(entry, group=str(n)) for n, entry in enumerate(findings)]
        page = replace(made, pages=(replace(result, findings=tuple(findings)),))
        reviewed = told(render_word(page, data, limits=Limits(), everything=True))
        for words, text in reviewed:
            assert words == "Botox heals [g95]."
            assert_readable(text)
        assert {name for _, text in reviewed for name in names_in(text)} == {entry.name for entry in findings}


def test_names_are_found_again():
    names = [*LABELS, *(rule.id for rule in rules() if not rule.needs_label)]
    assert [names_in(f"Do this. {names_sentence([name])}") for name in names] == [(name,) for name in names]
    assert names_in(f"Do this. {names_sentence(names)}") == tuple(names)
    assert names_in("Found here: nothing much. To keep the words, reply “ok: reason”.") == ()


def test_a_sentence_with_two_labels_has_one_comment():
    data = package(paragraph(run("He [g95] must book [a95:presses] now.")))
    ((_, text),) = told(assert_reviewed(data, "He [g95] must book [a95:presses] now."))
    assert names_in(text) == ("stigma_framing", "call_to_action")


def test_what_is_for_information_gets_no_comment_and_nothing_found_gives_the_same_file():
    data = package(paragraph(run("Call us [a95:signposts] on Monday.")))
    assert outcome_of(data).result.findings
    assert review(data, everything=True) == data


# --- how many -------------------------------------------------------------------------------------------------------


def test_at_most_twelve_for_each_thousand_words_and_the_rest_in_one_list():
    texts = [f"Item {n} presses [a95:presses] you." for n in range(20)] + [f"Item {n} demeans [g95]." for n in range(4)]
    data = package(*(paragraph(run(text)) for text in texts), paragraph(run(FILLER * 3)))
    words = len(read_bytes(data, source="a", format="docx").text.split())
    most = words * 12 // 1000
    assert 4 < most < 20
    reviewed = review(data)
    found = told(reviewed)
    assert len(found) == most + 1
    assert [words for words, _ in found[:-1]] == texts[: most - 4] + texts[20:]  # the strongest, in reading order
    paragraphs = found[-1][1].split("\n")
    assert paragraphs[0].startswith(f"Look at these {24 - most} sentences too: ")
    assert [line.split("”")[0].removeprefix("“") for line in paragraphs[1:-1]] == texts[most - 4 : 20]
    assert paragraphs[-1].endswith(LIST_END)
    assert "Mode: edit" in paragraphs[-1]
    assert not CODES.search(found[-1][1])
    assert_same(data, take_out(reviewed, limits=Limits()))
    assert review(reviewed) == reviewed
    assert len(told(review(data, everything=True))) == 24
    assert len(told(review(reviewed, everything=True))) == 24


def test_a_short_draft_has_at_least_one_comment():
    found = told(review(package(paragraph(run("It heals [g95].")), paragraph(run("It cures [g95].")))))
    assert [words for words, _ in found] == [
        "It heals [g95].",
        "It cures [g95].",
    ]
    assert found[1][1].startswith("Look at this sentence too: ")


def test_a_claim_comes_before_its_repetitions():
    texts = ["Book [a95:presses]!", "Book [a95:presses]!", "Buy [a95:presses]!"]
    data = package(*(paragraph(run(text)) for text in texts), paragraph(run("We open at nine. " * 45)))
    assert [words for words, _ in told(review(data))][:2] == [texts[0], texts[2]]


# --- answers --------------------------------------------------------------------------------------------------------

EXTENDED = "http://schemas.microsoft.com/office/2011/relationships/commentsExtended"
OTHERS = (
    'xmlns:w14="http://schemas.microsoft.com/office/word/2010/wordml" '
    'xmlns:w15="http://schemas.microsoft.com/office/word/2012/wordml"'
)


def answered(data, number, *answers, done=False, as_word=True, editor=None):
    """Return a reviewed document as somebody saves it who answers comment `number` with (author, text).

    As Word does, which gives comments and their paragraphs ids and tells what answers what in a part of its own; or as
    programs that do not: with the answer as a comment on the same words.
    """
    files = parts(data)
    root, main = etree.fromstring(files["word/comments.xml"]), main_text(data)
    by_id = {entry.get(f"{W}id"): entry for entry in root}
    told = []
    for n, (author, text) in enumerate(answers, start=100):
        said = f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"
        who = f'w:id="{n}" w:author="{author}" w:date="2026-11-24T10:00:00Z"'
        root.append(etree.fromstring(f"<w:comment {SPACES} {who}>{said}</w:comment>"))
        by_id[str(n)] = root[-1]
        for mark in [entry for entry in main.iter() if entry.get(f"{W}id") == str(number) and "comment" in entry.tag]:
            whole = mark.getparent() if mark.tag.endswith("Reference") else mark
            other = etree.fromstring(etree.tostring(whole, with_tail=False))
            for entry in [other, *other]:
                if f"{W}id" in entry.attrib:
                    entry.set(f"{W}id", str(n))
            whole.addnext(other)
    for n, (name, entry) in enumerate(by_id.items() if as_word else (), start=1):
        entry[-1].set(f"{W14}paraId", f"0000A0{n:02X}")
        parent = f' w15:paraIdParent="0000A0{list(by_id).index(str(number)) + 1:02X}"' if int(name) >= 100 else ""
        told.append(
            f'<w15:commentEx w15:paraId="0000A0{n:02X}"{parent} w15:done="{int(done and name == str(number))}"/>'
        )
    if as_word:
        files["word/commentsExtended.xml"] = f"<w15:commentsEx {OTHERS}>{''.join(told)}</w15:commentsEx>".encode()
        relation = f'<Relationship Id="ex" Type="{EXTENDED}" Target="commentsExtended.xml"/></Relationships>'
        links = files["word/_rels/document.xml.rels"].decode()
        files["word/_rels/document.xml.rels"] = links.replace("</Relationships>", relation).encode()
        kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.commentsExtended+xml"
        known = f'<Override PartName="/word/commentsExtended.xml" ContentType="{kind}"/></Types>'
        files["[Content_Types].xml"] = files["[Content_Types].xml"].decode().replace("</Types>", known).encode()
    if editor:
        core = files["docProps/core.xml"].decode()
        last = f'<c:lastModifiedBy xmlns:c="x">{editor}</c:lastModifiedBy></c:coreProperties>'
        files["docProps/core.xml"] = core.replace("</c:coreProperties>", last).encode()
    files |= {"word/comments.xml": etree.tostring(root), "word/document.xml": etree.tostring(main)}
    return archive(files)


DRAFT = package(
    paragraph(run("We are here. It heals [g95]. Book [a95:presses] now!")), paragraph(run(FILLER * 2)), core=""
)


@pytest.mark.parametrize("as_word", [True, False])
def test_an_answer_ok_is_a_suppression_with_its_author_as_owner(as_word):
    reviewed = review(DRAFT, everything=True)
    data = answered(reviewed, 0, ("Dr Lee, Ann", "OK: the trial of 2024, table 2"), as_word=as_word)
    assert suppressed(data) == [("stigma_framing", "the trial of 2024, table 2", "Dr Lee Ann")]
    again = review(data, everything=True)
    assert comments(again)["0"][1] == comments(reviewed)["0"][1]
    assert comments(again)["100"] == ("Dr Lee, Ann", "OK: the trial of 2024, table 2")
    assert [words for words, _ in told(again)] == ["It heals [g95].", "Book [a95:presses] now!"]
    assert suppressed(again) == suppressed(data)
    assert review(again, everything=True) == again


def test_an_answer_holds_while_the_draft_goes_on():
    data = answered(review(DRAFT, everything=True), 0, ("Ann", "ok: seen, until: 2027-01-31"))
    files = parts(data)
    text = files["word/document.xml"].decode()
    assert text.count("It heals [g95].") == 1
    text = text.replace("It heals [g95].", "It heals you [g95].").replace(
        "We are here. ", "A new one. It [g95] is not. "
    )
    changed = archive({**files, "word/document.xml": text.encode()})
    assert suppressed(changed) == [("stigma_framing", "seen", "Ann")]
    found = outcome_of(changed).result
    (held,) = [finding for finding in found.findings if finding.suppressed]
    assert found.sentences[held.sentence].sentence.text == "It heals you [g95]."
    assert held.suppressed.until.isoformat() == "2027-01-31"
    assert held.suppressed.where == "draft.docx, comment answered by Ann"
    assert "marked as fine: seen" in for_people(report(changed)).pages[0].page.notes[0]
    assert "It [g95] is not." in [words for words, _ in told(review(changed, everything=True))]


def test_a_resolved_comment_is_a_suppression_of_who_saved_the_file():
    reviewed = review(DRAFT, everything=True)
    by_editor = answered(reviewed, 1, done=True, editor="Sam")
    assert suppressed(by_editor) == [("call_to_action", "the comment is resolved", "Sam")]
    by_answer = answered(reviewed, 1, ("Ann", "It says so in the leaflet."), done=True, editor="Sam")
    assert suppressed(by_answer) == [("call_to_action", "the comment is resolved", "Ann")]
    again = review(by_editor, everything=True)
    assert suppressed(again) == suppressed(by_editor)
    assert len(told(again)) == 2


def test_an_answer_without_a_reason_an_expired_one_and_an_idle_one_are_told():
    reviewed = review(DRAFT, everything=True)

    def notes(text, data=reviewed):
        return [(entry.kind, entry.note) for entry in outcome_of(answered(data, 0, ("Ann", text))).notes]

    assert notes("ok:") == [("no_reason", "gives no reason and is not obeyed; add one")]
    assert notes("ok: yes, until: 2026-11-01")[0][0] == "expired"
    assert notes("ok: yes, until: soon")[0][0] == "malformed"
    assert notes("ok: yes") == []
    assert suppressed(answered(reviewed, 0, ("Ann", "ok:"))) == []
    files = parts(reviewed)
    gone = files["word/document.xml"].replace(b"It heals [g95].", b"We all know that.")
    assert notes("ok: yes", archive({**files, "word/document.xml": gone}))[0][0] == "unused"
    other = files["word/comments.xml"].decode().replace("wording about people", "some words")
    assert notes("ok: yes", archive({**files, "word/comments.xml": other.encode()}))[0][0] == "malformed"


def test_any_other_answer_keeps_the_comment_and_suppresses_nothing():
    data = answered(review(DRAFT, everything=True), 0, ("Ann", "Okay, but why?"))
    assert suppressed(data) == []
    again = review(data, everything=True)
    assert [words for words, _ in told(again)] == ["It heals [g95].", "Book [a95:presses] now!"]
    assert comments(again)["100"][1] == "Okay, but why?"
    assert review(again, everything=True) == again
    assert set(comments(take_out(again, limits=Limits()))) == {"0", "100"}


def test_an_answer_about_a_header_holds_for_the_header_alone():
    sections = '<w:sectPr><w:headerReference r:id="h" w:type="default"/></w:sectPr>'
    header = ("h", "header", "header1.xml", ("w:hdr", paragraph(run("It heals [g95] them."))))
    data = package(paragraph(run("It heals [g95] them.")), sections, parts=[header], core="")
    reviewed = review(data, everything=True)
    place = next(name for name, (_, text) in comments(reviewed).items() if "in the header" in text)
    (held,) = [
        outcome.sentences[finding.sentence].sentence.block.region
        for outcome in [outcome_of(answered(reviewed, place, ("Ann", "ok: seen"))).result]
        for finding in outcome.findings
        if finding.suppressed
    ]
    assert held == "header"


def test_words_of_other_people_are_no_suppressions_and_stay():
    marks = '<w:commentRangeStart w:id="5"/>{}<w:commentRangeEnd w:id="5"/><w:r><w:commentReference w:id="5"/></w:r>'
    entry = f'<w:comment w:id="5" w:author="{{}}" w:date="2026-11-20T10:00:00Z">{paragraph(run("{}"))}</w:comment>'
    body = paragraph(run("One. "), marks.format(run("It heals [g95].")), run(" End."))
    for author, text in [("Ann", "ok: fine"), ("Ann", f"Do it. {SAYS_OK}"), (AUTHOR, "A note of my own.")]:
        said = ("w:comments", entry.format(author, text))
        data = package(body, parts=[("c", "comments", "comments.xml", said)])
        assert suppressed(data) == []
        reviewed = review(data)
        assert comments(reviewed)["5"] == (author, text)
        assert sorted(anchored(reviewed).values()) == ["It heals [g95]."] * 2
        assert_same(data, take_out(reviewed, limits=Limits()))
        assert review(reviewed) == reviewed


def test_what_word_tells_of_a_comment_goes_with_it():
    data = answered(review(DRAFT, everything=True), 0, ("Ann", "ok: seen"))
    files = parts(data)
    ids = "http://schemas.microsoft.com/office/word/2016/wordml/cid"
    rows = [f'<a:commentId a:paraId="0000A0{n:02X}" a:durableId="0000B0{n:02X}"/>' for n in (1, 2, 3)]
    files["word/commentsIds.xml"] = f'<a:commentsIds xmlns:a="{ids}">{"".join(rows)}</a:commentsIds>'.encode()
    more = "http://schemas.microsoft.com/office/word/2018/wordml/cex"
    rows = [f'<a:commentExtensible a:durableId="0000B0{n:02X}"/>' for n in (1, 2, 3)]
    files["word/commentsExtensible.xml"] = f'<a:e xmlns:a="{more}">{"".join(rows)}</a:e>'.encode()
    links = files["word/_rels/document.xml.rels"].decode()
    for year, kind in (("2016/09", "commentsIds"), ("2018/08", "commentsExtensible")):
        place = f"http://schemas.microsoft.com/office/{year}/relationships/{kind}"
        row = f'<Relationship Id="{kind}" Type="{place}" Target="{kind}.xml"/>'
        links = links.replace("</Relationships>", f"{row}</Relationships>")
    files["word/_rels/document.xml.rels"] = links.encode()
    left = parts(take_out(archive(files), limits=Limits()))
    assert set(comments(archive(left))) == {"0", "100"}
    for name, key in (("Extended", "A0"), ("Ids", "A0"), ("Extensible", "B0")):
        found = re.findall(rf'Id="0000{key}(..)"', left[f"word/comments{name}.xml"].decode())
        assert sorted(set(found)) == ["01", "03"], name


# --- documents of other programs ------------------------------------------------------------------------------------

GOOGLE = (
    '<w:p w:rsidR="00000000" w:rsidDel="00000000" w:rsidP="00000000" w:rsidRDefault="00000000" w14:paraId="00000002">'
    '<w:pPr><w:rPr/></w:pPr><w:sdt><w:sdtPr><w:id w:val="-12"/><w:tag w:val="goog_rdk_0"/></w:sdtPr><w:sdtContent>'
    '<w:commentRangeStart w:id="0"/></w:sdtContent></w:sdt>'
    '<w:r w:rsidR="00000000" w:rsidDel="00000000" w:rsidRPr="00000000"><w:rPr><w:rtl w:val="0"/></w:rPr>'
    '<w:t xml:space="preserve">We are here. It heals [g95] all. </w:t></w:r><w:commentRangeEnd w:id="0"/>'
    '<w:r w:rsidR="00000000" w:rsidDel="00000000" w:rsidRPr="00000000"><w:commentReference w:id="0"/></w:r>'
    '<w:hyperlink r:id="x"><w:r w:rsidR="00000000" w:rsidDel="00000000" w:rsidRPr="00000000"><w:rPr>'
    '<w:color w:val="1155cc"/><w:u w:val="single"/><w:rtl w:val="0"/></w:rPr>'
    '<w:t xml:space="preserve">Book [a95:presses] now</w:t>'
    "</w:r></w:hyperlink>"
    '<w:r w:rsidR="00000000" w:rsidDel="00000000" w:rsidRPr="00000000"><w:rPr><w:rtl w:val="0"/></w:rPr>'
    '<w:t xml:space="preserve">, please.</w:t></w:r></w:p>'
)  # fmt: skip
FOR_THE_WEB = (
    '<w:p w14:paraId="1A2B3C4D" w14:textId="77777777" w:rsidR="00A77B3E" w:rsidRDefault="00A77B3E">'
    '<w:pPr><w:pStyle w:val="ListBullet"/><w:rPr><w:rFonts w:ascii="Calibri"/></w:rPr></w:pPr>'
    '<w:bookmarkStart w:id="0" w:name="_Int_a1"/><w:r w:rsidRPr="2C1D"><w:rPr><w:rStyle w:val="normaltextrun"/></w:rPr>'
    '<w:t>We are here. It </w:t></w:r><w:proofErr w:type="spellStart"/>'
    '<w:r><w:rPr><w:rStyle w:val="normaltextrun"/></w:rPr>'
    '<w:t>heals</w:t></w:r><w:proofErr w:type="spellEnd"/><w:bookmarkEnd w:id="0"/><w:r><w:rPr>'
    '<w:rStyle w:val="normaltextrun"/></w:rPr><w:t xml:space="preserve"> all [g95]. Come in.</w:t></w:r><w:r><w:rPr>'
    '<w:rStyle w:val="eop"/></w:rPr><w:t xml:space="preserve"> </w:t></w:r></w:p>'
)  # fmt: skip


def test_an_imitation_of_google_docs():
    body = GOOGLE.replace("<w:p ", f'<w:p xmlns:w14="{W14[1:-1]}" ')
    said = ("w:comments", f'<w:comment w:id="0" w:author="Ann">{paragraph(run("Is that so?"))}</w:comment>')
    data = package(body, parts=[("c", "comments", "comments.xml", said)])
    reviewed = assert_reviewed(data, "It heals [g95] all.", "Book [a95:presses] now, please.")
    assert comments(reviewed)["0"] == ("Ann", "Is that so?")


def test_the_content_controls_of_google_docs_around_our_marks_go_with_them():
    files = parts(review(DRAFT, everything=True))
    start, control = '<w:commentRangeStart w:id="0"/>', "<w:sdt><w:sdtPr/><w:sdtContent>{}</w:sdtContent></w:sdt>"
    text = files["word/document.xml"].decode()
    assert start in text
    exported = archive({**files, "word/document.xml": text.replace(start, control.format(start)).encode()})
    assert_same(DRAFT, take_out(exported, limits=Limits()))


def test_an_imitation_of_word_for_the_web():
    body = FOR_THE_WEB.replace("<w:p ", f'<w:p xmlns:w14="{W14[1:-1]}" ')
    assert_reviewed(package(body), "It heals all [g95].")


def python_docx_draft():
    document = docx.Document()
    document.add_heading("Knees", 1)
    text = document.add_paragraph("We are here. Our laser ")
    text.add_run("heals [g95]").bold = True
    text.add_run(" all. Come in.")
    document.add_paragraph("Book [a95:presses] now!", style="List Bullet")
    document.add_table(1, 2).cell(0, 1).text = "Cells heal [g95]. Ask us."
    link = document.add_paragraph("See ")
    name = document.part.relate_to("https://clinic.example/", f"{OFFICE}/hyperlink", is_external=True)
    link._p.append(parse_xml(LINK.replace("<w:hyperlink", f"<w:hyperlink {SPACES}").replace('"x"', f'"{name}"').format(
        run("our page. Links heal [g95]. So", "<w:u w:val='single'/>")
    )))  # fmt: skip
    document.sections[0].footer.paragraphs[0].text = "Footers heal [g95]."
    document.add_paragraph(FILLER)
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


EXPECTED = ["Our laser heals [g95] all.", "Book [a95:presses] now!", "Cells heal [g95].", "Links heal [g95].", FILLER]


def test_a_document_of_python_docx():
    reviewed = assert_reviewed(python_docx_draft(), *EXPECTED)
    opened = docx.Document(io.BytesIO(reviewed))
    assert [comment.author for comment in opened.comments] == [AUTHOR] * 5
    types = parts(reviewed)["[Content_Types].xml"].decode()
    assert types.count("comments+xml") == 1


def convert(data, folder, *steps, options=""):
    """Return a document after LibreOffice has written it in these formats, one after the other."""
    program = Path("/usr/bin/soffice")
    if not program.exists():
        pytest.skip("LibreOffice is not installed")
    folder.mkdir(exist_ok=True)
    path = folder / "draft.docx"
    path.write_bytes(data)
    home = f"-env:UserInstallation=file://{folder}/home"
    for n, step in enumerate(steps):
        out = folder / str(n)
        form = step + options if n == len(steps) - 1 else step
        arguments = [program, "--headless", home, "--convert-to", form, "--outdir", out, path]
        subprocess.run(arguments, check=True, capture_output=True, timeout=120)
        path = out / f"draft.{step.split(':')[0]}"
    return path.read_bytes()


@pytest.mark.e2e
def test_documents_of_libreoffice(tmp_path):
    data = convert(python_docx_draft(), tmp_path, "odt", "docx")
    reviewed = review(data, everything=True)
    assert [words for words, _ in told(reviewed)][:4] == EXPECTED[:4]
    assert_same(data, take_out(reviewed, limits=Limits()))
    assert review(reviewed, everything=True) == reviewed


@pytest.mark.e2e
def test_libreoffice_shows_the_comments_on_their_words_and_the_page_unchanged(tmp_path):
    data = python_docx_draft()
    reviewed = review(data, everything=True)
    flat = etree.fromstring(convert(reviewed, tmp_path / "flat", "fodt"))
    name = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
    found, standing = {}, set()
    walk = etree.iterwalk(flat, events=("start", "end"))
    for event, element in walk:
        text = element.text if event == "start" else element.tail
        if event == "start" and element.tag == f"{name}annotation":
            standing.add(element.get(f"{name}name"))
            walk.skip_subtree()
            continue
        if event == "start" and element.tag == f"{name}annotation-end":
            standing.discard(element.get(f"{name}name"))
        for entry in standing:
            found[entry] = found.get(entry, "") + (text or "")
    assert list(found.values())[:4] == EXPECTED[:4]
    no_notes = ':writer_pdf_Export:{"ExportNotes":{"type":"boolean","value":"false"}}'
    placed = []
    for n, content in enumerate((data, reviewed)):
        with pypdfium2.PdfDocument(convert(content, tmp_path / str(n), "pdf", options=no_notes)) as pdf:
            sheets = [sheet.get_textpage() for sheet in pdf]
            placed.append(
                [
                    (number, sheet.get_text_range(at, 1), sheet.get_charbox(at))
                    for number, sheet in enumerate(sheets)
                    for at in range(sheet.count_chars())
                ]
            )
    before, after = placed
    assert len(before) > 1000
    assert [entry[:2] for entry in before] == [entry[:2] for entry in after]
    # LibreOffice rounds widths run by run: 0.2 points where one was cut, less than a tenth of a letter.
    moved = (
        abs(a - b) for one, other in zip(before, after, strict=True) for a, b in zip(one[2], other[2], strict=True)
    )
    assert max(moved) < 0.3


@pytest.mark.e2e
@pytest.mark.parametrize("as_word", [True, False])
def test_an_answer_lives_through_libreoffice(as_word, tmp_path):
    data = answered(review(python_docx_draft(), everything=True), 0, ("Ann", "ok: seen"), as_word=as_word)
    assert suppressed(data) == [("stigma_framing", "seen", "Ann")]
    saved = convert(data, tmp_path, "odt", "docx")
    assert suppressed(saved) == [("stigma_framing", "seen", "Ann")]
    again = review(saved, everything=True)
    assert [words for words, _ in told(again)][:4] == EXPECTED[:4]
    assert len(told(again)) == 5


# --- the command ----------------------------------------------------------------------------------------------------


def test_a_document_that_changed_meanwhile_is_refused():
    with pytest.raises(ReadError, match="was changed while it was checked"):
        render_word(report(DRAFT), package(paragraph(run("Other."))), limits=Limits())


@pytest.fixture
def drafts(tmp_path):
    document = docx.Document()
    document.add_paragraph("Shockwave cures arthritis in 95% of patients. Call us on Monday.")
    document.save(tmp_path / "draft.docx")
    (tmp_path / "notes.md").write_text("Shockwave cures arthritis.")
    return tmp_path


@pytest.mark.e2e
def test_check_writes_a_reviewed_document_in_mode_edit(drafts):
    done = run_cli("check", "draft.docx", "--format", "docx", "-o", "draft.reviewed.docx", cwd=drafts)
    assert done.returncode == 1, done.stderr
    assert done.stdout == b""
    assert done.stderr.decode().splitlines() == [
        "mdclaims: Mode: edit (few false alarms). Jurisdictions: none chosen (--jurisdiction shows provisions).",
        "mdclaims: wrote draft.reviewed.docx",
    ]
    assert [words for words, _ in told((drafts / "draft.reviewed.docx").read_bytes())] == [
        "Shockwave cures arthritis in 95% of patients."
    ]
    (drafts / "mdclaims.toml").write_text('mode = "screen"\n')
    done = run_cli("check", "draft.docx", "--format", "docx", "-o", "out/", cwd=drafts)
    assert b"Mode: screen" in done.stderr
    assert (drafts / "out" / "draft.docx.reviewed.docx").exists()


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("notes.md", "-o", "a.docx"), "notes.md is none; save it as .docx, or choose another --format"),
        (("-", "-o", "a.docx"), "standard input is none; save it as .docx"),
        ((".", "-o", "out/"), "notes.md is none"),
        (("draft.docx",), "say where with -o FILE.docx"),
        (("draft.docx", "-o", "draft.docx"), "is an input; choose another --output"),
        (("draft.docx", "second.docx", "-o", "a.docx"), "can hold one Word file, not 2; pass a folder to --output"),
    ],
)
def test_check_refuses_what_it_cannot_comment_in_one_line(drafts, arguments, said):
    (drafts / "second.docx").write_bytes((drafts / "draft.docx").read_bytes())
    before = sorted(drafts.iterdir())
    done = run_cli("check", *arguments, "--format", "docx", cwd=drafts)
    assert done.returncode == 2
    lines = [line for line in done.stderr.decode().splitlines() if "Mode:" not in line]
    assert len(lines) == 1, lines
    assert said in lines[0]
    assert sorted(drafts.iterdir()) == before


@pytest.mark.e2e
def test_bombs_and_other_files_named_docx_are_one_line(drafts):
    with zipfile.ZipFile(drafts / "bomb.docx", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("_rels/.rels", b"")
        file.writestr("word/document.xml", b" " * 150_000_000)
    entities = '<!DOCTYPE a [<!ENTITY b "bbbb">]><w:document/>'
    (drafts / "xml.docx").write_bytes(package(extra={"word/document.xml": entities}))
    (drafts / "text.docx").write_text("plain")
    done = run_cli("check", "bomb.docx", "xml.docx", "text.docx", "draft.docx", "-f", "docx", "-o", "out/", cwd=drafts)
    assert done.returncode == 3
    lines = [line for line in done.stderr.decode().splitlines() if "not read" in line]
    assert len(lines) == 3
    for line, word in zip(lines, ("max_unpacked_bytes", "document type declaration", "no Word document"), strict=True):
        assert word in line
    assert sorted(file.name for file in (drafts / "out").iterdir()) == ["draft.docx.reviewed.docx"]
