"""How a letter stands in Word: the built-in template, a user's own with placeholders, and what takes their place.

Why not docxtpl: it runs Jinja inside the document, so that a template is a program and a page's text needs escaping to
stay text; it keeps no table from being cut and no heading from being left alone, which is most of the work here; and it
brings another licence (LGPL) and more packages. Six placeholders and seven named styles need python-docx alone, which
the extra `word` has. Everything that comes from a page goes through `plain` into `w:t`, which is text to Word and
nothing else.
"""

from __future__ import annotations

import io
import math
import re
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from docx import Document
from docx.document import Document as WordDocument
from docx.enum.style import WD_STYLE_TYPE
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.opc.exceptions import OpcError
from docx.oxml.ns import nsdecls, qn
from docx.oxml.parser import OxmlElement, parse_xml
from docx.shared import Cm, Pt, RGBColor
from docx.text.paragraph import Paragraph
from lxml import etree

from mdclaims.cases.letter_content import Accuracy, Letter, LetterExhibit, Place, visited
from mdclaims.cases.measured import Measured
from mdclaims.config import Settings
from mdclaims.errors import ReadError, UsageError
from mdclaims.findings.rules import Rule
from mdclaims.labels import label_info
from mdclaims.reading.unpacking import unpack
from mdclaims.reports.controls import visible_controls
from mdclaims.reports.report import HIDDEN_WORDS, KIND_WORDS, REGION_WORDS

DRAFT_MARK = "DRAFT, NOT REVIEWED"
BY_HAND = "[Provision: to be added by hand]"
NO_QUALIFIER = "none found in the text read"
PLACEHOLDERS: tuple[str, ...] = ("addressee", "date", "exhibit_count", "site")
"""Placeholders that stand anywhere in a template, as ``{{name}}``."""
BLOCKS: tuple[str, ...] = ("exhibits", "schedules")
"""Placeholders that a template must have, each once and alone in a paragraph of its main text."""

_PLACEHOLDER = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_MONTHS = "January February March April May June July August September October November December".split()
# The statement, its page and its neighbours stay on one page; a text as long as this may not fit on any.
_LONGEST_WHOLE = 1_200
_MOST_TOGETHER = 20
"""Rows of a listing that is not divided between pages."""
_MOST_PAGES = 40
"""Other pages that an exhibit lists; Schedule 3 has them all."""


def plain(text: str) -> str:
    r"""Return a text as a Word file can hold it: what cannot be printed, or would turn the text around, is U+FFFD.

    >>> plain("a\x0bb\u202ec\tdéjà")
    'a�b�c déjà'
    """
    lines = text.replace("\r\n", "\n").replace("\u2028", "\n").replace("\u2029", "\n").replace("\t", " ")
    return visible_controls(lines)


def day_words(day: date) -> str:
    """Return a day as it stands in a letter: "23 November 2026", whatever the locale."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


# --- templates ----------------------------------------------------------------------------------------------------

_STYLES: dict[str, dict[str, Any]] = {
    "Schedule Heading": {"size": 14, "bold": True, "before": 18, "after": 6, "level": 0, "keep": True},
    "Exhibit Heading": {"size": 12, "bold": True, "before": 14, "after": 4, "level": 1, "keep": True},
    "Exhibit Label": {"size": 9, "bold": True, "before": 2, "after": 2},
    "Exhibit Text": {"size": 10, "before": 2, "after": 2},
    "Exhibit Quote": {"size": 11, "bold": True, "before": 3, "after": 3, "indent": 0.3},
    "Exhibit Fine": {"size": 6.5, "font": "Courier New", "before": 1, "after": 1},
    "Draft Mark": {"size": 14, "bold": True, "after": 4, "centred": True, "colour": "B00020"},
}
"""The paragraph styles; a template's own of the same name is used instead."""
_TABLE_STYLE = "Exhibit Table"
_TABLE_STYLE_XML = f"""
<w:style {nsdecls("w")} w:type="table" w:customStyle="1" w:styleId="ExhibitTable"><w:name w:val="{_TABLE_STYLE}"/>
<w:tblPr><w:tblBorders>{"".join(f'<w:{side} w:val="single" w:sz="4" w:space="0" w:color="8C8C8C"/>'
    for side in ("top", "left", "bottom", "right", "insideH", "insideV"))}</w:tblBorders>
<w:tblCellMar><w:left w:w="100" w:type="dxa"/><w:right w:w="100" w:type="dxa"/></w:tblCellMar></w:tblPr></w:style>
"""  # fmt: skip


def default_template() -> WordDocument:
    """Return the built-in letter: what it says, and how it looks."""
    document = Document()
    section = document.sections[0]
    section.page_width, section.page_height = Cm(21), Cm(29.7)
    section.left_margin = section.right_margin = Cm(2)
    section.top_margin = section.bottom_margin = Cm(2)
    normal = document.styles["Normal"]
    normal.font.size = Pt(11)
    _set_font(normal, "Arial")
    normal.paragraph_format.space_after = Pt(8)
    _ensure_styles(document)
    for text in _LETTER_TEXT:
        paragraph = document.add_paragraph(text)
        paragraph.paragraph_format.keep_with_next = text == "Exhibits"
        if text in {"Exhibits", _SUBJECT}:
            paragraph.runs[0].bold = True
    footer = section.footer.paragraphs[0]
    footer.alignment = WD_ALIGN_PARAGRAPH.CENTER
    footer.add_run("Page ")
    _add_field(footer, "PAGE")
    footer.add_run(" of ")
    _add_field(footer, "NUMPAGES")
    properties = document.core_properties
    properties.author = properties.comments = ""
    package = document.part.package
    for key in [key for key, link in package.rels.items() if link.reltype.endswith("/thumbnail")]:
        del package.rels[key]
    return document


_SUBJECT = "Statements on the website {{site}}"
_LETTER_TEXT = (
    "[Name and address of the sender]",
    "{{date}}",
    "{{addressee}}",
    "[Our reference]",
    _SUBJECT,
    "To whom it may concern",
    "We have read pages of the website {{site}}, as they were at the times given below. This letter sets out "
    "statements from these pages (number of exhibits: {{exhibit_count}}). Each is a possible matter under the "
    "provision that is named with it. That is no finding: we ask you to look at each statement and its provision, "
    "and to tell us what evidence, permission or further facts you rely on.",
    "[What is asked of the addressee, and by when]",
    "The schedules say how the statements were found and checked, what was read and what was not, and by which file "
    "and hash each can be checked again.",
    "[Name, office and signature]",
    "Exhibits",
    "{{exhibits}}",
    "{{schedules}}",
)


def read_template(path: Path | None) -> WordDocument:
    """Return a template: the built-in one, or a user's own.

    Raises
    ------
    UsageError
        If it is no Word file that can be used, has a placeholder that is unknown, or lacks one that it needs.
    """
    if path is None:
        return default_template()
    try:
        data = path.read_bytes()
        unpack(data, suffixes=(".xml", ".rels"), max_unpacked_bytes=Settings().limits.max_unpacked_bytes)
        document = Document(io.BytesIO(data))
    except OSError as error:
        raise UsageError(f"--template {path} cannot be read ({error.strerror}); check the path") from error
    except (ReadError, OpcError, KeyError, ValueError, etree.LxmlError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UsageError(f"--template {path} is no Word file that can be used ({reason}); save it as .docx") from error
    _check_placeholders(document, path)
    _ensure_styles(document)
    return document


def _check_placeholders(document: WordDocument, path: Path) -> None:
    found = [(name, paragraph) for paragraph in _paragraphs(document) for name in _names(paragraph)]
    for name, _ in found:
        if name not in PLACEHOLDERS and name not in BLOCKS:
            known = ", ".join(f"{{{{{name}}}}}" for name in (*PLACEHOLDERS, *BLOCKS))
            raise UsageError(f"--template {path} has the unknown placeholder {{{{{name}}}}}; known are {known}")
    for name in BLOCKS:
        places = [paragraph for other, paragraph in found if other == name]
        alone = [place for place in places if _text(place).strip() == f"{{{{{name}}}}}" and _is_in_body(place)]
        if len(places) != 1 or len(alone) != 1:
            raise UsageError(
                f"--template {path} needs {{{{{name}}}}} once, alone in a paragraph of the main text and in no table; "
                f"it has {len(places)}"
            )


def _ensure_styles(document: WordDocument) -> None:
    """Add the named styles that a document lacks."""
    styles = document.styles
    known = {style.name for style in styles}
    for name, how in _STYLES.items():
        if name not in known:
            style = styles.add_style(name, WD_STYLE_TYPE.PARAGRAPH)
            style.base_style = styles.default(WD_STYLE_TYPE.PARAGRAPH)
            style.font.size, style.font.bold = Pt(how["size"]), how.get("bold")
            shape = style.paragraph_format
            shape.space_before, shape.space_after = Pt(how.get("before", 0)), Pt(how["after"])
            shape.keep_with_next = how.get("keep")
            shape.left_indent = Cm(how["indent"]) if "indent" in how else None
            shape.alignment = WD_ALIGN_PARAGRAPH.CENTER if how.get("centred") else WD_ALIGN_PARAGRAPH.LEFT
            if "colour" in how:
                style.font.color.rgb = RGBColor.from_string(how["colour"])
            if "font" in how:
                _set_font(style, how["font"])
            if "level" in how:
                level = OxmlElement("w:outlineLvl")
                level.set(qn("w:val"), str(how["level"]))
                style.element.get_or_add_pPr().append(level)
    if _TABLE_STYLE not in known:
        styles.element.append(parse_xml(_TABLE_STYLE_XML))


def _set_font(style: Any, name: str) -> None:
    """Set a font for all scripts; the theme's would go before it."""
    style.font.name = name
    fonts = style.element.rPr.rFonts
    for key in list(fonts.attrib):
        del fonts.attrib[key]
    for script in ("ascii", "hAnsi", "cs", "eastAsia"):
        fonts.set(qn(f"w:{script}"), name)


def _add_field(paragraph: Paragraph, instruction: str) -> None:
    field = OxmlElement("w:fldSimple")
    field.set(qn("w:instr"), instruction)
    run = OxmlElement("w:r")
    text = OxmlElement("w:t")
    text.text = "1"
    run.append(text)
    field.append(run)
    paragraph._p.append(field)


# --- placeholders -------------------------------------------------------------------------------------------------


def _paragraphs(document: WordDocument) -> Iterator[Any]:
    """Yield every paragraph of main text, tables, text boxes, headers and footers."""
    parts = [document.element.body]
    for section in document.sections:
        parts += [story._element for story in _running(section)]
    for part in parts:
        yield from part.iter(qn("w:p"))


def _running(section: Any) -> Iterator[Any]:
    """Yield the headers and footers of a section that are its own, without making any."""
    for kind in ("header", "footer"):
        for name in (kind, f"first_page_{kind}", f"even_page_{kind}"):
            story = getattr(section, name)
            if not story.is_linked_to_previous:
                yield story


def _texts(paragraph: Any) -> list[Any]:
    """Return the text elements of a paragraph, those of text boxes in it left out."""
    return [text for text in paragraph.iter(qn("w:t")) if next(text.iterancestors(qn("w:p"))) is paragraph]


def _text(paragraph: Any) -> str:
    return "".join(text.text or "" for text in _texts(paragraph))


def _names(paragraph: Any) -> list[str]:
    return _PLACEHOLDER.findall(_text(paragraph))


def _is_in_body(paragraph: Any) -> bool:
    return bool(paragraph.getparent().tag == qn("w:body"))


def _fill(paragraph: Any, values: Mapping[str, str]) -> None:
    """Put values in the place of placeholders, which Word may have divided among runs; each once, from the end."""
    for match in reversed(list(_PLACEHOLDER.finditer(_text(paragraph)))):
        if match[1] in values:
            _replace(_texts(paragraph), match.start(), match.end(), values[match[1]])


def _replace(texts: Sequence[Any], start: int, end: int, value: str) -> None:
    """Replace a stretch of a paragraph's text; the value takes the looks of the run in which it begins."""
    position = 0
    for element in texts:
        text = element.text or ""
        first, last = max(start - position, 0), min(end - position, len(text))
        if first < last:
            put = value if position <= start else ""
            _set_lines(element, text[:first] + put + text[last:])
        position += len(text)


def _set_lines(element: Any, text: str) -> None:
    """Set the text of an element, with breaks between lines."""
    first, *others = text.split("\n")
    element.text = first
    element.set(qn("xml:space"), "preserve")
    for line in reversed(others):
        more = OxmlElement("w:t")
        more.text = line
        more.set(qn("xml:space"), "preserve")
        element.addnext(more)
        element.addnext(OxmlElement("w:br"))


# --- the letter ---------------------------------------------------------------------------------------------------


def letter_bytes(letter: Letter, template: WordDocument) -> bytes:
    """Return the Word file of a letter; the same letter and template give the same bytes.

    Parameters
    ----------
    letter : Letter
    template : Document
        From `read_template`; it is changed.
    """
    values = {
        "addressee": plain(letter.addressee),
        "date": day_words(letter.day),
        "exhibit_count": str(len(letter.exhibits)),
        "site": plain(letter.site).replace("\n", " "),
    }
    anchors = {name: place for place in _paragraphs(template) for name in _names(place) if name in BLOCKS}
    for paragraph in list(_paragraphs(template)):
        _fill(paragraph, values)
    if letter.is_draft:
        _mark_as_draft(template)
    _write_exhibits(_Writer(template, anchors["exhibits"]), letter)
    _write_schedules(_Writer(template, anchors["schedules"]), letter)
    properties = template.core_properties
    properties.title = f"Statements on the website {values['site']}"[:255]
    properties.created = properties.modified = datetime.combine(letter.day, time())
    properties.last_modified_by = ""
    properties.revision = 1
    return _saved(template)


def _saved(document: WordDocument) -> bytes:
    """Return a document as a file: a zip archive whose members bear no time and no system."""
    stream, out = io.BytesIO(), io.BytesIO()
    document.save(stream)
    with zipfile.ZipFile(stream) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            member = zipfile.ZipInfo(name)  # 1980-01-01
            member.create_system = 3
            member.external_attr = 0o644 << 16
            member.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(member, old.read(name))
    return out.getvalue()


def _mark_as_draft(document: WordDocument) -> None:
    """Print the mark in the header of every page; a section that shares the header before it has it from there."""
    for section in document.sections:
        headers = [section.header]
        if section.different_first_page_header_footer:
            headers.append(section.first_page_header)
        if document.settings.odd_and_even_pages_header_footer:
            headers.append(section.even_page_header)
        for header in headers:
            first = header.paragraphs[0] if header.paragraphs else header.add_paragraph()
            if first.text != DRAFT_MARK:
                first.insert_paragraph_before(DRAFT_MARK, style="Draft Mark")


Cell = Sequence[tuple[str, str]]
"""Paragraphs of a cell: style and text."""


class _Writer:
    """Puts headings, paragraphs and tables in the place of a paragraph.

    Parameters
    ----------
    document : Document
    anchor : element
        The paragraph; what it held is gone, and it stays, small, behind what is written: Word wants a paragraph behind
        a table.
    """

    def __init__(self, document: WordDocument, anchor: Any) -> None:
        self._document = document
        self._anchor = anchor
        for child in list(anchor):
            if child.tag != qn("w:pPr"):
                anchor.remove(child)
        Paragraph(anchor, document._body).style = document.styles["Exhibit Fine"]
        section = anchor.xpath("following::w:sectPr[1]")[0]
        size, margins = section.find(qn("w:pgSz")), section.find(qn("w:pgMar"))
        lengths = [(size, "w", 11906), (margins, "left", 1134), (margins, "right", 1134)]
        width, left, right = (
            default if element is None else int(float(element.get(qn(f"w:{key}"), default)))
            for element, key, default in lengths
        )
        self.width = width - left - right
        """Of the text, in twentieths of a point."""

    def paragraph(self, style: str, text: str, *, new_page: bool = False, keep: bool = False) -> None:
        """Add a paragraph."""
        element = self._paragraph(style, text)
        shape = Paragraph(element, self._document._body).paragraph_format
        if new_page:
            shape.page_break_before = True
        if keep:
            shape.keep_with_next = True
        self._anchor.addprevious(element)

    def table(self, shares: Sequence[float], rows: Sequence[Sequence[Cell]], *, head: bool, together: int = 0) -> None:
        """Add a table.

        Parameters
        ----------
        shares : sequence of float
            The columns' shares of the width.
        rows : sequence of rows, each a sequence of cells
        head : bool
            The first row is repeated on every page.
        together : int
            So many rows stay on one page.
        """
        widths = [int(self.width * share / sum(shares)) for share in shares]
        style = self._document.styles[_TABLE_STYLE].style_id
        grid = "".join(f'<w:gridCol w:w="{width}"/>' for width in widths)
        table = parse_xml(
            f'<w:tbl {nsdecls("w")}><w:tblPr><w:tblStyle w:val="{style}"/><w:tblW w:w="{sum(widths)}" w:type="dxa"/>'
            f'<w:tblLayout w:type="fixed"/><w:tblLook w:val="0420" w:firstRow="{int(head)}"/></w:tblPr>'
            f"<w:tblGrid>{grid}</w:tblGrid></w:tbl>"
        )
        for number, row in enumerate(rows):
            table.append(self._row(row, widths, is_head=head and not number, keep=number < together - 1))
        self._anchor.addprevious(table)

    def _row(self, cells: Sequence[Cell], widths: Sequence[int], *, is_head: bool, keep: bool) -> Any:
        row = OxmlElement("w:tr")
        properties = OxmlElement("w:trPr")
        length = max(sum(len(text) for _, text in cell) for cell in cells)
        if length <= _LONGEST_WHOLE:
            properties.append(OxmlElement("w:cantSplit"))
        if is_head:
            properties.append(OxmlElement("w:tblHeader"))
        row.append(properties)
        for cell, width in zip(cells, widths, strict=True):
            element = parse_xml(f'<w:tc {nsdecls("w")}><w:tcPr><w:tcW w:w="{width}" w:type="dxa"/></w:tcPr></w:tc>')
            for style, text in cell or [("Exhibit Text", "")]:
                paragraph = self._paragraph(style, text)
                if keep or is_head:
                    Paragraph(paragraph, self._document._body).paragraph_format.keep_with_next = True
                element.append(paragraph)
            row.append(element)
        return row

    def _paragraph(self, style: str, text: str) -> Any:
        """Return a paragraph of plain text: whatever the text holds, it is no markup, field or link."""
        element = OxmlElement("w:p")
        paragraph = Paragraph(element, self._document._body)
        paragraph.style = self._document.styles[style]
        run = OxmlElement("w:r")
        content = OxmlElement("w:t")
        run.append(content)
        _set_lines(content, plain(text))
        element.append(run)
        return element


# --- exhibits -----------------------------------------------------------------------------------------------------


def _write_exhibits(writer: _Writer, letter: Letter) -> None:
    for exhibit in letter.exhibits:
        writer.paragraph("Exhibit Heading", f"Exhibit {exhibit.number}", keep=True)
        rows = [(_label(name), cell) for name, cell in _exhibit_rows(exhibit, letter)]
        names = [cell[0][1] for cell, _ in rows]
        # A short exhibit stays whole; of a long one at least what comes before the statement stays with it.
        is_short = sum(len(text) for _, cell in rows for _, text in cell) <= _LONGEST_WHOLE
        writer.table((22, 78), rows, head=False, together=len(rows) if is_short else names.index("Statement") + 2)


def _label(name: str) -> Cell:
    return [("Exhibit Label", name)]


def _said(text: str) -> Cell:
    return [("Exhibit Text", text)]


def _exhibit_rows(exhibit: LetterExhibit, letter: Letter) -> Iterator[tuple[str, Cell]]:
    place, *others = exhibit.places
    row = place.row
    yield "Page", _said(place.address)
    yield "Page title", _said(row["title"] or "none")
    yield "Section", _said(_section(place))
    yield "Last visited", _said(visited(row["captured"], letter.zone))
    if place.read_later is not None:
        again = f"The page was read again, without this statement: {visited(place.read_later, letter.zone)}"
        yield "Read again", _said(again)
    yield "Where it stands", _said(_where(row))
    yield "Sentence before", _said(row["before"] or "none: it is the first of the page")
    yield "Statement", [("Exhibit Quote", row["quote"])]
    yield "Sentence after", _said(row["after"] or "none: it is the last of the page")
    yield "Nearest risk, limit or source", _qualifier(row)
    yield "Other pages that carry it", _others(others, place)
    yield "Possible provision", _provisions(exhibit)
    if letter.is_draft:
        yield "Review", _said(_review(exhibit))


def _section(place: Place) -> str:
    return " › ".join(place.row["heading_path"]) or "no heading stands above it"


def _where(row: Mapping[str, Any]) -> str:
    words = [KIND_WORDS[row["kind"]], REGION_WORDS[row["region"]]]
    if row["printed_page"] is not None:
        words.append(f"page {row['printed_page']:,} of the document")
    if row["quoted"]:
        words.append("in quotation marks")
    if row["hidden"]:
        words.append(HIDDEN_WORDS)
    return ", ".join(words)


def _qualifier(row: Mapping[str, Any]) -> Cell:
    if row["qualifier"] is None:
        return _said(NO_QUALIFIER)
    away, hidden = row["qualifier_sentences_away"], row["qualifier_hidden"]
    place = f"{_number(away, 'sentence')} away" if away else "in the statement itself"
    words = f"a {row['qualifier_kind']}, {place}{f', {HIDDEN_WORDS}' if hidden else ''}"
    return [("Exhibit Text", row["qualifier"]), ("Exhibit Text", f"({words})")]


def _others(others: Sequence[Place], first: Place) -> Cell:
    """List the other pages, and where the words beside the statement differ there."""
    cell = []
    for place in others[:_MOST_PAGES]:
        where = f"{place.address} (the same page)" if place.address == first.address else place.address
        seen = "" if place.row["captured"] is None else f". Last visited: {place.row['captured']:%Y-%m-%d %H:%M:%S} UTC"
        text = f"{where}\nSection: {_section(place)}{seen}"
        if place.row["quote"] != first.row["quote"]:
            text += f"\nThere it reads: {place.row['quote']}"
        if place.row["qualifier"] != first.row["qualifier"]:
            text += f"\nNearest risk, limit or source there: {place.row['qualifier'] or NO_QUALIFIER}"
        cell.append(("Exhibit Text", text))
    if len(others) > _MOST_PAGES:
        cell.append(("Exhibit Text", f"and {len(others) - _MOST_PAGES:,} more, in Schedule 3"))
    return cell or _said("none among those that were reviewed")


def _provisions(exhibit: LetterExhibit) -> Cell:
    cell = [("Exhibit Text", _provision(rule)) for rule in exhibit.provisions]
    return [*cell, ("Exhibit Text", BY_HAND)] if exhibit.lacks_provision else cell


def _provision(rule: Rule) -> str:
    return f"{rule.citation}\n{rule.address}\nread there on {day_words(rule.checked)}"


def _review(exhibit: LetterExhibit) -> str:
    names = sorted({decision.reviewer for decision in exhibit.decisions})
    unread = len({place.address for place in exhibit.places if not place.decisions})
    said = [f"upheld by {', '.join(names)}"] if names else []
    said += [f"not reviewed on {_number(unread, 'page')}"] if unread else []
    return "; ".join(said)


def _number(count: int, name: str) -> str:
    return f"{count:,} {name}{'' if count == 1 else 's'}"


# --- schedules ----------------------------------------------------------------------------------------------------


def _write_schedules(writer: _Writer, letter: Letter) -> None:
    _write_method(writer, letter)
    _write_reading(writer, letter)
    _write_hashes(writer, letter)


_METHOD = (
    "Copies of the pages were read by a program, which marks sentences that a person should look at. It decides "
    "nothing: a reviewer looked at the statements above, and chose them and the provisions that are named with them.",
    "Before this letter was written, each statement was looked for again in the copy of its page that is kept as "
    "evidence, and found there word for word, with the sentences beside it and its place. Characters that cannot be "
    "printed are shown as \ufffd.",
    "That no risk, limit or source was found is said of the section of the page in which the statement stands, and of "
    "its text: nothing is said of images, of films, or of other pages.",
)
_METHOD_OF_DRAFT = "This is a draft. Statements that are said to be not reviewed were marked by the program alone."


def _write_method(writer: _Writer, letter: Letter) -> None:
    writer.paragraph("Schedule Heading", "Schedule 1: how the statements were found and checked", new_page=True)
    for text in (*_METHOD, *([_METHOD_OF_DRAFT] * letter.is_draft)):
        writer.paragraph("Exhibit Text", text)
    content = letter.manifest.content
    model = content["versions"].get("model")
    known = model if isinstance(model, dict) else {}
    own = letter.manifest.versions
    others = ", ".join(f"{name} {number}" for name, number in own.items() if name != "mdclaims")
    runs = content.get("runs") or {}
    spans = zip(runs.get("started") or [], runs.get("ended") or [], strict=False)
    rows = [
        ("Program", f"mdclaims {own.get('mdclaims', 'unknown')}; this letter: {version('mdclaims')}"),
        ("With", others),
        ("Model", f"{known.get('name')} {known.get('version')}, SHA-256 {known.get('sha256')}"),
        ("Setting", f"mode {content['settings'].get('mode')}"),
        ("When it ran (UTC)", "; ".join(f"{start} to {end}" for start, end in spans) or "unknown"),
        ("Reviewers", "\n".join(_reviewer(*entry) for entry in letter.reviewers) or "none"),
    ]
    writer.table((22, 78), [(_label(name), _said(text)) for name, text in rows], head=False)
    _write_accuracy(writer, letter.accuracy)
    _write_measured(writer, letter.measured)


def _reviewer(name: str, exhibits: int, first: datetime, last: datetime) -> str:
    span = " to ".join(dict.fromkeys(f"{time:%Y-%m-%d %H:%M}" for time in (first, last)))
    return f"{name}: {_number(exhibits, 'exhibit')}, decided {span} UTC"


def _write_accuracy(writer: _Writer, found: Accuracy | None) -> None:
    writer.paragraph("Exhibit Heading", "Measured accuracy", keep=True)
    if found is None:
        writer.paragraph(
            "Exhibit Text", "Not known here: the case was read with another model than this program's own."
        )
        return
    intervals = f"Intervals: {found.intervals}." if found.intervals else "No intervals were measured for this mode."
    writer.paragraph(
        "Exhibit Text",
        f"Measured in this mode on {found.sentences:,} sentences of documents from websites that the model had not "
        "seen. It says how well the program marks sentences for a person to look at, and nothing about the "
        f"statements above. {intervals}",
        keep=True,
    )
    head = ("Kind of statement", "Sentences of this kind", "Of those marked, right", "Of those there, marked")
    rows = [
        (name, f"{support:,}", _percent(precision), _percent(recall))
        for name, support, precision, recall in found.labels
    ]
    _write_listing(writer, (34, 22, 22, 22), head, rows)


def _write_measured(writer: _Writer, measured: Measured | None) -> None:
    """Tell what a blind sample of the case gave."""
    if measured is None:
        return
    names = {name: label.display for name, label in label_info().items()}
    pages, sentences = measured.draw.covered
    writer.paragraph("Exhibit Heading", "Measured on the pages of this case", keep=True)
    writer.paragraph(
        "Exhibit Text",
        f"{_number(measured.judged, 'sentence')} of a random sample, drawn from {sentences:,} sentences of all "
        f"websites in the case ({_number(pages, 'page')}), judged without knowing what the program had marked, by "
        f"{_number(len(measured.answers), 'person').replace('persons', 'people')}. Intervals: 95 %.",
        keep=True,
    )
    head = ("Kind of statement", "Marked in the case", "Of those marked, right", "Of those there, not marked")
    rows = [
        (
            names.get(row.label, row.label),
            f"{row.found:,}",
            _percent([row.precision.value, row.precision.low, row.precision.high]),
            _percent([row.missed.value, row.missed.low, row.missed.high]),
        )
        for row in measured.estimates()
    ]
    _write_listing(writer, (34, 22, 22, 22), head, rows)
    for note in measured.notes():
        writer.paragraph("Exhibit Text", note)


def _percent(figure: Sequence[float]) -> str:
    if math.isnan(figure[0]):
        return "no sentence"
    value, *ends = (f"{100 * share:.0f}" for share in figure)
    return f"{value} % ({' to '.join(ends)})" if ends else f"{value} %"


def _write_listing(
    writer: _Writer,
    shares: Sequence[float],
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    style: str = "Exhibit Text",
) -> None:
    """Add a table whose first row names the columns."""
    cells: list[list[Cell]] = [[_label(name) for name in head]]
    cells += [[[(style, text)] for text in row] for row in rows]
    writer.table(shares, cells, head=True, together=len(cells) if len(cells) <= _MOST_TOGETHER else 2)


_FIGURES = {
    "found": "Pages found that could be read",
    "read": "of these read",
    "script_written": "not or not wholly read: a script writes the text",
    "not_english": "not read: not in English",
    "error_pages": "not read: answered with an error",
    "failed": "not read: damaged or unreadable",
    "over_limit": "not read: too large",
    "refused": "not read: robots.txt asks not to",
    "not_fetched": "not read: not fetched",
    "left_alone": "Addresses that the capture left out by its own limits",
    "pdfs_not_read": "PDF files not read",
    "images_without_text": "Images without a text, not read",
    "videos": "Films and sound, not heard",
    "frames": "Frames of other pages, not read",
}
_OUTCOMES = {
    "script_written": "a script writes its text",
    "not_english": "not in English",
    "error_page": "answered with an error",
    "failed": "could not be read",
    "over_limit": "too large",
    "refused": "robots.txt asks not to",
    "not_fetched": "not fetched",
}


def _write_reading(writer: _Writer, letter: Letter) -> None:
    reading = letter.reading
    writer.paragraph("Schedule Heading", "Schedule 2: what was read, and what was not", keep=True)
    rows = [(words, f"{reading.figures.get(name) or 0:,}") for name, words in _FIGURES.items()]
    _write_listing(writer, (75, 25), (f"Website {letter.site}", "Number"), rows)
    writer.paragraph("Exhibit Heading", "Pages read", keep=True)
    pages = [(address, "not known" if time is None else f"{time:%Y-%m-%d %H:%M:%S}") for address, time in reading.read]
    _write_listing(writer, (76, 24), ("Page", "Last visited (UTC)"), pages)
    _write_rest(writer, int(reading.figures.get("read") or 0) - len(pages), "captures of pages were read")
    if reading.unread:
        writer.paragraph("Exhibit Heading", "Pages not read, or not wholly", keep=True)
        unread = [
            (address, f"{_OUTCOMES.get(outcome, outcome)}{f' ({reason})' if reason else ''}")
            for address, outcome, reason in reading.unread
        ]
        _write_listing(writer, (60, 40), ("Page", "Why"), unread)
        _write_rest(writer, reading.pages_unread - len(unread), "were not read")
    if letter.left_out:
        writer.paragraph("Exhibit Heading", "Left out of this letter: not found again in the evidence", keep=True)
        left = [(entry.id, entry.address, entry.reason) for entry in letter.left_out]
        _write_listing(writer, (22, 40, 38), ("Exhibit", "Page", "Why"), left)


def _write_rest(writer: _Writer, count: int, words: str) -> None:
    if count > 0:
        writer.paragraph("Exhibit Text", f"{count:,} more {words}.")


def _write_hashes(writer: _Writer, letter: Letter) -> None:
    writer.paragraph("Schedule Heading", "Schedule 3: hashes and places of the evidence", keep=True)
    hashes = [(name, digest) for name, digest in letter.hashes.items()]
    _write_listing(writer, (40, 60), ("File", "SHA-256"), hashes, "Exhibit Fine")
    writer.paragraph(
        "Exhibit Text",
        "A record is the page as the server's answer was written down. Its offset is in bytes, from the start of the "
        "archive; the SHA-256 is that of the page's bytes as they were sent.",
        keep=True,
    )
    pages: dict[str, tuple[Place, list[str]]] = {}
    for exhibit in letter.exhibits:
        for place in exhibit.places:
            _, references = pages.setdefault(place.row["page"], (place, []))
            references += [f"{exhibit.number}: {key}" for key in place.ids]
    rows = [
        (
            "\n".join(references),
            f"{place.address}\n{place.row['sha256']}",
            _archive(place.row),
            _evidence(place.row),
        )
        for place, references in pages.values()
    ]
    head = ("Exhibits and their references", "Page, and its SHA-256", "Archive file and offset", "Offset in evidence")
    _write_listing(writer, (19, 55, 14, 12), head, rows, "Exhibit Fine")


def _archive(row: Mapping[str, Any]) -> str:
    if row["offset"] is None:
        return f"{row['file']}\n(a file)"
    member = f"\nin it {row['member']}" if row["member"] else ""
    skip = f"\nrecord at {row['skip']:,} of the unpacked member" if row["skip"] else ""
    return f"{row['file']}{member}\n{row['offset']:,}{skip}"


def _evidence(row: Mapping[str, Any]) -> str:
    return "none kept" if row["evidence_offset"] is None else f"{row['evidence_offset']:,}"


if __name__ == "__main__":
    # docs/letters.md: python -m mdclaims.cases.letter_word > letter-template.docx
    sys.stdout.buffer.write(_saved(default_template()))
