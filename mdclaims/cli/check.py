"""``check``, ``baseline`` and ``init``: drafts and pages to a report, and what stands beside them."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mdclaims.cli.app import app, version_of_package
from mdclaims.cli.options import (
    ConfigOption,
    DebugOption,
    FailOn,
    InputFormat,
    JurisdictionOption,
    Mode,
    ModelOption,
    ReportFormat,
    TrustOption,
    today,
    with_options,
)
from mdclaims.cli.output import MOST_TOLD, save, talk, terminal, write
from mdclaims.errors import ExitCode, ReadError, UsageError

if TYPE_CHECKING:
    from mdclaims.config import ConfigFinder, Settings
    from mdclaims.findings.checking import Checker
    from mdclaims.findings.findings import PageResult
    from mdclaims.findings.suppressions import Note
    from mdclaims.reports.report import InputError, Report


_SUFFIX = {
    ReportFormat.text: ".txt",
    ReportFormat.json: ".json",
    ReportFormat.html: ".html",
    ReportFormat.sarif: ".sarif",
    ReportFormat.csv: ".csv",
    ReportFormat.junit: ".xml",
    ReportFormat.docx: ".reviewed.docx",
}


@app.command("check")
def check_command(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATH | -]...", help="Files (.txt .md .html .htm .docx .pdf), folders, or - for standard input."
        ),
    ] = None,
    format: Annotated[
        ReportFormat,
        typer.Option("--format", "-f", help="Format of the report; docx: the Word file with comments, needs -o."),
    ] = ReportFormat.text,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="PATH", help="Write the report here; a folder for one report per input."
        ),
    ] = None,
    mode: Annotated[
        Mode | None,
        typer.Option(
            "--mode", "-m", help="balanced (default), edit: few false alarms (default for Word), screen: few missed."
        ),
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
        typer.Option(
            "--all",
            help="In the terminal, list every claim, also those for information; in Word, comment on every finding.",
        ),
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
        config,
        lambda settings: replace(with_options(settings, mode, label, jurisdiction), explain=explain),
        mode=Mode.edit if format is ReportFormat.docx else Mode.balanced,
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
    if format is ReportFormat.docx:
        _refuse_unless_word(inputs, output)
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
    if format is ReportFormat.docx:
        report = _write_word(report, checker, str(output), everything=everything)
    else:
        _write(report, format, output, everything=everything)
    _tell(report)
    raise typer.Exit(_check_exit(report, fail_on=fail_on, exit_zero=exit_zero))


def _configs(
    config: Path | None, adjust: Callable[[Settings], Settings], *, mode: Mode = Mode.balanced
) -> ConfigFinder:
    from mdclaims.config import ConfigFinder

    return ConfigFinder(config, adjust=adjust, mode=mode.value)


def _refuse_unless_word(inputs: list[Path | None], output: str | None) -> None:
    """Refuse what ``--format docx`` cannot write comments into, before anything is read."""
    from mdclaims.reading import format_of

    for path in inputs:
        if path is None or format_of(path) != "docx":
            name = path or "standard input"
            raise UsageError(
                f"--format docx writes comments into Word files, and {name} is none; save it as .docx, "
                f"or choose another --format"
            )
    if output is None:
        raise UsageError("--format docx writes a Word file; say where with -o FILE.docx")


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
    return Checker(screener, first.settings, configs, today=today())


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
            talk(f"mdclaims: {len(inputs) - len(kept)} {what} unchanged since {self._revisions.name} and not shown")
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


def _tell(report: Report) -> None:
    """Write the report's notes to standard error."""
    for note in report.notes[:MOST_TOLD]:
        talk(f"mdclaims: {note.source}: {note.note}")
    if len(report.notes) > MOST_TOLD:
        talk(f"mdclaims: {len(report.notes) - MOST_TOLD} more notes are in the JSON report")


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
        tool_version=version_of_package(),
        model_name=screener.model.name,
        model_version=screener.model.version,
        model_sha256=screener.model.sha256,
        settings=screener.settings,
        thresholds=screener.thresholds,
        pages=tuple(pages),
        errors=tuple(errors),
        today=today(),
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
    sentences = tuple(entry._replace(labels=()) if entry.sentence.block.hidden else entry for entry in result.sentences)
    findings = tuple(finding for finding in result.findings if not sentences[finding.sentence].sentence.block.hidden)
    return replace(result, sentences=sentences, findings=findings)


def _write(report: Report, format: ReportFormat, output: str | None, *, everything: bool) -> None:
    if output is None:
        width, colour = terminal()
        write(_render(report, format, width=width, colour=colour, everything=everything))
        return
    for error in report.errors:
        talk(f"mdclaims: not read: {error.source}: {error.error}")
    for target, part in _targets(report, format, output):
        save(target, _render(part, format, everything=everything))


def _write_word(report: Report, checker: Checker, output: str, *, everything: bool) -> Report:
    """Write every Word file with its comments; return the report with what could not be written among its errors."""
    from mdclaims.reports.report import InputError, settings_line
    from mdclaims.reports.word_report import render_word

    talk(f"mdclaims: {settings_line(report.settings)}")
    targets = _targets(report, ReportFormat.docx, output)
    if len(report.pages) > 1 and len(targets) == 1:
        raise UsageError(f"{output} can hold one Word file, not {len(report.pages)}; pass a folder to --output")
    errors = list(report.errors)
    for target, part in targets if report.pages else []:
        source = Path(part.pages[0].page.source)
        try:
            limits = checker.screener_for(source).settings.limits
            save(target, render_word(part, source.read_bytes(), limits=limits, everything=everything))
        except OSError as error:
            errors.append(InputError(str(source), f"cannot be read again ({error.strerror or error}); check the path"))
        except ReadError as error:
            errors.append(InputError(str(source), str(error)))
    for entry in errors:
        talk(f"mdclaims: not read: {entry.source}: {entry.error}")
    return replace(report, errors=tuple(errors))


def _targets(report: Report, format: ReportFormat, output: str) -> list[tuple[Path, Report]]:
    """Return what to write where: one report of all pages, or in a folder one for each."""
    path = Path(output)
    several = len(report.pages) > 1 and not path.suffix
    if path.is_dir() or several or output.endswith(("/", os.sep)):
        targets = [(path / f"{name}{_SUFFIX[format]}", part) for name, part in _one_by_one(report)]
    else:
        targets = [(path, report)]
    for target, _ in targets:
        if any(_same_file(target, Path(page.page.source)) for page in report.pages):
            raise UsageError(f"{target} is an input; choose another --output")
    return targets


def _one_by_one(report: Report) -> Iterator[tuple[str, Report]]:
    """Yield a file name and a report for each page; equal names are numbered."""
    used: dict[str, int] = {}
    for page in report.pages:
        stem = "stdin" if page.page.source == "standard input" else Path(page.page.source).name
        used[stem] = used.get(stem, 0) + 1
        yield stem if used[stem] == 1 else f"{stem}-{used[stem]}", replace(report, pages=(page,), errors=())


def _same_file(one: Path, other: Path) -> bool:
    return _exists(one) and _exists(other) and one.samefile(other)


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
    configs = _configs(config, lambda settings: with_options(settings, mode, label, jurisdiction))
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
    save(target, text)
    for error in report.errors:
        talk(f"mdclaims: not read: {error.source}: {error.error}")
    talk(f"mdclaims: {count} new {'entry' if count == 1 else 'entries'} in {target}; give each a reason once reviewed")
    if target.name != CLEARED_NAME:
        talk(f"mdclaims: check looks for the name {CLEARED_NAME}, not {target.name}")
    raise typer.Exit(ExitCode.UNREADABLE if report.errors else ExitCode.OK)


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
    talk(f"mdclaims: wrote {path}")
