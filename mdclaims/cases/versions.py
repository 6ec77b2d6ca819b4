"""On which versions findings and the bytes of a case depend, and by which a page is read alike."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from mdclaims.findings.screening import Screener
from mdclaims.reading.archive import PAGE_KINDS

# What could change a finding or the bytes of a part.
_PACKAGES = ("numpy", "phonenumbers", "pyarrow", "scikit-learn", "scipy", "selectolax", "spacy", "tldextract")
# The same, of extras: without one, its documents are recorded as failed.
_EXTRAS = ("pypdfium2", "python-docx")
# What turns the bytes of a page into its text and sentences.
_READERS = ("mdclaims", "python", "selectolax", "spacy")
# Besides these.
_READERS_OF = {"pdf": ("pypdfium2",), "docx": ("python-docx",)}


def versions_of(screener: Screener) -> dict[str, Any]:
    """Return the versions on which findings and the bytes of parts depend."""
    return {
        "mdclaims": version("mdclaims"),
        "model": {
            "name": screener.model.meta["name"],
            "version": screener.model.meta["version"],
            "sha256": screener.model.sha256,
        },
        **{name: version_here(name) for name in ("python", *_PACKAGES)},
        **{name: found for name in _EXTRAS if (found := version_here(name)) is not None},
    }


def version_here(name: str) -> str | None:
    """Return the version of a package, or of Python; None if it is not installed, or no package has such a name."""
    try:
        return platform.python_version() if name == "python" else version(name)
    except (PackageNotFoundError, ValueError):
        return None


def same_readers(versions: Mapping[str, str], others: Mapping[str, str | None]) -> frozenset[str]:
    """Return the kinds of page of which two sets of versions make the same text and sentences.

    A document's reader that the first set does not name was not installed, and need not be in the other.
    """
    equal = {name for name, then in versions.items() if others.get(name) == then}
    readers = {
        kind: {*_READERS, *(name for name in _READERS_OF.get(kind, ()) if name in versions)} for kind in PAGE_KINDS
    }
    return frozenset(kind for kind, names in readers.items() if equal.issuperset(names))
