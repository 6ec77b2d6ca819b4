"""``check``, ``baseline`` and ``init``: drafts and pages to a report, and what stands beside them."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
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
    WorkersOption,
    cores,
    today,
    with_options,
)
from mdclaims.cli.output import MOST_TOLD, save, talk, terminal, write
from mdclaims.errors import ExitCode, ReadError, UsageError

if TYPE_CHECKING:
    from mdclaims.config import ConfigFinder, Settings
    from mdclaims.findings.checking import Checker, CheckOptions
    from mdclaims.findings.findings import PageResult
    from mdclaims.findings.screening import Screener
    from mdclaims.findings.suppressions import Outcome
    from mdclaims.reports.report import InputError, Report


_SUFFIX = {
    ReportFormat.text: ".txt",
    ReportFormat.json: ".json",
    ReportFormat.html: ".html",
    ReportFormat.sarif: ".sarif",
    ReportFormat.csv: ".csv",
    ReportFormat.junit: ".xml",
    ReportFormat.docx: ".reviewed.docx",
    ReportFormat.github: ".txt",
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
    workers: WorkersOption = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Check again what is saved, until Ctrl-C; with the extra watch.")
    ] = False,
    debug: DebugOption = False,
) -> None:
    """Read drafts and pages, and report their labelled sentences.

    Exit codes: 0 nothing that counts for --fail-on, 1 findings that do, 2 wrong usage or refused model, 3 an input
    could not be read, 4 internal error.
    """
    from mdclaims.findings.checking import CheckOptions

    explain = explain or format is ReportFormat.html
    adjust = partial(with_options, mode=mode, labels=label, jurisdictions=jurisdiction, explain=explain)
    default = Mode.edit if format is ReportFormat.docx else Mode.balanced
    options = CheckOptions(model, trust_model, config, adjust, today(), default.value, changed_since, against)
    run = Run(options, as_format=as_format, skip_hidden=skip_hidden, workers=workers or cores(), debug=debug)
    shown = Shown(format, output, everything=everything)
    configs = options.configs()
    if not paths:
        raise UsageError("no input; pass files, folders, or - for standard input")
    inputs, unreadable = expand(paths, configs)
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
    if watch:
        from mdclaims.cli.watch import watch as watch_inputs

        watch_inputs(run, paths, shown)
    settings = settings_of(inputs, configs)
    checker = options.checker(load_screener(options, settings, inputs, configs), settings, configs)
    changed = checker.earlier.changed(inputs)
    if len(changed) < len(inputs):
        what = "input is" if len(inputs) - len(changed) == 1 else "inputs are"
        talk(f"mdclaims: {len(inputs) - len(changed)} {what} unchanged since {changed_since} and not shown")
    folders = folders_of(paths) if checker.earlier.is_none else []
    report = run.report(checker, run.examine(checker, changed, settings), unreadable, folders)
    report = replace(report, notes=(*report.notes, *checker.earlier.gone(folders_of(paths))))
    report, _ = shown.write(report)
    tell(report)
    raise typer.Exit(_check_exit(report, fail_on=fail_on, exit_zero=exit_zero))


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


def settings_of(inputs: Sequence[Path | None], configs: ConfigFinder) -> Settings:
    """Return the settings of the first input; those of all must agree in what one report states once."""
    from mdclaims.config import differing_key

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
    return first.settings


def load_screener(
    options: CheckOptions, settings: Settings, inputs: Sequence[Path | None], configs: ConfigFinder
) -> Screener:
    """Return a screener with the settings of the first input; errors name its config."""
    from mdclaims.config import naming

    with naming(configs.config_of(inputs[0] if inputs else None).path):
        return options.load(settings)


@dataclass(frozen=True)
class Run:
    """What a check was asked for, beside its inputs; each round of a watch does it anew."""

    options: CheckOptions
    as_format: InputFormat | None = None
    skip_hidden: bool = False
    workers: int = 1
    debug: bool = False

    def examine(
        self, checker: Checker, inputs: Iterable[Path | None], settings: Settings
    ) -> Iterator[tuple[Path | None, Outcome | ReadError]]:
        """Yield each input and what came of it."""
        from mdclaims.findings.parallel import examine_files

        inputs = list(inputs)
        files = [path for path in inputs if path is not None]
        examined = examine_files(files, checker, self.options, settings=settings, workers=self.workers)
        for path in inputs:
            yield path, self._examine_stdin(checker) if path is None else next(examined)

    def _examine_stdin(self, checker: Checker) -> Outcome | ReadError:
        from mdclaims.reading import read_bytes, read_stream

        limits = checker.screener_for(None).settings.limits
        kind = (self.as_format or InputFormat.text).value
        try:
            data = read_stream(sys.stdin.buffer, format=kind, limits=limits)
            page = read_bytes(data, source="standard input", format=kind, limits=limits)
            return checker.examine_page(page, None)
        except ReadError as error:
            return error

    def report(
        self,
        checker: Checker,
        examined: Iterable[tuple[Path | None, Outcome | ReadError]],
        unreadable: Sequence[InputError],
        folders: Sequence[Path],
    ) -> Report:
        """Return the report of all inputs."""
        from mdclaims.reading.page import replace_unencodable
        from mdclaims.reports.report import InputError, Report

        pages: list[PageResult] = []
        errors = list(unreadable)
        inputs: list[Path | None] = []
        for path, outcome in examined:
            inputs.append(path)
            if isinstance(outcome, ReadError):
                if self.debug:
                    traceback.print_exception(outcome)
                errors.append(InputError(replace_unencodable(str(path or "standard input")), str(outcome)))
            else:
                result = checker.take(outcome, path)
                pages.append(_without_hidden(result) if self.skip_hidden else result)
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
            today=self.options.today,
            skip_hidden=self.skip_hidden,
            notes=checker.notes(folders),
            configs=checker.configs_of(inputs),
        )


def tell(report: Report) -> None:
    """Write the report's notes to standard error."""
    for note in report.notes[:MOST_TOLD]:
        talk(f"mdclaims: {note.source}: {note.note}")
    if len(report.notes) > MOST_TOLD:
        talk(f"mdclaims: {len(report.notes) - MOST_TOLD} more notes are in the JSON report")


def expand(paths: list[str], configs: ConfigFinder) -> tuple[list[Path | None], list[InputError]]:
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
            # Word leaves a "~$" file beside a document as long as it is open.
            found = sorted(
                file
                for file in path.rglob("*")
                if format_of(file) and file.is_file() and not file.name.startswith("~$")
            )
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


def folders_of(paths: list[str]) -> list[Path]:
    """Return those of the paths that are folders."""
    return [Path(name) for name in paths if _exists(Path(name)) and Path(name).is_dir()]


def _exists(path: Path) -> bool:
    """Return whether a path leads somewhere; a text passed by mistake can be too long for the system to look up."""
    try:
        return path.exists()
    except OSError:
        return False


def _without_hidden(result: PageResult) -> PageResult:
    """Keep every sentence, but labels and findings only in text that is shown."""
    sentences = tuple(entry._replace(labels=()) if entry.sentence.block.hidden else entry for entry in result.sentences)
    findings = tuple(finding for finding in result.findings if not sentences[finding.sentence].sentence.block.hidden)
    return replace(result, sentences=sentences, findings=findings)


@dataclass(frozen=True)
class Shown:
    """How and where a report is shown."""

    format: ReportFormat
    output: str | None
    everything: bool = False

    def write(self, report: Report) -> tuple[Report, list[Path]]:
        """Write a report; return it with what could not be written among its errors, and the files that were."""
        if self.output is None:
            width, colour = terminal()
            write(_render(report, self.format, width=width, colour=colour, everything=self.everything))
            return report, []
        targets = self._targets(report, self.output)
        if self.format is ReportFormat.docx:
            report = self._write_word(report, targets)
        for error in report.errors:
            talk(f"mdclaims: not read: {error.source}: {error.error}")
        if self.format is not ReportFormat.docx:
            for target, part in targets:
                save(target, _render(part, self.format, everything=self.everything))
        return report, [target for target, _ in targets]

    def _targets(self, report: Report, output: str) -> list[tuple[Path, Report]]:
        """Return what to write where: one report of all pages, or in a folder one for each."""
        path = Path(output)
        several = len(report.pages) > 1 and not path.suffix
        if path.is_dir() or several or output.endswith(("/", os.sep)):
            targets = [(path / f"{name}{_SUFFIX[self.format]}", part) for name, part in _one_by_one(report)]
        else:
            targets = [(path, report)]
        for target, _ in targets:
            if any(_same_file(target, Path(page.page.source)) for page in report.pages):
                raise UsageError(f"{target} is an input; choose another --output")
        return targets

    def _write_word(self, report: Report, targets: list[tuple[Path, Report]]) -> Report:
        """Write every Word file with its comments; return the report with what could not be written."""
        from mdclaims.reports.report import InputError, settings_line
        from mdclaims.reports.word_report import render_word

        talk(f"mdclaims: {settings_line(report.settings)}")
        if len(report.pages) > 1 and len(targets) == 1:
            raise UsageError(
                f"{self.output} can hold one Word file, not {len(report.pages)}; pass a folder to --output"
            )
        errors = list(report.errors)
        for target, part in targets if report.pages else []:
            source = Path(part.pages[0].page.source)
            try:
                data = source.read_bytes()
                save(target, render_word(part, data, limits=part.settings.limits, everything=self.everything))
            except OSError as error:
                problem = f"cannot be read again ({error.strerror or error}); check the path"
                errors.append(InputError(str(source), problem))
            except ReadError as error:
                errors.append(InputError(str(source), str(error)))
        return replace(report, errors=tuple(errors))


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
    if format is ReportFormat.github:
        from mdclaims.reports.workflow_commands import render_workflow_commands

        return render_workflow_commands(report, base=Path.cwd())
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
    from mdclaims.findings.checking import CheckOptions
    from mdclaims.findings.cleared import CLEARED_NAME, baseline

    target = output or Path(CLEARED_NAME)
    adjust = partial(with_options, mode=mode, labels=label, jurisdictions=jurisdiction)
    options = CheckOptions(model, trust_model, config, adjust, today())
    configs = options.configs()
    inputs, unreadable = expand(paths or ["."], configs)
    if None in inputs:
        raise UsageError("baseline is for files; standard input has no name to find it by")
    settings = settings_of(inputs, configs)
    checker = options.checker(load_screener(options, settings, inputs, configs), settings, configs)
    run = Run(options, workers=cores(), debug=debug)
    report = run.report(checker, run.examine(checker, inputs, settings), unreadable, [])
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
