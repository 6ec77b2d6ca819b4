"""The SARIF report: valid against the standard's schema, every place exact, no text of a page with a meaning."""

import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import jsonschema
import pytest
from helpers import ACTION, EFFICACY, HOSTILE_SOURCES, LABELS, ROOT, report_of, stub_report, stub_screener
from hypothesis import given
from hypothesis import strategies as st

from mdclaims.labels import label_info
from mdclaims.reading import read_bytes, read_page
from mdclaims.reports.report import InputError
from mdclaims.reports.sarif import iana_name, render_sarif, sarif_data

TEXT = "Why us\n\nThe laser [e90] relieves pain. “It is [s30] safe,” she said.\n\n- Book now [a90][e70]\n- Parking\n"
PAIR = "TMS always works [e95]. We open on Mondays. Mild headaches are common [s95:discloses].\n"


def screened(data, format, source="x", screener=None):
    screener = screener or stub_screener()
    data = data.encode() if isinstance(data, str) else data
    return report_of(screener, [screener.screen_page(read_bytes(data, source=source, format=format))])


def document(path):
    screener = stub_screener(mode="screen")
    return report_of(screener, [screener.screen_page(read_page(path))])


@cache
def sarif_validator():
    schema = json.loads((ROOT / "tests/data/sarif-schema-2.1.0.json").read_text(encoding="utf-8"))
    jsonschema.Draft4Validator.check_schema(schema)
    return jsonschema.Draft4Validator(schema)


@pytest.fixture(scope="module")
def validator():
    return sarif_validator()


REPORTS = {
    "rules": lambda: stub_report(
        "Our herbs [e90] cure diabetes.\n\nBotox from £150",
        screener=stub_screener(jurisdictions=("us", "uk", "au", "eu")),
    ),
    "text": lambda: stub_report(TEXT),
    "pair": lambda: stub_report(PAIR),
    "nothing read": lambda: report_of(stub_screener(), [], errors=[("gone.txt", "does not exist")]),
    "empty": lambda: report_of(stub_screener(), []),
    "several": lambda: stub_report(TEXT, "We close.", errors=[("a", "b"), ("c", "d")]),
    "html": lambda: screened("<title>A</title><h2>Why</h2><p>It [e90] heals.</p><p hidden>Psst [a90].</p>", "html"),
    "one label": lambda: stub_report(TEXT, screener=stub_screener(labels=(ACTION,), mode="edit")),
    "no finding": lambda: stub_report("We close."),
    "notes": lambda: screened("Café [e90]".encode("cp1252"), "text"),
    "unicode": lambda: stub_report("👩‍⚕️ Schmerz\ufffd — 痛み [e90] ”"),
}


@pytest.mark.parametrize("make", REPORTS.values(), ids=REPORTS)
def test_reports_are_valid(validator, make):
    text = render_sarif(make())
    assert [error.message for error in validator.iter_errors(json.loads(text))] == []
    assert text.endswith("}\n")
    text.encode("utf-8")


def test_the_schema_finds_damage(validator):
    data = sarif_data(stub_report(TEXT))
    assert validator.is_valid(data)
    data["runs"][0]["results"][0]["level"] = "high"
    assert not validator.is_valid(data)


def run_of(report, **options):
    (run,) = json.loads(render_sarif(report, **options))["runs"]
    return run


def test_rules_are_the_labels():
    run = run_of(stub_report(TEXT))
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(LABELS)
    assert len({rule["name"] for rule in rules}) == 4
    for rule in rules:
        assert re.fullmatch(r"([A-Z][a-z]+)+", rule["name"])
        assert rule["shortDescription"]["text"] == label_info()[rule["id"]].display
        assert rule["fullDescription"]["text"] == label_info()[rule["id"]].meaning
        # GitHub requires a help text; there is no page that could be linked.
        assert "no verdict" in rule["help"]["text"]
        assert "helpUri" not in rule
    assert len(run["results"]) == 3
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]


def test_levels_follow_priority():
    run = run_of(stub_report("Addicts [g95:demeans].\n\nTMS helps some [e95:limits]. Call [a95:signposts]."))
    found = [(result["properties"]["priority"], result["kind"], result["level"]) for result in run["results"]]
    assert found[0] == ("high", "fail", "warning")
    assert found[1:] == [("info", "informational", "none")] * 2
    normal = run_of(stub_report("We press [a95]."))["results"][0]
    assert (normal["properties"]["priority"], normal["kind"], normal["level"]) == ("normal", "fail", "note")


def test_fingerprints_and_properties_are_those_of_the_finding():
    report = stub_report(PAIR)
    finding = report.pages[0].findings[0]
    result = run_of(report)["results"][0]
    assert result["partialFingerprints"] == {
        "mdclaimsFinding/v1": finding.fingerprint,
        "primaryLocationLineHash": finding.fingerprint,
    }
    assert result["properties"] | {"treatments": ["TMS"]} == result["properties"]
    assert {key: result["properties"][key] for key in ("priority", "certainty", "score", "stance", "group")} == {
        "priority": finding.priority, "certainty": "clear", "score": 0.95, "stance": "promotes", "group": finding.group,
    }  # fmt: skip
    # No finding can be suppressed yet; an empty list would say that none is.
    assert "suppressions" not in result


def test_messages_say_label_reason_and_quote_and_link_the_qualifier():
    result = run_of(stub_report(PAIR))["results"][0]
    assert result["message"]["text"] == (
        "Says it works: says that it works, leaves no exception (“always”). “TMS always works [e95].” "
        "Certainty: clear. Nearest risk: [2 sentences below](1)."
    )
    (related,) = result["relatedLocations"]
    assert related["id"] == 1
    assert related["message"]["text"] == "The nearest risk: “Mild headaches are common [s95:discloses].”"
    assert related["physicalLocation"]["region"]["snippet"]["text"] == "Mild headaches are common [s95:discloses]."


# --- places -----------------------------------------------------------------------------------------------------


def region_of(result):
    return result["locations"][0]["physicalLocation"]["region"]


def test_regions_of_text():
    data = "Why us\r\n\r\n\tThe 👍 laser e\u0301 [e90] heals. It [e90] heals.\r\n".encode()
    first, second = run_of(screened(data, "text"))["results"]
    assert region_of(first) == {
        "startLine": 3, "startColumn": 2, "endLine": 3, "endColumn": 30, "charOffset": 11, "charLength": 28,
        "snippet": {"text": "The 👍 laser e\u0301 [e90] heals."},
    }  # fmt: skip
    assert (region_of(second)["startColumn"], region_of(second)["endColumn"]) == (31, 46)


WORDS = st.text(st.sampled_from("ab é\u0301痛👍\t{}[]()=-“”\u202e\u2028"), min_size=1, max_size=12)


@given(
    st.lists(WORDS, min_size=1, max_size=5),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["text", "markdown"]),
)
def test_any_text_gives_a_valid_report_whose_regions_are_its_sentences(lines, end, format):
    data = (end + end).join(f"Word {line} [e90] heals." for line in lines).encode()
    report = screened(data, format)
    run = run_of(report)
    # Not as an argument: hypothesis writes out all of them, and this one is long.
    assert sarif_validator().is_valid({"version": "2.1.0", "runs": [run]})
    source = data.decode().encode("utf-16-le")
    split = re.split("\r\n|\r|\n", data.decode())
    assert len(run["results"]) == len(report.pages[0].findings) >= 1
    for result, finding in zip(run["results"], report.pages[0].findings, strict=True):
        region = region_of(result)
        sentence = report.pages[0].sentences[finding.sentence].sentence
        at = 2 * region["charOffset"]
        cut = source[at : at + 2 * region["charLength"]].decode("utf-16-le")
        assert cut == region["snippet"]["text"]
        first = split[region["startLine"] - 1].encode("utf-16-le")[2 * (region["startColumn"] - 1) :]
        assert first.decode("utf-16-le").startswith(cut.split("\n")[0].split("\r")[0])
        assert result["properties"]["sentence"] == sentence.text
        last = split[region["endLine"] - 1].encode("utf-16-le")[: 2 * (region["endColumn"] - 1)]
        assert last.decode("utf-16-le")[-1] == sentence.text[-1]


def test_columns_are_declared_and_line_ends_named():
    run = run_of(stub_report(TEXT))
    assert run["columnKind"] == "utf16CodeUnits"
    assert run["newlineSequences"] == ["\r\n", "\r", "\n"]


def test_places_of_a_web_page_have_names_instead_of_lines():
    report = screened("<main><h1>Our</h1><h2>Why</h2><ul><li>It [e90] heals.</ul></main>", "html", source="a/page.html")
    run = run_of(report)
    (location,) = run["results"][0]["locations"]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": "a/page.html", "uriBaseId": "%SRCROOT%", "index": 0}
    }
    element, heading = location["logicalLocations"]
    assert element["kind"] == "element"
    assert "li" in element["fullyQualifiedName"]
    assert heading == {"name": "Why", "fullyQualifiedName": "Our › Why", "kind": "heading"}
    assert location["message"]["text"] == "list item, main text, under “Our › Why”"


def test_places_of_a_document_name_the_page_and_have_no_lines(validator, tmp_path):
    fpdf = pytest.importorskip("fpdf")
    pdf = fpdf.FPDF()
    for text in ("The laser [e90] heals.", "Rest [e90] helps as well."):
        pdf.add_page()
        pdf.set_font("helvetica", size=12)
        pdf.multi_cell(0, 8, text)
    pdf.output(str(tmp_path / "a.pdf"))
    data = sarif_data(document(tmp_path / "a.pdf"), base=tmp_path)
    assert validator.is_valid(data)
    (run,) = data["runs"]
    (artifact,) = run["artifacts"]
    assert artifact["mimeType"] == "application/pdf"
    assert "encoding" not in artifact
    pages = [result["locations"][0]["logicalLocations"][-1]["fullyQualifiedName"] for result in run["results"]]
    assert pages == ["page 1", "page 2"]
    assert all("region" not in result["locations"][0]["physicalLocation"] for result in run["results"])


def test_places_of_a_word_file_have_no_lines(validator, tmp_path):
    docx = pytest.importorskip("docx")
    word = docx.Document()
    word.add_paragraph("The laser [e90] heals.")
    word.save(str(tmp_path / "a.docx"))
    data = sarif_data(document(tmp_path / "a.docx"), base=tmp_path)
    assert validator.is_valid(data)
    (result,) = data["runs"][0]["results"]
    assert "region" not in result["locations"][0]["physicalLocation"]


# --- artifacts and addresses ------------------------------------------------------------------------------------


def test_artifacts_have_hash_and_encoding():
    report = screened("Café [e90]".encode("cp1252"), "text", source="a.md")
    (artifact,) = run_of(report)["artifacts"]
    assert artifact["hashes"] == {"sha-256": report.pages[0].page.sha256}
    assert artifact["encoding"] == "windows-1252"
    assert artifact["mimeType"] == "text/markdown"


@pytest.mark.parametrize(
    ("codec", "name"),
    [
        ("utf-8", "UTF-8"), ("utf-16", "UTF-16"), ("utf-16-le", "UTF-16LE"), ("cp1252", "windows-1252"),
        ("iso8859-15", "ISO-8859-15"), ("shift_jis", "Shift_JIS"), ("koi8-r", "KOI8-R"), ("gb18030", "GB18030"),
        ("cp437", "IBM437"), ("docx", None), ("rot13", None),
    ],
)  # fmt: skip
def test_encodings_have_the_names_of_iana(codec, name):
    assert iana_name(codec) == name


@pytest.mark.parametrize(
    ("source", "uri"),
    [
        ("draft.txt", "draft.txt"),
        ("./a/../draft 1.txt", "draft%201.txt"),
        ("{base}/a/é.txt", "a/%C3%A9.txt"),
        ("{base}", "."),
        ("/elsewhere/x y.txt", "file:///elsewhere/x%20y.txt"),
        ("../up.txt", None),
        ("a:b.txt", "a%3Ab.txt"),
        ("a#b?.txt", "a%23b%3F.txt"),
        ("standard input", "standard%20input"),
    ],
)
@pytest.mark.skipif("os.name == 'nt'", reason="paths of POSIX")
def test_addresses_are_relative_where_possible(tmp_path, source, uri):
    report = stub_report(TEXT, source=source.format(base=tmp_path))
    location = run_of(report, base=tmp_path)["artifacts"][0]["location"]
    assert location["uri"] == (uri or (tmp_path.parent / "up.txt").as_uri())
    assert (location.get("uriBaseId") == "%SRCROOT%") == (not location["uri"].startswith("file:"))


@pytest.mark.parametrize("base", [None, Path("/work").resolve()])
@pytest.mark.parametrize("source", HOSTILE_SOURCES)
def test_hostile_names_are_one_address(validator, source, base):
    report = stub_report(PAIR, source=source, errors=[(source, "is empty")])
    data = sarif_data(report, base=base)
    assert validator.is_valid(data)
    uri = data["runs"][0]["artifacts"][0]["location"]["uri"]
    assert re.fullmatch(r"(file:///)?([A-Za-z0-9_.~/-]|%[0-9A-F]{2})+", uri), uri
    assert unquote(uri).endswith(source.removeprefix("../"))


# --- the run ----------------------------------------------------------------------------------------------------


def test_unread_inputs_and_notes_are_notifications():
    report = screened("Café [e90]".encode("cp1252"), "text", source="a.txt")
    (invocation,) = run_of(report)["invocations"]
    assert invocation["executionSuccessful"] is True
    (note,) = invocation["toolExecutionNotifications"]
    assert (note["level"], note["descriptor"]["id"]) == ("note", "note-on-reading")
    assert "cp1252" in note["message"]["text"]
    run = run_of(replace(report, errors=(InputError("gone.txt", "does not exist; check the path"),)))
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is False
    error = invocation["toolExecutionNotifications"][0]
    assert (error["level"], error["message"]["text"]) == ("error", "gone.txt: does not exist; check the path")
    assert error["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "gone.txt"
    known = run["tool"]["driver"]["notifications"]
    assert known[error["descriptor"]["index"]]["id"] == error["descriptor"]["id"] == "input-not-read"


def test_the_run_says_what_it_was_set_to():
    run = run_of(stub_report(TEXT, screener=stub_screener(mode="edit")))
    assert run["properties"]["mode"] == "edit"
    assert run["properties"]["model"] == {"name": "stub", "version": "1.2.3", "sha256": "0" * 64}
    assert run["tool"]["driver"]["semanticVersion"] == "0.0.1"
    assert "semanticVersion" not in run_of(replace(stub_report(TEXT), tool_version="1.0rc1"))["tool"]["driver"]


# --- text of pages ----------------------------------------------------------------------------------------------


def test_text_of_a_page_is_no_link_and_no_placeholder():
    report = stub_report("TMS [cures](1) {0} all [e95]. Mild headaches [x](1) {1} are common [s95:discloses].")
    result = run_of(report)["results"][0]
    assert "[cures] (1) {{0}} all" in result["message"]["text"]
    assert re.findall(r"\[([^\]]*)\]\((\d+)\)", result["message"]["text"]) == [("in the next sentence", "1")]
    assert "[x] (1) {{1}}" in result["relatedLocations"][0]["message"]["text"]
    assert result["properties"]["sentence"] == "TMS [cures](1) {0} all [e95]."


def test_messages_hold_no_commands_and_are_short():
    heading = "{}👍" * 200
    text = f"# {heading}\n\nTMS cures\x1b[31m \u202eall [e95] {'{👍}' * 2000}.\n\n- {'{' * 300} [e95]\n"
    results = run_of(screened(text, "markdown"))["results"]
    assert len(results) >= 2
    for result in results:
        message = result["message"]["text"]
        assert len(message.encode("utf-16-le")) // 2 <= 1024
        assert not re.search("[\x00-\x1f\x7f-\x9f\u202e]", message)


def test_findings_in_the_file_are_those_of_the_report():
    report = stub_report(TEXT, TEXT)
    run = run_of(report)
    found = [(result["ruleId"], result["locations"][0]["physicalLocation"]["artifactLocation"]["index"])
             for result in run["results"]]  # fmt: skip
    assert found == [(EFFICACY, 0), (EFFICACY, 0), (ACTION, 0), (EFFICACY, 1), (EFFICACY, 1), (ACTION, 1)]
