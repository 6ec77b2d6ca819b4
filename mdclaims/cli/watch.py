"""``check --watch``: the report of all inputs, then one of what changed whenever something is saved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from rich.console import Console

from mdclaims.cli.check import Run, Shown, expand, folders_of, load_screener, settings_of, tell
from mdclaims.cli.options import ReportFormat
from mdclaims.cli.output import number_of, talk
from mdclaims.config import absolute, naming
from mdclaims.errors import ReadError, UsageError
from mdclaims.findings.screening import Screener
from mdclaims.findings.suppressions import Outcome
from mdclaims.findings.watching import FolderWatcher, Signature, folders_below, settings_files, signature
from mdclaims.reports.report import for_people, totals_line

if TYPE_CHECKING:
    from mdclaims.config import ConfigFinder, Settings
    from mdclaims.reports.report import InputError, Report


def watch(run: Run, paths: list[str], shown: Shown) -> NoReturn:
    """Check, and check again what is saved, until Ctrl-C.

    Raises
    ------
    UsageError
        If something is wrong at the start; later it is shown, and watching goes on.
    """
    if "-" in paths:
        raise UsageError("--watch is for files; standard input is read once")
    if run.options.revision is not None or run.options.against is not None:
        raise UsageError("--watch shows what changes as it is saved, and goes without --changed-since and --against")
    if shown.format is not ReportFormat.text and shown.output is None:
        raise UsageError(f"--watch with --format {shown.format} needs --output PATH, which is written each time")
    watcher = FolderWatcher()
    rounds = _Rounds(run, paths, shown)
    seen = rounds.look()
    rounds.check(seen)
    while True:
        talk(f"mdclaims: watching {number_of(seen.files, 'file')}; Ctrl-C ends it")
        last = seen
        while seen == last:
            watcher.wait(rounds.folders())
            seen = rounds.look()
        Console().clear()  # a terminal alone
        try:
            rounds.check(seen)
        except UsageError as error:
            talk(f"mdclaims: {error}")


@dataclass(frozen=True)
class _Seen:
    """How everything looked that results depend on; `wrong` is what is wrong with a config."""

    files: dict[Path, Signature | None]
    beside: dict[Path, Signature | None]
    unreadable: tuple[InputError, ...] = ()
    configs: ConfigFinder | None = field(default=None, compare=False)
    wrong: str | None = None


class _Rounds:
    """Checks what changed since the round before, and shows it."""

    def __init__(self, run: Run, paths: list[str], shown: Shown) -> None:
        self._run = run
        self._paths = paths
        self._shown = shown
        self._last: _Seen | None = None
        self._screener: Screener | None = None
        self._results: dict[Path, Outcome | ReadError] = {}
        self._written: set[Path] = set()
        """Reports of ours: they may stand in a folder that is watched."""

    def look(self) -> _Seen:
        """Return how everything looks."""
        try:
            configs = self._run.options.configs()
            inputs, unreadable = expand(self._paths, configs)
            files = [file for file in inputs if file is not None and absolute(file) not in self._written]
            beside = settings_files(files, folders_of(self._paths), configs)
        except FileNotFoundError:  # a folder went while it was read
            return self.look()
        except UsageError as error:
            if self._last is None:
                raise
            return _Seen(_signatures(self._last.files), _signatures(self._last.beside), wrong=str(error))
        return _Seen(_signatures(files), _signatures(sorted(beside)), tuple(unreadable), configs)

    def folders(self) -> set[Path]:
        """Return the folders in which something can happen that counts."""
        found: set[Path] = {file.parent for file in self._last.beside} if self._last is not None else set()
        for name in self._paths:
            path = absolute(Path(name))
            found |= folders_below(path) if path.is_dir() else {path.parent}
        return found

    def check(self, seen: _Seen) -> None:
        """Check what changed, and show it.

        Raises
        ------
        UsageError
            If a config, cleared wording or a list of the user is wrong; all is checked anew once it is mended.
        """
        last = self._last
        if last is None or seen.beside != last.beside:
            self._results.clear()
        if seen.configs is None:
            raise UsageError(seen.wrong or "")
        files = list(seen.files)
        settings = settings_of(files, seen.configs)
        if self._screener is None or not self._results:
            self._screener = self._screener_for(settings, files, seen.configs)
        checker = self._run.options.checker(self._screener, settings, seen.configs)
        before = last.files if last is not None else {}
        new = [file for file in files if file not in self._results or before.get(file) != seen.files[file]]
        self._results |= dict(self._run.examine(checker, new, settings))  # type: ignore[arg-type]
        self._results = {file: self._results[file] for file in files}
        report = self._run.report(checker, self._results.items(), seen.unreadable, folders_of(self._paths))
        self._last = seen
        names = {str(file) for file in new}
        if last is not None:
            names |= {entry.source for entry in seen.unreadable if entry not in last.unreadable}
        self._show(report, None if last is None else names)
        for file in sorted(set(before) - set(files)):
            talk(f"mdclaims: {file} is gone, or left out now")

    def _screener_for(self, settings: Settings, files: list[Path], configs: ConfigFinder) -> Screener:
        """Return a screener with settings; the model is loaded once, own lists whenever they may have changed."""
        if self._screener is None:
            return load_screener(self._run.options, settings, files, configs)
        with naming(configs.config_of(files[0] if files else None).path):
            return Screener(self._screener.model, settings)

    def _show(self, report: Report, new: set[str] | None) -> None:
        """Show a report; in the terminal only the pages named, if some are, and the summary of all."""
        part = report
        if new is not None and self._shown.output is None:
            pages = tuple(page for page in report.pages if page.page.source in new)
            part = replace(report, pages=pages, errors=tuple(entry for entry in report.errors if entry.source in new))
        if part.pages or part.errors or new is None:
            _, files = self._shown.write(part)
            self._written |= {absolute(path) for path in files}
        tell(report)
        talk(f"mdclaims: {datetime.now():%H:%M:%S} {totals_line(for_people(report))}")


def _signatures(files: Iterable[Path]) -> dict[Path, Signature | None]:
    return {file: signature(file) for file in files}
