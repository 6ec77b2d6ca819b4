"""PDFs in a process of their own: what takes too long, needs too much or ends it costs one line, not the next PDF."""

from __future__ import annotations

import json
import os
import sys

import psutil
import pytest
from fpdf import FPDF
from helpers import run_cli, run_python
from hostile import nested_pdf

from mdclaims.errors import ReadError
from mdclaims.reading import isolation, read_bytes
from mdclaims.reading.isolation import read_pdf_apart
from mdclaims.reading.limits import Limits

pytestmark = pytest.mark.e2e


def ordinary_pdf(text="Shockwave therapy helps a worn knee."):
    pdf = FPDF()
    pdf.set_font("helvetica", size=11)
    pdf.add_page()
    pdf.multi_cell(0, 5, text)
    return bytes(pdf.output())


def read(data):
    return read_bytes(data, source="a.pdf", format="pdf")


@pytest.fixture
def reader(monkeypatch):
    """A reader of its own, so that limits set by a test hold for its process."""
    fresh = isolation._Reader()
    monkeypatch.setattr(isolation, "_reader", fresh)
    yield fresh
    fresh.close()


def test_a_pdf_is_the_same_page_apart(reader):
    data = ordinary_pdf()
    assert read(data) == read_bytes(data, source="a.pdf", format="pdf", apart=False)
    assert "pypdfium2" in sys.modules  # by the second of the two


def test_many_pdfs_share_a_process(reader):
    data = ordinary_pdf()
    read(data)
    process = reader._process.pid
    for _ in range(20):
        read(data)
    assert reader._process.pid == process


def test_what_is_wrong_with_a_pdf_is_told_and_the_next_is_read(reader):
    with pytest.raises(ReadError, match="damaged"):
        read(b"%PDF-1.7 and nothing else")
    process = reader._process.pid
    assert read(ordinary_pdf()).text.endswith("knee.")
    assert reader._process.pid == process


def test_a_pdf_that_takes_too_long_is_refused(reader, monkeypatch):
    monkeypatch.setattr(isolation, "SECONDS", 1.0)
    read(ordinary_pdf())
    process = psutil.Process(reader._process.pid)
    with pytest.raises(ReadError, match="takes longer than 1 seconds to read; print it to a new PDF"):
        read(nested_pdf(levels=5, fan=20))
    assert not process.is_running()
    assert read(ordinary_pdf()).text.endswith("knee.")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell")
def test_a_pdf_that_needs_too_much_memory_is_refused(reader, monkeypatch):
    limit = "from mdclaims.reading import isolation; isolation.MEGABYTES = 200; isolation.serve()"
    monkeypatch.setattr(isolation, "_SERVE", f"import sys; sys.path[:] = sys.argv[1:]; {limit}")
    monkeypatch.setattr(isolation, "MEGABYTES", 200)
    with pytest.raises(ReadError, match="needs more than 200 MB of memory to be read; print it to a new PDF"):
        read(nested_pdf(levels=5, fan=20))
    assert read(ordinary_pdf()).text.endswith("knee.")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell")
def test_a_process_that_has_grown_reads_no_further_pdf(reader, monkeypatch):
    kept = "from mdclaims.reading import isolation; isolation._KEPT_MEGABYTES = 1; isolation.serve()"
    monkeypatch.setattr(isolation, "_SERVE", f"import sys; sys.path[:] = sys.argv[1:]; {kept}")
    assert read(ordinary_pdf()).text.endswith("knee.")
    assert reader._process is None
    assert read(ordinary_pdf()).text.endswith("knee.")


def test_a_pdf_that_ends_the_process_is_refused(reader, monkeypatch):
    dying = "import os; from mdclaims.reading import isolation; isolation._receive(sys.stdin.buffer); os._exit(9)"
    monkeypatch.setattr(isolation, "_SERVE", f"import sys; sys.path[:] = sys.argv[1:]; {dying}")
    with pytest.raises(ReadError, match=r"PDFium ended while it read it \(code 9\)"):
        read_pdf_apart(ordinary_pdf(), source="a.pdf", limits=Limits())


def test_the_process_ends_with_ours_and_reads_no_module_of_the_folder(tmp_path):
    (tmp_path / "struct.py").write_text("raise SystemExit('a file of the user ran')")
    (tmp_path / "a.pdf").write_bytes(ordinary_pdf())
    script = (
        "import os, pathlib; from mdclaims.reading import isolation, read_page;"
        f"os.chdir({str(tmp_path)!r}); print(read_page(pathlib.Path('a.pdf')).text);"
        "print(isolation._reader._process.pid)"
    )
    result = run_python("-c", script)
    assert (result.returncode, result.stderr) == (0, b"")
    text, process = result.stdout.decode().splitlines()
    assert text.endswith("knee.")
    assert not psutil.pid_exists(int(process)) or psutil.Process(int(process)).status() == psutil.STATUS_ZOMBIE


def test_check_refuses_a_hostile_pdf_in_one_line_and_reads_the_others(tmp_path):
    (tmp_path / "a.pdf").write_bytes(nested_pdf(levels=6, fan=30))
    (tmp_path / "b.pdf").write_bytes(ordinary_pdf("It cures knee pain for good."))
    result = run_cli("check", os.fspath(tmp_path), "--format", "json")
    assert result.returncode == 3, result.stderr
    report = json.loads(result.stdout)
    assert [page["source"].rpartition("/")[2] for page in report["pages"]] == ["b.pdf"]
    (line,) = [entry["error"] for entry in report["errors"]]
    assert "needs more than 3,000 MB of memory to be read" in line or "takes longer than" in line
