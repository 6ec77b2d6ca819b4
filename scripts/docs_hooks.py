"""Hooks of the documentation site: pages outside docs/ are read where they lie, and links to them lead there."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]


def pages_from_elsewhere() -> dict[str, str]:
    """Return the name in the site of each such page, by its path in the repository."""
    (card,) = sorted((ROOT / "models").glob("*/README.md"))
    return {
        card.relative_to(ROOT).as_posix(): "model-card.md",
        "corpus/DATASHEET.md": "datasheet.md",
        "corpus/GUIDELINES.md": "guidelines.md",
        "CONTRIBUTING.md": "contributing.md",
        "editors/vscode/README.md": "vscode.md",
    }


def on_files(files: Files, config: Any) -> Files:
    """Add the pages; MkDocs reads them from their places, so that there is no copy to keep."""
    for path, name in pages_from_elsewhere().items():
        files.append(File.generated(config, name, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turn relative links, which lead to files of the repository as GitHub shows them, into links within the site."""
    elsewhere = pages_from_elsewhere()
    places = {name: path for path, name in elsewhere.items()}
    folder = posixpath.dirname(places.get(page.file.src_uri, f"docs/{page.file.src_uri}"))

    def moved(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, match["path"]))
        if target in elsewhere:
            return f"]({elsewhere[target]}{match['anchor'] or ''})"
        if target.startswith("docs/"):
            return f"]({target.removeprefix('docs/')}{match['anchor'] or ''})"
        return match[0]

    return re.sub(r"\]\((?P<path>[^)#:\s]+)(?P<anchor>#[^)\s]*)?\)", moved, markdown)


def on_post_page(output: str, **_: Any) -> str:
    """Give the search dialog a name for screen readers, which the theme forgets."""
    dialog = '<div class="md-search" data-md-component="search" role="dialog"'
    if output.count(dialog) != 1:
        raise PluginError("the theme's search dialog looks otherwise now; see on_post_page in scripts/docs_hooks.py")
    return output.replace(dialog, f'{dialog} aria-label="Search"')
