"""Checks drafts as their editor wants them checked: with the config and the cleared wording found beside them.

`check`, the editor and the local page share it. Screening other people's pages does not: it uses `Screener` alone,
so that nothing which a page or its folder says is obeyed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from mdclaims.config import ConfigFinder, Settings, absolute, naming
from mdclaims.findings import screening
from mdclaims.findings.cleared import ClearedFinder, ClearedWording
from mdclaims.findings.earlier import Earlier
from mdclaims.findings.findings import PageResult
from mdclaims.findings.screening import Screener
from mdclaims.findings.suppressions import Note, Outcome, entry_notes, suppress
from mdclaims.reading import Page, read_page


@dataclass
class _Served:
    """What a file of cleared wording did in this run: the pages it served, and their names for its entries."""

    cleared: ClearedWording
    names: Collection[str]
    outcomes: list[Outcome] = field(default_factory=list)
    files: list[str] = field(default_factory=list)


class Checker:
    """Checks files, each with the settings found for it, and marks what is suppressed.

    Parameters
    ----------
    screener : Screener
        Brings the model, and screens what has the settings it was loaded for.
    loaded_for : Settings
    configs : ConfigFinder
    today : date
        The day on which what has expired is told.
    earlier : Earlier, optional
        The versions that files are compared with.
    """

    def __init__(
        self,
        screener: Screener,
        loaded_for: Settings,
        configs: ConfigFinder,
        *,
        today: date,
        earlier: Earlier | None = None,
    ) -> None:
        self._screener = screener
        self._screeners: dict[Settings, Screener] = {loaded_for: screener}
        self._configs = configs
        self._today = today
        self.earlier = earlier or Earlier()
        self._finder = ClearedFinder()
        self._served: dict[Path, _Served] = {}
        self._notes: list[Note] = []

    def screener_for(self, file: Path | None) -> Screener:
        """Return a screener with the settings of a file; of the working folder for standard input (None)."""
        config = self._configs.config_of(file)
        if config.settings not in self._screeners:
            with naming(config.path):
                first = self._screener
                self._screeners[config.settings] = Screener(first.model, config.settings, memory=first.memory)
        return self._screeners[config.settings]

    def configs_of(self, files: Sequence[Path | None]) -> tuple[str, ...]:
        """Return the config files of files that are checked, each once."""
        found = (self._configs.config_of(file).path for file in files)
        return tuple(dict.fromkeys(str(path) for path in found if path is not None))

    def check_file(self, file: Path) -> PageResult:
        """Read and check one file; errors as in `examine_file`."""
        return self.take(self.examine_file(file), file)

    def check_page(self, page: Page, file: Path | None) -> PageResult:
        """Check a page that is already read; `file` is None for standard input."""
        return self.take(self.examine_page(page, file), file)

    def examine_file(self, file: Path) -> Outcome:
        """Read and check one file, and leave it to `take` to remember what came of it.

        Another process can do the one, and this one the other.

        Raises
        ------
        ReadError
            If it cannot be read, or its earlier version cannot.
        UsageError
            If reading it needs an extra that is not installed, or its config or cleared wording is wrong.
        """
        return self.examine_page(read_page(file, limits=self.screener_for(file).settings.limits), file)

    def examine_page(self, page: Page, file: Path | None) -> Outcome:
        """Check a page that is already read, and leave it to `take` to remember what came of it."""
        screener = self.screener_for(file)
        result = screener.screen_page(page)
        cleared = self._finder.cleared_for(file)
        outcome = suppress(
            result,
            today=self._today,
            floors=screener.floors,
            names=screener.names,
            cleared=cleared,
            file=cleared.name_of(file) if cleared is not None and file is not None else None,
        )
        return replace(outcome, result=self.earlier.compare(outcome.result, file, screener))

    def take(self, outcome: Outcome, file: Path | None) -> PageResult:
        """Remember for `notes` what examining a file came to, and return its result."""
        self._notes += outcome.notes
        cleared = self._finder.cleared_for(file)
        if cleared is not None:
            served = self._served.setdefault(cleared.path, _Served(cleared, self.screener_for(file).names))
            served.outcomes.append(outcome)
            name = cleared.name_of(file) if file is not None else None
            if name is not None:
                served.files.append(name)
        return outcome.result

    def notes(self, folders: Sequence[Path] = ()) -> tuple[Note, ...]:
        """Return what is to be said about directives and cleared wording after all files.

        Parameters
        ----------
        folders : sequence of Path
            Folders that were read whole: there, an entry that did nothing is told.
        """
        found = list(self._notes)
        for served in self._served.values():
            place = absolute(served.cleared.path.parent)
            whole = any(place.is_relative_to(absolute(folder)) for folder in folders)
            found += entry_notes(
                served.cleared,
                served.outcomes,
                files=served.files,
                whole=whole,
                today=self._today,
                names=served.names,
            )
        return tuple(found)


@dataclass(frozen=True)
class CheckOptions:
    """What makes a checker, so that another process can make the same.

    Attributes
    ----------
    model : Path or None
    trust_model : bool
    config : Path or None
        See `ConfigFinder`.
    adjust : callable
        See `ConfigFinder`; a function of a module, or `functools.partial` of one, since it has to travel.
    today : date
    mode : str
        See `ConfigFinder`.
    revision : str or None
    against : Path or None
        See `Earlier`.
    """

    model: Path | None
    trust_model: bool
    config: Path | None
    adjust: Callable[[Settings], Settings]
    today: date
    mode: str = "balanced"
    revision: str | None = None
    against: Path | None = None

    def configs(self) -> ConfigFinder:
        """Return a finder of configs that has read none but the explicit one."""
        return ConfigFinder(self.config, adjust=self.adjust, mode=self.mode)

    def load(self, settings: Settings) -> Screener:
        """Return a screener; loads the model."""
        return screening.load(self.model, trust_model=self.trust_model, settings=settings)

    def checker(self, screener: Screener, settings: Settings, configs: ConfigFinder) -> Checker:
        """Return a checker that remembers nothing yet; `settings` are those that the screener was loaded for."""
        earlier = Earlier(self.revision, self.against)
        return Checker(screener, settings, configs, today=self.today, earlier=earlier)
