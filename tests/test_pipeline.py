"""What pipelines take from this repository: the hook, the action, the container file, and the recipes in docs/ci.md."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import typer.main
import yaml
from helpers import ROOT, environment, git

from mdclaims.cli import app
from mdclaims.cli.options import FailOn, Jurisdiction, Mode

HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
GUIDE = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
CONTAINER = (ROOT / "Containerfile").read_text(encoding="utf-8")

STRONG = "# Shockwave therapy\n\nShockwave therapy cures every worn knee for good.\n"
MILD = "# Shockwave therapy\n\nThe treatment is gentle and drug-free.\n"
PLAIN = "# Opening hours\n\nWe are open Monday to Friday.\n"

# https://pre-commit.com/#creating-new-hooks, and `MANIFEST_HOOK_DICT` in pre_commit/clientlib.py.
HOOK_SCHEMA = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["id", "name", "entry", "language"],
        "additionalProperties": False,
        "properties": {
            **{key: {"type": "string"} for key in ("id", "name", "entry", "description", "language_version")},
            "language": {"enum": ["python", "system"]},
            **{key: {"type": "string", "format": "regex"} for key in ("files", "exclude")},
            **{key: {"type": "array", "items": {"type": "string"}} for key in ("args", "types", "types_or")},
            **{key: {"type": "boolean"} for key in ("require_serial", "pass_filenames", "always_run", "verbose")},
        },
    },
}


def check_options():
    """Return every option of check with what it takes: a type of ours, or None."""
    command = typer.main.get_command(app).commands["check"]
    return {name: parameter for parameter in command.params for name in parameter.opts if name.startswith("-")}


def assert_command_is_known(words):
    """Assert that a command line of mdclaims has only options and values that there are."""
    assert words[:2] == ["mdclaims", "check"]
    known = check_options()
    values = {"--mode": Mode, "--fail-on": FailOn, "--jurisdiction": Jurisdiction}
    for n, word in enumerate(words):
        if word == "--":
            break
        if word.startswith("--"):
            assert word in known, word
            if word in values and not words[n + 1].startswith("$"):
                values[word](words[n + 1])


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """A folder for PATH with the program in it, as an installation makes it."""
    folder = tmp_path_factory.mktemp("bin")
    script = folder / "mdclaims"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m mdclaims "$@"\n')
    script.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture
def repository(tmp_path):
    """A repository: a strong claim is committed, a mild one comes after it."""
    folder = tmp_path / "content"
    folder.mkdir()
    (folder / "strong page.md").write_text(STRONG)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "one")
    (folder / "mild.md").write_text(MILD)
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "two")
    return tmp_path


# --- pre-commit -------------------------------------------------------------------------------------------------


def test_pipeline_hooks_are_as_pre_commit_wants_them():
    jsonschema.Draft202012Validator(HOOK_SCHEMA).validate(HOOKS)
    assert [hook["id"] for hook in HOOKS] == ["mdclaims"]
    (hook,) = HOOKS
    assert_command_is_known(shlex.split(hook["entry"]))
    assert "--mode edit --fail-on high" in hook["entry"]
    assert hook["require_serial"]
    for name in ("a.md", "x/B.TXT", "c.html", "c.htm"):
        assert re.search(hook["files"], name), name
    for name in ("a.md.py", "html", "a.pdf", "a.json"):
        assert not re.search(hook["files"], name), name


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("files", "arguments", "code"),
    [
        (["strong page.md"], [], 1),
        (["strong page.md", "mild.md"], [], 1),
        (["mild.md"], [], 0),
        (["mild.md"], ["--fail-on", "normal"], 1),
        (["strong page.md"], ["--changed-since", "HEAD"], 0),
        (["strong page.md", "mild.md"], ["--changed-since", "HEAD~1"], 0),
        (["gone.md"], [], 3),
    ],
)
def test_pipeline_hook_runs_as_pre_commit_runs_it(repository, program, files, arguments, code):
    # The entry is split as a shell does, then come the arguments of the project, then the files.
    command = [*shlex.split(HOOKS[0]["entry"]), *arguments, *(f"content/{name}" for name in files)]
    result = subprocess.run(
        command, cwd=repository, env=environment(PATH=program), capture_output=True, text=True, check=False
    )
    assert result.returncode == code, result.stdout + result.stderr
    assert result.stdout.startswith("Mode: edit")


# --- the action -------------------------------------------------------------------------------------------------


def steps():
    return ACTION["runs"]["steps"]


def scripts():
    found = {step["name"]: step for step in steps() if "run" in step}
    assert list(found) == ["Install mdclaims", "Check for code scanning", "Comment"]
    return found


def test_pipeline_action_is_a_composite_action_whose_inputs_are_used_and_described():
    assert {"name", "description", "inputs", "outputs", "runs"} <= set(ACTION)
    assert ACTION["runs"]["using"] == "composite"
    text = yaml.safe_dump(ACTION["runs"])
    for name, given in ACTION["inputs"].items():
        assert given["description"], name
        assert isinstance(given["default"], str), name
        assert f"inputs.{name} " in text, name
        assert f"`{name}`" in GUIDE, name
    used = set(re.findall(r"inputs\.([\w-]+)", text))
    assert used == set(ACTION["inputs"])
    assert ACTION["inputs"]["mode"]["default"] == "edit"
    assert ACTION["inputs"]["fail-on"]["default"] == "high"
    for step in steps():
        assert ("run" in step) != ("uses" in step)
        if "uses" in step:
            assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", step["uses"]), step["uses"]


def test_pipeline_action_never_puts_text_of_others_into_a_script():
    for name, step in scripts().items():
        assert step["shell"] == "bash", name
        assert "${{" not in step["run"], name


def test_pipeline_action_uses_options_that_there_are():
    known = check_options()
    used = [
        word for step in list(scripts().values())[1:] for word in re.findall(r"(?<![\w-])--[a-z][a-z-]*", step["run"])
    ]
    assert len(used) > 10
    for word in used:
        assert word in known, word


def run_step(name, repository, program, **inputs):
    """Run a step's script as the runner does, and return what it gave and wrote."""
    step = scripts()[name]
    given = {key: value["default"] for key, value in ACTION["inputs"].items()} | {"changed-since": ""} | inputs
    variables = {
        key: given[re.fullmatch(r"\$\{\{ inputs\.([\w-]+) \}\}", value).group(1)] for key, value in step["env"].items()
    }
    output = repository.parent / f"{repository.name}.output"
    script = repository.parent / f"{repository.name}.sh"
    output.touch()
    script.write_text(step["run"])
    result = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
        cwd=repository,
        env=environment(PATH=program, GITHUB_OUTPUT=str(output), **variables),
        capture_output=True,
        text=True,
        check=False,
    )
    return result, output.read_text()


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("inputs", "code", "warnings", "notices"),
    [
        ({}, 1, 1, 1),
        ({"paths": "content/mild.md\n"}, 0, 0, 1),
        ({"paths": "content/mild.md\n\ncontent/strong page.md\n"}, 1, 1, 1),
        ({"changed-since": "HEAD~1"}, 0, 0, 1),
        ({"changed-since": "none"}, 1, 1, 1),
        ({"fail-on": "never"}, 0, 1, 1),
        ({"fail-on": "normal", "changed-since": "HEAD~1", "jurisdiction": "us uk"}, 1, 0, 1),
        ({"paths": "$(touch /tmp/mdclaims-injected)"}, 3, 0, 0),
        ({"changed-since": "nowhere"}, 2, 0, 0),
    ],
)
def test_pipeline_action_comments_and_fails(repository, program, inputs, code, warnings, notices):
    result, output = run_step("Comment", repository, program, **inputs)
    assert result.returncode == code, result.stdout + result.stderr
    assert output == f"exit-code={code}\n"
    lines = result.stdout.splitlines()
    assert [sum(line.startswith(f"::{kind} file=content/") for line in lines) for kind in ("warning", "notice")] == [
        warnings,
        notices,
    ]
    assert not Path("/tmp/mdclaims-injected").exists()


@pytest.mark.e2e
@pytest.mark.parametrize(("paths", "code"), [(".", 0), ("content/gone.md\ncontent/mild.md", 0), ("-x", 0)])
def test_pipeline_action_writes_sarif_of_everything(repository, program, paths, code):
    result, _ = run_step("Check for code scanning", repository, program, paths=paths)
    assert result.returncode == code, result.stderr
    sarif = yaml.safe_load((repository / "mdclaims.sarif").read_text())  # JSON is YAML
    found = [entry["level"] for entry in sarif["runs"][0]["results"]]
    assert found == (["note", "warning"] if paths == "." else ["note"] if "mild" in paths else [])


@pytest.mark.e2e
def test_pipeline_action_ends_at_wrong_usage(repository, program):
    result, _ = run_step("Check for code scanning", repository, program, mode="wild")
    assert result.returncode == 2
    assert not (repository / "mdclaims.sarif").exists()


# --- the guide ----------------------------------------------------------------------------------------------------


def guide_blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, flags=re.DOTALL | re.MULTILINE)


def guide_commands():
    """Return every command of the guide that runs mdclaims, in whatever file it stands."""
    found = [line.strip().removeprefix("- ") for block in guide_blocks("[a-z]*") for line in block.splitlines()]
    lines = [re.sub(r"^podman run .* (?=mdclaims check)", "", line) for line in found]
    commands = [line for line in lines if line.startswith("mdclaims ")]
    assert len(commands) == 5
    return commands


def test_pipeline_guide_names_what_there_is():
    for command in guide_commands():
        assert_command_is_known(shlex.split(command))
    hooks, workflow, gitlab = (yaml.safe_load(block) for block in guide_blocks("yaml"))
    (hook,) = hooks["repos"][0]["hooks"]
    assert hook["id"] == HOOKS[0]["id"]
    assert_command_is_known(["mdclaims", "check", *hook["args"]])
    assert re.search(hook["files"], "content/a/b.md")
    (job,) = workflow["jobs"].values()
    assert set(job["steps"][1]["with"]) <= set(ACTION["inputs"])
    assert gitlab["mdclaims"]["artifacts"]["reports"]["junit"] in gitlab["mdclaims"]["script"][0]


@pytest.mark.e2e
def test_pipeline_guide_commands_run(repository, program):
    git(repository, "update-ref", "refs/remotes/origin/main", "HEAD~1")
    codes = {
        command: subprocess.run(
            ["bash", "-c", command], cwd=repository, env=environment(PATH=program), capture_output=True, check=False
        ).returncode
        for command in guide_commands()
    }
    assert codes == {
        command: 0 if "--changed-since" in command or "--fail-on never" in command else 1 for command in codes
    }
    assert (repository / "mdclaims.sarif").exists()
    assert (repository / "mdclaims.xml").exists()


# --- the container ------------------------------------------------------------------------------------------------


def test_pipeline_container_copies_what_there_is_and_runs_as_nobody():
    lines = re.sub(r"\\\n", " ", CONTAINER).splitlines()
    instructions = [line.split(maxsplit=1) for line in lines if line and not line.startswith("#")]
    assert instructions[0][0] == "FROM"
    ignored = (ROOT / ".dockerignore").read_text().split()
    copied = 0
    for name, rest in instructions:
        if name == "COPY" and "--from" not in rest:
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists(), source
                assert f"!{source.split('/')[0]}" in ignored, source
                copied += 1
    assert copied >= 6
    user = [rest for name, rest in instructions if name == "USER"]
    assert user == ["10001"]
    command = dict(instructions)
    assert yaml.safe_load(command["ENTRYPOINT"]) == ["mdclaims"]
    assert_command_is_known(["mdclaims", *yaml.safe_load(command["CMD"])])


@pytest.mark.skipif(shutil.which("sed") is None, reason="needs sed")
def test_pipeline_container_constraints_are_the_versions_of_the_lock(tmp_path):
    from packaging.requirements import Requirement

    command = re.search(r"sed -E '[^']*' requirements/dev\.txt", CONTAINER).group()
    listed = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = {Requirement(line).name for line in listed.splitlines() if line and not line.startswith("#")}
    assert {"spacy", "scikit-learn", "numpy", "pypdfium2", "python-docx"} <= found
