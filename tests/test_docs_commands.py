"""Every command that README and docs/ show is run, page by page, in the order in which it stands there.

A block of commands is marked ``sh``, or ``console`` where what is printed follows; that is compared, ``...`` standing
for anything. A comment right above a block says what the reader has to know and the test has to do:

- ``<!-- not run: REASON -->``;
- ``<!-- before: WHAT -->``, what people do first, a function of `BEFORE`.
"""

import contextlib
import json
import re
import shlex
import shutil
from hashlib import sha256
from pathlib import Path

import pytest
from archives import answer, per_record, record

from mdclaims.cli import run
from mdclaims.labels import LABELS

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "mdclaims/data/examples"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(
    r"(?:^<!-- (?P<what>not run|before): (?P<why>[^>]+) -->\n)?^```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
# Installing is what .ci/run does, with the wheel in an empty environment.
INSTALLING = "pip install "
# Commands that do not end, or that ask other machines: a page has to say that they are not run.
ENDLESS = re.compile(r"mdclaims (serve|lsp|capture)\b|--watch\b|https?://")
COUNT_AS_FINE = {"check": {0, 1}, "compare": {0, 1}}


def blocks(page):
    """Return the blocks of commands of a page: what stands above, why, language, text."""
    return [
        match.group("what", "why", "language", "text")
        for match in BLOCK.finditer(page.read_text(encoding="utf-8"))
        if match["language"] in ("sh", "console")
    ]


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """A folder with what the pages speak of: drafts, archives, two cases, the first with decisions."""
    folder = tmp_path_factory.mktemp("scene")
    shutil.copyfile(EXAMPLES / "draft.txt", folder / "draft.txt")
    (folder / "drafts").mkdir()
    shutil.copyfile(EXAMPLES / "knee-clinic.html", folder / "drafts" / "knee-clinic.html")
    sites = sorted(path.name for path in (EXAMPLES / "saved-sites").iterdir())
    (folder / "clinics.csv").write_text(
        "url,officer\n" + "".join(f"https://{site}/,Lee\n" for site in sites), encoding="utf-8"
    )
    with contextlib.chdir(folder):
        _archive(Path("archives"), lambda text: text)
        _archive(Path("autumn"), lambda text: text.replace("rebuild worn cartilage", "may ease pain in worn cartilage"))
        for inputs, case in (("archives", "spring-check"), ("autumn", "autumn-check")):
            assert run(["screen", inputs, "--case", case, "--workers", "1", "--jurisdiction", "uk"]) == 0
        assert run(["overview", "spring-check", "-o", "filled.xlsx"]) == 0
        _decide(Path("filled.xlsx"))
        assert run(["decide", "spring-check", "filled.xlsx", "--reviewer", "A. Name"]) == 0
        Path("filled.xlsx").unlink()
    return folder


def _archive(folder, changed):
    folder.mkdir()
    root = EXAMPLES / "saved-sites"
    records = [
        record(
            answer(changed(file.read_text("utf-8")).encode()), address=f"https://{file.relative_to(root).as_posix()}"
        )
        for file in sorted(root.rglob("*.html"))
    ]
    (folder / "sites.warc.gz").write_bytes(per_record(records))


def _decide(file):
    """Uphold the claims of a site that are read first, but for one."""
    from openpyxl import load_workbook

    book = load_workbook(file)
    sheet = book["Findings"]
    names = [cell.value for cell in sheet[1]]
    decided = 0
    for row in sheet.iter_rows(min_row=2):
        cells = dict(zip(names, row, strict=True))
        if cells["site"].value == "harbour-knee.example" and cells["priority"].value == "high":
            fine = cells["quote"].value.startswith("Exercise")
            cells["decision"].value = "dismissed" if fine else "upheld"
            decided += 1
    assert decided >= 2
    book.save(file)


def _judge(file):
    """Judge every row of a blind sheet: it carries no label."""
    from openpyxl import load_workbook

    book = load_workbook(file)
    sheet = book.worksheets[0]
    names = [cell.value for cell in sheet[1]]
    for row in sheet.iter_rows(min_row=2):
        dict(zip(names, row, strict=True))["none"].value = "yes"
    assert sheet.max_row > 10
    book.save(file)


def _annotate(file):
    """Give each sentence of an export for doccano a label, as two people."""
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert rows
    for name in ("ann.jsonl", "bob.jsonl"):
        lines = [json.dumps({**row, "label": [LABELS[0]]}) for row in rows]
        Path(name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_word():
    from docx import Document

    document = Document()
    for paragraph in (EXAMPLES / "draft.txt").read_text(encoding="utf-8").split("\n\n"):
        document.add_paragraph(" ".join(paragraph.split()))
    document.save("draft.docx")


BEFORE = {
    "there is no case yet": lambda: shutil.rmtree("spring-check"),
    "there is a draft.docx": _write_word,
    "a person fills spring.xlsx": lambda: _decide(Path("spring.xlsx")),
    "a person fills findings.xlsx": lambda: _decide(Path("findings.xlsx")),
    "a person judges sample.xlsx": lambda: _judge(Path("sample.xlsx")),
    "two people annotate claims.jsonl": lambda: _annotate(Path("claims.jsonl")),
}


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=lambda page: page.stem)
def test_docs_commands_run(page, scene, tmp_path, monkeypatch, capfd):
    work = tmp_path / "work"
    if page.stem.startswith("start-"):
        work.mkdir()  # those pages begin from nothing
    else:
        shutil.copytree(scene, work)
    monkeypatch.chdir(work)
    monkeypatch.setenv("COLUMNS", "80")
    for what, why, language, text in blocks(page):
        if what == "not run":
            continue
        if what == "before":
            BEFORE[why]()
        if language == "console":
            command, shown = text.removeprefix("$ ").split("\n", 1)
            capfd.readouterr()
            _run(command, page, monkeypatch)
            pattern = re.escape(shown.strip("\n")).replace(re.escape("..."), ".*")
            out = capfd.readouterr().out.strip("\n")
            assert re.fullmatch(pattern, out), f"{page.name}: {command} prints\n{out}"
        else:
            for line in text.splitlines():
                _run(line, page, monkeypatch)


def _run(line, page, monkeypatch):
    """Run one line of a page: a command of ours, or a change of folder."""
    words = shlex.split(line, comments=True)
    if not words or line.startswith(INSTALLING):
        return
    if words[0] == "cd":
        monkeypatch.chdir(words[1])
        return
    assert words[0] == "mdclaims", f"{page.name}: {line}: say above the block why it is not run"
    assert not ENDLESS.search(line), f"{page.name}: {line}: say above the block why it is not run"
    words = [_digest() if word == "HEX" else word for word in words]
    code = run(words[1:])
    assert code in COUNT_AS_FINE.get(words[1], {0}), f"{page.name}: {line}: exit code {code}"


def _digest():
    """Return what `screen` printed last: the SHA-256 of the case's manifest."""
    return sha256(Path("spring-check/manifest.json").read_bytes()).hexdigest()


def test_docs_blocks_of_commands_are_marked():
    seen = 0
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in BLOCK.finditer(text):
            if re.search(r"^(\$ )?(mdclaims|pip|python3?|make) ", match["text"], re.MULTILINE):
                seen += 1
                if page.name != "commands.md":
                    assert match["language"] in ("sh", "console"), f"{page.name}: mark this block sh:\n{match['text']}"
        marks = len(re.findall(r"^<!-- (?:not run|before):", text, re.MULTILINE))
        assert marks == sum(what is not None for what, *_ in blocks(page)), f"{page.name}: a mark without a block"
    assert seen > 20


def test_docs_query_of_a_case_gives_its_sites(scene, monkeypatch):
    import duckdb

    text = (ROOT / "docs/screening.md").read_text(encoding="utf-8")
    query = re.search(r'duckdb -init views\.sql -c "([^"]+)"', text)[1]
    monkeypatch.chdir(scene / "spring-check")
    with duckdb.connect() as connection:
        connection.execute(Path("views.sql").read_text(encoding="utf-8"))
        rows = connection.execute(query).fetchall()
    assert rows[0][0] == "harbour-knee.example"
    assert len(rows) == 4
