"""Makes small cases by really screening pages."""

from archives import answer, per_record, record

from mdclaims.cases.casefile import open_case
from mdclaims.cases.screen import ScreenOptions, screen
from mdclaims.config import Settings


def make_case(folder, pages, *, jurisdictions=("uk",), date="2026-03-01T09:30:00Z"):
    """Screen pages, by address, into ``folder / "case"``, from an archive beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    records = [record(answer(page.encode()), address=address, date=date) for address, page in pages.items()]
    (folder / "sites.warc.gz").write_bytes(per_record(records))
    settings = Settings(mode="screen", jurisdictions=jurisdictions)
    screen([str(folder / "sites.warc.gz")], folder / "case", ScreenOptions(settings=settings))
    return folder / "case"


def exhibits(case, **columns):
    """Return the rows of a case's findings with these values, as dicts."""
    with open_case(case) as opened:
        result = opened.connection.execute("SELECT * FROM findings ORDER BY address, sentence, label")
        names = [column[0] for column in result.description]
        rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    return [row for row in rows if all(row[name] == value for name, value in columns.items())]
