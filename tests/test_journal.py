"""Options of a capture, its figures, and the reasons as the documentation lists them."""

from __future__ import annotations

import re

import pytest
from helpers import ROOT

from mdclaims.cases.journal import FAILED, REASONS, REFUSED, CaptureOptions, CaptureResult
from mdclaims.errors import UsageError


def test_options_name_the_robot_and_its_contact():
    assert re.fullmatch(r"mdclaims/[\d.]+", CaptureOptions().user_agent)
    assert re.fullmatch(
        r"mdclaims/[\d.]+ \(\+ann@clinic\.example\)", CaptureOptions(contact="ann@clinic.example").user_agent
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"contact": "a\r\nX: 1"}, {"contact": "a (b)"}, {"contact": ""}, {"ignore_robots": "  "}, {"delay": -1.0},
        {"delay": float("inf")}, {"timeout": 0.0}, {"timeout": float("nan")}, {"max_pages": 0}, {"max_total": 0},
        {"max_depth": -1}, {"max_alike": 0},
    ],
    ids=str,
)  # fmt: skip
def test_options_refuse_what_cannot_be(changes):
    with pytest.raises(UsageError) as caught:
        CaptureOptions(**changes)
    assert "--" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_options_record_why_robots_are_ignored_and_only_then():
    assert CaptureOptions().info()["robots"] == "obey"
    info = CaptureOptions(ignore_robots="Section\r\n 4").info()
    assert (info["robots"], info["robots-ignored-because"]) == ("ignore", "Section 4")
    assert not [value for value in info.values() if "\n" in value]


def test_summary_counts_each_reason_in_one_group():
    reasons = dict.fromkeys(REASONS, 1)
    line = CaptureResult(2_000, 1, reasons, 2, (), interrupted=True).summary()
    assert line.startswith("asked 2,000 times on 2 sites, fetched 1 page, failed 4 (timeout 1, too_large 1, error 1,")
    assert f"refused by robots.txt {len(REFUSED)}, left alone {len(REASONS) - len(FAILED) - len(REFUSED)} (" in line
    assert line.endswith("; interrupted")


def test_reasons_are_those_of_the_documentation():
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", (ROOT / "docs/capture.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == list(REASONS.items())


def test_documentation_names_every_option():
    from mdclaims.cli.cases import capture_command

    text = (ROOT / "docs/capture.md").read_text(encoding="utf-8")
    names = [name for name in capture_command.__annotations__ if name not in {"inputs", "debug", "return"}]
    assert len(names) > 10
    assert not [name for name in names if f"--{name.replace('_', '-')}" not in text]
