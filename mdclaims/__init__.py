"""mdclaims reads medical-marketing language.

>>> import mdclaims
>>> screener = mdclaims.load()
>>> result = screener.screen_text("Laser therapy melts stubborn fat.")
>>> result.sentences[0].labels
('efficacy_claim',)

Everything heavy is imported when it is first used, so that ``import mdclaims`` and ``mdclaims --help`` stay quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mdclaims.errors import CorpusError, MdclaimsError, ModelError, ReadError, UsageError

if TYPE_CHECKING:
    from mdclaims.config import Settings
    from mdclaims.findings.screening import Screener, load

__all__ = ["CorpusError", "MdclaimsError", "ModelError", "ReadError", "Screener", "Settings", "UsageError", "load"]


def __getattr__(name: str) -> object:
    """Import the public names on first use."""
    if name in {"Screener", "load"}:
        from mdclaims.findings import screening

        return getattr(screening, name)
    if name == "Settings":
        from mdclaims.config import Settings

        return Settings
    if name == "__version__":
        from importlib.metadata import version

        return version("mdclaims")
    raise AttributeError(f"module 'mdclaims' has no attribute {name!r}")
