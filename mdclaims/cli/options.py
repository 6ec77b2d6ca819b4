"""Options that several commands share, and what becomes of them."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mdclaims.config import Settings


class ReportFormat(StrEnum):
    """Formats of ``check``."""

    text = "text"
    json = "json"
    html = "html"
    sarif = "sarif"
    csv = "csv"
    junit = "junit"
    docx = "docx"
    github = "github"


class InputFormat(StrEnum):
    """Formats of standard input."""

    text = "text"
    markdown = "markdown"
    html = "html"
    docx = "docx"
    pdf = "pdf"


class Mode(StrEnum):
    """Whose thresholds decide."""

    balanced = "balanced"
    edit = "edit"
    screen = "screen"


class Robots(StrEnum):
    """What to make of robots.txt."""

    obey = "obey"
    ignore = "ignore"


class Jurisdiction(StrEnum):
    """Whose rules."""

    us = "us"
    uk = "uk"
    au = "au"
    eu = "eu"


class ListFormat(StrEnum):
    """Formats of ``rules`` and ``verify``."""

    text = "text"
    json = "json"


class LabelFormat(StrEnum):
    """Formats of annotation tools."""

    doccano = "doccano"
    label_studio = "label-studio"
    argilla = "argilla"
    prodigy = "prodigy"


class LabelOrder(StrEnum):
    """Which sentences annotators get first."""

    uncertain = "uncertain"
    diverse = "diverse"


class FailOn(StrEnum):
    """From which priority on findings make the exit code 1."""

    high = "high"
    normal = "normal"
    info = "info"
    never = "never"


ModelOption = Annotated[
    Path | None, typer.Option("--model", metavar="DIR", help="Use this model folder instead of the shipped one.")
]
TrustOption = Annotated[
    bool,
    typer.Option(
        "--trust-model", help="Load the --model folder although it is not the shipped one; loading runs its code."
    ),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Read settings from this TOML file, and look for no other."),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers", metavar="N", help="The most processes for many inputs; by default one for each core.", min=1
    ),
]
JurisdictionOption = Annotated[
    list[Jurisdiction] | None,
    typer.Option(
        "--jurisdiction", "-j", help="Show which provisions of this jurisdiction may be touched; can be repeated."
    ),
]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def with_options(
    settings: Settings,
    mode: Mode | None,
    labels: list[str] | None,
    jurisdictions: list[Jurisdiction] | None,
    *,
    explain: bool = False,
) -> Settings:
    """Return the settings of a config with the options of the command line, which win."""
    if explain:
        settings = replace(settings, explain=True)
    if mode is not None:
        settings = replace(settings, mode=mode.value)
    if labels:
        settings = replace(settings, labels=tuple(labels))
    if jurisdictions:
        settings = replace(settings, jurisdictions=tuple(entry.value for entry in jurisdictions))
    return settings


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def today() -> date:
    """Return the day from which suppressions and the checks of rules count their age."""
    return date.today()
