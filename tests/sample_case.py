"""A small case, really screened, that several test files draw from: an archive, and files whose evidence they are."""

from __future__ import annotations

from archives import answer, per_record, record

from mdclaims.cli import run

PAGE = (
    "<!doctype html><html lang=en><title>{title}</title><nav><a href=/>Home</a> <a href=/book>Book now</a></nav>"
    "<h1>{title}</h1><p>Our shockwave therapy cures knee pain for good in {n} sessions. It is completely safe and has"
    " no side effects. Some patients feel sore for a day. The practice stands beside the old mill of the town.</p>"
    "<h2>About us</h2><p>=1+1 rooms are on the ground floor. The mill was built in the year 18{n}0. +44 steps lead to"
    " the garden. -{n} degrees were measured there in winter. @noon the bells ring {n} times. We have {n} chairs.</p>"
    "<footer>Call us today to book your visit. Open on weekdays.</footer>"
)
PLAIN = (
    "<!doctype html><html lang=en><title>Archive {n}</title><h1>The town archive</h1>"
    "<p>The station was built in the year 19{n}. It has {n} rooms. The reading room is on the first floor.</p>"
)


def screen_case(folder, *extra):
    """Screen an archive of six pages and a folder of two; return the case."""
    folder.mkdir(parents=True, exist_ok=True)
    records = [
        record(answer(PAGE.format(n=n, title=f"Knee care {n}").encode()), address=f"https://knee{n}.example/{n}")
        for n in range(2, 6)
    ]
    records += [record(answer(PLAIN.format(n=n).encode()), address=f"https://quiet.example/{n}") for n in range(10, 12)]
    (folder / "sites.warc.gz").write_bytes(per_record(records))
    drafts = folder / "drafts" / "north"
    drafts.mkdir(parents=True)
    (drafts / "a.html").write_text(PAGE.format(n=7, title="Knee care north"), encoding="utf-8")
    (drafts / "b.html").write_text(PLAIN.format(n=77), encoding="utf-8")
    case = folder / "case"
    names = [str(folder / "sites.warc.gz"), str(folder / "drafts")]
    assert run(["screen", *names, "--case", str(case), "--workers", "1", *extra]) == 0
    return case
