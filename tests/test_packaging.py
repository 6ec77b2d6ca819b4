"""The files that start the editor's desk with a double click."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

FOLDER = Path(__file__).parents[1] / "packaging"


def copied(folder):
    """Copy the file for macOS into the `packaging` of a checkout in which nothing is installed."""
    (folder / "packaging").mkdir()
    return shutil.copy(FOLDER / "mdclaims.command", folder / "packaging")


@pytest.mark.e2e
@pytest.mark.skipif(os.name != "posix", reason="a shell runs it")
@pytest.mark.parametrize("place", ["on the path", "in the checkout"])
def test_a_double_click_on_a_mac_starts_the_desk(tmp_path, place):
    start = copied(tmp_path)
    folder = tmp_path if place == "on the path" else tmp_path / ".venv" / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "mdclaims"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m mdclaims "$@"\n')
    program.chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(FOLDER.parent), "BROWSER": "true",
    }  # fmt: skip
    process = subprocess.Popen([start, "--port", "0"], stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment)
    try:
        base = re.search(r"http://\S+", process.stderr.readline())[0]
        assert "Check a draft" in httpx.get(base, follow_redirects=True).text
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)


@pytest.mark.e2e
@pytest.mark.skipif(os.name != "posix", reason="a shell runs it")
def test_without_mdclaims_it_says_what_to_install(tmp_path):
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    command = [copied(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)
    assert result.returncode == 2
    assert "mdclaims[web,word,pdf]" in result.stdout


def test_the_file_for_windows_runs_the_same_command():
    data = (FOLDER / "mdclaims.cmd").read_bytes()
    assert b"mdclaims serve --open %*" in data
    assert data.count(b"\n") == data.count(b"\r\n")
