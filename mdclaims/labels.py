"""The four labels: their names, their order and their display data. The one place that lists them.

The order is the column order of every score array and the key order of every report.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

LABELS: tuple[str, ...] = ("efficacy_claim", "safety_claim", "stigma_framing", "call_to_action")

PRIORITIES: tuple[str, ...] = ("high", "normal", "info")
"""What a finding can have as priority; the most urgent first."""


@dataclass(frozen=True, slots=True)
class Label:
    """How one label is shown to people.

    Attributes
    ----------
    name : str
        The label as the corpus and the JSON have it, one of `LABELS`.
    display : str
        A short plain phrase for reports ("Says it works").
    meaning : str
        One sentence: what the label means.
    colour : str
        A name of the terminal's 16 colours.
    stances : dict of str to str
        What a sentence can do with the label, each with one plain clause that says so.
    forward : tuple of str
        The stances that a reader is shown first; the others are only noted.
    """

    name: str
    display: str
    meaning: str
    colour: str
    stances: dict[str, str]
    forward: tuple[str, ...]


@cache
def label_info() -> dict[str, Label]:
    """Return the display data of every label, from ``data/labels.toml``, in the order of `LABELS`."""
    table = tomllib.loads((files("mdclaims") / "data" / "labels.toml").read_text(encoding="utf-8"))
    if tuple(table) != LABELS:
        raise ValueError(f"data/labels.toml must hold {', '.join(LABELS)} in this order, found {', '.join(table)}")
    return {name: Label(name=name, **{**table[name], "forward": tuple(table[name]["forward"])}) for name in LABELS}
