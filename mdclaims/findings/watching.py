"""What `check --watch` waits for: that a draft, a config or cleared wording is saved.

What changed is told by looking at the files: time, size and number of each. That is right however an editor saves (in
place, or by a new file that takes the name of the old one), and for what comes, goes and is renamed. The system's
messages about folders (watchfiles) only say when to look; they are asked for folder by folder, not below them, so that
a config far above the drafts is watched without all that lies beside it.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Generator, Iterable
from pathlib import Path

from mdclaims.config import CONFIG_NAME, ConfigFinder, absolute, upwards
from mdclaims.errors import UsageError
from mdclaims.findings.cleared import CLEARED_NAME

# Saving takes several steps (write, rename, times): what follows within so many milliseconds is one change.
_STEP_MS = 100
# A folder that never comes to rest is looked at all the same.
_DEBOUNCE_MS = 1_000
# Some file systems (of networks, of containers) send no messages: there this is how late a change is seen.
_LOOK_MS = 5_000

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


def folders_below(folder: Path) -> set[Path]:
    """Return a folder and all in it; links are not followed, as in reading a folder."""
    return {Path(place) for place, _, _ in os.walk(folder)}


class FolderWatcher:
    """Waits until something may have changed in folders.

    Raises
    ------
    UsageError
        If the extra is not installed; from `wait`, if the system watches no more folders.
    """

    def __init__(self) -> None:
        try:
            from watchfiles import watch
        except ImportError as error:
            raise UsageError('--watch needs an extra; install it with: pip install "mdclaims[watch]"') from error
        self._watch = watch
        self._folders: frozenset[Path] = frozenset()
        self._messages: Generator[object, None, None] | None = None

    def wait(self, folders: Collection[Path]) -> None:
        """Return when something happened in one of the folders, not below it, and at the latest after some seconds."""
        wanted = frozenset(folder for folder in folders if folder.is_dir())
        if self._messages is None or wanted != self._folders:
            self.close()
            self._folders = wanted
            self._messages = self._watch(
                *sorted(wanted),
                watch_filter=None,
                debounce=_DEBOUNCE_MS,
                step=_STEP_MS,
                rust_timeout=_LOOK_MS,
                yield_on_timeout=True,
                recursive=False,
                ignore_permission_denied=True,
            )
        try:
            next(self._messages)
        except FileNotFoundError:  # a folder that has just gone
            self.close()
        except OSError as error:
            self.close()
            raise UsageError(
                f"the system does not watch {len(wanted):,} folders ({error}); watch fewer, or raise its limit"
            ) from error

    def close(self) -> None:
        """Stop watching."""
        if self._messages is not None:
            self._messages.close()
            self._messages = None
