"""The distinct claims of a case: the same words on many pages count once, and one source is found behind many sites.

Two steps, which never mix. Within a site, findings of one label (or rule) with the same folded text are copies of one
claim; DuckDB groups them, and nothing is guessed. Across sites, claims that are nearly word for word the same are one
family, so that one letter can go to their source: MinHash in buckets (A. Broder, "On the resemblance and containment of
documents", 1997), as datasketch has it, proposes pairs, and the similarity of their words decides. docs/overview.md
tells users what that means.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from mdclaims.cases.campaign import HEADINGS, Campaign
from mdclaims.cases.casefile import OpenCase
from mdclaims.findings.findings import fold
from mdclaims.findings.similarity import similarity, word_keys
from mdclaims.labels import PRIORITIES
from mdclaims.language.cues import cue_lists

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SAME = 0.8
"""From this similarity on, word by word, two claims are one family: a clinic's name may differ, the text may not."""

FEWEST_WORDS = 8
"""Claims of fewer words have no family: "Long-lasting results" is nobody's own."""

MOST_COMPARED = 100_000
"""So many texts of one label are compared for near copies, 5 KB of memory each; others join by equal text alone."""

# 12 buckets of 4 hashes find texts whose sets of words overlap by two thirds (Jaccard), the least that SAME allows,
# with probability 1 - (1 - 0.667^4)^12 = 0.93, by three quarters with 0.99; of those that overlap by a fifth, 2 in 100.
_BANDS, _ROWS = 12, 4
_SEED = 1


@dataclass(frozen=True, slots=True)
class Grouping:
    """What grouping a case gave.

    Attributes
    ----------
    findings : int
        Of the case.
    claims : int
        Distinct claims that the campaign does not hide.
    hidden : int
        Distinct claims that it hides.
    not_compared : int
        Texts that were joined across sites by equal text alone, because there were more than `MOST_COMPARED`.
    """

    findings: int
    claims: int
    hidden: int
    not_compared: int


@dataclass(frozen=True, slots=True)
class DistinctClaim:
    """One claim of one site, however often the site repeats it.

    Attributes
    ----------
    id : str
        16 hex digits from site, name and folded text: the same in a later screening.
    site : str
    name : str
        Its label, or the id of its rule if it has none.
    label : str or None
    family : str
        Shared by the same claim on other sites.
    family_sites : int
        How many sites have it; 1 if no other does.
    copies, pages : int
        How many findings are this claim, and on how many pages.
    weight : float
        What the campaign gives it; 1 without a campaign.
    priority : str
        The most urgent of its copies.
    unqualified : bool
        It is put forward, and at least one copy has no risk, limit or source in its section.
    serious : tuple of str
        Serious conditions that it names, or the headings above it, in alphabetical order.
    rules : tuple of str
        Provisions that it may touch where it is put forward.
    score : float or None
        The highest of its copies; None for a rule that needs no label.
    exhibit : str
        Id of the copy that stands for it (`mdclaims.cases.exhibits.exhibit_id`); the next attributes are that copy's.
    page, address : str
        Its page in the case, and its address: for files the path below the input.
    title : str or None
    quote : str
    before, after : str or None
    headings : tuple of str
        The headings above it, outermost first.
    stance : str or None
    reason : str
    qualifier, qualifier_kind : str or None
    link : str or None
    fingerprint : str
    sentence : int
    """

    id: str
    site: str
    name: str
    label: str | None
    family: str
    family_sites: int
    copies: int
    pages: int
    weight: float
    priority: str
    unqualified: bool
    serious: tuple[str, ...]
    rules: tuple[str, ...]
    score: float | None
    exhibit: str
    page: str
    address: str
    title: str | None
    quote: str
    before: str | None
    after: str | None
    headings: tuple[str, ...]
    stance: str | None
    reason: str
    qualifier: str | None
    qualifier_kind: str | None
    link: str | None
    fingerprint: str
    sentence: int


@dataclass(frozen=True, slots=True)
class Copy:
    """One finding that is a copy of a claim.

    Attributes
    ----------
    exhibit, page, address : str
    title : str or None
    sentence : int
    priority : str
    fingerprint : str
    """

    exhibit: str
    page: str
    address: str
    title: str | None
    sentence: int
    priority: str
    fingerprint: str


_COPIES = """
CREATE OR REPLACE TABLE copies AS
WITH named AS (
  SELECT coalesce(site, '') AS site, page, sentence, exhibit, fingerprint, claim, label, score, stance, kind, hidden,
    coalesce(label, rules[1]) AS name,
    list_position({priorities}, priority) AS urgency,
    folded(quote) AS folded,
    qualifier IS NULL AS bare,
    if(priority = 'info', [], rules) AS rules,
    if(serious AND priority <> 'info', serious_names(concat_ws(' | ', quote, {headings})), []) AS serious,
    ({weight})::DOUBLE AS weight,
    {stigma} OR label IS DISTINCT FROM 'stigma_framing' AS counts
  FROM findings
), identified AS (
  SELECT *, left(sha256(concat_ws(chr(31), site, name, folded)), 16) AS id,
    left(sha256(concat_ws(chr(31), name, folded)), 16) AS text
  FROM named
)
SELECT f.*, coalesce(l.id, f.id) AS lead
FROM identified AS f LEFT JOIN identified AS l ON l.page = f.page AND l.fingerprint = f.claim
"""
# A copy that a reader sees in the text stands for the claim before a hidden one or one of the page's data.
_CLAIMS = r"""
CREATE OR REPLACE TABLE claims AS
WITH grouped AS (
  SELECT id, site, name, any_value(label) AS label, any_value(text) AS text, any_value(folded) AS folded,
    count(*) AS copies, count(DISTINCT page) AS pages, max(weight) AS weight, min(urgency) AS urgency,
    bool_or(counts AND weight > 0) AS counts,
    bool_or(urgency < 3 AND bare AND label IN ('efficacy_claim', 'safety_claim')) AS unqualified,
    list_sort(list_distinct(flatten(list(serious)))) AS serious,
    list_sort(list_distinct(flatten(list(rules)))) AS rules,
    max(score) AS score,
    arg_min(struct_pack(page := page, fingerprint := fingerprint),
      (urgency, hidden OR kind IN ('title', 'description', 'structured', 'alt'), page, sentence))
      AS best
  FROM copies GROUP BY id, site, name
)
SELECT *, if(len(regexp_extract_all(folded, '\w+')) >= {fewest}, text, id) AS family, 1 AS family_sites FROM grouped
"""


def group_claims(case: OpenCase, campaign: Campaign | None = None) -> Grouping:
    """Group the findings of a case to distinct claims and families.

    It makes the tables `copies` (a row for each finding) and `claims` (a row for each distinct claim) in the case's
    connection, not in its folder; the other functions of this module read them.

    Parameters
    ----------
    case : OpenCase
    campaign : Campaign, optional
        Weighs claims; those of weight 0 are hidden. None weighs all 1.
    """
    connection = case.connection
    _add_function(connection)
    weight, values = ("1.0", []) if campaign is None else campaign.weight_sql()
    stigma = campaign is not None and campaign.asks_for_stigma
    copies = _COPIES.format(priorities=list(PRIORITIES), headings=HEADINGS, weight=weight, stigma=stigma)
    connection.execute(copies, values)
    connection.execute(_CLAIMS.format(fewest=FEWEST_WORDS))
    not_compared = _join_families(connection)
    [counts] = connection.execute(
        "SELECT (SELECT count(*) FROM copies), count(*) FILTER (weight > 0), count(*) FILTER (weight = 0) FROM claims"
    ).fetchall()
    findings, claims, hidden = counts
    return Grouping(findings, claims, hidden, not_compared)


def _add_function(connection: DuckDBPyConnection) -> None:
    """Let SQL use what Python owns."""
    known = connection.execute("SELECT 1 FROM duckdb_functions() WHERE function_name = 'serious_names'").fetchall()
    if not known:
        connection.create_function("serious_names", _serious_names, ["VARCHAR"], "VARCHAR[]")


@cache
def _serious() -> tuple[re.Pattern[str], dict[str, str]]:
    """Return a pattern of the serious conditions, and for each phrase the name it is counted by."""
    phrases = next(entry.phrases for entry in cue_lists() if entry.name == "serious_condition")
    longest = sorted({fold(phrase).replace("-", " ") for phrase in phrases}, key=lambda phrase: (-len(phrase), phrase))
    # In the lists a 0 is any digit, and hyphens make no difference.
    words = "|".join(re.escape(phrase).replace("0", r"\d").replace(r"\ ", "[ -]") for phrase in longest)
    # "Heart attacks" is "heart attack", and "type 2 diabetes" is "diabetes": the shortest that is in it.
    names = {
        phrase: next(short for short in reversed(longest) if re.search(rf"\b{re.escape(short)}(?:s?$|\b)", phrase))
        for phrase in longest
    }
    return re.compile(rf"\b(?:{words})\b"), names


def _serious_names(text: str) -> list[str]:
    """Return the serious conditions that a text names, each by its shortest name.

    >>> _serious_names("Hope after a stroke, and for heart attacks and type 2 diabetes. It aids sleep.")
    ['diabetes', 'heart attack', 'stroke']
    """
    pattern, names = _serious()
    found = (match.group().replace("-", " ") for match in pattern.finditer(fold(text)))
    # In lower case it is the verb.
    phrases = {re.sub(r"\d", "0", phrase) for phrase in found if phrase != "aids" or "AIDS" in text}
    return sorted({names[phrase] for phrase in phrases})


# --- across sites ---------------------------------------------------------------------------------------------------


def _join_families(connection: DuckDBPyConnection) -> int:
    """Give claims that are nearly the same one family; return how many texts were too many to be compared."""
    import pyarrow as pa

    not_compared = 0
    pairs: list[tuple[str, str]] = []
    names = connection.execute(
        "SELECT DISTINCT name FROM claims WHERE weight > 0 AND urgency < 3 ORDER BY 1"
    ).fetchall()
    for (name,) in names:
        rows = connection.execute(
            "SELECT text, any_value(folded) FROM claims WHERE name = ? AND weight > 0 AND urgency < 3 "
            "GROUP BY text ORDER BY min(urgency), count(*) DESC, text",
            [name],
        ).fetchall()
        not_compared += max(len(rows) - MOST_COMPARED, 0)
        pairs += near_copies(rows[:MOST_COMPARED])
    joined = pa.table({"text": [text for text, _ in pairs], "family": [family for _, family in pairs]})
    connection.register("joined", joined)
    connection.execute("UPDATE claims SET family = joined.family FROM joined WHERE joined.text = claims.text")
    connection.unregister("joined")
    connection.execute(
        "UPDATE claims SET family_sites = f.sites FROM "
        "(SELECT family, count(DISTINCT site) AS sites FROM claims GROUP BY family) AS f "
        "WHERE f.family = claims.family AND f.sites > 1"
    )
    return not_compared


def near_copies(texts: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield (id, id of its family's first text) for each text that is nearly the same as an earlier one.

    Every member of a family is near its first text, so that no chain of small changes joins what differs.

    Parameters
    ----------
    texts : sequence of (str, str)
        Id and folded text; what comes first becomes the first of its family.
    """
    from datasketch import MinHash, MinHashLSH

    buckets = MinHashLSH(num_perm=_BANDS * _ROWS, params=(_BANDS, _ROWS))
    first: dict[str, tuple[str, ...]] = {}
    for text, folded in texts:
        words = word_keys(folded)
        if len(words) < FEWEST_WORDS:
            continue
        sketch = MinHash(num_perm=_BANDS * _ROWS, seed=_SEED)
        sketch.update_batch([word.encode() for word in set(words)])
        candidates = sorted((-similarity(words, first[other]), other) for other in buckets.query(sketch))
        if candidates and -candidates[0][0] >= SAME:
            yield text, candidates[0][1]
        else:
            buckets.insert(text, sketch)
            first[text] = words


# --- asking ---------------------------------------------------------------------------------------------------------

# What a reader should see first: the urgent, then what says most (a word without exception, a figure without a source,
# a serious condition, no qualifier), whole sentences before headings and names.
ORDER = """c.urgency, c.weight DESC,
  (coalesce(f.strength = 'absolute', false)::INT + coalesce(f.quantified AND NOT f.sourced, false)::INT
    + coalesce(f.serious, false)::INT + c.unqualified::INT
    - 2 * (f.kind IN ('title', 'heading', 'link', 'button', 'alt') OR len(string_split(f.quote, ' ')) < 6)::INT) DESC,
  c.score DESC NULLS LAST, c.id"""
ADDRESS = "coalesce(f.address, regexp_replace(f.file, '^[^/]+/', ''))"
"""SQL for what stands for the address of a finding: for files, `mdclaims.cases.exhibits.file_address`."""

# Of the claim, and of the finding that stands for it.
_COLUMNS: dict[str, str] = {
    **{name: f"c.{name}" for name in ("id", "site", "name", "label", "family", "family_sites", "copies", "pages")},
    **{name: f"c.{name}" for name in ("weight", "unqualified", "serious", "rules", "score")},
    **{name: f"f.{name}" for name in ("exhibit", "page", "title", "quote", "before", "after", "stance", "reason")},
    **{name: f"f.{name}" for name in ("qualifier", "qualifier_kind", "link", "fingerprint", "sentence")},
    "priority": "c.urgency",
    "address": ADDRESS,
    "headings": "f.heading_path",
}
_SELECT = (
    f"SELECT {', '.join(_COLUMNS.values())} FROM claims AS c "  # noqa: S608  # names alone
    "JOIN findings AS f ON f.page = c.best.page AND f.fingerprint = c.best.fingerprint"
)


def distinct_claims(
    case: OpenCase, condition: str = "true", values: Sequence[object] = (), *, order: str = ORDER, tables: str = ""
) -> Iterator[DistinctClaim]:
    """Yield distinct claims of a case that was grouped, the strongest first; those that a campaign hides never.

    Parameters
    ----------
    case : OpenCase
        After `group_claims`.
    condition : str
        SQL over `c` (the table `claims`) and `f` (the finding that stands for it); never text of a page.
    values : sequence
        For its question marks.
    order : str
        SQL to sort by.
    tables : str
        More of SQL's FROM, such as a JOIN.
    """
    cursor = case.connection.cursor()
    cursor.execute(f"{_SELECT} {tables} WHERE c.weight > 0 AND {condition} ORDER BY {order}", list(values))
    while rows := cursor.fetchmany(2_000):
        yield from map(_claim, rows)


def claims_of_site(case: OpenCase, site: str, *, info: bool = False) -> Iterator[DistinctClaim]:
    """Yield the distinct claims of one site, the strongest first; `info` adds those that are only noted."""
    yield from distinct_claims(case, "c.site = ? AND (? OR c.urgency < 3)", [site, info])


def family(case: OpenCase, claim: DistinctClaim) -> list[DistinctClaim]:
    """Return the same claim on all sites, the given one included, by site."""
    return list(distinct_claims(case, "c.family = ?", [claim.family], order="c.site, c.id"))


def copies(case: OpenCase, id: str) -> list[Copy]:
    """Return the findings that are one claim, in the order of the case."""
    rows = case.connection.cursor().execute(
        f"SELECT f.exhibit, f.page, {ADDRESS}, f.title, f.sentence, f.priority, f.fingerprint "  # noqa: S608  # names
        "FROM copies AS c JOIN findings AS f ON f.page = c.page AND f.fingerprint = c.fingerprint "
        "WHERE c.id = ? ORDER BY f.page, f.sentence",
        [id],
    )
    return [Copy(*row) for row in rows.fetchall()]


def _claim(row: tuple[Any, ...]) -> DistinctClaim:
    columns = dict(zip(_COLUMNS, row, strict=True))
    for name in ("serious", "rules", "headings"):
        columns[name] = tuple(columns[name])
    return DistinctClaim(**{**columns, "priority": PRIORITIES[columns["priority"] - 1]})
