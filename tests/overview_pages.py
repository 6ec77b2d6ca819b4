"""The pages that the tests of distinct claims, ranking, campaigns and the overview screen, and cases made of theirs."""

import json

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mdclaims.cases.coverage import measure, sites_of_case, write_sites
from mdclaims.cases.store import JOURNAL, MANIFEST, OFFSETS_FILE, REDIRECTS_FILE, TABLES, VIEWS, table_bytes, write_file

HEAD = "<!doctype html><html lang=en><title>{}</title><h1>{}</h1>"
CURE = "Our shockwave therapy cures knee pain for good in six sessions and you will never need surgery again."
SAFE = "Our shockwave therapy is completely safe and has no side effects at all."
SERIOUS = "Our shockwave therapy cures arthritis and multiple sclerosis for every patient who comes to us."
FROM_SOURCE = "At {} our laser treatment cures acne for good in four sessions, and it never comes back again."
MILD = "Our laser treatment eases itching."
FORMULA = "=HYPERLINK(1) our laser treatment cures acne for good."
STIGMA = "Junkies are filthy scum and a burden on decent people."
PLAIN = "<!doctype html><html lang=en><title>History</title><p>The station was built in the year 1901.</p>"
SCRIPT = '<!doctype html><title>App</title><div id="root"></div><script src="/app.js"></script>'


def page(title, *sentences):
    return HEAD.format(title, title) + "".join(f"<p>{sentence}</p>" for sentence in sentences)


PAGES = {
    "https://loud.example/": page("Knee pain", CURE, SAFE, SERIOUS),
    "https://loud.example/again": page("Knee pain", CURE.upper(), FROM_SOURCE.format("Northgate Clinic")),
    "https://copy.example/": page("Skin", FROM_SOURCE.format("Southgate Practice"), MILD),
    "https://sums.example/": page(
        "Skin", FORMULA, "-5 kg in one week with our slimming injections, guaranteed for everyone."
    ),
    "https://slur.example/": page("News", STIGMA),
    "https://plain.example/": PLAIN,
    "https://app.example/": SCRIPT,
}


def rewritten(case, new, *, repeated=(), empty=0):
    """Write a case of the same rows and more: pages again under other addresses, and pages without findings.

    Parameters
    ----------
    case, new : Path
    repeated : sequence of str
        Names of pages, each as often as it is repeated.
    empty : int
        Pages without findings, which each site has more.
    """
    files = {}
    tables = {name: pa.concat_tables(map(pq.read_table, sorted((case / name).glob("*.parquet")))) for name in TABLES}
    for name, table in tables.items():
        parts = [table]
        if "page" in table.column_names:
            for number, one in enumerate(repeated):
                rows = table.filter(pc.equal(table["page"], one))
                parts.append(_renamed(rows, f"{one}-again{number}", number))
        if name == "pages":
            parts += [_empty(table, site, number) for site in set(table["site"].to_pylist()) for number in range(empty)]
        files[f"{name}/000000-0000.parquet"] = write_file(
            new / name / "000000-0000.parquet", table_bytes(pa.concat_tables(parts))
        )
    for name in (OFFSETS_FILE, REDIRECTS_FILE, VIEWS, JOURNAL):
        digest = write_file(new / name, (case / name).read_bytes())
        files |= {name: digest} if name != JOURNAL else {}
    files |= write_sites(new, sites_of_case(measure(new), []))
    manifest = json.loads((case / MANIFEST).read_text(encoding="utf-8"))
    write_file(new / MANIFEST, json.dumps({**manifest, "files": files}).encode())
    return new


def _renamed(rows, name, number):
    changed = {"page": name}
    if "address" in rows.column_names:
        changed["address"] = f"{rows['address'][0].as_py()}?again={number}"
    return _with(rows, changed)


def _empty(table, site, number):
    rows = table.filter(pc.equal(table["site"], site)).slice(0, 1)
    counts = dict.fromkeys(("findings", "high", "normal", "info"), 0)
    names = {"page": f"{site}-{number}", "address": f"https://{site}/empty/{number}", "outcome": "read"}
    return _with(rows, {**names, **counts})


def _with(rows, values):
    for name, value in values.items():
        field = rows.schema.field(name)
        rows = rows.set_column(rows.column_names.index(name), field, pa.array([value] * rows.num_rows, field.type))
    return rows
