"""What results depend on beside the drafts, and how it is told that a file changed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mdclaims.config import CONFIG_NAME, ConfigFinder, absolute, upwards
from mdclaims.findings.cleared import CLEARED_NAME

Signature = tuple[int, int, int]
"""When a file was changed (nanoseconds), its size, and its number on the disk: a new one for a new file."""


def signature(file: Path) -> Signature | None:
    """Return what changes whenever a file does, or None if it is not there."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def settings_files(files: Iterable[Path], folders: Iterable[Path], configs: ConfigFinder) -> frozenset[Path]:
    """Return the files, there or not, on which results depend beside the drafts: configs, cleared wording, own lists.

    Parameters
    ----------
    files : iterable of Path
        The drafts.
    folders : iterable of Path
        Those that are checked whole.
    configs : ConfigFinder

    Raises
    ------
    UsageError
        If a config is wrong.
    """
    found: set[Path] = set()
    places: set[Path] = set()
    for file in files:
        config = configs.config_of(file)
        found |= {absolute(path) for path in (*config.settings.cues, *config.settings.wording)}
        if config.path is not None:
            found.add(absolute(config.path))
        places.add(file.parent)
    above = {place for folder in (*places, *folders) for place in upwards(folder)}
    return frozenset(
        found | {place / name for place in above for name in (CONFIG_NAME, "pyproject.toml", CLEARED_NAME)}
    )
