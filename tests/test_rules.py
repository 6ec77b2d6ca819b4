"""rules.py: the rules in data/rules, what brings them up, and the findings that they make."""

import re
from dataclasses import replace
from datetime import date

import pytest
from helpers import ACTION, EFFICACY, SAFETY, StubClassifier, report_of, stub_screener

from mdclaims.config import JURISDICTIONS, Settings
from mdclaims.findings import rules as module
from mdclaims.findings.rules import is_stale, marks, rule_of, rules, rules_of, term_lists, wording
from mdclaims.findings.screening import Screener
from mdclaims.labels import LABELS, label_info
from mdclaims.language.cues import CueMatcher
from mdclaims.model.classifier import Judgement
from mdclaims.model.persistence import LoadedModel
from mdclaims.reading import read_bytes
from mdclaims.reports.html_report import render_html
from mdclaims.reports.json_report import report_data
from mdclaims.reports.report import settings_line
from mdclaims.reports.terminal import render_terminal

TODAY = date(2026, 11, 23)
FIRES = [(rule.id, text) for rule in rules() for text in rule.fires]
SILENT = [(rule.id, text) for rule in rules() for text in rule.silent]
_MARK = re.compile(r" *\{([^{}]*)\}")


# --- the examples: everything is real but the labels, which stand in braces behind their sentence ---------------------


class MarkedClassifier(StubClassifier):
    """Gives each sentence of an example the labels and stances that are written behind it."""

    def __init__(self, marked):
        super().__init__()
        self._marked = marked

    def judge(self, inputs):
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


def test_there_are_rules():
    assert len(rules()) >= 60
    assert {rule.jurisdiction for rule in rules()} == set(JURISDICTIONS)
    assert len({rule.id for rule in rules()}) == len(rules())
    assert 20 < sum(rule.verified for rule in rules()) < len(rules())
    assert all(len(rules_of([name])) >= 10 for name in JURISDICTIONS)


def test_no_rule_without_a_source_and_no_verdict():
    assert rules()
    for rule in rules():
        assert rule.address.startswith("http")
        assert ";" not in rule.citation
        assert rule.verified or rule.note
        told = f"{rule.title} {rule.check} {rule.note}".lower()
        assert not re.search(r"\b(breach|breaches|illegal|violat\w+|unlawful|offence)\b", told), rule.id


# --- shared lists ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def term_matcher(nlp):
    return CueMatcher(nlp, term_lists())


@pytest.mark.parametrize("entry", term_lists(), ids=lambda entry: entry.name)
def test_shared_lists_fire_and_are_silent(nlp, term_matcher, entry):
    def names(text):
        return {cue.name for cue in term_matcher.find(nlp.make_doc(text))}

    assert [text for text in entry.fires if entry.name not in names(text)] == []
    assert [text for text in entry.silent if entry.name in names(text)] == []
    assert [phrase for phrase in entry.phrases if entry.name not in names(phrase)] == []


def test_every_shared_list_is_used():
    used = {
        name
        for rule in rules()
        for when in rule.when
        for names in (
            when.lists_any, when.lists_all, when.lists_none, when.page_any, when.page_none, when.headings_any,
            when.headings_none,
        )
        for name in names
    }  # fmt: skip
    assert {entry.name for entry in term_lists()} - used == set()


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.id)
def test_terms_are_written_plainly(rule):
    assert [text for text in rule.terms if text != text.lower().strip() or set("()|’\\") & set(text)] == []


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
        def judge(self, inputs):
            return Judgement(scores=super().judge(inputs).scores, stances={})

    text = "Our herbs cure diabetes."
    model = LoadedModel(classifier=Silent({text: ["efficacy_claim"]}), name="x", version="0", sha256="0" * 64, meta={})
    (finding,) = Screener(model, Settings(jurisdictions=("uk",))).screen_text(text).findings
    assert "UK-CAP-12.6" in {match.id for match in finding.rules}


# --- marks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("today", "stale"),
    [
        (date(2026, 10, 31), False),
        (date(2027, 10, 31), False),
        (date(2027, 11, 1), True),
        (date(2028, 1, 1), True),
        (date(2026, 1, 1), False),
    ],
)
def test_a_source_is_stale_after_twelve_months(today, stale):
    rule = replace(rule_of("UK-CAP-12.1"), checked=date(2026, 10, 31))
    assert is_stale(rule, today) is stale
    assert ("last checked on 2026-10-31" in wording(rule, today)) is stale


def test_wording():
    assert wording(rule_of("UK-CAP-12.1"), TODAY) == "possible: check CAP Code 12.1"
    assert wording(rule_of("UK-CAP-12.6"), TODAY) == "possible: check CAP Code 12.6 [source not verified]"
    assert marks(rule_of("UK-CAP-12.6"), date(2030, 1, 1)) == (
        " [source not verified; last checked on 2026-10-31, over twelve months ago]"
    )


# --- reports --------------------------------------------------------------------------------------------------------

TEXT = "Our herbs [e90] cure diabetes.\n\nBotox from £150\n\nWe are open."


def report(*jurisdictions, today=TODAY):
    screener = stub_screener(jurisdictions=jurisdictions)
    return replace(report_of(screener, [screener.screen_text(TEXT)]), today=today)


def test_the_first_line_names_the_jurisdictions():
    assert settings_line(Settings(jurisdictions=("eu", "uk"))).endswith(
        "Jurisdictions: United Kingdom, European Union."
    )
    assert "--jurisdiction" in settings_line(Settings())


def test_the_terminal_shows_rules_in_words():
    text = " ".join(render_terminal(report("uk"), width=120).replace("▌", "").split())
    assert "possible: check CAP Code 12.12 and Human Medicines Regulations 2012" in text
    assert "CAP Code 12.6 [source not verified]" in text
    assert "Rule to check ## Botox from £150 possible: check" in text
    assert "breach" not in text
    assert "over twelve months ago" not in text
    assert "over twelve months ago" in render_terminal(report("uk", today=date(2028, 1, 1)), width=120)
    assert "possible" not in render_terminal(report(), width=120)
    assert "Rule to check" in render_terminal(report("uk"), width=40)


def test_the_html_shows_rules_in_words():
    text = render_html(report("uk"))
    assert text.count("possible: check CAP Code 12.12") == 1
    assert "CAP Code 12.6 [source not verified]" in text
    assert 'data-label="rule"' in text
    assert "None" not in text
    assert 'data-label="rule"' not in render_html(report())


def test_the_json_holds_rules():
    data = report_data(report("uk"))
    assert data["settings"]["jurisdictions"] == ["uk"]
    alone = [finding for finding in data["pages"][0]["findings"] if finding["label"] is None]
    assert [(finding["score"], [rule["id"] for rule in finding["rules"]]) for finding in alone] == [
        (None, ["UK-CAP-12.12"])
    ]
    (word,) = alone[0]["rules"][0]["words"]
    assert data["pages"][0]["text"][word["start"] : word["end"]] == word["text"] == "Botox"
    named = {rule["id"] for finding in data["pages"][0]["findings"] for rule in finding["rules"]}
    assert {rule["id"] for rule in data["rules"]} == named
    assert report_data(report())["rules"] == []
    assert data["pages"][0]["summary"]["findings"] == len(data["pages"][0]["findings"])


# --- the files ------------------------------------------------------------------------------------------------------

GOOD = """["UK-X"]
title = "T"
scope = ["product"]
citation = "C 1"
address = "https://example.org/"
checked = 2026-10-31
verified = true
check = "Is it?"
terms = ["saf(e|er)"]
when = { labels_any = ["safety_claim/reassures"], lists_any = ["terms"] }
fires = ["a", "b"]
silent = ["c", "d"]
"""


def load(monkeypatch, tmp_path, uk=GOOD):
    folder = tmp_path / "data" / "rules"
    folder.mkdir(parents=True)
    for name in JURISDICTIONS:
        (folder / f"{name}.toml").write_text(uk if name == "uk" else "", encoding="utf-8")
    shared = term_lists()
    monkeypatch.setattr(module, "term_lists", lambda: shared)
    monkeypatch.setattr(module, "files", lambda package: tmp_path)
    return module.rules.__wrapped__()


def test_a_file_of_rules(monkeypatch, tmp_path):
    (rule,) = load(monkeypatch, tmp_path)
    assert (rule.id, rule.jurisdiction, rule.terms, rule.note) == ("UK-X", "uk", ("safe", "safer"), "")
    assert rule.when[0].lists_any == ("terms",)


BAD = [
    ('["UK-X"]', '["US-X"]', r"must begin with UK-"),
    ("title =", "titel =", r"has the unknown key 'titel'"),
    ('title = "T"\n', "", r"lacks title"),
    ('title = "T"', 'title = ""', r"title must be a text"),
    ('"product"', '"thing"', r"scope must be of product"),
    ("https://example.org/", "example.org", r"address must be a web address"),
    ("2026-10-31", '"2026-10-31"', r"checked must be a date"),
    ("verified = true", "verified = 1", r"verified must be true or false"),
    ("verified = true", "verified = false", r"note must say why"),
    ('fires = ["a", "b"]', 'fires = ["a"]', r"fires needs at least 2"),
    ('silent = ["c", "d"]', 'silent = "c"', r"silent must be a list of texts"),
    ('terms = ["saf(e|er)"]\n', "", r"terms and a condition on 'terms' go together"),
    ('{ labels_any = ["safety_claim/reassures"], lists_any = ["terms"] }', "[]", r"when needs at least one table"),
    ('{ labels_any = ["safety_claim/reassures"], lists_any = ["terms"] }', "{}", r"when must be a table"),
    ("lists_any", "list_any", r"when has the unknown key 'list_any'"),
    ('lists_any = ["terms"]', 'lists_any = ["termz"]', r"lists_any names 'termz'"),
    ("safety_claim/reassures", "safety_claim/promotes", r"labels_any names 'safety_claim/promotes'"),
    ('labels_any = ["safety_claim/reassures"], lists_any', "lists_none", r"needs labels_any, or a list"),
    ('labels_any = ["safety_claim/reassures"], ', 'without_qualifier = ["risk"], ', r"headings need labels_any"),
    ("lists_any =", 'page_any = ["cure"], lists_any =', r"page_any names 'cure'"),
    ("lists_any =", 'without_qualifier = ["x"], lists_any =', r"without_qualifier names 'x'"),
    ("lists_any =", "headings = 1, lists_any =", r"headings must be true or false"),
    ("lists_any =", "attributes_all = { x = true }, lists_any =", r"attributes_all has the unknown key 'x'"),
    ("lists_any =", "attributes_any = { serious = 1 }, lists_any =", r"serious cannot be 1"),
    ("lists_any =", 'attributes_any = { about = "x" }, lists_any =', r"about cannot be 'x'"),
    ("lists_any =", "attributes_any = [], lists_any =", r"attributes_any must be a table"),
]


@pytest.mark.parametrize(("old", "new", "message"), BAD)
def test_a_bad_rule_is_refused_by_file_rule_and_key(monkeypatch, tmp_path, old, new, message):
    assert old in GOOD
    with pytest.raises(ValueError, match=r"uk\.toml: \[U[KS]-X\].*" + message):
        load(monkeypatch, tmp_path, GOOD.replace(old, new))


def test_a_rule_that_is_no_table_is_refused(monkeypatch, tmp_path):
    with pytest.raises(ValueError, match=r"\[UK-X\] must be a table"):
        load(monkeypatch, tmp_path, "UK-X = 1\n")
