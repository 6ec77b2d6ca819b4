"""The JUnit report: valid against the schema that Jenkins publishes, right counts, text that XML can hold."""

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from helpers import ACTION, HOSTILE_SOURCES, ROOT, report_of, stub_report, stub_screener
from hypothesis import given
from hypothesis import strategies as st

from mdclaims.reports.junit import render_junit
from mdclaims.reports.report import visible_controls

etree = pytest.importorskip("lxml.etree")

PAIR = "TMS always works [e95]. We open on Mondays. Mild headaches are common [s95:discloses].\n"
TEXT = "Why us\n\nThe laser [e90] relieves pain. “It is [s30] safe,” she said.\n\n- Book now [a90][e70]\n- Parking\n"


@pytest.fixture(scope="module")
def schema():
    return etree.XMLSchema(etree.parse(str(ROOT / "tests/data/junit-10.xsd")))


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
    "one label": lambda: stub_report(TEXT, screener=stub_screener(labels=(ACTION,), mode="edit")),
}


def suites_of(report):
    root = ET.fromstring(render_junit(report).encode())
    assert root.tag == "testsuites"
    return root.findall("testsuite")


@pytest.mark.parametrize("make", REPORTS.values(), ids=REPORTS)
def test_reports_are_valid_and_counts_are_right(schema, make):
    report = make()
    text = render_junit(report)
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n')
    assert schema.validate(etree.fromstring(text.encode())), schema.error_log
    root = ET.fromstring(text.encode())
    for element in (root, *root):
        assert element.get("tests") == str(len(element.findall(".//testcase")))
        assert element.get("failures") == str(len(element.findall(".//failure")))
        assert element.get("errors") == str(len(element.findall(".//error")))
    assert [suite.get("name") for suite in root] == [
        *(result.page.source for result in report.pages),
        *(error.source for error in report.errors),
    ]
    # A suite without a test is an error to some systems.
    assert all(suite.get("tests") != "0" for suite in root)


def test_a_claim_to_look_at_fails_and_one_to_note_passes():
    (suite,) = suites_of(stub_report(PAIR))
    claim, noted = suite.findall("testcase")
    assert (claim.get("classname"), claim.get("name")) == (
        "draft.txt.efficacy_claim",
        "Says it works: “TMS always works [e95].”",
    )
    failure = claim.find("failure")
    assert failure.attrib == {"type": "normal", "message": "says that it works, leaves no exception (“always”)"}
    assert failure.text.splitlines()[:5] == [
        "draft.txt:1: “TMS always works [e95].”",
        "  normal: says that it works, leaves no exception (“always”)",
        "  certainty: clear",
        "  place: paragraph, main text",
        "  nearest risk, 2 sentences below: “Mild headaches are common [s95:discloses].”",
    ]
    assert noted.find("failure") is None
    assert "certainty: clear" in noted.findtext("system-out")


def test_a_claim_in_several_places_is_one_test():
    (suite,) = suites_of(stub_report("TMS always works [e95].\n\nWe open.\n\nTMS always works [e95].\n"))
    (test,) = suite.findall("testcase")
    told = test.findtext("failure")
    assert told.count("draft.txt:1: ") == told.count("draft.txt:5: ") == 1


def test_equal_names_are_numbered():
    words = " ".join(["long"] * 40)
    (suite,) = suites_of(stub_report(f"We press {words} one [a95].\n\nWe press {words} two [a95].\n"))
    one, two = (test.get("name") for test in suite.findall("testcase"))
    assert two == f"{one} (2)"


def test_inputs_without_findings_pass_and_unread_ones_are_errors():
    read, unread = suites_of(stub_report("We open.", errors=[("gone.txt", "does not exist")]))
    assert [test.get("name") for test in read.findall("testcase")] == ["read, nothing found"]
    assert unread.find("testcase/error").attrib == {"type": "not read", "message": "does not exist"}


@pytest.mark.parametrize("source", HOSTILE_SOURCES)
def test_hostile_names_are_text(schema, source):
    text = render_junit(stub_report(PAIR, source=source, errors=[(source, source)]))
    assert schema.validate(etree.fromstring(text.encode()))
    shown = visible_controls(source).replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")
    assert {suite.get("name") for suite in ET.fromstring(text.encode())} == {shown}


@given(st.text(st.characters(), max_size=30))
def test_any_text_gives_xml_that_round_trips(text):
    report = stub_report("We heal [e90].")
    page = report.pages[0]
    report = replace(report, pages=(replace(page, page=replace(page.page, source=text)),))
    (suite,) = suites_of(report)
    shown = visible_controls(text).replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")
    assert suite.get("name") == shown
    assert suite.find("testcase").get("classname") == f"{shown}.efficacy_claim"
