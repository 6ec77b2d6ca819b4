"""The documentation is true: its commands run, its examples give what they show, generated pages are up to date."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from mdclaims.cli.app import app
from mdclaims.cli.command_docs import commands_markdown
from mdclaims.reports.reference import rules_markdown
from mdclaims.reports.schema_docs import schema_markdown
from mdclaims.reports.tables import COLUMNS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = tuple(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)


def test_docs_python_blocks_run(tmp_path):
    found = blocks("python")
    assert len(found) >= 2
    for block in found:
        result = subprocess.run(
            [sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stderr
        assert "safety_claim" in result.stdout


def test_docs_toml_block_is_a_valid_config(tmp_path):
    from mdclaims.config import load_settings

    (block,) = blocks("toml")
    file = tmp_path / "mdclaims.toml"
    file.write_text(block, encoding="utf-8")
    assert load_settings(file).mode == "edit"


def test_docs_examples_of_cleared_wording_directives_and_cues_are_valid(tmp_path):
    from mdclaims.findings.cleared import read_cleared
    from mdclaims.findings.suppressions import Permission, parse_directive
    from mdclaims.language.cues import own_matcher
    from mdclaims.reading import read_bytes

    text = (ROOT / "docs/suppressions.md").read_text(encoding="utf-8")
    found = {
        name: re.findall(rf"^```{name}\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE) for name in ("toml", "html")
    }
    file = tmp_path / "a.toml"
    file.write_text(found["toml"][0], encoding="utf-8")
    assert len(read_cleared(file).entries) == 1
    plain = re.search(r"^\[mdclaims.*?^```$", text, flags=re.DOTALL | re.MULTILINE).group().removesuffix("```")
    for form, example in (("html", found["html"][0]), ("text", plain)):
        page = read_bytes(example.encode(), source="example", format=form)
        (directive,) = page.directives
        assert isinstance(parse_directive(directive), Permission)
        assert directive.last_block - directive.first_block == 1
    config = (ROOT / "docs/config.md").read_text(encoding="utf-8")
    file.write_text(
        re.search(r"^```toml\n(.*?)^```$", config, flags=re.DOTALL | re.MULTILINE).group(1), encoding="utf-8"
    )
    assert own_matcher((file,)).names == ("treatment_ours",)


def commands():
    """Return every command with its click object: ("check", ...), ("corpus check", ...)."""
    found = []

    def walk(group, prefix):
        for name, command in sorted(group.commands.items()):
            path = f"{prefix}{name}"
            if hasattr(command, "commands"):
                walk(command, f"{path} ")
            else:
                found.append((path, command))

    walk(typer.main.get_command(app), "")
    return found


def test_docs_every_command_is_in_the_readme_and_has_help():
    found = commands()
    assert len(found) >= 5
    for path, command in found:
        assert command.help, path
        assert re.search(rf"(?:mdclaims |`){re.escape(path)}\b", README), path


def test_docs_every_option_of_check_is_in_the_readme_and_every_option_has_help():
    checked = 0
    for path, command in commands():
        for parameter in command.params:
            if parameter.param_type_name == "option" and parameter.name != "help":
                assert parameter.help, (path, parameter.opts)
                if path == "check":
                    assert max(parameter.opts, key=len) in README, parameter.opts
                checked += 1
    assert checked > 15


def test_docs_commands_named_in_the_docs_exist():
    known = {path for path, _ in commands()}
    named = 0
    for name in ("README.md", "CONTRIBUTING.md", "corpus/GUIDELINES.md", "corpus/DATASHEET.md", *DOCS):
        code = re.findall(r"^```.*?^```|`[^`]+`", (ROOT / name).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
        for match in re.finditer(r"\bmdclaims (corpus \w+|[a-z]+)(?= |`|$)", "\n".join(code), re.MULTILINE):
            assert match.group(1) in known, f"{name}: {match.group(0)}"
            named += 1
    assert named > 50


def test_docs_json_page_is_up_to_date():
    assert (ROOT / "docs/json.md").read_text(encoding="utf-8") == schema_markdown()


def test_docs_commands_page_is_up_to_date():
    assert (ROOT / "docs/commands.md").read_text(encoding="utf-8") == commands_markdown()


def test_docs_limits_page_has_the_figures_of_the_card():
    text = (ROOT / "docs/limits.md").read_text(encoding="utf-8")
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        from docs_figures import written
    finally:
        sys.path.remove(str(ROOT / "scripts"))
    assert "| Says it works |" in text
    assert written(text) == text, "run python scripts/docs_figures.py"


def test_docs_rules_page_is_up_to_date():
    assert (ROOT / "docs/rules.md").read_text(encoding="utf-8") == rules_markdown()


def test_docs_every_column_of_the_csv_is_described():
    text = (ROOT / "docs/formats.md").read_text(encoding="utf-8")
    table = text.split("| column | meaning |\n", 1)[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", table, re.MULTILINE)
    assert dict(rows) == COLUMNS
    assert [name for name, _ in rows] == list(COLUMNS)


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "corpus/GUIDELINES.md", "corpus/DATASHEET.md", *DOCS])
def test_docs_links_inside_the_project_lead_somewhere(name):
    file = ROOT / name
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", file.read_text(encoding="utf-8"))
    for link in links:
        assert (file.parent / link).exists(), f"{name}: {link}"


def test_docs_house_in_contributing_names_every_module():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    modules = sorted(path.name for path in (ROOT / "mdclaims").rglob("*.py") if not path.name.startswith("__"))
    assert len(modules) > 20
    missing = [name for name in modules if name not in text]
    assert not missing


def test_docs_figures_of_the_datasheet_are_those_of_the_corpus():
    from mdclaims.model.corpus import read_corpus
    from mdclaims.model.figures import corpus_figures

    text = (ROOT / "corpus/DATASHEET.md").read_text(encoding="utf-8")
    shown = text.split("<!-- figures -->\n", 1)[1].split("<!-- /figures -->", 1)[0]
    assert shown == corpus_figures(read_corpus(ROOT / "corpus/documents"))
