"""What the HTML files share: how templates are found, and the hashes by which a file allows its style and script."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from mdclaims.reports.controls import visible_controls


@cache
def page_template(name: str) -> Template:
    """Return a template of ``data/templates``.

    Everything that is put into it is escaped, and what a browser would obey of it (control characters, changes of
    direction) is shown as U+FFFD.
    """
    environment = Environment(
        loader=PackageLoader("mdclaims", "data/templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
        finalize=_shown,
    )
    return environment.get_template(name)


def _shown(value: Any) -> Any:
    return visible_controls(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def block_hash(template: Template, name: str) -> str:
    """Return what a Content-Security-Policy calls the style or script of a template: its SHA-256 in base64.

    The block must render without variables.
    """
    text = "".join(template.blocks[name](template.new_context()))
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
