"""What a run is set to: mode, labels, limits and the rest, from config files and from the command line.

It owns the keys, how a config file is found from a file that is checked, and how any TOML of a user is read
without trusting it. A config file holds its keys at the top, or under ``[tool.mdclaims]``. An unknown key is
an error that names file and key.
"""

from __future__ import annotations

import os
import re
import reprlib
import tomllib
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mdclaims.errors import UsageError
from mdclaims.labels import LABELS, PRIORITIES, label_info
from mdclaims.reading import Limits

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

MODES: tuple[str, ...] = ("balanced", "edit", "screen")
JURISDICTIONS: dict[str, str] = {
    "us": "United States",
    "uk": "United Kingdom",
    "au": "Australia",
    "eu": "European Union",
}
"""The jurisdictions whose rules are known, with their names; the order is that of every list of them."""

CONFIG_NAME = "mdclaims.toml"
_LARGEST = 2**40
_LIMIT_KEYS = ("max_bytes", "max_document_bytes", "max_unpacked_bytes", "max_chars", "max_depth")
KEYS: tuple[str, ...] = ("mode", "labels", "jurisdictions", *_LIMIT_KEYS, "severities", "cues", "wording", "exclude")

# A config is a page of text; whoever writes more has mistaken the file.
_MOST_BYTES = 1_000_000
_MOST_ENTRIES = 1_000
_LONGEST_ENTRY = 1_000
# tomllib takes more than quadratic time in the parts of a dotted key: 5,000 0.2 s, 20,000 3.5 s, 50,000 38 s.
_MOST_DOTS = 500


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one run.

    Attributes
    ----------
    mode : str
        Which thresholds decide: "balanced", "edit" (few false alarms) or "screen" (few missed).
    labels : tuple of str
        The labels to report, in the order of `LABELS`. If it is not all of them, rules that need no label report
        nothing.
    jurisdictions : tuple of str
        Whose rules to apply, in the order of `JURISDICTIONS`; none: no provision is shown.
    limits : Limits
    explain : bool
        Take every finding's score apart.
    severities : tuple of (str, str)
        The user's own priorities: ("label.stance", priority), sorted.
    cues : tuple of Path
        Files with the user's own cue lists: shown, not used by the model.
    wording : tuple of Path
        Files with the user's own wording: entries beside those of the package, or in their place.
    """

    mode: str = "balanced"
    labels: tuple[str, ...] = LABELS
    jurisdictions: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    explain: bool = False
    severities: tuple[tuple[str, str], ...] = ()
    cues: tuple[Path, ...] = ()
    wording: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise UsageError(f"unknown mode {_short(self.mode)}; choose one of {', '.join(MODES)}")
        if not self.labels:
            raise UsageError(f"no label to report; choose from {', '.join(LABELS)}")
        unknown = [label for label in self.labels if label not in LABELS]
        if unknown:
            raise UsageError(f"unknown label {_short(unknown[0])}; choose from {', '.join(LABELS)}")
        object.__setattr__(self, "labels", tuple(label for label in LABELS if label in self.labels))
        unknown = [name for name in self.jurisdictions if name not in JURISDICTIONS]
        if unknown:
            raise UsageError(f"unknown jurisdiction {_short(unknown[0])}; choose from {', '.join(JURISDICTIONS)}")
        object.__setattr__(self, "jurisdictions", tuple(name for name in JURISDICTIONS if name in self.jurisdictions))


# What may differ between the pages of one report; it states the other settings once, for all of them.
_BY_PAGE = {"limits", "severities", "cues", "wording"}


def differing_key(one: Settings, other: Settings) -> str | None:
    """Return the first setting in which two runs differ and that one report can state only once, or None."""
    for entry in fields(Settings):
        if entry.name not in _BY_PAGE and getattr(one, entry.name) != getattr(other, entry.name):
            return entry.name
    return None


@dataclass(frozen=True)
class Config:
    """What a config file says, or what holds where there is none.

    Attributes
    ----------
    settings : Settings
    path : Path or None
        The file.
    exclude : tuple of str
        Paths to leave out of folders: patterns as in a .gitignore, from the file's own folder.
    """

    settings: Settings = field(default_factory=Settings)
    path: Path | None = None
    exclude: tuple[str, ...] = ()

    def excludes(self, file: Path) -> bool:
        """Return whether a file that was found in a folder is to be left out."""
        if self.path is None or not self.exclude:
            return False
        try:
            inside = absolute(file).relative_to(absolute(self.path.parent))
        except ValueError:  # patterns reach no further than the folder they stand in
            return False
        return self._spec.match_file(inside.as_posix())

    @cached_property
    def _spec(self) -> GitIgnoreSpec:
        return _patterns(self.exclude)


def _patterns(patterns: tuple[str, ...]) -> GitIgnoreSpec:
    """Return compiled patterns: by RE2, in linear time, for Python's own would hang on "*a*a*a*a*a*b"."""
    from pathspec import GitIgnoreSpec

    with warnings.catch_warnings():  # about sets in brackets that a later Python may read otherwise
        warnings.simplefilter("ignore")
        return GitIgnoreSpec.from_lines(patterns, backend="re2")


# --- finding ------------------------------------------------------------------------------------------------------


def find_upwards(folder: Path, wanted: Callable[[Path], bool]) -> Path | None:
    """Return the nearest folder from `folder` upwards that is wanted, or None.

    The search ends at the root of a repository (a folder with ``.git`` in it) or of the file system, both
    included, so that what lies beside a repository never reaches into it.
    """
    for place in upwards(folder):
        if wanted(place):
            return place
    return None


def upwards(folder: Path) -> Iterator[Path]:
    """Yield a folder and those above it, as far as `find_upwards` looks."""
    place = absolute(folder)
    for current in (place, *place.parents):
        yield current
        if os.path.lexists(current / ".git"):
            return


def is_file(path: Path) -> bool:
    """Return whether a file is there; one that may not be looked up is not."""
    return os.path.isfile(path)  # noqa: PTH113 (Path.is_file raises where the folder may not be opened)


def absolute(path: Path) -> Path:
    """Return a path without "..", links left as they are: a linked draft belongs to the folder that it stands in."""
    return Path(os.path.abspath(path))  # noqa: PTH100


class ConfigFinder:
    """Finds the config of each checked file; reads every config file once.

    For `check`, the editor and the local page. Screening of other people's pages takes its settings from
    `load_config` alone.

    Parameters
    ----------
    explicit : Path, optional
        Use this file for everything, and look for none.
    adjust : callable, optional
        Changes the settings of every config: what the command line says wins.
    mode : str
        The mode where neither a config nor `adjust` says one.

    Raises
    ------
    UsageError
        If a config file is wrong; also from `config_of`.
    """

    def __init__(
        self,
        explicit: Path | None = None,
        *,
        adjust: Callable[[Settings], Settings] | None = None,
        mode: str = "balanced",
    ) -> None:
        self._adjust = adjust or (lambda settings: settings)
        self._mode = mode
        self._explicit = self._read(explicit) if explicit else None
        self._none = Config(settings=self._adjust(Settings(mode=mode)))
        self._of_folder: dict[Path, Config] = {}
        self._of_file: dict[Path, Config] = {}

    def config_of(self, file: Path | None) -> Config:
        """Return the config of a file that is checked; of the working folder for standard input (None)."""
        if self._explicit is not None:
            return self._explicit
        folder = absolute(file).parent if file is not None else Path.cwd()
        if folder not in self._of_folder:
            found = _find_config(folder)
            if found is not None and found not in self._of_file:
                self._of_file[found] = self._read(found)
            self._of_folder[folder] = self._of_file[found] if found is not None else self._none
        return self._of_folder[folder]

    def _read(self, path: Path) -> Config:
        config = load_config(path, mode=self._mode)
        return replace(config, settings=self._adjust(config.settings))


def _find_config(folder: Path) -> Path | None:
    for place in upwards(folder):
        own = place / CONFIG_NAME
        if is_file(own):
            return _as_shown(own)
        project = place / "pyproject.toml"
        if is_file(project):
            # Most projects with one have no table of ours; theirs need not even be valid, if it does not name us.
            try:
                mentioned = b"mdclaims" in project.read_bytes()[:_MOST_BYTES]
            except OSError:
                continue
            if mentioned and isinstance(_tool_table(read_toml(_as_shown(project), what="config")), dict):
                return _as_shown(project)
    return None


def _as_shown(path: Path) -> Path:
    """Return a path as a user would write it: from the working folder, if it lies in it."""
    try:
        return path.relative_to(Path.cwd())
    except (ValueError, OSError):
        return path


# --- reading ------------------------------------------------------------------------------------------------------


def read_toml(path: Path, *, what: str, most_bytes: int = _MOST_BYTES) -> dict[str, Any]:
    """Read a TOML file of a user: no file makes this take long.

    Parameters
    ----------
    path : Path
    what : str
        What to call it in errors ("config").
    most_bytes : int
        A larger file is refused.

    Raises
    ------
    UsageError
        If it cannot be read, is too large, or is not TOML.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(most_bytes + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with NUL in it
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{what} {path} cannot be read ({reason}); check the path") from error
    if len(data) > most_bytes:
        raise UsageError(f"{what} {path} has more than {most_bytes:,} bytes; check that it is the right file")
    if any(line.count(b".") > _MOST_DOTS for line in data.splitlines()):
        raise UsageError(
            f"{what} {path} has a line with more than {_MOST_DOTS} full stops; break it, or check the file"
        )
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except RecursionError as error:
        raise UsageError(f"{what} {path} is not valid TOML: nested too deep") from error
    except ValueError as error:  # not TOML, not UTF-8, or a number of thousands of digits
        raise UsageError(f"{what} {path} is not valid TOML: {error}") from error


def load_settings(path: Path) -> Settings:
    """Read the settings of a config file; see `load_config`."""
    return load_config(path).settings


def load_config(path: Path, *, mode: str = "balanced") -> Config:
    """Read a config file.

    Parameters
    ----------
    path : Path
    mode : str
        The mode if the file says none.

    Raises
    ------
    UsageError
        If it cannot be read, is not TOML, or has an unknown key or a value of the wrong type.
    """
    table = read_toml(path, what="config")
    if path.name == "pyproject.toml" or "tool" in table:
        inner = _tool_table(table)
        if not isinstance(inner, dict):
            raise UsageError(f"config {path} has no table [tool.mdclaims]; add it, or pass another file")
        table = inner
    for key in table:
        if key not in KEYS:
            raise UsageError(f"config {path} has the unknown key {_short(key)}; known are {', '.join(KEYS)}")
    with naming(path):
        return Config(settings=_settings(table, path, mode), path=path, exclude=_exclude(table))


@contextmanager
def naming(path: Path | None) -> Iterator[None]:
    """Let errors about what a config says, or about the files that it names, name the config."""
    try:
        yield
    except UsageError as error:
        raise error if path is None else UsageError(f"config {path}: {error}") from error


def _tool_table(table: Mapping[str, Any]) -> object:
    tools = table.get("tool")
    return tools.get("mdclaims") if isinstance(tools, dict) else None


def _settings(table: Mapping[str, Any], path: Path, default_mode: str) -> Settings:
    limits = {}
    for key in _LIMIT_KEYS:
        if key in table:
            value = table[key]
            if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= _LARGEST:
                raise UsageError(f"{key} must be a whole number from 1 to {_LARGEST:,}, not {_short(value)}")
            limits[key] = value
    mode = table.get("mode", default_mode)
    if not isinstance(mode, str):
        raise UsageError(f"mode must be one of {', '.join(MODES)}, not {_short(mode)}")
    return Settings(
        mode=mode,
        labels=_texts(table, "labels", "names") if "labels" in table else LABELS,
        jurisdictions=_texts(table, "jurisdictions", "names"),
        limits=replace(Limits(), **limits),
        severities=_severities(table.get("severities", {})),
        cues=tuple(path.parent / name for name in _texts(table, "cues", "files")),
        wording=tuple(path.parent / name for name in _texts(_listed(table, "wording"), "wording", "files")),
    )


def _listed(table: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return a table in which one text under a key is a list of one."""
    return {**table, key: [table[key]]} if isinstance(table.get(key), str) else table


def _texts(table: Mapping[str, Any], key: str, what: str) -> tuple[str, ...]:
    values = table.get(key, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise UsageError(f"{key} must be a list of {what}, not {_short(values)}")
    if len(values) > _MOST_ENTRIES or any(len(value) > _LONGEST_ENTRY for value in values):
        raise UsageError(f"{key} may have {_MOST_ENTRIES:,} entries of {_LONGEST_ENTRY:,} characters at most")
    return tuple(values)


def _severities(table: object) -> tuple[tuple[str, str], ...]:
    """Return ("label.stance", priority) for every stance named; a label alone names all of its stances."""
    if not isinstance(table, dict):
        raise UsageError(
            f'severities must be a table such as {{"call_to_action.presses" = "info"}}, not {_short(table)}'
        )
    # Without quotation marks a TOML key with a full stop is a table in a table: it means the same here.
    flat: dict[str, object] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            flat.update({f"{key}.{stance}": given for stance, given in value.items()})
        else:
            flat[key] = value
    whole: dict[str, str] = {}
    single: dict[str, str] = {}
    for key, value in flat.items():
        if not isinstance(value, str) or value not in PRIORITIES:
            raise UsageError(f"severities: {_short(key)} must be one of {', '.join(PRIORITIES)}, not {_short(value)}")
        label, dot, stance = key.partition(".")
        if label not in LABELS:
            raise UsageError(f"severities: unknown label in {_short(key)}; choose from {', '.join(LABELS)}")
        stances = label_info()[label].stances
        if dot and stance not in stances:
            raise UsageError(f"severities: unknown stance in {_short(key)}; {label} has {', '.join(stances)}")
        if dot:
            single[key] = value
        else:
            whole.update({f"{label}.{name}": value for name in stances})
    return tuple(sorted({**whole, **single}.items()))


def _exclude(table: Mapping[str, Any]) -> tuple[str, ...]:
    patterns = _texts(table, "exclude", "paths")
    for pattern in patterns:
        try:
            _patterns((pattern,))
        except Exception as error:  # whatever pathspec or RE2 makes of it
            raise UsageError(f"exclude: {_short(pattern)} is no pattern as in a .gitignore") from error
    try:
        _patterns(patterns)
    except Exception as error:
        raise UsageError("exclude: the patterns are too large together; use fewer") from error
    return patterns


_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 60


def _short(value: object) -> str:
    """Return a value as an error shows it: on one line, and cut."""
    return re.sub(r"\s+", " ", _REPR.repr(value))
