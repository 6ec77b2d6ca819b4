"""Text that is safe to show on a terminal or in a browser. It needs no other module, so that messages come at once."""

from __future__ import annotations

import unicodedata

# Bidirectional overrides and isolates: they can make a quote read backwards ("Trojan source", CVE-2021-42574).
_DIRECTION = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")
# No XML can hold them, and so no spreadsheet.
_REPLACED = _DIRECTION | frozenset("\ufffe\uffff")


def visible_controls(text: str) -> str:
    """Replace by U+FFFD what a terminal or browser would obey, and what no file can hold.

    These are control and direction-changing characters, U+FFFE and U+FFFF, and lone surrogates (a file's name can
    have them).
    """
    if text.isprintable():  # most are, and none of those characters is
        return text
    return "".join(
        "\ufffd"
        if (unicodedata.category(character) in {"Cc", "Cs"} and character != "\n") or character in _REPLACED
        else character
        for character in text
    )


def one_line(text: str) -> str:
    """Return a name or message for a line of its own: visible controls, and no line breaks."""
    return " ".join(visible_controls(text).split("\n"))
