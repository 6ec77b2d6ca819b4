"""reference.py: the list of rules, and what `explain` says of one thing."""

import json
from datetime import date

import pytest
from helpers import TODAY

from mdclaims.config import JURISDICTIONS
from mdclaims.errors import UsageError
from mdclaims.findings.rules import rules, rules_of, term_lists
from mdclaims.findings.wording import shipped_wording
from mdclaims.labels import label_info
from mdclaims.language.cues import cue_lists
from mdclaims.reports.reference import render_entry, render_rules, rules_json, rules_markdown

LATER = date(2028, 1, 1)


def test_the_list_names_every_rule_with_its_status():
    text = render_rules(list(JURISDICTIONS), on=TODAY)
    assert all(rule.id in text for rule in rules())
    unread = sum(not rule.verified for rule in rules())
    assert unread > 20
    assert " ".join(text.split()).count("[source not verified]") == unread
    assert "over twelve months ago" not in text
    assert "over twelve months ago" in render_rules(["uk"], on=LATER, width=100)
    assert "US-" not in render_rules(["uk"], on=TODAY)


def test_the_list_as_json():
    data = json.loads(rules_json(["eu", "us"], on=TODAY))["rules"]
    assert {entry["id"] for entry in data} == {rule.id for rule in rules_of(["eu", "us"])}
    assert not any(entry["stale"] for entry in data)
    assert all(entry["stale"] for entry in json.loads(rules_json(["eu"], on=LATER))["rules"])
    assert all(entry["address"] and entry["check"] and entry["fires"] for entry in data)


def test_the_page_of_rules_holds_every_rule():
    page = rules_markdown()
    assert [rule.id for rule in rules() if f"`{rule.id}`" not in page] == []
    assert page.count("**not verified**") == sum(not rule.verified for rule in rules())


NAMES = [
    *label_info(),
    *(f"{name}/{stance}" for name, label in label_info().items() for stance in label.stances),
    *(entry.name for entry in (*cue_lists(), *term_lists())),
    *(rule.id for rule in rules()),
    *(entry.name for entry in (*shipped_wording().entries, *shipped_wording().questions)),
]


@pytest.mark.parametrize("name", NAMES)
def test_everything_is_explained_with_its_source(name):
    text = render_entry(name, on=TODAY, width=100)
    assert text.startswith(name.rsplit("/", maxsplit=1)[-1])
    assert "mdclaims/data/" in text


def test_a_rule_is_explained():
    text = " ".join(render_entry("uk-cap-12.6", on=LATER, width=100).split())
    assert text.startswith("UK-CAP-12.6 Said to cure")
    assert (
        "Shown as possible: check CAP Code 12.6 [source not verified; last checked on 2026-10-31, over twelve" in text
    )
    assert "https://www.asa.org.uk/" in text


def test_a_stance_alone_is_known():
    assert "says that it works" in render_entry("promotes", on=TODAY)
    assert "only noted" in render_entry("signposts", on=TODAY)


def test_an_unknown_name_is_answered_with_near_ones():
    with pytest.raises(UsageError, match=r"nothing is called 'UK-CAP-12\.99'; did you mean UK-CAP-12\.9") as caught:
        render_entry("UK-CAP-12.99", on=TODAY)
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="mdclaims rules lists the rules"):
        render_entry("xyzzy", on=TODAY)


@pytest.mark.parametrize("width", [30, 80, 200])
def test_lines_keep_the_width(width):
    for text in (render_rules(["us"], on=TODAY, width=width), render_entry("US-FTC-DISC", on=TODAY, width=width)):
        assert max(map(len, text.split("\n"))) <= min(width, 100)
