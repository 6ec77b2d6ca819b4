"""rule_book.py: what brings the rules up, and the findings that they make, through screening and every report."""

import csv
import io
import re
from dataclasses import replace
from datetime import date
from xml.etree import ElementTree as ET

import pytest
import spacy
from helpers import ACTION, EFFICACY, SAFETY, STUB_THRESHOLDS, TODAY, StubClassifier, report_of, stub_screener

from mdclaims.config import JURISDICTIONS, Settings
from mdclaims.errors import UsageError
from mdclaims.findings.changes import only_changes
from mdclaims.findings.cleared import baseline, read_cleared
from mdclaims.findings.component import FINDINGS_KEY, MdclaimsComponent
from mdclaims.findings.rules import rule_of, rules
from mdclaims.findings.screening import Screener
from mdclaims.findings.suppressions import suppress
from mdclaims.labels import LABELS, label_info
from mdclaims.model.classifier import Judgement
from mdclaims.model.persistence import LoadedModel
from mdclaims.reading import read_bytes
from mdclaims.reports.html_report import render_html
from mdclaims.reports.json_report import report_data
from mdclaims.reports.junit import render_junit
from mdclaims.reports.report import by_priority, claims, context_lines, for_people, settings_line
from mdclaims.reports.sarif import sarif_data
from mdclaims.reports.tables import render_csv
from mdclaims.reports.terminal import render_terminal

THRESHOLDS = STUB_THRESHOLDS["balanced"]
FIRES = [(rule.id, text) for rule in rules() for text in rule.fires]
SILENT = [(rule.id, text) for rule in rules() for text in rule.silent]
_MARK = re.compile(r" *\{([^{}]*)\}")


# --- the examples: everything is real but the labels, which stand in braces behind their sentence ---------------------


class MarkedClassifier(StubClassifier):
    """Gives each sentence of an example the labels and stances that are written behind it."""

    def __init__(self, marked):
        super().__init__()
        self._marked = marked

    def judge(self, inputs, lines=None):
        scores = self.scores(inputs)
        stances = {label: [next(iter(info.forward))] * len(inputs) for label, info in label_info().items()}
        for row, entry in enumerate(inputs):
            for mark in self._marked.get(entry.text, ()):
                label, _, stance = mark.partition("/")
                scores[row, LABELS.index(label)] = 0.9
                stances[label][row] = stance or stances[label][row]
        return Judgement(scores=scores, stances=stances)


def screened(example, *jurisdictions, **settings):
    """Screen an example: Markdown with its labels in braces."""
    clean, ends = "", {}
    for n, part in enumerate(_MARK.split(example)):
        if n % 2:
            ends.setdefault(len(clean), []).append(part)
        else:
            clean += part
    page = read_bytes(clean.encode(), source="example.md", format="markdown")
    plain = stub_screener().screen_page(page)
    by_end = {page.source_span(entry.sentence.start, entry.sentence.end)[1]: entry for entry in plain.sentences}
    assert set(ends) <= set(by_end), f"a label stands behind no sentence: {example}"
    marked = {by_end[end].sentence.text: found for end, found in ends.items()}
    model = LoadedModel(classifier=MarkedClassifier(marked), name="marked", version="0", sha256="0" * 64, meta={})
    return Screener(model, Settings(jurisdictions=jurisdictions, **settings)).screen_page(page)


def found(example, *jurisdictions, **settings):
    return [
        (finding.label, match.id)
        for finding in screened(example, *jurisdictions, **settings).findings
        for match in finding.rules
    ]


@pytest.mark.parametrize(("id", "text"), FIRES)
def test_a_rule_fires(id, text):
    assert id in {name for _, name in found(text, rule_of(id).jurisdiction)}


@pytest.mark.parametrize(("id", "text"), SILENT)
def test_a_rule_is_silent(id, text):
    assert id not in {name for _, name in found(text, rule_of(id).jurisdiction)}


# --- what a hit is --------------------------------------------------------------------------------------------------

MENU = "# Prices\n\nBotox, three areas: £220\n\nOur Botox is gentle. {safety_claim/reassures}\n\nBotox on Mondays."


def test_without_a_jurisdiction_nothing_touches_a_rule():
    result = screened(MENU)
    assert [finding.label for finding in result.findings] == [SAFETY]
    assert result.findings[0].rules == ()


def test_a_rule_without_a_label_makes_findings_of_its_own():
    result = screened(MENU, "uk")
    alone = [finding for finding in result.findings if finding.label is None]
    assert [finding.rules[0].id for finding in alone] == ["UK-CAP-12.12"] * 3
    assert {(finding.score, finding.stance, finding.attributes, finding.priority) for finding in alone} == {
        (None, None, None, "normal")
    }
    assert len({finding.fingerprint for finding in result.findings}) == len(result.findings) == 4
    assert {finding.group for finding in alone} == {alone[0].fingerprint}
    assert [finding.sentence for finding in result.findings] == sorted(finding.sentence for finding in result.findings)
    assert all("names “Botox”" in finding.reason and "on a page with" in finding.reason for finding in alone)


def test_jurisdictions_add_up():
    ids = {name for _, name in found(MENU, "uk", "au", "eu")}
    assert ids == {"UK-CAP-12.12", "AU-TG-42DL-10", "EU-2001-83-88"}
    assert found(MENU, "eu", "uk", "au") == found(MENU, "uk", "au", "eu")


def test_words_stand_where_they_are_said_to_stand():
    example = "# Stem cells 😀\n\nOur “stem cells” cure arthritis. {efficacy_claim/promotes} Botox £2.\n\nBook now"
    result = screened(example, *JURISDICTIONS)
    words = [cue for finding in result.findings for match in finding.rules for cue in match.words]
    assert len(words) > 5
    for finding in result.findings:
        sentence = result.sentences[finding.sentence].sentence
        for match in finding.rules:
            assert "\n" not in match.reason
            for cue in match.words:
                assert sentence.start <= cue.start < cue.end <= sentence.end
                assert result.page.text[cue.start : cue.end] == cue.text


def test_a_rule_asks_what_a_sentence_carries_and_shows_what_was_asked_for():
    example = "# Prices £9\n\nBotox can cause headache. {safety_claim/discloses}"
    assert found(example, "uk") == []
    assert found(example, "uk", labels=(ACTION,)) == []
    both = "Our herbs cure diabetes, call us. {efficacy_claim/promotes} {call_to_action/presses}"
    assert "UK-CAP-12.6" in {name for _, name in found(both, "uk")}
    assert found(both, "uk", labels=(ACTION,)) == []


def test_a_rule_is_told_once_for_a_finding():
    example = (
        "# What our patients say\n\nAfter two sessions I can walk again, it fixed my back. {efficacy_claim/promotes}"
    )
    assert found(example, "au").count((EFFICACY, "AU-133-1c")) == 1
    assert (None, "AU-133-1c") not in found(example, "au")


def test_no_stance_counts_as_put_forward():
    class Silent(MarkedClassifier):
        def judge(self, inputs, lines=None):
            return Judgement(scores=super().judge(inputs).scores, stances={})

    text = "Our herbs cure diabetes."
    model = LoadedModel(classifier=Silent({text: ["efficacy_claim"]}), name="x", version="0", sha256="0" * 64, meta={})
    (finding,) = Screener(model, Settings(jurisdictions=("uk",))).screen_text(text).findings
    assert "UK-CAP-12.6" in {match.id for match in finding.rules}


# --- findings without a label meet everything else -------------------------------------------------------------------

PRICES = "# Prices\n\nBotox from £150\n\nOur herbs [e90] cure diabetes.\n\nWe are open."


def check(text, *, format="markdown", jurisdictions=("uk",), today=TODAY, cleared=None, **settings):
    screener = stub_screener(jurisdictions=jurisdictions, **settings)
    result = screener.screen_page(read_bytes(text.encode(), source="menu.md", format=format))
    return suppress(result, today=today, floors=screener.floors, names=screener.names, cleared=cleared, file="menu.md")


def alone(result):
    return [finding for finding in result.findings if finding.label is None]


def report(text=PRICES, *jurisdictions, today=TODAY, **settings):
    screener = stub_screener(jurisdictions=jurisdictions, **settings)
    page = read_bytes(text.encode(), source="menu.md", format="markdown")
    return replace(report_of(screener, [screener.screen_page(page)]), today=today)


def test_the_same_words_under_several_rules_are_one_claim():
    result = check(PRICES, jurisdictions=("uk", "au", "eu")).result
    found = [claim for claim in claims(result, THRESHOLDS, today=TODAY) if claim.label is None]
    assert len(alone(result)) == 3
    (claim,) = found
    assert claim.quotes == ("Botox from £150",)
    assert (claim.said, claim.score, claim.certainty, claim.priority) == ("Rule to check", None, None, "normal")
    assert [place.words for place in claim.places] == ["paragraph, line 3"]
    checks = [fact.text for fact in claim.facts if fact.name == "Check"]
    assert [text.rpartition("(")[2] for text in checks] == ["UK-CAP-12.12)", "AU-TG-42DL-10)", "EU-2001-83-88)"]
    assert all(text.startswith("possible: check ") for text in checks)
    assert by_priority(result)["normal"] == 1


def test_a_claim_with_a_label_tells_its_provisions():
    (claim,) = [claim for claim in claims(check(PRICES).result, THRESHOLDS, today=TODAY) if claim.label == EFFICACY]
    checks = [fact.text for fact in claim.facts if fact.name == "Check"]
    assert "possible: check CAP Code 12.6 [source not verified] (UK-CAP-12.6)" in checks


def test_the_balance_of_benefits_counts_labels_alone():
    result = check(PRICES).result
    assert context_lines(result, (), LABELS) == ("1 claim of benefit; no sentence tells of a risk or a limit.",)


def test_some_labels_leave_out_findings_without_one():
    assert alone(check(PRICES).result)
    assert not alone(check(PRICES, labels=(EFFICACY, SAFETY)).result)
    assert stub_screener(jurisdictions=("uk",), labels=(EFFICACY,)).names == {EFFICACY}
    assert "UK-CAP-12.12" in stub_screener(jurisdictions=("uk",)).names
    assert stub_screener().names == set(LABELS)


def test_a_directive_names_a_rule():
    text = PRICES.replace("Botox", "<!-- mdclaims: ok uk-cap-12.12, reason: only named -->\n\nBotox")
    found = check(text)
    assert [(finding.name, finding.suppressed.reason) for finding in found.result.findings if finding.suppressed] == [
        ("UK-CAP-12.12", "only named")
    ]
    assert found.notes == ()
    assert [finding.label for finding in for_people(report_of(stub_screener(), [found.result])).pages[0].findings] == [
        EFFICACY
    ]


@pytest.mark.parametrize(
    ("directive", "kind", "words"),
    [
        ("ok, reason: fine", "malformed", "names no label"),
        ("ok UK-CAP-12.6, reason: fine", "malformed", "only touches findings with a label; name their label"),
        ("ok UK-CAP-99, reason: fine", "malformed", "unknown label 'UK-CAP-99'"),
        ("ok efficacy_claim, reason: fine", "unused", "nothing in its block has the label efficacy_claim"),
        ("ok UK-CAP-12.12", "no_reason", "gives no reason"),
        ("ok UK-CAP-12.5, reason: fine", "unused", "nothing in its block brings up UK-CAP-12.5"),
    ],
)
def test_a_directive_that_clears_nothing_says_so(directive, kind, words):
    found = check(PRICES.replace("Botox", f"<!-- mdclaims: {directive} -->\n\nBotox"))
    assert not any(finding.suppressed for finding in found.result.findings)
    (note,) = found.notes
    assert note.kind == kind
    assert words in note.note


def test_a_directive_for_a_rule_that_was_not_asked_for_is_not_told():
    text = PRICES.replace("Botox", "<!-- mdclaims: ok UK-CAP-12.12, reason: only named -->\n\nBotox")
    assert check(text, jurisdictions=()).notes == ()
    assert check(text, jurisdictions=("au",)).notes == ()


def cleared(tmp_path, entry):
    path = tmp_path / "mdclaims-cleared.toml"
    path.write_text(f"[[cleared]]\n{entry}\n", encoding="utf-8")
    return read_cleared(path)


def test_cleared_wording_names_a_rule(tmp_path):
    entry = 'rule = "UK-CAP-12.12"\ntext = "Botox from £150"\nscope = "everywhere"\nreason = "price list"'
    found = check(PRICES, cleared=cleared(tmp_path, entry))
    assert [finding.name for finding in found.result.findings if finding.suppressed] == ["UK-CAP-12.12"]
    near = check(PRICES.replace("£150", "£150 today"), cleared=cleared(tmp_path, entry)).result
    (close,) = [finding.close_to for finding in alone(near)]
    assert close.differences[0].after == "today"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ('rule = "UK-CAP-12.6"\ntext = "x"', "rule must be the id of a rule that needs no label, not 'UK-CAP-12.6'"),
        ('rule = "UK-CAP-12.12"\nlabel = "safety_claim"\ntext = "x"', "has a label and a rule"),
    ],
)
def test_an_entry_that_can_clear_nothing_is_refused(tmp_path, entry, message):
    with pytest.raises(UsageError, match=message):
        cleared(tmp_path, entry)


def test_a_baseline_takes_in_findings_without_a_label(tmp_path):
    path = tmp_path / "mdclaims-cleared.toml"
    screener = stub_screener(jurisdictions=("uk",))
    page = read_bytes(PRICES.encode(), source=str(tmp_path / "menu.md"), format="markdown")
    text, count = baseline([screener.screen_page(page)], path)
    path.write_text(text, encoding="utf-8")
    assert count == 2
    found = check(PRICES, cleared=read_cleared(path)).result
    assert all(finding.suppressed for finding in found.findings)


def test_only_what_changed_has_findings_without_a_label():
    old = check(PRICES.replace("We are open.", "")).result
    assert alone(only_changes(check(PRICES).result, old, since="HEAD")) == []
    new = check(PRICES + "\n\nBotox on Mondays.").result
    changed = only_changes(new, old, since="HEAD")
    assert [changed.sentences[finding.sentence].sentence.text for finding in alone(changed)] == ["Botox on Mondays."]


def test_the_component_calls_a_finding_without_a_label_by_its_rule():
    doc = MdclaimsComponent(stub_screener(jurisdictions=("uk",)))(spacy.blank("en")("Prices: £9\n\nBotox on Mondays."))
    assert [(span.text, span.label_) for span in doc.spans[FINDINGS_KEY]] == [("Botox on Mondays.", "UK-CAP-12.12")]


def test_what_the_config_says_of_cues_is_no_matter_to_rules(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text('[price]\nabout = "X."\nphrases = ["mondays"]\n', encoding="utf-8")
    text = "Botox on Mondays."
    assert alone(check(text, cues=(path,)).result) == []
    (finding,) = alone(check(f"{text}\n\nBotox £9", cues=(path,)).result)[:1]
    assert [cue.name for cue in finding.cues if cue.name == "price"] == ["price"]


# --- reports --------------------------------------------------------------------------------------------------------


def test_the_first_line_names_the_jurisdictions():
    assert settings_line(Settings(jurisdictions=("eu", "uk"))).endswith(
        "Jurisdictions: United Kingdom, European Union."
    )
    assert "none chosen" in settings_line(Settings())
    assert "--jurisdiction" in settings_line(Settings())


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_terminal_shows_rules_in_words(width):
    text = " ".join(render_terminal(report(PRICES, "uk"), width=width).replace("▌", "").split())
    assert "possible: check CAP Code 12.12 and Human Medicines Regulations 2012" in text
    assert "CAP Code 12.6 [source not verified]" in text
    assert "Rule to check" in text
    assert "breach" not in text
    assert "mdclaims explain ID" in text
    assert "over twelve months ago" not in text
    later = render_terminal(report(PRICES, "uk", today=date(2028, 1, 1)), width=width)
    assert "over twelve months ago" in " ".join(later.split())
    without = render_terminal(report(), width=width)
    assert "possible" not in without
    assert "mdclaims explain" not in without


def test_the_html_shows_rules_in_words():
    text = render_html(report(PRICES, "uk"))
    assert "possible: check CAP Code 12.12" in text
    assert "CAP Code 12.6 [source not verified]" in text
    assert 'data-label="rule"' in text
    assert "None" not in text
    assert 'data-label="rule"' not in render_html(report())


def test_the_json_holds_rules():
    data = report_data(report(PRICES, "uk"))
    assert data["settings"]["jurisdictions"] == ["uk"]
    without = [finding for finding in data["pages"][0]["findings"] if finding["label"] is None]
    assert [(finding["score"], [rule["id"] for rule in finding["rules"]]) for finding in without] == [
        (None, ["UK-CAP-12.12"])
    ]
    (word,) = without[0]["rules"][0]["words"]
    assert data["pages"][0]["text"][word["start"] : word["end"]] == word["text"] == "Botox"
    named = {rule["id"] for finding in data["pages"][0]["findings"] for rule in finding["rules"]}
    assert {rule["id"] for rule in data["rules"]} == named
    assert report_data(report())["rules"] == []


def test_sarif_has_rules_for_findings_without_a_label_and_provisions_as_a_taxonomy():
    (run,) = sarif_data(report(PRICES, "uk"))["runs"]
    driver = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in driver] == [*LABELS, "UK-CAP-12.12"]
    (taxonomy,) = run["taxonomies"]
    assert all(driver[result["ruleIndex"]]["id"] == result["ruleId"] for result in run["results"])
    seen = set()
    for result in run["results"]:
        for taxon in result["taxa"]:
            assert taxonomy["taxa"][taxon["index"]]["id"] == taxon["id"]
            seen.add(taxon["id"])
        assert "Possible: check CAP Code" in result["message"]["text"]
        assert all(line.startswith("possible: check ") for line in result["properties"]["check"])
    assert seen == {taxon["id"] for taxon in taxonomy["taxa"]} >= {"UK-CAP-12.12", "UK-CAP-12.6"}
    assert run["properties"]["jurisdictions"] == ["uk"]
    assert "taxonomies" not in sarif_data(report())["runs"][0]


def test_the_table_has_a_column_of_provisions():
    rows = list(csv.DictReader(io.StringIO(render_csv(report(PRICES, "uk")).removeprefix("\ufeff"))))
    (row,) = [row for row in rows if not row["label"]]
    assert row["check"].startswith("possible: check CAP Code 12.12")
    assert (row["display_name"], row["score"], row["certainty"], row["priority"]) == ("Rule to check", "", "", "normal")
    assert {row["jurisdictions"] for row in rows} == {"uk"}
    assert "[source not verified]" in next(row["check"] for row in rows if row["label"])


def test_junit_tells_provisions_in_the_message():
    root = ET.fromstring(render_junit(report(PRICES, "uk")))
    tests = {test.get("classname"): test for test in root.iter("testcase")}
    message = tests["menu.md.rule"].find("failure").get("message")
    assert "possible: check CAP Code 12.12" in message
    assert "UK-CAP-12.6" in tests[f"menu.md.{EFFICACY}"].find("failure").text
    assert "certainty" not in tests["menu.md.rule"].find("failure").text
