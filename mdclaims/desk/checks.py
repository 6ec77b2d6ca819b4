"""What the editor's desk and its HTTP interface ask for, answered: a page checked, a report, the marks for the box.

It knows nothing of HTTP; the process for files (`mdclaims.desk.worker`) uses it as the server does.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mdclaims.config import ConfigFinder, Settings
from mdclaims.desk.draft import DraftPage
from mdclaims.errors import UsageError
from mdclaims.findings.cleared import ClearedFinder
from mdclaims.findings.findings import Finding, PageResult, fold
from mdclaims.findings.rules import check_line, rule_of
from mdclaims.findings.screening import Screener
from mdclaims.findings.suppressions import Note, Outcome, suppress
from mdclaims.labels import LABELS
from mdclaims.model.persistence import load_model
from mdclaims.reading import Limits, Page
from mdclaims.reports.html_report import render_html
from mdclaims.reports.json_report import render_json
from mdclaims.reports.report import (
    Claim,
    InputError,
    Report,
    by_priority,
    claims,
    context_lines,
    for_people,
    headline,
    one_line,
    settings_line,
    shown_label,
)

MODE = "edit"
"""The mode where neither the config nor a request names one."""

_MEMORY = 5_000  # sentences: several drafts of a day
_MOST_SCREENERS = 8


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a request asks for; None: as the config has it."""

    mode: str | None = None
    labels: tuple[str, ...] | None = None
    jurisdictions: tuple[str, ...] | None = None


def parse_wishes(data: Mapping[str, object]) -> Wishes:
    """Return the wishes of a request.

    Raises
    ------
    UsageError
        If a value is of the wrong type.
    """
    mode = data.get("mode")
    if not (mode is None or isinstance(mode, str)):
        raise UsageError("mode must be a text")
    return Wishes(mode, _names(data, "labels"), _names(data, "jurisdictions"))


def _names(data: Mapping[str, object], key: str) -> tuple[str, ...] | None:
    values = data.get(key)
    if values is None:
        return None
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise UsageError(f"{key} must be a list of names")
    return tuple(values)


class Checks:
    """Checks pages with one model, and with the settings that each request asks for.

    Parameters
    ----------
    config : Path or None
        The config; None looks for one in the working folder, as `check` does.
    model : Path or None
        A model folder; None for the shipped model.
    trust_model : bool

    Raises
    ------
    UsageError
        If the config or the cleared wording is wrong.
    ModelError
        If the model is missing, damaged, foreign or not trusted.
    """

    def __init__(self, config: Path | None, model: Path | None, *, trust_model: bool) -> None:
        found = ConfigFinder(config, mode=MODE).config_of(None)
        self.settings = found.settings
        self._config = found.path
        self._model = load_model(model, trust=trust_model)
        self._cleared = ClearedFinder().cleared_for(None)
        self._screeners: OrderedDict[Settings, Screener] = OrderedDict()

    def screener(self, wishes: Wishes, *, explain: bool = False) -> Screener:
        """Return a screener for a request.

        Raises
        ------
        UsageError
            If it asks for an unknown mode, label or jurisdiction.
        """
        asked = {key: value for key, value in asdict(wishes).items() if value is not None}
        settings = replace(self.settings, **asked, explain=explain)
        if settings not in self._screeners:
            self._screeners[settings] = Screener(self._model, settings, memory=_MEMORY)
            while len(self._screeners) > _MOST_SCREENERS:
                self._screeners.popitem(last=False)
        self._screeners.move_to_end(settings)
        return self._screeners[settings]

    def check(self, page: Page, screener: Screener) -> Outcome:
        """Check a page; what the user has cleared does not count, as in `check`."""
        return suppress(
            screener.screen_page(page),
            today=date.today(),
            floors=screener.floors,
            names=screener.names,
            cleared=self._cleared,
        )

    def report(
        self,
        screener: Screener,
        outcomes: Sequence[Outcome],
        errors: Sequence[InputError] = (),
        notes: Sequence[Note] = (),
    ) -> Report:
        """Return the report on pages."""
        return Report(
            tool_version=version("mdclaims"),
            model_name=self._model.name,
            model_version=self._model.version,
            model_sha256=self._model.sha256,
            settings=screener.settings,
            thresholds=screener.thresholds,
            pages=tuple(outcome.result for outcome in outcomes),
            errors=tuple(errors),
            today=date.today(),
            notes=(*notes, *(note for outcome in outcomes for note in outcome.notes)),
            configs=() if self._config is None else (str(self._config),),
        )

    def json(self, page: Page, wishes: Wishes) -> str:
        """Return what ``check --format json`` would say of a page."""
        screener = self.screener(wishes)
        return render_json(self.report(screener, [self.check(page, screener)]))

    def html(self, page: Page, wishes: Wishes) -> str:
        """Return what ``check --format html`` would say of a page."""
        screener = self.screener(wishes, explain=True)
        return render_html(self.report(screener, [self.check(page, screener)]))

    def word(self, page: Page, data: bytes, wishes: Wishes, limits: Limits) -> bytes:
        """Return what ``check --format docx`` would write for the Word file that a page was read from."""
        from mdclaims.reports.word_report import render_word  # needs the extra `word`

        screener = self.screener(wishes)
        return render_word(self.report(screener, [self.check(page, screener)]), data, limits=limits)

    def marks(self, draft: DraftPage, wishes: Wishes, corrected: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        """Return what the box shows of a draft.

        Parameters
        ----------
        draft : DraftPage
        wishes : Wishes
        corrected : mapping of str to sequence of str
            The labels that a person gave to sentences, by their folded text.
        """
        screener = self.screener(wishes)
        report = for_people(self.report(screener, [self.check(draft.page, screener)]))
        (result,) = report.pages
        said = [corrected.get(fold(entry.sentence.text)) for entry in result.sentences]
        kept = tuple(
            finding
            for finding in result.findings
            if finding.label is None or (given := said[finding.sentence]) is None or finding.label in given
        )
        taken = len(result.findings) - len(kept)
        result = replace(result, findings=kept)
        found = claims(result, report.thresholds, today=report.today)
        places = [draft.place(entry.sentence.start, entry.sentence.end) for entry in result.sentences]
        return {
            "headline": headline(by_priority(result)),
            "settings": settings_line(screener.settings),
            "context": [*context_lines(result, found, screener.settings.labels)],
            "notes": [one_line(note) for note in result.page.notes],
            "corrected": taken,
            "sentences": [
                {
                    "block": place.block,
                    "start": place.start,
                    "end": place.end,
                    "labels": list(entry.labels if given is None else given),
                    "corrected": given is not None,
                }
                for place, entry, given in zip(places, result.sentences, said, strict=True)
            ],
            "claims": [_claim(claim, result, draft, report.today) for claim in found],
        }


def _claim(claim: Claim, result: PageResult, draft: DraftPage, today: date) -> dict[str, Any]:
    findings = [result.findings[n] for n in claim.findings]
    rules = dict.fromkeys(match.id for finding in findings for match in finding.rules)
    return {
        "label": claim.label or "rule",
        "name": shown_label(claim.label).display,
        "priority": claim.priority,
        "said": claim.said,
        "lead": claim.lead,
        "quotes": list(claim.quotes),
        "sentences": list(dict.fromkeys(finding.sentence for finding in findings)),
        "places": [place.words for place in claim.places],
        # Provisions and wording have more to them than one line.
        "facts": [[fact.name, fact.text] for fact in claim.facts if fact.name not in {"Check", "Instead"}],
        "rules": [_rule(name, today) for name in rules],
        "wording": [entry for finding in findings for entry in _wording(finding, draft)],
    }


def _rule(name: str, today: date) -> dict[str, Any]:
    rule = rule_of(name)
    return {
        "id": name,
        "title": rule.title,
        "line": check_line(rule, today),
        "check": rule.check,
        "address": rule.address,
    }


def _wording(finding: Finding, draft: DraftPage) -> list[dict[str, Any]]:
    out = []
    for suggestion in finding.suggestions:
        if suggestion.guide is None:
            continue  # a question, told among the facts
        checked = "" if suggestion.verified else ", not checked at its source"
        out.append(
            {
                **asdict(draft.place(suggestion.start, suggestion.end)),
                "text": suggestion.text,
                "replacement": suggestion.replacement,
                "advice": one_line(suggestion.advice),
                "guide": f"{suggestion.guide}{checked}",
                "address": suggestion.address,
            }
        )
    return out


def label_choices() -> list[tuple[str, str, str, str]]:
    """Return name, display name, colour and meaning of each label, and of rules that need none."""
    return [(name, info.display, info.colour, info.meaning) for name in (*LABELS, "rule") for info in [_info(name)]]


def _info(name: str) -> Any:
    return shown_label(None if name == "rule" else name)
