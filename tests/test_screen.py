"""`mdclaims screen` as users run it: real processes, real archives, and what becomes of them when things go wrong."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from archives import answer, per_record, record
from helpers import environment
from servers import http, names, serving

from mdclaims.cases.store import connect
from mdclaims.cli import run
from mdclaims.reading.archive import Place, read_capture

pytestmark = pytest.mark.e2e

CLAIM = (
    "<!doctype html><html lang=en><title>Knee care</title><nav><a href=/>Home</a> <a href=/book>Book now</a></nav>"
    "<h1>Knee pain</h1><p>Our shockwave therapy cures knee pain for good in {} sessions. It is completely safe and has"
    " no side effects. Some patients feel sore for a day.</p><footer>Call us today to book your visit.</footer>"
)
PLAIN = "<!doctype html><p>The station was built in the year 19{}.</p>"
FRENCH = "<!doctype html><title>Genou</title><p>" + "Nous soignons le genou avec la plus grande douceur. " * 8
SCRIPT = '<!doctype html><title>App</title><div id="root"></div><script src="/app.js"></script>'


def page(site, number=0, body=CLAIM, **how):
    address = how.pop("address", f"https://{site}/{number}")
    return record(answer(body.format(number).encode(), **how), address=address)


def not_fetched(address, reason, found_on=None):
    about = {"reason": reason, "detail": "", "site": "x", "asked": address, "found_on": found_on}
    block = json.dumps({"not_fetched": about}).encode()
    head = f"WARC/1.1\r\nWARC-Type: metadata\r\nWARC-Date: 2026-03-01T09:30:00Z\r\nWARC-Target-URI: {address}\r\n"
    return (
        f"{head}Content-Type: application/json\r\nContent-Length: {len(block)}\r\n\r\n".encode() + block + b"\r\n\r\n"
    )


def command(*arguments):
    return [sys.executable, "-m", "mdclaims", "screen", *map(str, arguments)]


def screen(*arguments, code=0, **how):
    """Run the command and return what it wrote."""
    result = subprocess.run(command(*arguments), capture_output=True, text=True, timeout=120, **how)
    assert result.returncode == code, result.stderr + result.stdout
    return result


def parts(case):
    """Return the bytes of everything that does not tell when it was made."""
    return {
        path.relative_to(case).as_posix(): path.read_bytes()
        for path in sorted(case.rglob("*"))
        if path.is_file() and path.name not in {"journal.jsonl", "manifest.json"}
    }


def ask(case, question):
    with connect(case) as connection:
        return connection.execute(question).fetchall()


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """An archive with a bit of everything, a folder of files, and a list that says more about one site."""
    folder = tmp_path_factory.mktemp("inputs")
    redirect = answer(b"", "Location: https://www.knee.example/0", status="301 Moved Permanently")
    records = [
        record(redirect, address="http://knee.example/"),
        *(page("www.knee.example", number) for number in range(3)),
        *(page("quiet.example", number, PLAIN) for number in range(4)),
        page("france.example", 0, FRENCH),
        page("app.example", 0, SCRIPT),
        page("app.example", 1, SCRIPT),
        page("knee.example", 9, status="404 Not Found"),
        record(answer(b"\x89PNG\r\n", content_type="image/png"), address="https://knee.example/logo.png"),
        record(answer(b"User-agent: *", content_type="text/plain"), address="https://knee.example/robots.txt"),
        not_fetched("https://shy.example/", "robots"),
        not_fetched("https://knee.example/leaflet.pdf", "not_html"),
        not_fetched("https://elsewhere.example/", "off_site", found_on="https://knee.example/0"),
        page("clinic.wixsite.com", 0),
        page("sites.google.com", address="https://sites.google.com/view/back-care/home"),
    ]
    (folder / "sites.warc.gz").write_bytes(per_record(records))
    (folder / "drafts" / "north").mkdir(parents=True)
    (folder / "drafts" / "north" / "a.html").write_text(CLAIM.format(5), encoding="utf-8")
    (folder / "drafts" / "b.md").write_text("# Backs\n\nThe treatment ends back pain for good.\n", encoding="utf-8")
    (folder / "drafts" / "empty.txt").write_text("", encoding="utf-8")
    (folder / "clinics.csv").write_text(
        "url,case,site\nhttps://www.knee.example/,C-17,\nhttps://clinic.wixsite.com/,C-18,wix-clinic\n"
        "https://gone.example/,C-19,\n",
        encoding="utf-8",
    )
    return folder


@pytest.fixture(scope="module")
def screened(inputs, tmp_path_factory):
    """The case of all inputs, by one worker, and what the command wrote."""
    case = tmp_path_factory.mktemp("one") / "case"
    names = [inputs / name for name in ("sites.warc.gz", "drafts", "clinics.csv")]
    return case, screen(*names, "--case", case, "--workers", 1, code=3)


def test_screen_counts_what_was_read_and_what_was_not(screened):
    case, result = screened
    outcomes = dict(ask(case, "SELECT outcome, count(*) FROM pages GROUP BY 1"))
    assert outcomes == {
        "read": 11, "redirect": 1, "not_english": 1, "script_written": 2, "error_page": 1, "refused": 1,
        "not_fetched": 2, "failed": 1,
    }  # fmt: skip
    assert ask(case, "SELECT site, kind, captures FROM others ORDER BY kind") == [
        ("knee.example", "image", 1), ("knee.example", "robots.txt", 1),
    ]  # fmt: skip
    verdicts = dict(ask(case, "SELECT site, verdict FROM sites"))
    assert verdicts["quiet.example"] == "nothing found in 4 pages read"
    assert verdicts["shy.example"] == "could not be judged: 0 of 1 page read"
    assert verdicts["gone.example"] == "could not be judged: 0 of 0 pages read"
    assert set(verdicts) == {
        "knee.example", "quiet.example", "france.example", "app.example", "shy.example", "wix-clinic", "gone.example",
        "sites.google.com/view/back-care", "north", "b.md", "empty.txt",
    }  # fmt: skip
    assert ask(case, "SELECT left_alone, pdfs_not_read, error_pages FROM sites WHERE site = 'knee.example'") == [
        (2, 1, 1)
    ]
    assert ask(case, "SELECT listed['case'] FROM sites WHERE site = 'wix-clinic'") == [("C-18",)]
    assert "drafts/empty.txt: is empty" in result.stderr
    assert "could not be judged: 5 sites" in result.stdout


def test_screen_tells_the_digest_of_a_manifest_that_holds(screened):
    case, result = screened
    data = (case / "manifest.json").read_bytes()
    assert result.stdout.split()[-1] == hashlib.sha256(data).hexdigest()
    manifest = json.loads(data)
    kept = {name for name in parts(case) if not name.startswith(".")}
    assert set(manifest["files"]) == kept
    assert len(kept) > 8
    for name, digest in manifest["files"].items():
        assert hashlib.sha256((case / name).read_bytes()).hexdigest() == digest, name


def test_screen_gives_the_evidence_of_each_finding(screened):
    case, _ = screened
    rows = ask(
        case,
        'SELECT DISTINCT asked, address, file, "offset", skip, evidence_offset, sha256, captured FROM findings '
        "WHERE captured IS NOT NULL ORDER BY ALL",
    )
    assert len(rows) == 7
    assert [row[0] for row in rows if row[1] == "https://www.knee.example/0"] == ["http://knee.example/"]
    for _, address, _, _, _, offset, digest, captured in rows:
        again = read_capture(Place(case / "evidence.warc.gz", None, offset))
        assert (again.address, again.sha256, again.time) == (address, digest, captured)


def test_screen_writes_exhibits(screened):
    case, _ = screened
    rows = ask(
        case,
        'SELECT quote, "before", "after", heading_path, region, link, qualifier, strength, claim IS NOT NULL '
        "FROM findings WHERE address LIKE '%www.knee.example/1' AND label = 'efficacy_claim' AND kind = 'paragraph'",
    )
    quote, before, after, headings, region, link, _, strength, claim = rows[0]
    assert quote == "Our shockwave therapy cures knee pain for good in 1 sessions."
    assert (before, headings, region, strength, claim) == ("Knee pain", ["Knee pain"], "main", "absolute", True)
    assert after == "It is completely safe and has no side effects."
    assert link.startswith("https://www.knee.example/1#:~:text=Our%20shockwave%20therapy")


def test_screen_is_the_same_with_more_workers(screened, inputs, tmp_path):
    case = tmp_path / "case"
    names = [inputs / name for name in ("sites.warc.gz", "drafts", "clinics.csv")]
    screen(*names, "--case", case, "--workers", 2, code=3)
    assert parts(case) == parts(screened[0])


def test_screen_refuses_a_case_of_something_else(screened, inputs, tmp_path):
    result = screen(inputs / "drafts", "--case", screened[0], code=2)
    assert "holds a screening of other inputs; name another folder" in result.stderr
    (tmp_path / "notes.txt").write_text("x")
    assert "is no case" in screen(inputs / "drafts", "--case", tmp_path, code=2).stderr


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Archives enough for several tasks, one of them with several parts; and their case, undisturbed."""
    folder = tmp_path_factory.mktemp("many")
    for name, count in (("a", 520), ("b", 60), ("c", 60)):
        records = [page(f"{name}{number % 7}.example", number) for number in range(count)]
        (folder / f"{name}.warc.gz").write_bytes(per_record(records))
    case = tmp_path_factory.mktemp("whole") / "case"
    screen(folder, "--case", case, "--workers", 2)
    return folder, case


def started(folder, case, parts_first):
    """Start a screening and wait until some parts are finished."""
    process = subprocess.Popen(
        command(folder, "--case", case, "--workers", "2"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    journal = case / "journal.jsonl"
    while process.poll() is None:
        if journal.exists() and journal.read_bytes().count(b'{"part"') >= parts_first:
            return process
        time.sleep(0.01)
    raise AssertionError(process.communicate())


def workers_of(process):
    children = psutil.Process(process.pid).children()
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


def test_screen_goes_on_wherever_it_was_ended(many, tmp_path):
    folder, whole = many
    case = tmp_path / "case"
    process = started(folder, case, 1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")

    process = started(folder, case, 2)
    workers = workers_of(process)
    process.kill()
    process.communicate()
    gone, alive = psutil.wait_procs(workers, timeout=20)
    assert gone
    assert not alive

    process = started(folder, case, 3)
    workers_of(process)[0].kill()
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "640 pages found, 640 read" in out
    assert parts(case) == parts(whole)


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are POSIX")
def test_screen_ends_with_one_line_on_a_full_disk_and_goes_on(many, tmp_path):
    import resource

    folder, whole = many
    case = tmp_path / "case"

    def no_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, 5_000))

    archive = folder / "c.warc.gz"
    result = screen(archive, "--case", case, "--workers", 1, code=2, preexec_fn=no_room)
    assert result.stderr.count("\n") == 1
    assert "cannot be written (File too large)" in result.stderr
    assert "run the same command again" in result.stderr
    screen(archive, "--case", case, "--workers", 1)
    question = "SELECT address, label, fingerprint FROM findings WHERE file LIKE '%c.warc.gz' ORDER BY ALL"
    found = ask(case, question)
    assert len(found) > 100
    assert found == ask(whole, question)


def test_screen_records_a_page_that_takes_too_much(tmp_path):
    words = " ".join(f"word{number}" for number in range(400_000))
    heavy = record(answer(f"<!doctype html><p>{words}.</p>".encode()), address="https://a.example/heavy")
    archive = tmp_path / "a.warc.gz"
    archive.write_bytes(per_record([page("a.example", 0), heavy, page("a.example", 1)]))
    case = tmp_path / "case"
    result = screen(archive, "--case", case, "--workers", 1, "--page-memory", 500, code=3)
    reason = "needed more than 500 MB of memory; tried 2 times"
    assert ask(case, 'SELECT address, outcome, reason FROM pages ORDER BY "offset"') == [
        ("https://a.example/0", "read", None),
        ("https://a.example/heavy", "failed", reason),
        ("https://a.example/1", "read", None),
    ]
    assert f"https://a.example/heavy {reason}" in result.stderr


def test_screen_reads_a_truncated_archive_up_to_the_cut(tmp_path):
    data = per_record([page("a.example", number) for number in range(3)])
    (tmp_path / "cut.warc.gz").write_bytes(data[:-20])
    case = tmp_path / "case"
    options = ("--workers", 1, "--no-evidence", "--label", "efficacy_claim")
    result = screen(tmp_path / "cut.warc.gz", "--case", case, *options, code=3)
    assert "2 read" in result.stdout
    assert "cut.warc.gz: https://a.example/2 the archive ends within it" in result.stderr
    assert not (case / "evidence.warc.gz").exists()
    assert ask(case, "SELECT DISTINCT label FROM findings") == [("efficacy_claim",)]
    assert ask(case, "SELECT bool_and(evidence_offset IS NULL) FROM findings") == [(True,)]


def test_screen_captures_what_is_named_by_address(tmp_path):
    (tmp_path / "clinics.csv").write_text("url,case\nhttp://127.0.0.1:9/knee,C-5\n", encoding="utf-8")
    arguments = (
        tmp_path / "clinics.csv",
        "--case",
        tmp_path / "case",
        "--workers",
        1,
        "--contact",
        "me@office.example",
    )
    for _ in range(2):  # captured once, told twice
        result = screen(*arguments, code=3)
        assert "http://127.0.0.1:9/knee was not fetched: not on the public internet" in result.stderr
        assert "127.0.0.1:9: could not be judged: 0 of 0 pages read" in result.stdout
    assert ask(tmp_path / "case", "SELECT outcome, left_alone FROM pages, sites") == [("not_fetched", 1)]
    assert (tmp_path / "case" / "captures" / "sites.warc.gz").is_file()


def test_screen_says_what_is_wrong_in_one_line(tmp_path, capsys):
    for arguments, wrong in (
        ((tmp_path / "none.warc",), "nothing to screen"),
        ((Path(__file__),), "its suffix is unknown"),
        ((tmp_path, "--workers", "0"), "--workers must be at least 1"),
    ):
        assert run(["screen", *map(str, arguments), "--case", str(tmp_path / "case")]) == 2
        err = capsys.readouterr().err
        assert wrong in err
        assert err.count("\n") == 1
    assert not (tmp_path / "case").exists()


def test_rules_of_a_jurisdiction_are_named_also_where_no_label_is(tmp_path):
    """The second page repeats the first's footer, which is scored from memory; its rules are found again."""
    footer = "<footer>Botox from £99, book a consultation online today.</footer>"
    for name in ("a", "b"):
        page = f"<!doctype html><html lang=en><h1>Page {name} of the clinic</h1><p>We are open.</p>{footer}"
        (tmp_path / f"{name}.html").write_text(page, encoding="utf-8")
    case = tmp_path / "case"
    screen(tmp_path / "a.html", tmp_path / "b.html", "--case", case, "--workers", 1, "-j", "uk", "--mode", "edit")
    found = ask(case, "SELECT page, label, rules FROM findings WHERE len(rules) > 0 ORDER BY page, label")
    assert {page for page, _, _ in found} == {page for (page,) in ask(case, "SELECT page FROM pages")}
    assert any(label is None and rules[0].startswith("UK-CAP-12.12") for _, label, rules in found)
    manifest = json.loads((case / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["settings"]["jurisdictions"] == ["uk"]
    assert len(manifest["settings"]["rules_sha256"]) == 64


# What `screen` does, but for a site on loopback.
SCREEN_LOOPBACK = """
import sys
from pathlib import Path
from mdclaims.cases.capture import CaptureOptions, capture
from mdclaims.cases.screen import ScreenOptions, screen
from mdclaims.config import Settings

def capture_first(addresses, output):
    return capture(addresses, output, CaptureOptions(allow_private=True, delay=0.1)).unread

if __name__ == "__main__":
    result = screen(sys.argv[2:], Path(sys.argv[1]), ScreenOptions(Settings(mode="screen")), capture=capture_first)
    print(result.coverage.read, result.problems)
"""


def test_screen_goes_on_with_a_capture_of_an_index_of_sitemaps_that_was_killed(tmp_path):
    (tmp_path / "run.py").write_text(SCREEN_LOOPBACK, encoding="utf-8")
    paths = names("page", 12)
    with serving({path: http(PLAIN.format(number)) for number, path in enumerate(paths)}) as site:
        urls = "".join(f"<url><loc>{site.url}{path}</loc></url>" for path in paths)
        # An address that is not named as sitemaps are: the index says what it is.
        site.answers["/sitemap"] = http(f"<urlset>{urls}</urlset>", kind="text/xml")
        index = tmp_path / "index.xml"
        index.write_text(f"<sitemapindex><sitemap><loc>{site.url}/sitemap</loc></sitemap></sitemapindex>")
        arguments = [sys.executable, str(tmp_path / "run.py"), str(tmp_path / "case"), str(index)]
        process = subprocess.Popen(arguments, env=environment())
        site.wait_for(6)
        process.kill()
        process.wait()
        result = subprocess.run(arguments, capture_output=True, text=True, timeout=120, env=environment())
        assert result.stdout == "12 ()\n", result.stderr
        asked = site.paths()
    assert {path for path in asked if asked.count(path) > 1} <= set(asked[5:7])
    rows = ask(tmp_path / "case", "SELECT outcome, count(*) FROM pages GROUP BY ALL")
    assert rows == [("read", 12)]


def test_screen_captures_nothing_into_the_archive_of_another_list(tmp_path):
    (tmp_path / "one.txt").write_text("http://127.0.0.1:9/one\n")
    (tmp_path / "two.txt").write_text("http://127.0.0.1:9/two\n")
    screen(tmp_path / "one.txt", "--case", tmp_path / "case", "--workers", 1, code=3)
    (tmp_path / "case" / "journal.jsonl").unlink()
    for path in (tmp_path / "case").iterdir():
        if path.name != "captures":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    result = screen(tmp_path / "two.txt", "--case", tmp_path / "case", code=2)
    assert "holds a capture of other addresses; name another folder" in result.stderr
