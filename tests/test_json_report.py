"""The JSON report is a contract: every key of DESIGN.md, valid against its schema, exact offsets."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import replace
from importlib.resources import files

import jsonschema
import pytest
from helpers import (
    ACTION,
    EFFICACY,
    LABELS,
    STUB_THRESHOLDS,
    report_of,
    stub_report,
    stub_screener,
    tiny_screener,
)

from mdclaims.config import MODES, Settings
from mdclaims.findings.screening import load
from mdclaims.reading import read_bytes
from mdclaims.reports.json_report import SCHEMA_VERSION, render_json, report_data

TEXT = "Why us\n\nThe laser [e90] relieves pain. “It is [s30] safe,” she said.\n\n- Book now [a90][e70]\n- Parking\n"


def html_report(html):
    screener = stub_screener()
    page = read_bytes(html.encode(), source="page.html", format="html")
    return report_of(screener, [screener.screen_page(page)])


def explained_report(screener=None):
    screener = screener or tiny_screener(mode="screen", explain=True)
    text = "Why us?\n\nThe laser relieves pain 👍. It is safe.\n\n- Book now\n"
    return report_of(screener, [screener.screen_text(text)])


def data_of(report):
    return json.loads(render_json(report))


@pytest.fixture(scope="module")
def validator():
    schema = json.loads((files("mdclaims") / "data" / "schema" / "check.schema.json").read_text(encoding="utf-8"))
    kind = jsonschema.validators.validator_for(schema)
    kind.check_schema(schema)
    return kind(schema)


REPORTS = {
    "rules": lambda: stub_report(
        "Our herbs [e90] cure diabetes.\n\nBotox from £150",
        screener=stub_screener(jurisdictions=("us", "uk", "au", "eu")),
    ),
    "text": lambda: stub_report(TEXT),
    "errors": lambda: stub_report(errors=[("gone.txt", "does not exist")]),
    "several": lambda: stub_report(TEXT, "We close.", errors=[("a", "b"), ("c", "d")]),
    "html": lambda: html_report("<title>A</title><h2>Why</h2><p>It [e90] heals.</p><p hidden>Psst [a90].</p>"),
    "one label": lambda: stub_report(TEXT, screener=stub_screener(labels=(ACTION,), mode="edit")),
    "no finding": lambda: stub_report("We close."),
    "notes": lambda: html_report("<meta charset=latin1><p>Café [e90]</p>"),
    "explained": lambda: explained_report(),
    "unicode": lambda: stub_report("👩‍⚕️ Schmerz\ufffd — 痛み [e90] ”"),
}


@pytest.mark.parametrize("make", REPORTS.values(), ids=REPORTS)
def test_reports_are_valid(validator, make):
    data = data_of(make())
    assert [error.message for error in validator.iter_errors(data)] == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data.pop("errors"),
        lambda data: data.update(schema_version=2),
        lambda data: data.update(new=1),
        lambda data: data["settings"].update(mode="strict"),
        lambda data: data["pages"][0].pop("sentences"),
        lambda data: data["pages"][0]["sentences"][0].update(start="0"),
        lambda data: data["pages"][0]["sentences"][0]["block"].update(kind="para"),
        lambda data: data["pages"][0]["findings"][0].update(label="claim"),
        lambda data: data["pages"][0]["findings"][0].update(score=1.5),
        lambda data: data["pages"][0]["findings"][0].pop("fingerprint"),
        lambda data: data["pages"][0]["summary"].pop("by_label"),
        lambda data: data["pages"][0]["findings"][0].pop("explanation"),
        lambda data: data["pages"][0]["findings"][0].update(explanation="because"),
        lambda data: data["pages"][0]["findings"][0]["explanation"].pop("baseline"),
        lambda data: data["pages"][0]["findings"][0]["explanation"].update(sum=1),
        lambda data: data["pages"][0]["findings"][0]["explanation"]["contributions"][0].update(part="title"),
        lambda data: data["pages"][0]["findings"][0]["explanation"]["contributions"][0].update(start=-1),
        lambda data: data["pages"][0]["findings"][0]["explanation"]["contributions"][0].pop("weight"),
        lambda data: data["pages"][0]["findings"][0]["explanation"]["contributions"][0].update(weight="+1"),
    ],
    ids=range(19),
)
def test_the_schema_finds_damage(validator, damage):
    data = data_of(explained_report())
    assert validator.is_valid(data)
    damage(data)
    assert not validator.is_valid(data)


# --- the contract of DESIGN.md ----------------------------------------------------------------------------------


def test_all_keys_of_the_contract_are_there():
    data = data_of(stub_report(TEXT, errors=[("gone.txt", "does not exist")]))
    assert set(data) >= {"schema_version", "tool", "model", "settings", "pages", "errors"}
    assert data["schema_version"] == SCHEMA_VERSION == 1
    assert data["tool"] == {"name": "mdclaims", "version": "0.0.1"}
    assert data["model"] == {"name": "stub", "version": "1.2.3", "sha256": "0" * 64}
    assert data["settings"] == {
        "mode": "balanced",
        "thresholds": STUB_THRESHOLDS["balanced"],
        "labels": list(LABELS),
        "jurisdictions": [],
        "skip_hidden": False,
        "config": [],
    }
    assert data["errors"] == [{"source": "gone.txt", "error": "does not exist"}]
    (page,) = data["pages"]
    assert set(page) >= {"source", "sha256", "title", "text", "sentences", "findings", "summary"}
    assert set(page["summary"]) == {"sentences", "findings", "claims", "by_label", "by_priority", "suppressed"}
    assert page["sentences"]
    for sentence in page["sentences"]:
        assert set(sentence) >= {
            "start", "end", "source_start", "source_end", "text", "quoted", "block", "labels", "scores",
        }  # fmt: skip
        assert set(sentence["block"]) >= {"index", "kind", "region", "hidden", "selector", "heading_path"}
    assert len(page["findings"]) == 3
    for finding in page["findings"]:
        assert set(finding) >= {
            "sentence", "label", "score", "stance", "priority", "reason", "group", "fingerprint",
            "attributes", "cues", "rules", "suggestions", "qualifier", "suppressed", "explanation",
        }  # fmt: skip


def test_unused_keys_are_empty():
    for finding in data_of(stub_report(TEXT))["pages"][0]["findings"]:
        assert (finding["rules"], finding["suppressed"]) == ([], None)


def test_suggestions_are_all_in_the_json():
    (page,) = data_of(stub_report("Many addicts [g95] come here."))["pages"]
    (finding,) = page["findings"]
    (suggestion,) = finding["suggestions"]
    assert page["text"][suggestion["start"] : suggestion["end"]] == suggestion["text"] == "addicts"
    assert suggestion["replacement"] == "people with a substance use disorder"
    assert suggestion["guide"]
    assert suggestion["address"].startswith("https://")
    assert suggestion["verified"] is True


def test_a_claim_and_its_qualifier():
    text = (
        "TMS always works [e95]. Mild headaches are common [s95:discloses].\n\nAddicts [g95]. TMS always works [e95]."
    )
    (page,) = data_of(stub_report(text))["pages"]
    first, noted, stigma, again = page["findings"]
    assert (first["stance"], first["priority"]) == ("promotes", "normal")
    assert first["qualifier"] == {
        "sentence": 1, "kind": "risk", "sentences_away": 1, "blocks_away": 0, "hidden": False,
    }  # fmt: skip
    assert first["attributes"] == {
        "strength": "absolute", "quantified": False, "sourced": False, "about": "own", "testimonial": False,
        "serious": False, "treatments": ["TMS"], "conditions": [],
    }  # fmt: skip
    assert (noted["stance"], noted["priority"], noted["qualifier"]) == ("discloses", "info", None)
    assert (stigma["attributes"], stigma["qualifier"]) == ({}, None)
    assert (first["group"], again["group"]) == (first["fingerprint"], first["fingerprint"])
    assert page["summary"]["claims"] == 3
    assert page["summary"]["findings"] == 4
    assert page["summary"]["by_priority"] == {"high": 1, "normal": 1, "info": 1}


def test_every_sentence_is_listed_and_its_slice_is_its_text():
    report = stub_report(TEXT)
    (page,) = data_of(report)["pages"]
    assert len(page["sentences"]) == len(report.pages[0].sentences) == 5
    covered = page["text"]
    for sentence in page["sentences"]:
        assert page["text"][sentence["start"] : sentence["end"]] == sentence["text"]
        covered = covered[: sentence["start"]] + " " * len(sentence["text"]) + covered[sentence["end"] :]
    assert covered.strip() == ""
    assert page["summary"]["sentences"] == 5


def test_source_offsets_point_into_the_file():
    text = "Why   us\n\n  The laser [e90] in our oldest room is the one that\n  relieves   pain best.\n"
    sentences = data_of(stub_report(text))["pages"][0]["sentences"]
    assert len(sentences) == 2
    for sentence in sentences:
        source = text[sentence["source_start"] : sentence["source_end"]]
        assert source.split() == sentence["text"].split()


def test_html_has_selectors_instead_of_source_offsets():
    (page,) = data_of(html_report("<main><p>It [e90] heals.</p></main>"))["pages"]
    (sentence,) = page["sentences"]
    assert sentence["source_start"] is sentence["source_end"] is None
    assert sentence["block"]["selector"]


def test_findings_follow_their_sentences():
    (page,) = data_of(stub_report(TEXT))["pages"]
    assert [(finding["sentence"], finding["label"], finding["score"]) for finding in page["findings"]] == [
        (1, EFFICACY, 0.9),
        (3, EFFICACY, 0.7),
        (3, ACTION, 0.9),
    ]
    for finding in page["findings"]:
        sentence = page["sentences"][finding["sentence"]]
        assert finding["label"] in sentence["labels"]
        assert finding["score"] == sentence["scores"][finding["label"]]
    assert page["summary"]["findings"] == 3
    assert page["summary"]["by_label"] == {EFFICACY: 2, "safety_claim": 0, "stigma_framing": 0, ACTION: 1}


def test_cues_are_offsets_into_the_text():
    (page,) = data_of(stub_report(TEXT))["pages"]
    cues = [cue for finding in page["findings"] for cue in finding["cues"]]
    assert any(cue["text"] == "relieves" and cue["name"] == "effect_relief" for cue in cues)
    for cue in cues:
        assert page["text"][cue["start"] : cue["end"]] == cue["text"]


def test_findings_are_not_explained_unless_asked():
    findings = data_of(stub_report(TEXT))["pages"][0]["findings"]
    assert [finding["explanation"] for finding in findings] == [None] * 3


def test_explanations_add_up_to_the_score():
    # The shipped model: the tiny one is so sure that a score can be 1, which has no log-odds.
    report = explained_report(load(settings=Settings(mode="screen", explain=True)))
    findings = data_of(report)["pages"][0]["findings"]
    assert len(findings) == len(report.pages[0].findings) >= 3
    for finding, exact in zip(findings, report.pages[0].findings, strict=True):
        weights = [part["weight"] for part in finding["explanation"]["contributions"]]
        assert len(weights) == len(exact.explanation.contributions) > 5
        # Each is rounded to four places.
        total = finding["explanation"]["baseline"] + sum(weights)
        rounding = 0.00005 * (len(weights) + 1) + 1e-4
        assert total == pytest.approx(math.log(exact.score / (1 - exact.score)), abs=rounding)
        assert [abs(weight) for weight in weights] == sorted(map(abs, weights), reverse=True)


def test_words_of_explanations_are_offsets_into_their_part():
    (page,) = data_of(explained_report())["pages"]
    texts = [sentence["text"] for sentence in page["sentences"]]
    assert texts == ["Why us?", "The laser relieves pain 👍.", "It is safe.", "Book now"]
    finding = next(finding for finding in page["findings"] if finding["sentence"] == 2)
    parts = {"sentence": texts[2], "heading": texts[0], "previous": texts[1], "next": texts[3]}
    seen = set()
    for part in finding["explanation"]["contributions"]:
        seen.add(part["part"])
        if part["part"] == "circumstance":
            assert part["start"] is part["end"] is None
        else:
            assert parts[part["part"]][part["start"] : part["end"]] == part["text"]
    assert seen == {*parts, "circumstance"}


def test_quoted_headings_and_kinds():
    sentences = data_of(stub_report(TEXT))["pages"][0]["sentences"]
    assert [sentence["block"]["kind"] for sentence in sentences] == [
        "title",
        "paragraph",
        "paragraph",
        "list_item",
        "list_item",
    ]
    assert sentences[1]["block"]["heading_path"] == ["Why us"]
    assert [sentence["quoted"] for sentence in sentences] == [False, False, True, False, False]


def test_hidden_text_is_marked():
    sentences = data_of(html_report("<p>It heals.</p><p hidden>Psst [a90].</p>"))["pages"][0]["sentences"]
    assert [(sentence["text"], sentence["block"]["hidden"]) for sentence in sentences] == [
        ("It heals.", False),
        ("Psst [a90].", True),
    ]


def test_sha256_is_that_of_the_bytes():
    data = TEXT.encode()
    screener = stub_screener()
    report = report_of(screener, [screener.screen_page(read_bytes(data, source="x", format="text"))])
    assert data_of(report)["pages"][0]["sha256"] == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("mode", MODES)
def test_settings_are_those_of_the_run(mode):
    data = data_of(stub_report(TEXT, screener=stub_screener(mode=mode, labels=(ACTION,))))
    assert data["settings"]["mode"] == mode
    assert data["settings"]["thresholds"] == STUB_THRESHOLDS[mode]
    assert data["settings"]["labels"] == [ACTION]
    assert list(data["pages"][0]["summary"]["by_label"]) == [ACTION]
    assert set(data["pages"][0]["sentences"][0]["scores"]) == set(LABELS)


# --- the text of it ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", REPORTS.values(), ids=REPORTS)
def test_it_round_trips(make):
    report = make()
    text = render_json(report)
    assert json.loads(text) == report_data(report)
    assert text.endswith("}\n")
    assert render_json(report) == text
    text.encode("utf-8")


def test_characters_are_not_escaped():
    text = render_json(stub_report("Schmerz 痛み 👩‍⚕️ [e90] — heilt."))
    assert "痛み 👩‍⚕️" in text
    assert "\\u" not in text


def test_control_characters_are_escaped():
    page = stub_report("It [e90] heals.").pages[0]
    report = stub_report("It [e90] heals.")
    report = replace(report, pages=(replace(page, page=replace(page.page, title="a\x1b[31m\x07b")),))
    text = render_json(report)
    assert "\x1b" not in text
    assert "\x07" not in text
    assert data_of(report)["pages"][0]["title"] == "a\x1b[31m\x07b"


def test_no_nan_gets_through():
    report = stub_report("It [e90] heals.")
    with pytest.raises(ValueError, match="not JSON compliant"):
        render_json(replace(report, thresholds=dict.fromkeys(LABELS, float("nan"))))
