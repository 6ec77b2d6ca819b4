"""Opens a finished case for reading, wherever it lies and whoever made it."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from mdclaims.cases.manifest import Manifest, is_inside, read_manifest
from mdclaims.cases.store import TABLES, CaseError, connect
from mdclaims.errors import ReadError
from mdclaims.findings.findings import fold

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# What DuckDB may keep in memory before it uses the disk: half of the two gigabytes that a command on a case may take.
_MEMORY = "1GB"


@dataclass(frozen=True, slots=True)
class OpenCase:
    """A case that can be asked; a context manager.

    Attributes
    ----------
    folder : Path
    manifest : Manifest
    connection : DuckDBPyConnection
        With the views `pages`, `findings` (with the column `exhibit`), `sentences`, `others` and `sites`. Threads take
        a `cursor()` of it each. `folded(text)` gives the form in which texts are compared.
    """

    folder: Path
    manifest: Manifest
    connection: DuckDBPyConnection
    _spill: Path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection and remove what it left on the disk."""
        self.connection.close()
        shutil.rmtree(self._spill, ignore_errors=True)


def open_case(folder: Path) -> OpenCase:
    """Open a finished case.

    Its hashes are not checked, that is what `verify` does; but no table is read that the manifest does not name or that
    lies outside the folder.

    Raises
    ------
    ReadError
        If the folder is no case, one of another version, not finished, or its tables are not those of its manifest.
    CaseError
        If its path holds what means any name to DuckDB.
    """
    import duckdb

    if not folder.is_dir():
        raise ReadError(f"{folder} is no folder; name the one that mdclaims screen wrote")
    if set("*?[") & set(str(folder.absolute())):
        raise CaseError(f"{folder}: a case's path must not hold * ? or [, which mean any name to DuckDB; rename it")
    manifest = read_manifest(folder)
    _check_tables(folder, manifest)
    spill = Path(tempfile.gettempdir()) / f"mdclaims-{os.getpid()}-{id(manifest):x}"
    connection = connect(folder)
    connection.execute(f"SET memory_limit = '{_MEMORY}'")
    connection.execute("SET temp_directory = '" + spill.as_posix().replace("'", "''") + "'")
    connection.create_function("folded", fold, ["VARCHAR"], "VARCHAR")
    try:
        for view in ("findings", "sentences", "others", "sites"):
            connection.execute(f"SELECT * FROM {view} LIMIT 0")  # noqa: S608 (ours alone)
    except duckdb.Error as error:
        connection.close()
        reason = str(error).splitlines()[0]
        raise ReadError(f"the tables of {folder} cannot be read ({reason}); mdclaims verify says more") from error
    return OpenCase(folder, manifest, connection, spill)


def _check_tables(folder: Path, manifest: Manifest) -> None:
    """See that the tables are just those of the manifest, and lie in the case."""
    for name in manifest.files:
        if not is_inside(folder, name):
            raise ReadError(f"{folder / name} is missing, or a link that leads elsewhere; get the case again")
    for table in TABLES:
        stray = {f"{table}/{path.name}" for path in (folder / table).glob("*.parquet")} - set(manifest.files)
        if stray:
            raise ReadError(f"{folder / min(stray)} is not in the manifest, and would be read with the case; remove it")
