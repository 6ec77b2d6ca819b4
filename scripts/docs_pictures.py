"""Make the pictures of the documentation from the example texts of the package: `python scripts/docs_pictures.py`.

Needs the extras `screen` and `web`, and Chromium (CHROMIUM names another place than /usr/bin/chromium).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
_WIDTH, _HEIGHT = 1200, 800
_LINES = 30  # of the terminal report: the result, and the first claims whole
_COMMAND = "mdclaims check --mode edit knee-clinic.html"
# Black on white, in colours that can be read on it (contrast of 4.5 and more).
_THEME = TerminalTheme(
    (255, 255, 255), (33, 33, 33),
    [(33, 33, 33), (178, 24, 43), (27, 120, 55), (140, 90, 0),
     (33, 102, 172), (118, 42, 131), (0, 110, 120), (90, 90, 90)],
)  # fmt: skip
# What rich writes, but without the web font that its own form fetches from another server.
_SVG = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; \
font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width; }}
.{unique_id}-title {{ font-family: sans-serif; font-size: 16px; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""


def main() -> None:
    """Write every picture."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / "trial"
        _mdclaims(Path(folder), "example", str(trial))
        terminal(trial)
        _mdclaims(
            trial, "check", "--exit-zero", "--mode", "edit", "-f", "html", "-o", "report.html", "knee-clinic.html"
        )
        _mdclaims(trial, "screen", "saved-sites", "--case", "spring-check", "--jurisdiction", "uk")
        _mdclaims(trial, "overview", "spring-check", "-o", "spring.html")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"))
            page = browser.new_page(viewport={"width": _WIDTH, "height": _HEIGHT}, color_scheme="light")
            photograph(page, (trial / "report.html").as_uri(), "report.png")
            photograph(page, (trial / "spring.html").as_uri(), "overview.png")
            with served(trial, "--case", "spring-check") as address:
                desk(page, address)
            with served(trial) as address:
                editor(page, address)
            browser.close()


def terminal(folder: Path) -> None:
    """Draw the first lines of a report as the terminal shows it."""
    environment = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": "80", "TERM": "xterm"}
    shown = _mdclaims(folder, *_COMMAND.split()[1:], "--exit-zero", environment=environment)
    lines = [f"$ {_COMMAND}", *shown.split("\n")[:_LINES]]
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=80, file=nowhere, force_terminal=True, legacy_windows=False)
        console.print(Text.from_ansi("\n".join(lines)))
    svg = console.export_svg(title="mdclaims", theme=_THEME, code_format=_SVG, unique_id="terminal")
    (PICTURES / "terminal.svg").write_text(svg, encoding="utf-8", newline="\n")


@contextmanager
def served(folder: Path, *options: str) -> Iterator[str]:
    """Start a server in a folder, give its address, and end it."""
    command = [sys.executable, "-m", "mdclaims", "serve", "--port", "0", *options]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as server:  # noqa: S603
        try:
            found = re.search(r"http://\S+", server.stderr.readline() if server.stderr else "")
            if found is None:
                raise SystemExit("mdclaims serve did not say where it is")
            yield found[0]
        finally:
            server.terminate()


def desk(page: Page, address: str) -> None:
    """Photograph the first exhibit of a case."""
    page.goto(address)
    page.get_by_label("Your name").fill("A. Name")
    page.get_by_role("button", name="Keep").click()
    page.get_by_text("Look at the next one").click()
    photograph(page, page.url, "desk.png")


def editor(page: Page, address: str) -> None:
    """Photograph the sample draft with its first mark chosen."""
    page.goto(address, wait_until="networkidle")
    page.locator("#box").click()
    page.keyboard.press("Control+Home")
    page.keyboard.press("F8")
    page.wait_for_load_state("networkidle")
    page.screenshot(path=str(PICTURES / "editor.png"), animations="disabled")


def photograph(page: Page, address: str, name: str) -> None:
    """Write a picture of the first screen of a page."""
    page.goto(address, wait_until="networkidle")
    page.screenshot(path=str(PICTURES / name), animations="disabled")


def _mdclaims(folder: Path, *arguments: str, environment: dict[str, str] | None = None) -> str:
    command = [sys.executable, "-m", "mdclaims", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True)  # noqa: S603
    return done.stdout


if __name__ == "__main__":
    main()
