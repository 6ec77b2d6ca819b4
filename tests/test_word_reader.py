"""reading/word_reader.py: everything on the pages of a Word document, in reading order, and nothing twice."""

import io
import itertools
import re
import zipfile

import docx
import pytest
from growth import grows_linearly
from hypothesis import given
from hypothesis import strategies as st
from test_reading import assert_page_holds

from mdclaims.errors import ReadError
from mdclaims.reading import Limits, read_bytes

SPACES = (
    'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" '
    'xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing" '
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
    'xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape" '
    'xmlns:dgm="http://schemas.openxmlformats.org/drawingml/2006/diagram" '
    'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math" '
    'xmlns:v="urn:schemas-microsoft-com:vml"'
)
PACKAGE = 'xmlns="http://schemas.openxmlformats.org/package/2006/relationships"'
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def run(text, properties=""):
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


def paragraph(*content, style="", properties=""):
    style = f'<w:pStyle w:val="{style}"/>' if style else ""
    return f"<w:p><w:pPr>{style}{properties}</w:pPr>{''.join(content)}</w:p>"


def cell(*content, properties=""):
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{''.join(content)}</w:tc>"


def table(*rows):
    """A table of rows, each a tuple of cells."""
    return f"<w:tbl>{''.join(f'<w:tr>{chr(10).join(row)}</w:tr>' for row in rows)}</w:tbl>"


def text_box(*paragraphs):
    """A text box as Word writes it: a shape for itself, and the same once more for older programs."""
    inside = f"<w:txbxContent>{''.join(paragraphs)}</w:txbxContent>"
    return (
        '<w:r><mc:AlternateContent><mc:Choice Requires="wps"><w:drawing><wp:anchor><a:graphic><a:graphicData>'
        f"<wps:wsp><wps:txbx>{inside}</wps:txbx></wps:wsp></a:graphicData></a:graphic></wp:anchor></w:drawing>"
        f"</mc:Choice><mc:Fallback><w:pict><v:shape><v:textbox>{inside}</v:textbox></v:shape></w:pict>"
        "</mc:Fallback></mc:AlternateContent></w:r>"
    )


def picture(description, place="inline"):
    return (
        f'<w:r><w:drawing><wp:{place}><wp:docPr id="1" name="p" descr="{description}"/></wp:{place}></w:drawing></w:r>'
    )


STYLES = """
<w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/></w:style>
<w:style w:type="paragraph" w:styleId="berschrift2"><w:name w:val="heading 2"/><w:basedOn w:val="Normal"/></w:style>
<w:style w:type="paragraph" w:styleId="Heading9"><w:name w:val="heading 9"/></w:style>
<w:style w:type="paragraph" w:styleId="Mine"><w:name w:val="Clinic head"/><w:basedOn w:val="berschrift2"/></w:style>
<w:style w:type="paragraph" w:styleId="Outlined"><w:name w:val="Lead"/>
<w:pPr><w:outlineLvl w:val="2"/></w:pPr></w:style>
<w:style w:type="paragraph" w:styleId="Title"><w:name w:val="Title"/></w:style>
<w:style w:type="paragraph" w:styleId="Quote"><w:name w:val="Quote"/></w:style>
<w:style w:type="paragraph" w:styleId="Caption"><w:name w:val="caption"/></w:style>
<w:style w:type="paragraph" w:styleId="ListBullet"><w:name w:val="List Bullet"/>
<w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr></w:style>
<w:style w:type="paragraph" w:styleId="TOC1"><w:name w:val="toc 1"/></w:style>
<w:style w:type="paragraph" w:styleId="Secret"><w:name w:val="Secret"/><w:rPr><w:vanish/></w:rPr></w:style>
<w:style w:type="character" w:styleId="Masked"><w:name w:val="Masked"/><w:rPr><w:vanish/></w:rPr></w:style>
<w:style w:type="paragraph" w:styleId="A"><w:name w:val="A"/><w:basedOn w:val="B"/></w:style>
<w:style w:type="paragraph" w:styleId="B"><w:name w:val="B"/><w:basedOn w:val="A"/></w:style>
"""


def package(*body, parts=(), settings="", core=None, extra=None):
    """Return a .docx file, written part by part.

    `parts` are (relationship id, kind, file name, content of the root element with its tag).
    """
    files = {
        "[Content_Types].xml": "<Types/>",
        "word/document.xml": f"<w:document {SPACES}><w:body>{''.join(body)}</w:body></w:document>",
        "word/styles.xml": f"<w:styles {SPACES}>{STYLES}</w:styles>",
        "word/settings.xml": f"<w:settings {SPACES}>{settings}</w:settings>",
    }
    relationships = [("s", "styles", "styles.xml"), ("t", "settings", "settings.xml")]
    top = [("d", f"{OFFICE}/officeDocument", "word/document.xml")]
    for name, kind, file, (tag, content) in parts:
        files[f"word/{file}"] = f"<{tag} {SPACES}>{content}</{tag}>"
        relationships.append((name, kind, file))
    if core is not None:
        files["docProps/core.xml"] = (
            '<c:coreProperties xmlns:c="http://schemas.openxmlformats.org/package/2006/metadata/core-properties" '
            f'xmlns:dc="http://purl.org/dc/elements/1.1/"><!-- x -->{core}</c:coreProperties>'
        )
        kind = "http://schemas.openxmlformats.org/package/2006/relationships/metadata/core-properties"
        top.append(("c", kind, "docProps/core.xml"))
    entry = '<Relationship Id="{}" Type="{}" Target="{}"/>'
    files["_rels/.rels"] = f"<Relationships {PACKAGE}>{''.join(entry.format(*row) for row in top)}</Relationships>"
    rows = [entry.format(name, f"{OFFICE}/{kind}", file) for name, kind, file in relationships]
    # As LibreOffice writes a link within the page: it leads to no part.
    rows.append(entry.format("x", f"{OFFICE}/hyperlink", "#"))
    files["word/_rels/document.xml.rels"] = f"<Relationships {PACKAGE}>{''.join(rows)}</Relationships>"
    files |= extra or {}
    return archive(files)


def archive(files, method=zipfile.ZIP_DEFLATED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return stream.getvalue()


def read(*body, **options):
    page = read_bytes(package(*body, **options), source="a.docx", format="docx")
    assert_page_holds(page)
    return page


def rows(page, *keys):
    keys = keys or ("kind",)
    return [(page.text[b.start : b.end], *(getattr(b, key) for key in keys)) for b in page.blocks]


def texts(page):
    return [text for text, _ in rows(page)]


# --- runs and paragraphs ----------------------------------------------------------------------------------------


def test_a_document_of_python_docx():
    document = docx.Document()
    document.core_properties.title = "Knees"
    document.core_properties.comments = ""
    document.add_heading("Pain relief", 1)
    document.add_paragraph("Our laser ").add_run("heals").bold = True
    document.add_paragraph("Book now", style="List Bullet")
    table = document.add_table(2, 2)
    table.cell(0, 0).merge(table.cell(0, 1)).text = "Prices"
    table.cell(1, 0).text, table.cell(1, 1).text = "Visit", "£40"
    stream = io.BytesIO()
    document.save(stream)
    page = read_bytes(stream.getvalue(), source="a.docx", format="docx")
    assert_page_holds(page)
    assert rows(page, "kind", "region", "level") == [
        ("Knees", "title", "metadata", None),
        ("Pain relief", "heading", "main", 1),
        ("Our laser heals", "paragraph", "main", None),
        ("Book now", "list_item", "main", None),
        ("Prices", "cell", "main", None),
        ("Visit", "cell", "main", None),
        ("£40", "cell", "main", None),
    ]
    assert (page.title, page.encoding, page.notes) == ("Knees", "docx", ())
    assert page.blocks[2].heading_path == ("Pain relief",)
    assert all(block.page is None and block.selector is None for block in page.blocks)


def test_inserted_text_is_read_and_deleted_text_is_not():
    page = read(
        paragraph(
            run("It "),
            f"<w:ins>{run('gently ')}</w:ins>",
            "<w:del><w:r><w:delText>painlessly </w:delText></w:r></w:del>",
            f"<w:moveFrom>{run('gone ')}</w:moveFrom>",
            f"<w:moveTo>{run('works')}</w:moveTo>",
        )
    )
    assert texts(page) == ["It gently works"]


def test_a_deleted_paragraph_end_joins_two_paragraphs():
    page = read(
        paragraph(run("It works "), properties="<w:rPr><w:del/></w:rPr>", style="Title"),
        paragraph(run("well."), style="Quote"),
        paragraph(run("End.")),
    )
    assert rows(page) == [("It works well.", "quote"), ("End.", "paragraph")]
    assert page.source_span(0, 14) == (0, 14)


def test_a_deleted_paragraph_end_does_not_join_beyond_a_cell():
    first = paragraph(run("One"), properties="<w:rPr><w:del/></w:rPr>")
    assert texts(read(table((cell(first), cell(paragraph(run("Two"))))))) == ["One", "Two"]


def test_tabs_breaks_hyphens_and_symbols():
    page = read(
        paragraph(
            "<w:pPr/><w:r><w:t>Mon</w:t><w:tab/><w:t>9</w:t><w:noBreakHyphen/><w:t>5</w:t><w:br/><w:t>Tue</w:t><w:cr/>"
            '<w:t>ther</w:t><w:softHyphen/><w:t>apy</w:t><w:sym w:font="Wingdings" w:char="F0FC"/><w:t>ok</w:t>'
            '<w:sym w:font="Arial" w:char="00A9"/></w:r>',
            properties='<w:tabs><w:tab w:val="left" w:pos="100"/></w:tabs>',
        )
    )
    assert texts(page) == ["Mon 9-5\nTue\ntherapy ok©"]


def test_field_results_are_read_and_field_codes_are_not():
    def field(code, result):
        mark = '<w:r><w:fldChar w:fldCharType="{}"/></w:r>'
        code = code if code.startswith("<") else f"<w:r><w:instrText>{code}</w:instrText></w:r>"
        return mark.format("begin") + code + mark.format("separate") + result + mark.format("end")

    inner = field("MERGEFIELD a", run("never shown"))
    page = read(
        paragraph(run("Page "), field("PAGE", run("7"))),
        paragraph(field(f"{inner}", run("result"))),
        paragraph(f'<w:fldSimple w:instr="DATE">{run("today")}</w:fldSimple>'),
        paragraph('<w:r><w:fldChar w:fldCharType="begin"/></w:r>', run("broken")),
        paragraph('<w:r><w:fldChar w:fldCharType="end"/></w:r>', run("and on")),
    )
    assert texts(page) == ["Page 7", "result", "today", "and on"]


def test_content_controls_smart_tags_and_formulas():
    page = read(
        f'<w:sdt><w:sdtPr><w:alias w:val="x"/></w:sdtPr><w:sdtContent>{paragraph(run("Block"))}</w:sdtContent></w:sdt>',
        paragraph(run("In "), f"<w:sdt><w:sdtContent>{run('line')}</w:sdtContent></w:sdt>"),
        paragraph(f"<w:smartTag>{run('Tagged ')}</w:smartTag>", "<m:oMath><m:r><m:t>x=1</m:t></m:r></m:oMath>"),
    )
    assert texts(page) == ["Block", "In line", "Tagged x=1"]


def test_links_are_part_of_their_sentence_or_blocks_of_their_own():
    link = f'<w:hyperlink r:id="x">{run("Book")}{run(" now")}</w:hyperlink>'
    page = read(paragraph(link), paragraph(run("You can "), link, run(" here.")), paragraph(link, run(" | "), link))
    assert rows(page) == [
        ("Book now", "link"),
        ("You can Book now here.", "paragraph"),
        ("Book now", "link"),
        ("Book now", "link"),
    ]


# --- styles -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("style", "properties", "kind", "level"),
    [
        ("berschrift2", "", "heading", 2),
        ("Mine", "", "heading", 2),
        ("Outlined", "", "heading", 3),
        ("Heading9", "", "heading", 6),
        ("Title", "", "heading", 1),
        ("", '<w:outlineLvl w:val="0"/>', "heading", 1),
        ("Mine", '<w:outlineLvl w:val="9"/>', "paragraph", None),
        ("Mine", '<w:numPr><w:numId w:val="1"/></w:numPr>', "heading", 2),
        ("Quote", "", "quote", None),
        ("Caption", "", "caption", None),
        ("ListBullet", "", "list_item", None),
        ("", '<w:numPr><w:numId w:val="1"/></w:numPr>', "list_item", None),
        ("ListBullet", '<w:numPr><w:numId w:val="0"/></w:numPr>', "paragraph", None),
        ("A", "", "paragraph", None),
        ("Unknown", "", "paragraph", None),
    ],
)
def test_styles(style, properties, kind, level):
    page = read(paragraph(run("Text."), style=style, properties=properties))
    assert rows(page, "kind", "level") == [("Text.", kind, level)]


def test_a_table_of_contents_is_navigation():
    page = read(paragraph(run("Pain relief\t3"), style="TOC1"), paragraph(run("Text.")))
    assert rows(page, "region") == [("Pain relief 3", "nav"), ("Text.", "main")]


# --- hidden text ------------------------------------------------------------------------------------------------


def test_a_hidden_paragraph_is_a_hidden_block():
    page = read(
        paragraph(run("Psst", "<w:vanish/>")), paragraph(run("Psst."), style="Secret"), paragraph(run("Shown."))
    )
    assert rows(page, "hidden", "kind") == [
        ("Psst", True, "paragraph"),
        ("Psst.", True, "paragraph"),
        ("Shown.", False, "paragraph"),
    ]


def test_a_hidden_run_is_a_hidden_block_of_its_own():
    page = read(
        paragraph(run("It "), run("never ", "<w:vanish/>"), run("works."), run(" Ever.", '<w:rStyle w:val="Masked"/>')),
        paragraph(run("Yes", '<w:vanish w:val="0"/>'), style="Secret"),
        paragraph(run("Head"), run("less", "<w:vanish/>"), style="Title"),
    )
    assert rows(page, "hidden", "kind") == [
        ("It works.", False, "paragraph"),
        ("never Ever.", True, "paragraph"),
        ("Yes", False, "paragraph"),
        ("Head", False, "heading"),
        ("less", True, "other"),
    ]


# --- tables -----------------------------------------------------------------------------------------------------


def test_cells_merged_cells_and_nested_tables():
    tall, below = '<w:vMerge w:val="restart"/>', "<w:vMerge/>"
    inner = table((cell(paragraph(run("Inner"))),))
    page = read(
        table(
            (cell(paragraph(run("Tall")), properties=tall), cell(paragraph(run("One")))),
            (cell(paragraph(), properties=below), cell(inner, paragraph())),
            (cell(paragraph(run("Left over")), properties=below), cell(paragraph(run("Head"), style="Title"))),
        ),
        paragraph(run("After.")),
    )
    assert rows(page, "kind", "hidden") == [
        ("Tall", "cell", False),
        ("One", "cell", False),
        ("Inner", "cell", False),
        ("Left over", "cell", True),
        ("Head", "heading", False),
        ("After.", "paragraph", False),
    ]


def test_a_cell_with_several_paragraphs_lays_out_the_page():
    page = read(table((cell(paragraph(run("One.")), paragraph(run("Two."))),)))
    assert rows(page) == [("One.", "paragraph"), ("Two.", "paragraph")]


# --- drawings ---------------------------------------------------------------------------------------------------


def test_a_text_box_is_read_once_and_after_its_paragraph():
    page = read(paragraph(run("Before "), text_box(paragraph(run("Boxed.")), paragraph(run("Twice."))), run("after.")))
    assert texts(page) == ["Before after.", "Boxed.", "Twice."]


def test_without_a_choice_the_fallback_is_read():
    page = read(
        paragraph(f"<w:r><mc:AlternateContent><mc:Fallback>{run('Old')}</mc:Fallback></mc:AlternateContent></w:r>")
    )
    assert texts(page) == ["Old"]


def test_a_table_in_a_text_box_in_a_cell():
    box = text_box(table((cell(paragraph(run("In"))),)), paragraph(run("Box")))
    page = read(table((cell(paragraph(run("Out"), box)),)))
    assert rows(page) == [("Out", "cell"), ("In", "cell"), ("Box", "paragraph")]


def test_image_texts():
    page = read(
        paragraph(run("Look "), picture("a smiling nurse"), run(" here.")),
        paragraph(picture("A knee")),
        paragraph(run("It "), picture("floats", "anchor"), run("works.")),
        paragraph(run("x", "<w:vanish/>"), '<w:r><w:pict><v:shape alt="An old drawing"/></w:pict></w:r>'),
        paragraph('<w:r><w:pict><v:shape><v:textpath string="DRAFT"/></v:shape></w:pict></w:r>'),
    )
    assert rows(page, "kind", "hidden") == [
        ("Look a smiling nurse here.", "paragraph", False),
        ("A knee", "alt", False),
        ("It works.", "paragraph", False),
        ("floats", "alt", False),
        ("x", "paragraph", True),
        ("An old drawing", "alt", False),
        ("DRAFT", "other", False),
    ]


def test_the_words_of_a_diagram():
    words = "<a:p><a:r><a:t>Step </a:t></a:r><a:r><a:t>one</a:t></a:r></a:p>"
    page = read(
        paragraph('<w:r><w:drawing><wp:inline><dgm:relIds r:dm="q"/></wp:inline></w:drawing></w:r>'),
        parts=[("q", "diagramData", "d.xml", ("dgm:dataModel", words))],
    )  # fmt: skip
    assert rows(page) == [("Step one", "other")]


def test_embedded_documents_are_told():
    page = read(paragraph(run("Text.")), '<w:altChunk r:id="z"/>')
    assert page.notes == ("embeds 1 other documents, which were not read",)


# --- headers, footers, notes, metadata --------------------------------------------------------------------------


def header(text, tag="w:hdr"):
    return (tag, paragraph(run(text)))


def test_headers_and_footers_once_each():
    references = "".join(
        f'<w:{region}Reference w:type="{kind}" r:id="{name}"/>'
        for region, kind, name in [
            ("header", "default", "h1"),
            ("header", "first", "h2"),
            ("header", "even", "h3"),
            ("footer", "default", "f1"),
            ("footer", "default", "gone"),
        ]
    )
    parts = [
        ("h1", "header", "h1.xml", header("Clinic")),
        ("h2", "header", "h2.xml", header("Welcome")),
        ("h3", "header", "h3.xml", header("CLINIC")),
        ("f1", "footer", "f1.xml", header("Call us", "w:ftr")),
    ]
    page = read(
        paragraph(run("One."), properties=f"<w:sectPr>{references}</w:sectPr>"),
        paragraph(run("Two.")),
        f"<w:sectPr>{references}<w:titlePg/></w:sectPr>",
        parts=parts,
    )
    assert rows(page, "region", "hidden") == [
        ("Clinic", "header", False),
        ("Welcome", "header", False),
        ("One.", "main", False),
        ("Two.", "main", False),
        ("Call us", "footer", False),
    ]
    without = read(paragraph(run("One.")), f"<w:sectPr>{references}</w:sectPr>", parts=parts)
    assert ("Welcome", "header", True) in rows(without, "region", "hidden")
    even = [*parts[:2], ("h3", "header", "h3.xml", header("Even")), parts[3]]
    on = '<w:evenAndOddHeaders w:val="true"/>'
    shown = read(paragraph(run("One.")), f"<w:sectPr>{references}</w:sectPr>", parts=even, settings=on)
    assert ("Even", "header", False) in rows(shown, "region", "hidden")


def test_footnotes_and_endnotes_that_are_referred_to():
    def notes(tag, *entries):
        return "".join(f'<w:{tag} w:id="{name}">{paragraph(run(text))}</w:{tag}>' for name, text in entries)

    def reference(kind, name):
        return f'<w:r><w:{kind}Reference w:id="{name}"/></w:r>'

    footnotes = notes("footnote", ("0", "line"), ("2", "In a study."), ("3", "Gone."))
    page = read(
        paragraph(run("It works."), reference("endnote", 5), reference("footnote", 2)),
        paragraph(f"<w:del>{reference('footnote', 3)}</w:del>", run("Well.")),
        parts=[
            ("n", "footnotes", "n.xml", ("w:footnotes", footnotes)),
            ("e", "endnotes", "e.xml", ("w:endnotes", notes("endnote", ("5", "At the end.")))),
        ],
    )
    assert rows(page, "kind", "region") == [
        ("It works.", "paragraph", "main"),
        ("Well.", "paragraph", "main"),
        ("In a study.", "other", "aside"),
        ("At the end.", "other", "aside"),
    ]


def test_comments_are_not_page_text():
    page = read(
        paragraph('<w:commentRangeStart w:id="0"/>', run("Text."), '<w:r><w:commentReference w:id="0"/></w:r>'),
        parts=[("c", "comments", "comments.xml", ("w:comments", f"<w:comment>{paragraph(run('Why?'))}</w:comment>"))],
    )
    assert texts(page) == ["Text."]


def test_metadata_once_and_not_what_is_a_heading():
    core = (
        "<dc:title>Knee  care</dc:title><dc:subject>All about knees</dc:subject>"
        "<dc:description>All about KNEES</dc:description>"
    )
    page = read(paragraph(run("Text.")), core=core)
    assert rows(page, "kind", "region")[:2] == [
        ("Knee care", "title", "metadata"),
        ("All about KNEES", "description", "metadata"),
    ]
    assert len(page.blocks) == 3
    page = read(paragraph(run("KNEE CARE"), style="Title"), core=core)
    assert [row[1:] for row in rows(page, "kind")] == [("description",), ("heading",)]
    assert page.title == "Knee care"
    assert read(paragraph(run("Text.")), paragraph(run("Later"), style="Mine")).title == "Later"
    assert read(paragraph(run("Text."))).title is None


# --- source offsets ---------------------------------------------------------------------------------------------


def test_source_offsets_point_into_the_paragraphs():
    page = read(
        paragraph(run("  One "), run("hid", "<w:vanish/>"), run("two."), text_box(paragraph(run("Box.")))),
        paragraph(run("Three"), "<w:r><w:tab/></w:r>", run("four")),
    )
    source = "  One hidtwo.\nBox.\nThree\tfour\n"
    assert_page_holds(page, source)
    assert len(page.segments) == 6
    spans = [page.source_span(block.start, block.end) for block in page.blocks]
    assert [source[start:end] for start, end in spans] == ["One hidtwo.", "hid", "Box.", "Three\tfour"]


STRETCH = st.sampled_from(["plain", "inserted", "deleted", "hidden", "link", "control", "box", "field", "tab"])


@given(
    st.lists(
        st.tuples(st.sampled_from(["p", "cell", "control"]), st.lists(STRETCH, max_size=6)), min_size=1, max_size=6
    )
)
def test_every_visible_run_is_found_exactly_once(plan):
    counter = itertools.count()
    shown, gone = [], []

    def content(kind):
        word = f"word{next(counter)}x"
        (gone if kind == "deleted" else shown).append(word)
        text = run(f" {word} ", "<w:vanish/>" if kind == "hidden" else "")
        return {
            "inserted": f"<w:ins>{text}</w:ins>",
            "deleted": f"<w:del>{text}</w:del>",
            "link": f"<w:hyperlink>{text}</w:hyperlink>",
            "control": f"<w:sdt><w:sdtContent>{text}</w:sdtContent></w:sdt>",
            "box": text_box(paragraph(text)),
            "field": f'<w:fldSimple w:instr="X">{text}</w:fldSimple>',
            "tab": f"<w:r><w:tab/></w:r>{text}<w:r><w:br/></w:r>",
        }.get(kind, text)

    body = [paragraph(run("Start."))]
    for place, kinds in plan:
        made = paragraph(*map(content, kinds))
        if place == "cell":
            made = table((cell(made),))
        elif place == "control":
            made = f"<w:sdt><w:sdtContent>{made}</w:sdtContent></w:sdt>"
        body.append(made)
    page = read(*body)
    found = re.findall(r"word\d+x", page.text)
    assert sorted(found) == sorted(shown)
    assert not set(found) & set(gone)
    for match in re.finditer(r"word\d+x", page.text):
        assert page.source_span(match.start(), match.end()) is not None


# --- what is no Word document -----------------------------------------------------------------------------------


def refusal(data, **limits):
    with pytest.raises(ReadError) as caught:
        read_bytes(data, source="a.docx", format="docx", limits=Limits(**limits))
    assert "\n" not in str(caught.value)
    return str(caught.value)


GOOD = package(paragraph(run("Text.")))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"Just text.", "is no Word document"),
        (b"{\\rtf1 x}", "is no Word document"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), "in the Word format of before 2007"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), "protected by a password"),
        (GOOD[: len(GOOD) // 2], "is damaged or no zip archive"),
        (b"PK\x03\x04", "is damaged or no zip archive"),
        (archive({"a.txt": "x"}), "is a zip archive, but no Word document"),
        (archive({"_rels/.rels": "<Relationships/>", "word/x.xml": "<x/>"}), "its main part is missing"),
        (package(extra={"word/document.xml": "<w:document"}), "is a damaged Word document"),
        (package(paragraph()), "holds no text"),
        (package(paragraph(), extra={"_rels/.rels": "http://purl.oclc.org/ooxml/x"}), "Strict Open XML"),
        (archive({"_rels/.rels": "<x/>", "word/a.xml": "y"}, zipfile.ZIP_BZIP2), "is packed with method 12"),
    ],
)  # fmt: skip
def test_refusals(data, message):
    assert message in refusal(data)


def test_a_zip_bomb_is_not_unpacked():
    bomb = package(paragraph(run("x")), extra={"word/media/image1.png": bytes(3_000_000)})
    assert len(bomb) < 20_000
    message = refusal(bomb, max_unpacked_bytes=1_000_000)
    assert re.search(r"has 3,\d{3},\d{3} bytes unpacked, over the limit max_unpacked_bytes = 1,000,000", message)


def test_a_zip_bomb_that_lies_about_its_size():
    bomb = bytearray(package(extra={"word/document.xml": "<x>" + " " * 30_000_000 + "</x>"}))
    true = (30_000_007).to_bytes(4, "little")
    assert bomb.count(true) == 2
    assert "is damaged or no zip archive" in refusal(bytes(bomb.replace(true, (100).to_bytes(4, "little"))))


def test_a_packed_file_with_a_password():
    data = bytearray(GOOD)
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        for match in list(re.finditer(re.escape(mark), bytes(data))):
            data[match.start() + offset] |= 1
    assert "is protected by a password" in refusal(bytes(data))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_refused(encoding, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    for entity in (f'<!ENTITY a SYSTEM "{secret.as_uri()}">', '<!ENTITY b "ha"><!ENTITY a "&b;&b;&b;">'):
        xml = (
            f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE x [{entity}]>'
            f"<w:document {SPACES}><w:body>{paragraph(run('&a;'))}</w:body></w:document>"
        )
        assert "has a document type declaration in word/document.xml" in refusal(
            package(extra={"word/document.xml": xml.encode(encoding)})
        )


def test_deep_nesting_is_no_crash():
    deep = 2_000
    assert "damaged" in refusal(package("<w:sdt><w:sdtContent>" * deep, "</w:sdtContent></w:sdt>" * deep))


def test_max_chars():
    body = paragraph(run("x" * 100))
    assert read(body).text == "x" * 100
    assert "has 101 characters, over the limit max_chars = 50" in refusal(package(body), max_chars=50)


def assert_read_or_refused(data):
    page = message = None
    try:
        page = read_bytes(data, source="", format="docx")
    except ReadError as error:
        message = str(error)
    if page is None:
        assert message
        assert "\n" not in message
    else:
        assert_page_holds(page)


@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_any_damage_gives_a_page_or_a_read_error(changes):
    broken = bytearray(GOOD)
    for place, value in changes:
        broken[place] = value
    assert_read_or_refused(bytes(broken))


MARKUP = (
    "<w:p>|</w:p>|<w:r>|</w:r>|<w:t>a</w:t>|<w:tbl>|</w:tbl>|<w:tc>|</w:tc>|<w:txbxContent>|</w:txbxContent>|"
    "<w:hyperlink>|</w:hyperlink>|<mc:Choice>|</mc:Choice>|<!-- x -->|<w:br/>|<?x y?>|<wp:docPr descr='d'/>"
).split("|")


@given(st.lists(st.sampled_from(MARKUP), max_size=20).map("".join))
def test_any_markup_gives_a_page_or_a_read_error(markup):
    assert_read_or_refused(package(paragraph(run("Text.")), markup))


@given(st.lists(st.sampled_from([tag for tag in MARKUP if not tag.startswith("</")]), max_size=8))
def test_any_nesting_gives_a_page(tags):
    ends = [f"</{tag[1:-1]}>" for tag in reversed(tags) if f"</{tag[1:-1]}>" in MARKUP]
    page = read(paragraph(run("Text.")), *tags, *ends)
    assert texts(page)[0] == "Text."


# --- no file takes long -----------------------------------------------------------------------------------------

MANY = 3_000
FIELD = '<w:r><w:fldChar w:fldCharType="{}"/></w:r>'
DIAGRAM = '<w:r><w:drawing><wp:inline><dgm:relIds r:dm="q"/></wp:inline></w:drawing></w:r>'
SECTION = '<w:sectPr><w:headerReference w:type="{}" r:id="{}"/></w:sectPr>'


def test_a_diagram_is_read_once_however_often_it_stands():
    words = "".join(f"<a:p><a:r><a:t>Step {n}</a:t></a:r></a:p>" for n in range(MANY))
    page = read(paragraph(DIAGRAM) * MANY, parts=[("q", "diagramData", "d.xml", ("dgm:dataModel", words))])
    assert len(page.blocks) == MANY


def test_a_diagram_that_stands_in_many_notes_is_read_once():
    words = "".join(f"<a:p><a:r><a:t>Step {n}</a:t></a:r></a:p>" for n in range(100))
    note = '<w:footnote w:id="{}">' + paragraph(run("See."), DIAGRAM) + "</w:footnote>"
    rels = f'<Relationship Id="q" Type="{OFFICE}/diagramData" Target="d.xml"/>'
    page = read(
        paragraph(*(f'<w:r><w:footnoteReference w:id="{n}"/></w:r>' for n in range(100))),
        parts=[("n", "footnotes", "n.xml", ("w:footnotes", "".join(note.format(n) for n in range(100))))],
        extra={
            "word/d.xml": f"<dgm:dataModel {SPACES}>{words}</dgm:dataModel>",
            "word/_rels/n.xml.rels": f"<Relationships {PACKAGE}>{rels}</Relationships>",
        },
    )
    assert len(page.blocks) == 200


def test_the_words_of_diagrams_and_images_count_for_max_chars():
    words = ("q", "diagramData", "d.xml", ("dgm:dataModel", "<a:p><a:r><a:t>Step one</a:t></a:r></a:p>"))
    for body, parts in ((paragraph(DIAGRAM), [words]), (paragraph(picture("Step one")), [])):
        data = package(body, parts=parts)
        assert read_bytes(data, source="a.docx", format="docx", limits=Limits(max_chars=12)).text == "Step one"
        with pytest.raises(ReadError, match="max_chars"):
            read_bytes(data, source="a.docx", format="docx", limits=Limits(max_chars=7))


def test_a_header_of_many_sections_is_read_once():
    text = "".join(paragraph(run(f"T {n}")) for n in range(500))

    def reading(many):
        parts = [(name, "header", "h.xml", ("w:hdr", text)) for name in map("h{}".format, range(many))]
        sections = [SECTION.format(kind, name) for kind in ("first", "default") for name, *_ in parts]
        return lambda: read(*(paragraph(run("One."), properties=section) for section in sections), parts=parts)

    assert [block.hidden for block in reading(500)().blocks if block.region == "header"] == [False] * 500
    assert grows_linearly(reading, of=50)


def test_a_long_chain_of_styles_takes_no_longer(monkeypatch):
    styles = STYLES

    def reading(many):
        style = '<w:style w:type="paragraph" w:styleId="s{}"><w:name w:val="s{}"/><w:basedOn w:val="s{}"/></w:style>'
        chain = "".join(style.format(n, n, n + 1) for n in range(many))

        def work():
            monkeypatch.setitem(globals(), "STYLES", styles + chain)
            return read(paragraph(run("a") * many, style="s0"))

        return work

    assert reading(MANY)().text == "a" * MANY
    assert grows_linearly(reading, of=100)


@pytest.mark.parametrize(
    "body",
    [
        lambda n: paragraph(FIELD.format("begin") + FIELD.format("separate")) * n + paragraph(run("a") * n),
        lambda n: paragraph((FIELD.format("begin") + FIELD.format("separate")) * n, run("a") * n),
        lambda n: paragraph(
            "<w:r><mc:AlternateContent>" + "<a:x/>" * n + '<mc:Choice Requires="wps"/>' * n,
            "</mc:AlternateContent></w:r>",
            run("a") * n,
        ),
    ],
    ids=["fields left open", "fields in fields", "forms"],
)
def test_broken_markup_takes_no_longer(body):
    def reading(many):
        data = package(body(many))
        return lambda: read_bytes(data, source="a.docx", format="docx")

    assert reading(MANY)().text == "a" * MANY
    assert grows_linearly(reading, of=200)
