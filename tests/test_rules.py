"""rules.py: the rules in data/rules, their shared lists, and how they are read."""

import re
from dataclasses import replace
from datetime import date

import pytest
from helpers import TODAY

from mdclaims.config import JURISDICTIONS
from mdclaims.findings import rules as module
from mdclaims.findings.rules import check_line, is_stale, rule_of, rules, rules_of, source_marks, term_lists
from mdclaims.language.cues import CueMatcher


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
    used = {name for rule in rules() for when in rule.when for name in when.lists}
    assert {entry.name for entry in term_lists()} - used == set()


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.id)
def test_terms_are_written_plainly(rule):
    assert [text for text in rule.terms if text != text.lower().strip() or set("()|’\\") & set(text)] == []


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
    assert ("last checked on 2026-10-31" in check_line(rule, today)) is stale


def test_the_line_of_a_rule():
    assert check_line(rule_of("UK-CAP-12.1"), TODAY) == "possible: check CAP Code 12.1"
    assert check_line(rule_of("UK-CAP-12.6"), TODAY) == "possible: check CAP Code 12.6 [source not verified]"
    assert source_marks(rule_of("UK-CAP-12.6"), date(2030, 1, 1)) == (
        " [source not verified; last checked on 2026-10-31, over twelve months ago]"
    )


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
    assert rule.when[0].lists_any == ("UK-X",)
    assert rule.needs_label


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
