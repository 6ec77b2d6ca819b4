"""What HTML files and the local server share: how templates are found, and how a file allows its style and script."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from mdclaims.reports.controls import visible_controls


@cache
def page_template(name: str) -> Template:
    """Return a template of ``data/templates``; it can include files of ``data/static``.

    Everything that is put into it is escaped, and what a browser would obey of it (control characters, changes of
    direction) is shown as U+FFFD.
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("mdclaims", f"data/{folder}") for folder in ("templates", "static")]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
        finalize=_shown,
    )
    environment.filters["number"] = lambda value: f"{value:,}"
    return environment.get_template(name)


def _shown(value: Any) -> Any:
    return visible_controls(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def block_text(template: Template, name: str) -> str:
    """Return a block of a template, which must render without variables."""
    return "".join(template.blocks[name](template.new_context()))


def csp_hash(text: str) -> str:
    """Return what a Content-Security-Policy calls a style or script: its SHA-256 in base64."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def block_hash(template: Template, name: str) -> str:
    """Return what a Content-Security-Policy calls the style or script of a template; see `block_text`."""
    return csp_hash(block_text(template, name))
