"""The versions that drafts are compared with, so that only what changed is reported: of a git revision, or a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mdclaims.config import absolute
from mdclaims.errors import ReadError
from mdclaims.findings.changes import only_changes
from mdclaims.findings.findings import PageResult
from mdclaims.findings.screening import Screener
from mdclaims.findings.suppressions import Note
from mdclaims.reading import format_of, read_bytes
from mdclaims.reading.revisions import Revisions


class Earlier:
    """Compares results with those of earlier versions, or with none.

    Parameters
    ----------
    revision : str, optional
        Of git: each file is compared with itself as it was then.
    against : Path, optional
        A file that is the earlier version of the one input.
    """

    def __init__(self, revision: str | None = None, against: Path | None = None) -> None:
        self._revisions = Revisions(revision) if revision is not None else None
        self._against = against

    @property
    def is_none(self) -> bool:
        """True if nothing is compared: every sentence is reported, whether it changed or not."""
        return self._revisions is None and self._against is None

    def changed(self, files: Sequence[Path | None]) -> list[Path | None]:
        """Return the files without those that are the same as at the revision.

        Raises
        ------
        UsageError
            If a file lies in no repository, or its repository knows no such revision.
        """
        if self._revisions is None:
            return list(files)
        return [file for file in files if file and not self._revisions.of(file.parent).is_unchanged(file)]

    def compare(self, result: PageResult, file: Path | None, screener: Screener) -> PageResult:
        """Return the result with labels and findings only where the document changed.

        Parameters
        ----------
        result : PageResult
        file : Path or None
            None for standard input.
        screener : Screener
            Screens the earlier version.

        Raises
        ------
        ReadError
            If the earlier version cannot be read.
        """
        if self._against is not None:
            try:
                old = screener.screen_file(self._against)
            except ReadError as error:
                raise ReadError(f"cannot be compared: {self._against} {error}") from error
            return only_changes(result, old, since=str(self._against))
        if self._revisions is None or file is None:
            return result
        found = self._revisions.of(file.parent).read(file)
        name, data = found or (file, b"")
        kind = format_of(name)
        if kind is None or not data.strip():
            return only_changes(result, None, since=self._revisions.name)
        try:
            page = read_bytes(data, source=str(name), format=kind, limits=screener.settings.limits)
        except ReadError as error:
            raise ReadError(f"cannot be compared: at {self._revisions.name} it {error}") from error
        return only_changes(result, screener.screen_page(page), since=self._revisions.name)

    def gone(self, folders: Sequence[Path]) -> list[Note]:
        """Return a note for each document in folders that was there at the revision and is not any more."""
        notes: dict[Path, Note] = {}
        if self._revisions is None:
            return []
        for folder in folders:
            revision = self._revisions.of(folder)
            place = absolute(folder).resolve()
            for file in revision.deleted:
                if format_of(file) and file.is_relative_to(place):
                    shown = folder / file.relative_to(place)
                    notes[file] = Note(str(shown), "gone", f"is gone since {revision.name}")
        return list(notes.values())
