"""The command line: options, help, exit codes. It holds no logic of its own and is the only module that prints.

Heavy imports happen inside the commands, so that ``mdclaims --help`` needs neither spaCy nor scikit-learn.
"""

from __future__ import annotations

import math
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence, Sized
from dataclasses import replace
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mdclaims.errors import ExitCode, MdclaimsError, ReadError, UsageError

if TYPE_CHECKING:
    from mdclaims.cases.capture import CaptureResult
    from mdclaims.cases.screen import ScreenResult
    from mdclaims.config import ConfigFinder, Settings
    from mdclaims.findings.checking import Checker
    from mdclaims.findings.findings import PageResult
    from mdclaims.findings.suppressions import Note
    from mdclaims.model.evaluation import Evaluation, Interval
    from mdclaims.reports.report import InputError, Report

app = typer.Typer(
    name="mdclaims",
    help="Read medical-marketing language: which sentences claim that a treatment works, speak of its safety, "
    "frame people through stigma, or ask the reader to act.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
corpus_app = typer.Typer(name="corpus", help="Check annotated documents and measure agreement.", no_args_is_help=True)
app.add_typer(corpus_app)


class ReportFormat(StrEnum):
    """Formats of ``check``."""

    text = "text"
    json = "json"
    html = "html"
    sarif = "sarif"
    csv = "csv"
    junit = "junit"


class InputFormat(StrEnum):
    """Formats of standard input."""

    text = "text"
    markdown = "markdown"
    html = "html"
    docx = "docx"
    pdf = "pdf"


class Mode(StrEnum):
    """Whose thresholds decide."""

    balanced = "balanced"
    edit = "edit"
    screen = "screen"


class Robots(StrEnum):
    """What to make of robots.txt."""

    obey = "obey"
    ignore = "ignore"


class Jurisdiction(StrEnum):
    """Whose rules."""

    us = "us"
    uk = "uk"
    au = "au"
    eu = "eu"


class ListFormat(StrEnum):
    """Formats of ``rules`` and ``verify``."""

    text = "text"
    json = "json"


class FailOn(StrEnum):
    """From which priority on findings make the exit code 1."""

    high = "high"
    normal = "normal"
    info = "info"
    never = "never"


_SUFFIX = {
    ReportFormat.text: ".txt",
    ReportFormat.json: ".json",
    ReportFormat.html: ".html",
    ReportFormat.sarif: ".sarif",
    ReportFormat.csv: ".csv",
    ReportFormat.junit: ".xml",
}

ModelOption = Annotated[
    Path | None, typer.Option("--model", metavar="DIR", help="Use this model folder instead of the shipped one.")
]
TrustOption = Annotated[
    bool,
    typer.Option(
        "--trust-model", help="Load the --model folder although it is not the shipped one; loading runs its code."
    ),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Read settings from this TOML file, and look for no other."),
]
JurisdictionOption = Annotated[
    list[Jurisdiction] | None,
    typer.Option(
        "--jurisdiction", "-j", help="Show which provisions of this jurisdiction may be touched; can be repeated."
    ),
]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
) -> None:
    """Run before every command."""
    if version:
        typer.echo(f"mdclaims {_version()}")
        raise typer.Exit


# --- check --------------------------------------------------------------------------------------------------------


@app.command("check")
def check_command(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATH | -]...", help="Files (.txt .md .html .htm .docx .pdf), folders, or - for standard input."
        ),
    ] = None,
    format: Annotated[ReportFormat, typer.Option("--format", "-f", help="Format of the report.")] = ReportFormat.text,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="PATH", help="Write the report here; a folder for one report per input."
        ),
    ] = None,
    mode: Annotated[
        Mode | None,
        typer.Option("--mode", "-m", help="balanced (default), edit: few false alarms, screen: few missed."),
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option("--label", "-l", metavar="NAME", help="Report only this label; can be repeated.")
    ] = None,
    jurisdiction: JurisdictionOption = None,
    as_format: Annotated[
        InputFormat | None, typer.Option("--as", help="Format of standard input; text if not given.")
    ] = None,
    fail_on: Annotated[
        FailOn,
        typer.Option(
            "--fail-on",
            help="Exit with 1 from this priority on.",
        ),
    ] = FailOn.info,
    exit_zero: Annotated[bool, typer.Option("--exit-zero", help="Exit with 0 although there are findings.")] = False,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Show scores and what drove each finding, word by word; HTML reports do."),
    ] = False,
    everything: Annotated[
        bool,
        typer.Option("--all", help="In the terminal, list every claim, also those for information."),
    ] = False,
    skip_hidden: Annotated[
        bool, typer.Option("--skip-hidden", help="Leave out findings in text that is not shown at first.")
    ] = False,
    model: ModelOption = None,
    trust_model: TrustOption = False,
    config: ConfigOption = None,
    changed_since: Annotated[
        str | None,
        typer.Option(
            "--changed-since", metavar="REV", help="Report only what is new or reworded since a git revision."
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option("--against", metavar="OLDFILE", help="Report only what is new or reworded against this file."),
    ] = None,
    debug: DebugOption = False,
) -> None:
    """Read drafts and pages, and report their labelled sentences.

    Exit codes: 0 nothing that counts for --fail-on, 1 findings that do, 2 wrong usage or refused model, 3 an input
    could not be read, 4 internal error.
    """
    explain = explain or format is ReportFormat.html
    configs = _configs(
        config, lambda settings: replace(_with_options(settings, mode, label, jurisdiction), explain=explain)
    )
    if not paths:
        raise UsageError("no input; pass files, folders, or - for standard input")
    inputs, unreadable = _expand(paths, configs)
    if as_format is not None and None not in inputs:
        raise UsageError("--as is for standard input; pass - to read it, files go by their suffix")
    if trust_model and model is None:
        raise UsageError("--trust-model needs --model DIR; the shipped model needs no trust")
    if against is not None and (changed_since is not None or len(inputs) != 1):
        raise UsageError("--against compares one input with one file, and goes without --changed-since")
    if changed_since is not None and None in inputs:
        raise UsageError("--changed-since is for files; standard input has no revisions")
    checker = _checker(model, trust_model, inputs, configs)
    before = _Before(checker, changed_since, against)
    report = _check(
        checker,
        before.changed(inputs),
        unreadable,
        folders=_folders(paths) if before.whole else [],
        before=before,
        as_format=as_format or InputFormat.text,
        skip_hidden=skip_hidden,
        debug=debug,
    )
    report = replace(report, notes=(*report.notes, *before.gone(paths)))
    _write(report, format, output, everything=everything)
    _tell(report)
    raise typer.Exit(_check_exit(report, fail_on=fail_on, exit_zero=exit_zero))


def _configs(config: Path | None, adjust: Callable[[Settings], Settings]) -> ConfigFinder:
    from mdclaims.config import ConfigFinder

    return ConfigFinder(config, adjust=adjust)


def _with_options(
    settings: Settings, mode: Mode | None, labels: list[str] | None, jurisdictions: list[Jurisdiction] | None
) -> Settings:
    """Return the settings of a config with the options of the command line, which win."""
    if mode is not None:
        settings = replace(settings, mode=mode.value)
    if labels:
        settings = replace(settings, labels=tuple(labels))
    if jurisdictions:
        settings = replace(settings, jurisdictions=tuple(entry.value for entry in jurisdictions))
    return settings


def _checker(model: Path | None, trust_model: bool, inputs: list[Path | None], configs: ConfigFinder) -> Checker:
    """Return the checker of all inputs; their configs must agree in what one report states once."""
    from mdclaims.config import differing_key, naming
    from mdclaims.findings.checking import Checker
    from mdclaims.findings.screening import load

    first = configs.config_of(inputs[0] if inputs else None)
    for path in inputs:
        config = configs.config_of(path)
        key = differing_key(first.settings, config.settings)
        if key is not None:
            one, other = (found.path or "no config" for found in (first, config))
            raise UsageError(
                f"{inputs[0] or 'standard input'} ({one}) and {path or 'standard input'} ({other}) differ in {key}, "
                f"which one report can state only once; check them apart, set it by an option, or pass --config"
            )
    with naming(first.path):
        screener = load(model, trust_model=trust_model, settings=first.settings)
    return Checker(screener, first.settings, configs, today=_today())


def _today() -> date:
    return date.today()


class _Before:
    """The versions that the inputs are compared with: of a git revision, of one file, or none.

    Parameters
    ----------
    checker : Checker
    revision : str or None
    against : Path or None
    """

    def __init__(self, checker: Checker, revision: str | None, against: Path | None) -> None:
        from mdclaims.reading.revisions import Revisions

        self._checker = checker
        self._revisions = Revisions(revision) if revision is not None else None
        self._against = against

    @property
    def whole(self) -> bool:
        """True if every sentence is reported, whether it changed or not."""
        return self._revisions is None and self._against is None

    def changed(self, inputs: list[Path | None]) -> list[Path | None]:
        """Return the inputs without those that are the same as at the revision."""
        if self._revisions is None:
            return inputs
        kept = [path for path in inputs if path and not self._revisions.of(path.parent).is_unchanged(path)]
        if len(kept) < len(inputs):
            what = "input is" if len(inputs) - len(kept) == 1 else "inputs are"
            _talk(f"mdclaims: {len(inputs) - len(kept)} {what} unchanged since {self._revisions.name} and not shown")
        return list(kept)

    def compare(self, result: PageResult, path: Path | None) -> PageResult:
        """Return the result with what changed alone."""
        from mdclaims.findings.changes import only_changes
        from mdclaims.reading import format_of, read_bytes

        screener = self._checker.screener_for(path)
        if self._against is not None:
            try:
                old = screener.screen_file(self._against)
            except ReadError as error:
                raise ReadError(f"cannot be compared: {self._against} {error}") from error
            return only_changes(result, old, since=str(self._against))
        if self._revisions is None or path is None:
            return result
        found = self._revisions.of(path.parent).read(path)
        name, data = found or (path, b"")
        kind = format_of(name)
        if kind is None or not data.strip():
            return only_changes(result, None, since=self._revisions.name)
        try:
            page = read_bytes(data, source=str(name), format=kind, limits=screener.settings.limits)
        except ReadError as error:
            raise ReadError(f"cannot be compared: at {self._revisions.name} it {error}") from error
        return only_changes(result, screener.screen_page(page), since=self._revisions.name)

    def gone(self, paths: list[str]) -> list[Note]:
        """Return a note for each document in the folders given that was there at the revision and is not any more."""
        from mdclaims.config import absolute
        from mdclaims.findings.suppressions import Note
        from mdclaims.reading import format_of

        notes: dict[Path, Note] = {}
        for folder in _folders(paths) if self._revisions is not None else []:
            revision = self._revisions.of(folder) if self._revisions else None
            for file in revision.deleted if revision else ():
                if format_of(file) and file.is_relative_to(absolute(folder).resolve()):
                    shown = folder / file.relative_to(absolute(folder).resolve())
                    notes[file] = Note(str(shown), "gone", f"is gone since {revision.name if revision else ''}")
        return list(notes.values())


# More would hide the report; the JSON has them all.
_MOST_TOLD = 20


def _tell(report: Report) -> None:
    """Write the report's notes to standard error."""
    for note in report.notes[:_MOST_TOLD]:
        _talk(f"mdclaims: {note.source}: {note.note}")
    if len(report.notes) > _MOST_TOLD:
        _talk(f"mdclaims: {len(report.notes) - _MOST_TOLD} more notes are in the JSON report")


def _expand(paths: list[str], configs: ConfigFinder) -> tuple[list[Path | None], list[InputError]]:
    """Return the files to read, None for standard input, and what is no input at all."""
    from mdclaims.reading import format_of
    from mdclaims.reading.page import replace_unencodable
    from mdclaims.reports.report import InputError

    inputs: list[Path | None] = []
    errors: list[InputError] = []
    for name in paths:
        path = Path(name)
        if not name:
            raise UsageError("an empty path; pass a file, a folder or -")
        if name == "-":
            inputs.append(None)
        elif not _exists(path) and name.startswith(("http://", "https://", "www.")):
            raise UsageError(f"{name} is an address; check reads files: save the page as HTML and pass the file")
        elif _exists(path) and path.is_dir():
            if not os.access(path, os.R_OK | os.X_OK):
                errors.append(InputError(replace_unencodable(name), "may not be opened; check the permissions"))
                continue
            found = sorted(file for file in path.rglob("*") if format_of(file) and file.is_file())
            kept = [file for file in found if not configs.config_of(file).excludes(file)]
            inputs += kept
            if found and not kept:
                left_out = (
                    f"holds {len(found)} files to read, all left out by exclude in the config; pass one by its name"
                )
                errors.append(InputError(replace_unencodable(name), left_out))
            elif not found:
                errors.append(
                    InputError(
                        replace_unencodable(name),
                        "holds no file that check reads (.txt .md .html .htm .docx .pdf); pass another folder",
                    )
                )
        elif not _exists(path):
            errors.append(InputError(replace_unencodable(name), "does not exist; check the path"))
        else:
            inputs.append(path)
    if inputs.count(None) > 1:
        raise UsageError("standard input (-) can be read only once")
    return list(dict.fromkeys(inputs)), errors


def _folders(paths: list[str]) -> list[Path]:
    return [Path(name) for name in paths if _exists(Path(name)) and Path(name).is_dir()]


def _exists(path: Path) -> bool:
    """Return whether a path leads somewhere; a text passed by mistake can be too long for the system to look up."""
    try:
        return path.exists()
    except OSError:
        return False


def _check(
    checker: Checker,
    inputs: list[Path | None],
    unreadable: list[InputError],
    *,
    folders: list[Path],
    before: _Before,
    as_format: InputFormat,
    skip_hidden: bool,
    debug: bool,
) -> Report:
    from mdclaims.reading.page import replace_unencodable
    from mdclaims.reports.report import InputError, Report

    pages: list[PageResult] = []
    errors = list(unreadable)
    for path in inputs:
        try:
            result = before.compare(_check_one(checker, path, as_format), path)
        except ReadError as error:
            if debug:
                traceback.print_exc()
            errors.append(InputError(replace_unencodable(str(path or "standard input")), str(error)))
            continue
        pages.append(_without_hidden(result) if skip_hidden else result)
    screener = checker.screener_for(inputs[0] if inputs else None)
    return Report(
        tool_version=_version(),
        model_name=screener.model.name,
        model_version=screener.model.version,
        model_sha256=screener.model.sha256,
        settings=screener.settings,
        thresholds=screener.thresholds,
        pages=tuple(pages),
        errors=tuple(errors),
        today=_today(),
        skip_hidden=skip_hidden,
        notes=checker.notes(folders),
        configs=checker.configs_of(inputs),
    )


def _check_one(checker: Checker, path: Path | None, as_format: InputFormat) -> PageResult:
    if path is not None:
        return checker.check_file(path)
    from mdclaims.reading import read_bytes, read_stream

    limits = checker.screener_for(None).settings.limits
    data = read_stream(sys.stdin.buffer, format=as_format.value, limits=limits)
    return checker.check_page(read_bytes(data, source="standard input", format=as_format.value, limits=limits), None)


def _without_hidden(result: PageResult) -> PageResult:
    """Keep every sentence, but labels and findings only in text that is shown."""
    sentences = tuple(replace(entry, labels=()) if entry.sentence.block.hidden else entry for entry in result.sentences)
    findings = tuple(finding for finding in result.findings if not sentences[finding.sentence].sentence.block.hidden)
    return replace(result, sentences=sentences, findings=findings)


def _write(report: Report, format: ReportFormat, output: str | None, *, everything: bool) -> None:
    if output is None:
        width, colour = _terminal()
        _print(_render(report, format, width=width, colour=colour, everything=everything))
        return
    for error in report.errors:
        _talk(f"mdclaims: not read: {error.source}: {error.error}")
    path = Path(output)
    several = len(report.pages) > 1 and not path.suffix
    if path.is_dir() or several or output.endswith(("/", os.sep)):
        targets = [(path / f"{name}{_SUFFIX[format]}", part) for name, part in _one_by_one(report)]
    else:
        targets = [(path, report)]
    for target, _ in targets:
        if any(_same_file(target, Path(page.page.source)) for page in report.pages):
            raise UsageError(f"{target} is an input; choose another --output")
    for target, part in targets:
        _save(target, _render(part, format, everything=everything))


def _one_by_one(report: Report) -> Iterator[tuple[str, Report]]:
    """Yield a file name and a report for each page; equal names are numbered."""
    used: dict[str, int] = {}
    for page in report.pages:
        stem = "stdin" if page.page.source == "standard input" else Path(page.page.source).name
        used[stem] = used.get(stem, 0) + 1
        yield stem if used[stem] == 1 else f"{stem}-{used[stem]}", replace(report, pages=(page,), errors=())


def _same_file(one: Path, other: Path) -> bool:
    return _exists(one) and _exists(other) and one.samefile(other)


def _save(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(f"cannot write {path} ({error.strerror or error}); choose another --output") from error
    _talk(f"mdclaims: wrote {path}")


def _render(
    report: Report,
    format: ReportFormat,
    *,
    width: int | None = None,
    colour: bool = False,
    everything: bool = False,
) -> str:
    if format is ReportFormat.json:
        from mdclaims.reports.json_report import render_json

        return render_json(report)
    if format is ReportFormat.html:
        from mdclaims.reports.html_report import render_html

        return render_html(report)
    if format is ReportFormat.sarif:
        from mdclaims.reports.sarif import render_sarif

        return render_sarif(report, base=Path.cwd())
    if format is ReportFormat.csv:
        from mdclaims.reports.tables import render_csv

        return render_csv(report)
    if format is ReportFormat.junit:
        from mdclaims.reports.junit import render_junit

        return render_junit(report)
    from mdclaims.reports.terminal import render_terminal

    return render_terminal(report, width=width, colour=colour, everything=everything)


def _terminal() -> tuple[int | None, bool]:
    """Return the width of standard output and whether it wants colour (NO_COLOR, pipes, TERM=dumb: no)."""
    from rich.console import Console

    console = Console()
    forced = bool(os.environ.get("FORCE_COLOR"))
    colour = (console.is_terminal or forced) and not console.no_color and os.environ.get("TERM") != "dumb"
    known = console.is_terminal or bool(os.environ.get("COLUMNS"))
    return (console.width if known else None), colour


def _print(text: str) -> None:
    """Write to standard output as UTF-8, whatever the locale: page text holds every kind of character."""
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8"))
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UsageError(f"cannot write to standard output ({error.strerror or error})") from error


def _check_exit(report: Report, *, fail_on: FailOn, exit_zero: bool) -> ExitCode:
    """Return the exit code; 3 beats 1."""
    from mdclaims.labels import PRIORITIES

    if report.errors:
        return ExitCode.UNREADABLE
    counting = () if fail_on is FailOn.never else PRIORITIES[: PRIORITIES.index(fail_on.value) + 1]
    found = any(
        finding.priority in counting and finding.suppressed is None
        for page in report.pages
        for finding in page.findings
    )
    return ExitCode.FINDINGS if found and not exit_zero else ExitCode.OK


# --- what it knows ------------------------------------------------------------------------------------------------


@app.command("rules")
def rules_command(
    jurisdiction: JurisdictionOption = None,
    format: Annotated[ListFormat, typer.Option("--format", "-f", help="text, or json with every key.")] = (
        ListFormat.text
    ),
    debug: DebugOption = False,
) -> None:
    """List the rules that a sentence may touch, with their sources; of all jurisdictions, or of those named."""
    from mdclaims.config import JURISDICTIONS
    from mdclaims.reports.reference import render_rules, rules_json

    names = [entry.value for entry in jurisdiction or ()] or list(JURISDICTIONS)
    if format is ListFormat.json:
        _print(rules_json(names, on=_today()))
    else:
        width, colour = _terminal()
        _print(render_rules(names, on=_today(), width=width, colour=colour))


@app.command("explain")
def explain_command(
    id: Annotated[
        str, typer.Argument(metavar="ID", help="A rule, a label, a stance, a cue list, or an entry on wording.")
    ],
    debug: DebugOption = False,
) -> None:
    """Say what a rule, label, stance, cue list or entry on wording means, and where it comes from."""
    from mdclaims.reports.reference import render_entry

    width, colour = _terminal()
    _print(render_entry(id, on=_today(), width=width, colour=colour))


# --- init and baseline --------------------------------------------------------------------------------------------


@app.command("init")
def init_command(
    folder: Annotated[Path, typer.Argument(metavar="[FOLDER]", help="Where to write it.")] = Path(),
    debug: DebugOption = False,
) -> None:
    """Write mdclaims.toml with every key explained; a file that is there already is left as it is."""
    from importlib.resources import files

    from mdclaims.config import CONFIG_NAME

    text = (files("mdclaims") / "data" / "templates" / CONFIG_NAME).read_text(encoding="utf-8")
    path = folder / CONFIG_NAME
    try:
        with path.open("x", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
    except FileExistsError as error:
        raise UsageError(f"{path} is there already; change it by hand, or move it away first") from error
    except OSError as error:
        raise UsageError(f"cannot write {path} ({error.strerror or error}); choose another folder") from error
    _talk(f"mdclaims: wrote {path}")


@app.command("baseline")
def baseline_command(
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="[PATH]...", help="Files and folders; the working folder if none.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="The file to write or add to; mdclaims-cleared.toml."),
    ] = None,
    mode: Annotated[
        Mode | None, typer.Option("--mode", "-m", help="As of check; screen takes in what any mode would find.")
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option("--label", "-l", metavar="NAME", help="Only this label; can be repeated.")
    ] = None,
    jurisdiction: JurisdictionOption = None,
    model: ModelOption = None,
    trust_model: TrustOption = False,
    config: ConfigOption = None,
    debug: DebugOption = False,
) -> None:
    """Write an entry for every finding that is there now, so that check reports only what comes after.

    Entries that the file holds already are kept.
    """
    from mdclaims.findings.cleared import CLEARED_NAME, baseline

    target = output or Path(CLEARED_NAME)
    configs = _configs(config, lambda settings: _with_options(settings, mode, label, jurisdiction))
    inputs, unreadable = _expand(paths or ["."], configs)
    if None in inputs:
        raise UsageError("baseline is for files; standard input has no name to find it by")
    checker = _checker(model, trust_model, inputs, configs)
    report = _check(
        checker,
        inputs,
        unreadable,
        folders=[],
        before=_Before(checker, None, None),
        as_format=InputFormat.text,
        skip_hidden=False,
        debug=debug,
    )
    text, count = baseline(report.pages, target)
    _save(target, text)
    for error in report.errors:
        _talk(f"mdclaims: not read: {error.source}: {error.error}")
    _talk(f"mdclaims: {count} new {'entry' if count == 1 else 'entries'} in {target}; give each a reason once reviewed")
    if target.name != CLEARED_NAME:
        _talk(f"mdclaims: check looks for the name {CLEARED_NAME}, not {target.name}")
    raise typer.Exit(ExitCode.UNREADABLE if report.errors else ExitCode.OK)


# --- capture ------------------------------------------------------------------------------------------------------


@app.command("capture")
def capture_command(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="URL|FILE...", help="Addresses; lists of addresses (.txt), sitemaps (.xml .xml.gz), tables (.csv)."
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE.warc.gz", help="The archive to write; it must not exist.")
    ],
    contact: Annotated[
        str | None,
        typer.Option("--contact", metavar="ADDRESS", help="Your e-mail or web address, told to the servers."),
    ] = None,
    robots: Annotated[
        Robots, typer.Option("--robots", help="ignore is for bodies with that power, and needs --reason.")
    ] = Robots.obey,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Why robots.txt is not obeyed; recorded.")
    ] = None,
    delay: Annotated[
        float, typer.Option("--delay", metavar="SECONDS", help="Between two requests to a site, at least.")
    ] = 1.0,
    timeout: Annotated[float, typer.Option("--timeout", metavar="SECONDS", help="For one request.")] = 30.0,
    max_pages: Annotated[int, typer.Option("--max-pages", metavar="N", help="Pages of one site.")] = 500,
    max_total: Annotated[int, typer.Option("--max-total", metavar="N", help="Pages of all sites.")] = 10_000,
    max_depth: Annotated[
        int, typer.Option("--max-depth", metavar="N", help="Links from an address given; 0 follows none.")
    ] = 8,
    max_alike: Annotated[
        int,
        typer.Option(
            "--max-alike", metavar="N", help="Linked pages whose addresses differ in numbers or query values alone."
        ),
    ] = 100,
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help="Connect to private and loopback addresses too.")
    ] = False,
    config: ConfigOption = None,
    debug: DebugOption = False,
) -> None:
    """Capture pages of sites into a WARC archive, obeying robots.txt, slowly.

    Exit codes: 0 all addresses given were fetched, 2 wrong usage, 3 an address given was not, 130 interrupted.
    """
    if (robots is Robots.ignore) != (reason is not None):
        raise UsageError("--robots ignore and --reason TEXT go together; the reason is recorded")
    try:
        from mdclaims.cases.capture import CaptureOptions, capture
    except ImportError as error:
        raise UsageError('capturing pages needs an extra; install it with: pip install "mdclaims[capture]"') from error
    from mdclaims.config import Settings, load_settings

    options = CaptureOptions(
        contact=contact,
        ignore_robots=reason,
        delay=delay,
        timeout=timeout,
        max_pages=max_pages,
        max_total=max_total,
        max_depth=max_depth,
        max_alike=max_alike,
        allow_private=allow_private,
        limits=(load_settings(config) if config else Settings()).limits,
    )
    result = capture(inputs, output, options)
    _tell_capture(result, output)
    raise typer.Exit(_capture_exit(result))


def _tell_capture(result: CaptureResult, output: Path) -> None:
    """Write what was not read of what was asked for, and the figures, to standard error."""
    for line in result.unread[:_MOST_TOLD]:
        _talk(f"mdclaims: {line}")
    if len(result.unread) > _MOST_TOLD:
        _talk(f"mdclaims: {len(result.unread) - _MOST_TOLD} more addresses were not fetched; the archive names them")
    _talk(f"mdclaims: {output}: {result.summary()}")


def _capture_exit(result: CaptureResult) -> ExitCode:
    if result.interrupted:
        return ExitCode.INTERRUPTED
    return ExitCode.UNREADABLE if result.unread else ExitCode.OK


# --- screen -------------------------------------------------------------------------------------------------------


@app.command("screen")
def screen_command(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help="Archives (.warc .warc.gz .wacz), folders, pages, addresses, lists of them (.txt .xml .csv .xlsx).",
        ),
    ],
    case: Annotated[
        Path, typer.Option("--case", metavar="DIR", help="The folder to write; a run goes on where the last one ended.")
    ],
    mode: Annotated[
        Mode, typer.Option("--mode", "-m", help="screen: few missed, balanced, edit: few false alarms.")
    ] = Mode.screen,
    label: Annotated[
        list[str] | None, typer.Option("--label", "-l", metavar="NAME", help="Find only this label; can be repeated.")
    ] = None,
    jurisdiction: JurisdictionOption = None,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", help="Processes; by default one for each core.")
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option("--cluster", metavar="ADDRESS", help="Use the workers of this Dask scheduler: tcp://HOST:8786."),
    ] = None,
    no_evidence: Annotated[
        bool, typer.Option("--no-evidence", help="Do not copy the records of pages with findings.")
    ] = False,
    page_seconds: Annotated[
        float, typer.Option("--page-seconds", metavar="S", help="A page that takes longer is recorded as failed.")
    ] = 120.0,
    page_memory: Annotated[
        int, typer.Option("--page-memory", metavar="MB", help="A page whose worker needs more is recorded as failed.")
    ] = 2_000,
    contact: Annotated[
        str | None,
        typer.Option("--contact", metavar="ADDRESS", help="For capturing addresses: yours, told to the servers."),
    ] = None,
    model: ModelOption = None,
    trust_model: TrustOption = False,
    config: ConfigOption = None,
    debug: DebugOption = False,
) -> None:
    """Screen the pages of many sites into a case, with an exhibit for each finding and with what was not read.

    Exit codes: 0 all inputs were read, 2 wrong usage or a case that cannot be written, 3 an input could not be read.
    """
    if trust_model and model is None:
        raise UsageError("--trust-model needs --model DIR; the shipped model needs no trust")
    if cluster is not None and workers is not None:
        raise UsageError("--workers is for this machine; a cluster has as many as were started there")
    try:
        from mdclaims.cases.engine import PageLimits
        from mdclaims.cases.screen import ScreenOptions, screen
    except ImportError as error:
        raise UsageError('screening needs an extra; install it with: pip install "mdclaims[screen]"') from error
    from mdclaims.config import Settings, load_settings

    settings = _with_options(load_settings(config) if config else Settings(), mode, label, jurisdiction)
    options = ScreenOptions(
        settings=settings,
        model=model,
        trust_model=trust_model,
        workers=_cores() if workers is None else workers,
        evidence=not no_evidence,
        limits=PageLimits(page_seconds, page_memory),
        cluster=cluster,
    )

    def capture_first(addresses: Sequence[str], output: Path) -> Sequence[str]:
        return _capture_first(addresses, output, contact, settings)

    with _ScreenProgress() as progress:
        result = screen(inputs, case, options, capture=capture_first, on_plan=progress.begin, on_part=progress.advance)
    _tell_screening(result, case)
    raise typer.Exit(ExitCode.UNREADABLE if result.problems else ExitCode.OK)


def _cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _capture_first(addresses: Sequence[str], output: Path, contact: str | None, settings: Settings) -> Sequence[str]:
    """Capture what was named by address; return a line for each that was not fetched."""
    try:
        from mdclaims.cases.capture import CaptureOptions, capture
    except ImportError as error:
        raise UsageError('capturing pages needs an extra; install it with: pip install "mdclaims[capture]"') from error
    _talk(f"mdclaims: capturing {len(addresses):,} {'address' if len(addresses) == 1 else 'addresses'} into {output}")
    result = capture(addresses, output, CaptureOptions(contact=contact, limits=settings.limits))
    _talk(f"mdclaims: {output}: {result.summary()}")
    if result.interrupted:
        raise KeyboardInterrupt
    return result.unread


class _ScreenProgress:
    """Shows how far a screening has come, on a terminal alone."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(stderr=True)
        self._progress = Progress(
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[pages]:,} pages"),
            TextColumn("{task.fields[rate]:.1f} pages/s"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("", total=None, pages=0, rate=0.0)
        self._pages = 0

    def __enter__(self) -> _ScreenProgress:
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def begin(self, size: int) -> None:
        """Take the bytes that there are to read."""
        self._progress.reset(self._task, total=size)

    def advance(self, pages: int, size: int) -> None:
        """Take in the pages of a part, and the bytes of a task that is done."""
        self._pages += pages
        seconds = self._progress.tasks[0].elapsed or 0
        rate = self._pages / seconds if seconds else 0.0
        self._progress.update(self._task, advance=size, pages=self._pages, rate=rate)


def _tell_screening(result: ScreenResult, case: Path) -> None:
    """Write what was read and what was not, and last the digest of the manifest."""
    for line in result.problems[:_MOST_TOLD]:
        _talk(f"mdclaims: not read: {line}")
    if len(result.problems) > _MOST_TOLD:
        _talk(f"mdclaims: {len(result.problems) - _MOST_TOLD} more inputs or addresses could not be read")
    unjudged = [name for name, coverage in result.sites.items() if not coverage.is_judged]
    empty = [name for name, coverage in result.sites.items() if coverage.is_judged and not coverage.findings]
    whole = result.coverage
    counts = {
        "written by a script": whole.script_written,
        "not English": whole.not_english,
        "error pages": whole.error_pages,
        "failed": whole.failed,
        "over a limit": whole.over_limit,
        "refused by robots.txt": whole.refused,
        "not fetched": whole.not_fetched,
    }
    unread = ", ".join(f"{name} {number:,}" for name, number in counts.items() if number)
    typer.echo(f"{_number(result.sites, 'site')}, {whole.found:,} pages found, {whole.read:,} read")
    if unread:
        typer.echo(f"not judged: {unread}")
    typer.echo(f"{whole.findings:,} findings: high {whole.high:,}, normal {whole.normal:,}, info {whole.info:,}")
    _tell_sites("nothing found", empty, result)
    _tell_sites("could not be judged", unjudged, result)
    typer.echo(f"{case / 'manifest.json'} sha256 {result.digest}")


def _tell_sites(what: str, names: list[str], result: ScreenResult) -> None:
    from mdclaims.reports.controls import one_line

    if names:
        typer.echo(f"{what}: {_number(names, 'site')}")
    for name in names[:_MOST_TOLD]:
        typer.echo(one_line(f"  {name}: {result.sites[name].verdict()}"))
    if len(names) > _MOST_TOLD:
        typer.echo(f"  and {len(names) - _MOST_TOLD:,} more, in sites.parquet")


def _number(what: Sized, name: str) -> str:
    return f"{len(what):,} {name}{'' if len(what) == 1 else 's'}"


@app.command("verify")
def verify_command(
    case: Annotated[Path, typer.Argument(metavar="CASE", help="The folder that screen wrote.")],
    digest: Annotated[
        str | None,
        typer.Option("--digest", metavar="HEX", help="The manifest's SHA-256 that screen printed: is it still that?"),
    ] = None,
    inputs: Annotated[
        list[Path] | None,
        typer.Option(
            "--inputs",
            metavar="DIR",
            help="Look here for what was screened, by default in this folder; can be repeated.",
        ),
    ] = None,
    format: Annotated[ListFormat, typer.Option("--format", "-f", help="Text, or JSON.")] = ListFormat.text,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", help="Processes; by default one for each core.", min=1)
    ] = None,
    page_seconds: Annotated[
        float, typer.Option("--page-seconds", metavar="S", help="What takes longer to read is told as failed.")
    ] = 120.0,
    page_memory: Annotated[
        int, typer.Option("--page-memory", metavar="MB", help="What needs more to be read is told as failed.")
    ] = 2_000,
    debug: DebugOption = False,
) -> None:
    """Verify a case: every hash and count, and every quote against the evidence, read again.

    Exit codes: 0 all holds that could be checked, 1 something does not, 2 wrong usage, 3 the case cannot be read.
    """
    try:
        from mdclaims.cases.engine import PageLimits
        from mdclaims.cases.verify import VerifyOptions, verify, verify_json, verify_text
    except ImportError as error:
        raise UsageError('verifying needs an extra; install it with: pip install "mdclaims[screen]"') from error
    options = VerifyOptions(
        digest=digest,
        folders=tuple(inputs or [Path()]),
        workers=_cores() if workers is None else workers,
        limits=PageLimits(page_seconds, page_memory),
    )
    with _ScreenProgress() as progress:
        result = verify(case, options, on_plan=progress.begin, on_part=progress.advance)
    _print(verify_json(result) if format is ListFormat.json else verify_text(result))
    raise typer.Exit(ExitCode.OK if result.holds else ExitCode.FINDINGS)


# --- train and evaluate ------------------------------------------------------------------------------------------


@app.command("train")
def train_command(
    corpus: Annotated[Path, typer.Argument(metavar="CORPUS", help="Corpus folder or file.")] = Path("corpus/documents"),
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Write the model folder into this folder.")
    ] = Path("models"),
    version: Annotated[
        str | None, typer.Option("--model-version", help="The model's version; default: the package's.")
    ] = None,
    ship: Annotated[
        bool, typer.Option("--ship", help="Make it the shipped model: replace models/ and the pin in this checkout.")
    ] = False,
    vectors: Annotated[
        Path | None,
        typer.Option("--vectors", metavar="FILE", help="Word vectors to use; default: those of the shipped model."),
    ] = None,
    real_text: Annotated[
        Path | None,
        typer.Option(
            "--real-text", metavar="FILE", help="Show this result of `evaluate --json` on real pages in the model card."
        ),
    ] = None,
    debug: DebugOption = False,
) -> None:
    """Train a model on the splits train and dev, measure it on test, and write its folder.

    The same corpus and versions give the same bytes.
    """
    from mdclaims.model.persistence import load_model
    from mdclaims.model.training import ship as ship_model
    from mdclaims.model.training import train, write_model
    from mdclaims.model.vectors import read_vectors

    words = read_vectors(vectors) if vectors else load_model().classifier.vectors
    trained = train(corpus, version=version or _version(), vectors=words, real_text=real_text)
    name = f"{trained.meta['name']}-{trained.meta['version']}"
    if ship:
        _talk(f"mdclaims: shipped {ship_model(trained, Path.cwd())}")
    else:
        digest = write_model(trained, output)
        _talk(f"mdclaims: wrote {output / name}, sha256 {digest}")
    test = trained.meta["test"]
    typer.echo(f"macro-F1 on test, mode {test['mode']}: {test['macro_f1'][0]:.3f}")


@app.command("evaluate")
def evaluate_command(
    gold: Annotated[
        list[Path],
        typer.Argument(metavar="GOLD.jsonl...", help="Annotated documents in the corpus format; several are pooled."),
    ],
    mode: Annotated[Mode, typer.Option("--mode", "-m", help="Whose thresholds decide.")] = Mode.balanced,
    end_to_end: Annotated[
        bool, typer.Option("--end-to-end", help="Also score from text to labels, splitting errors included.")
    ] = False,
    split: Annotated[
        str | None, typer.Option("--split", help="Only documents of this split (train, dev, test).")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the figures to this file as well.")
    ] = None,
    model: ModelOption = None,
    trust_model: TrustOption = False,
    debug: DebugOption = False,
) -> None:
    """Measure the model on annotated documents, beside two readers without a model."""
    import json

    from mdclaims.model.corpus import SPLITS, read_corpus
    from mdclaims.model.evaluation import evaluate
    from mdclaims.model.persistence import load_model

    if split is not None and split not in SPLITS:
        raise UsageError(f"unknown split {split!r}; choose one of {', '.join(SPLITS)}")
    documents = [document for path in gold for document in read_corpus(path)]
    if split is not None:
        documents = [document for document in documents if document.split == split]
    if not documents:
        raise UsageError("no document to evaluate; check the files and --split")
    result = evaluate(
        documents, load_model(model, trust=trust_model).classifier, mode=mode.value, end_to_end=end_to_end
    )
    _print(_evaluation_table(result))
    seen = sum(document.split in {"train", "dev"} for document in documents)
    if seen:
        told = f"{seen} of {len(documents)} documents are marked train or dev"
        _print(f"\nnote: {told}; a model fitted on them looks better than it is\n")
    if json_file is not None:
        _save(json_file, json.dumps(result.to_json(), indent=2) + "\n")


def _evaluation_table(result: Evaluation) -> str:
    """Return an evaluation as a table for the terminal."""
    heads = ("label", "n", "precision", "recall", "F1", "average precision", "Brier skill", "slope", "cal. error")
    widths = (16, 6, 18, 18, 18, 19, 13, 7, 10)
    rows: list[tuple[str, ...]] = [heads]
    for row in result.labels:
        intervals = (row.precision, row.recall, row.f1, row.average_precision)
        rows.append(
            (
                row.label,
                str(row.support),
                *(_interval(entry, 2) for entry in intervals),
                f"{row.brier_skill:.2f}",
                f"{row.calibration_slope:.2f}",
                f"{row.calibration_error:.3f}",
            )
        )
    drawn = f"95 % bootstrap over {result.resampled}s"
    lines = [
        f"{result.documents} documents, {result.sites} sites, {result.sentences} sentences; mode {result.mode}; "
        f"intervals: {drawn if result.documents > 1 else 'none, a single document has no spread'}",
        "",
        *("".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows),
        "",
        f"macro-F1 {_interval(result.macro_f1, 3)}",
        "",
        "F1 of readers without a model:",
    ]
    for baseline in result.baselines:
        per_label = ", ".join(f"{label} {f1:.2f}" for label, f1 in baseline.f1.items())
        lines.append(f"  {baseline.name:<15} macro {baseline.macro_f1:.3f}; {per_label}")
    if result.end_to_end is not None:
        found = dict(result.end_to_end)
        exact, average = found.pop("sentences"), found.pop("macro_f1")
        per_label = ", ".join(f"{label} {f1:.2f}" for label, f1 in found.items())
        lines += ["", f"end to end: {exact:.1%} of the sentences found exactly; macro-F1 {average:.3f}; {per_label}"]
    return "\n".join(lines) + "\n"


def _interval(entry: Interval, digits: int) -> str:
    """Return a figure with its interval, where it has one."""
    if math.isnan(entry.low):
        return f"{entry.value:.{digits}f}"
    return f"{entry.value:.{digits}f} ({entry.low:.{digits}f}-{entry.high:.{digits}f})"


# --- corpus -------------------------------------------------------------------------------------------------------


@corpus_app.command("check")
def corpus_check_command(
    corpus: Annotated[Path, typer.Argument(metavar="CORPUS", help="Corpus folder or file.")] = Path("corpus/documents"),
    debug: DebugOption = False,
) -> None:
    """Find breaches of the format, duplicates and leaks between splits; exit code 1 if there are any."""
    from mdclaims.model.corpus import check_corpus

    problems = check_corpus(corpus)
    for problem in problems:
        typer.echo(problem)
    typer.echo(
        f"mdclaims: {len(problems)} {'problem' if len(problems) == 1 else 'problems'} found in {corpus}", err=True
    )
    raise typer.Exit(ExitCode.FINDINGS if problems else ExitCode.OK)


@corpus_app.command("agreement")
def corpus_agreement_command(
    corpus: Annotated[Path, typer.Argument(metavar="CORPUS", help="Corpus folder or file.")] = Path("corpus/documents"),
    first: Annotated[str, typer.Option("--first", help="Name of one annotator.")] = "writer",
    second: Annotated[str, typer.Option("--second", help="Name of the other annotator.")] = "reader",
    debug: DebugOption = False,
) -> None:
    """Print Cohen's kappa of two annotators for each label."""
    from mdclaims.model.agreement import agreement
    from mdclaims.model.corpus import read_corpus

    rows = agreement(read_corpus(corpus), first, second)
    typer.echo(f"{rows[0].sentences} sentences labelled by {first} and {second}")
    typer.echo(f"{'label':<16}{first:>10}{second:>10}{'both':>8}{'kappa':>8}")
    for row in rows:
        typer.echo(f"{row.label:<16}{row.first:>10}{row.second:>10}{row.both:>8}{row.kappa:>8.3f}")


@corpus_app.command("figures")
def corpus_figures_command(
    corpus: Annotated[Path, typer.Argument(metavar="CORPUS", help="Corpus folder or file.")] = Path("corpus/documents"),
    write: Annotated[
        Path | None, typer.Option("--write", metavar="FILE", help="Put them between the marks of this Markdown file.")
    ] = None,
    debug: DebugOption = False,
) -> None:
    """Print the figures of the datasheet as Markdown."""
    from mdclaims.model.corpus import read_corpus
    from mdclaims.model.figures import corpus_figures, replace_figures

    figures = corpus_figures(read_corpus(corpus))
    if write is None:
        typer.echo(figures, nl=False)
    else:
        replace_figures(write, figures)


# --- running ------------------------------------------------------------------------------------------------------


def _talk(text: str) -> None:
    """Write one line to standard error; names of files must not reach the terminal as commands."""
    from mdclaims.reports.controls import one_line

    typer.echo(one_line(text), err=True)


def _version() -> str:
    from importlib.metadata import version

    return version("mdclaims")


def main() -> None:
    """Run the command line and exit with its code: the entry point of ``mdclaims``."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command line and return its exit code; every error ends in one line on standard error."""
    debug = "--debug" in arguments
    try:
        code = app(arguments, prog_name="mdclaims", standalone_mode=False)
    except MdclaimsError as error:
        if debug:
            traceback.print_exc()
        _talk(f"mdclaims: {error}")
        return error.exit_code
    except BrokenPipeError:
        # The reader has seen enough ("| head"); nothing more can be written, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except Exception as error:
        return _unexpected(error, debug=debug)
    return int(code or 0)


def _unexpected(error: Exception, *, debug: bool) -> int:
    """Tell usage errors of the command line from bugs."""
    show = getattr(error, "show", None)
    if callable(show):  # click's own: unknown option, missing argument, bad choice
        show()
        return ExitCode.USAGE
    if debug:
        traceback.print_exc()
    name = type(error).__name__
    _talk(f"mdclaims: internal error ({name}: {error}); run again with --debug and report the traceback")
    return ExitCode.INTERNAL
