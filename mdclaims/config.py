"""What a run is set to: mode, labels, limits. Read from an explicit TOML file and from the command line.

A config file holds its keys at the top, or under ``[tool.mdclaims]``. An unknown key is an error that names
file and key.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mdclaims.errors import UsageError
from mdclaims.labels import LABELS
from mdclaims.reading import Limits

JURISDICTIONS: dict[str, str] = {
    "us": "United States",
    "uk": "United Kingdom",
    "au": "Australia",
    "eu": "European Union",
}
"""The jurisdictions whose rules are known, with their names; the order is that of every list of them."""

MODES: tuple[str, ...] = ("balanced", "edit", "screen")

_LARGEST = 2**40
_LIMIT_KEYS = ("max_bytes", "max_document_bytes", "max_unpacked_bytes", "max_chars", "max_depth")
KEYS: tuple[str, ...] = ("mode", "labels", "jurisdictions", *_LIMIT_KEYS)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one run.

    Attributes
    ----------
    mode : str
        Which thresholds decide: "balanced", "edit" (few false alarms) or "screen" (few missed).
    labels : tuple of str
        The labels to report, in the order of `LABELS`.
    jurisdictions : tuple of str
        Whose rules to apply, in the order of `JURISDICTIONS`; none: no provision is shown.
    limits : Limits
    explain : bool
        Take every finding's score apart.
    """

    mode: str = "balanced"
    labels: tuple[str, ...] = LABELS
    jurisdictions: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    explain: bool = False

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise UsageError(f"unknown mode {self.mode!r}; choose one of {', '.join(MODES)}")
        if not self.labels:
            raise UsageError(f"no label to report; choose from {', '.join(LABELS)}")
        unknown = [label for label in self.labels if label not in LABELS]
        if unknown:
            raise UsageError(f"unknown label {unknown[0]!r}; choose from {', '.join(LABELS)}")
        object.__setattr__(self, "labels", tuple(label for label in LABELS if label in self.labels))
        unknown = [name for name in self.jurisdictions if name not in JURISDICTIONS]
        if unknown:
            raise UsageError(f"unknown jurisdiction {unknown[0]!r}; choose from {', '.join(JURISDICTIONS)}")
        ordered = tuple(name for name in JURISDICTIONS if name in self.jurisdictions)
        object.__setattr__(self, "jurisdictions", ordered)


def load_settings(path: Path) -> Settings:
    """Read a config file.

    Raises
    ------
    UsageError
        If it cannot be read, is not TOML, or has an unknown key or a value of the wrong type.
    """
    try:
        with path.open("rb") as stream:
            table: Any = tomllib.load(stream)
    except OSError as error:
        raise UsageError(f"config {path} cannot be read ({error.strerror or error}); check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"config {path} is not valid TOML: {error}") from error
    if path.name == "pyproject.toml" or "tool" in table:
        tools = table.get("tool")
        table = tools.get("mdclaims") if isinstance(tools, dict) else None
        if not isinstance(table, dict):
            raise UsageError(f"config {path} has no table [tool.mdclaims]; add it, or pass another file")
    return _settings(table, path)


def _settings(table: dict[str, Any], path: Path) -> Settings:
    for key in table:
        if key not in KEYS:
            raise UsageError(f"config {path} has the unknown key {key!r}; known are {', '.join(KEYS)}")
    limits = {}
    for key in _LIMIT_KEYS:
        if key in table:
            value = table[key]
            if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= _LARGEST:
                raise UsageError(f"config {path}: {key} must be a whole number from 1 to {_LARGEST:,}, not {value!r}")
            limits[key] = value
    labels = table.get("labels", list(LABELS))
    jurisdictions = table.get("jurisdictions", [])
    mode = table.get("mode", "balanced")
    for key, value in (("labels", labels), ("jurisdictions", jurisdictions)):
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            raise UsageError(f"config {path}: {key} must be a list of names, not {value!r}")
    if not isinstance(mode, str):
        raise UsageError(f"config {path}: mode must be one of {', '.join(MODES)}, not {mode!r}")
    try:
        return replace(
            Settings(),
            mode=mode,
            labels=tuple(labels),
            jurisdictions=tuple(jurisdictions),
            limits=replace(Limits(), **limits),
        )
    except UsageError as error:
        raise UsageError(f"config {path}: {error}") from error
