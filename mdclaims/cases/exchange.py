"""Chooses sentences of a case for annotators: those of which the model is least sure, or those least alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from sklearn.cluster import kmeans_plusplus
from sklearn.preprocessing import normalize
from sklearn.random_projection import SparseRandomProjection

from mdclaims.cases.casefile import OpenCase, open_case
from mdclaims.cases.contexts import ContextReader, InContext
from mdclaims.cases.engine import PageLimits
from mdclaims.cases.store import write_file
from mdclaims.errors import ReadError, UsageError
from mdclaims.labels import LABELS
from mdclaims.language.sentences import SentenceInput
from mdclaims.model.annotation_formats import Item, folded, write_items
from mdclaims.model.persistence import load_model

ORDERS: tuple[str, ...] = ("uncertain", "diverse")
MOST_ITEMS = 100_000
# Enough for the choice; the time that it takes grows with this times the number chosen.
_CANDIDATES = 20_000
# Chosen beyond what is asked for, in place of sentences whose pages cannot be read.
_SPARE = 50
_DIMENSIONS = 256
_SEED = 0

_Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class ExchangeOptions:
    """What to export.

    Attributes
    ----------
    format : str
        One of `annotation_formats.FORMATS`.
    order : str
        "uncertain": the label's score that is nearest to one half decides (binary minimum; Esuli and Sebastiani,
        2009). "diverse": each sentence is drawn far from those chosen before it, by the model's own features of the
        sentence (the seeding of k-means++; Arthur and Vassilvitskii, 2007).
    limit : int
    suggest : bool
        Put the case's findings in as suggestions. Who sees them agrees with them more than they should.
    model : Path or None
    trust_model : bool
    folders : tuple of Path
        Where to look for the inputs.
    workers : int
    limits : PageLimits
    """

    format: str
    order: str = "uncertain"
    limit: int = 200
    suggest: bool = False
    model: Path | None = None
    trust_model: bool = False
    folders: tuple[Path, ...] = (Path(),)
    workers: int = 1
    limits: PageLimits = field(default_factory=PageLimits)

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= MOST_ITEMS:
            raise UsageError(f"--limit takes 1 to {MOST_ITEMS:,} sentences, not {self.limit:,}")


@dataclass(frozen=True, slots=True)
class Exported:
    """What was exported.

    Attributes
    ----------
    items : int
    unread : dict of str to str
        Pages that came up and could not be read as the case describes them.
    """

    items: int
    unread: dict[str, str]


def export_labels(folder: Path, output: Path, options: ExchangeOptions) -> Exported:
    """Write sentences of a case for an annotation tool.

    Chosen is among the sentences that the case keeps, each text once under its heading.

    Raises
    ------
    UsageError
        If the output exists or cannot be written.
    ReadError
        If the folder is no finished case, or nothing can be chosen.
    """
    if output.exists():
        raise UsageError(f"{output} is there already; name another file")
    with open_case(folder) as case:
        reader = ContextReader(case, options.folders, workers=options.workers, limits=options.limits)
        reader.covered()
        places = _uncertain(case, options.limit) if options.order == "uncertain" else _diverse(case, options)
        contexts, unread = _read(reader, places, options.limit)
        items = list(_items(case, contexts, suggest=options.suggest))
    if not items:
        reason = f" ({next(iter(unread.values()))})" if unread else ""
        raise ReadError(f"{folder}: no kept sentence stands on a page at hand{reason}; name its inputs with --inputs")
    write_file(output, write_items(items, options.format).encode())
    return Exported(len(items), unread)


_CHOICE = (
    "SELECT s.* FROM sentences AS s JOIN covered AS c ON c.page = s.page "
    "QUALIFY row_number() OVER (PARTITION BY s.text, s.heading ORDER BY s.page, s.sentence) = 1"
)


def _uncertain(case: OpenCase, limit: int) -> list[_Place]:
    nearest = f"least({', '.join(f'abs({label} - 0.5)' for label in LABELS)})"
    rows = case.connection.execute(
        f"SELECT page, sentence FROM ({_CHOICE}) ORDER BY {nearest}, page, sentence LIMIT ?",  # noqa: S608 (no user text)
        [limit + _SPARE],
    ).fetchall()
    return [(page, number) for page, number in rows]


def _diverse(case: OpenCase, options: ExchangeOptions) -> list[_Place]:
    rows = case.connection.execute(
        "SELECT page, sentence, text, kind, region, coalesce(heading, '') FROM "  # noqa: S608 (no user text)
        f"({_CHOICE}) ORDER BY md5(text || chr(10) || coalesce(heading, '')), page, sentence LIMIT {_CANDIDATES}"
    ).fetchall()
    if not rows:
        return []
    extractor = load_model(options.model, trust=options.trust_model).classifier.extractor
    inputs = [
        SentenceInput(text, kind=kind, region=region, heading=heading) for _, _, text, kind, region, heading in rows
    ]
    features = normalize(extractor.transform(inputs).astype(np.float64))
    if features.shape[1] > _DIMENSIONS:
        # Distances hold within some per cent (Li, Hastie and Church, 2006), and a step takes a fraction of the time.
        features = SparseRandomProjection(_DIMENSIONS, random_state=_SEED, dense_output=True).fit_transform(features)
    count = min(options.limit + _SPARE, len(rows))
    _, chosen = kmeans_plusplus(features, n_clusters=count, random_state=_SEED)
    # Where all that is left equals something chosen, a sentence can be drawn twice.
    return [(rows[n][0], rows[n][1]) for n in dict.fromkeys(chosen.tolist())]


def _read(
    reader: ContextReader, places: Sequence[_Place], limit: int
) -> tuple[dict[_Place, InContext], dict[str, str]]:
    """Read sentences in their order until there are enough."""
    contexts: dict[_Place, InContext] = {}
    unread: dict[str, str] = {}
    left = list(places)
    while left and len(contexts) < limit:
        left = [place for place in left if place[0] not in unread]
        tried, left = left[: limit - len(contexts)], left[limit - len(contexts) :]
        numbers: dict[str, list[int]] = {}
        for page, number in tried:
            numbers.setdefault(page, []).append(number)
        found, failed = reader.read(numbers)
        unread |= failed
        contexts.update((place, found[place]) for place in tried if place in found)
    return contexts, unread


def _items(case: OpenCase, contexts: dict[_Place, InContext], *, suggest: bool) -> Iterator[Item]:
    pages = sorted({page for page, _ in contexts})
    sites = dict(
        case.connection.execute(
            "SELECT page, coalesce(site, file) FROM covered WHERE page IN (SELECT unnest(?::VARCHAR[]))", [pages]
        ).fetchall()
    )
    found: dict[_Place, set[str]] = {}
    for page, number, label in case.connection.execute(
        "SELECT page, sentence, label FROM findings WHERE label IS NOT NULL AND page IN (SELECT unnest(?::VARCHAR[]))",
        [pages],
    ).fetchall():
        found.setdefault((page, number), set()).add(label)
    name = case.manifest.sha256[:12]
    for (page, number), context in contexts.items():
        entry = context.entry
        labels = tuple(label for label in LABELS if label in found.get((page, number), ()))
        yield Item(
            id=f"{name}/{page}:{number}",
            text=folded(entry.text),
            doc=f"{name}/{page}",
            site=sites[page],
            sentence=number,
            kind=entry.kind,
            region=entry.region,
            level=context.level,
            heading=folded(entry.heading),
            before=folded(entry.previous),
            after=folded(entry.next),
            first_block=entry.first_block,
            suggested=labels if suggest else None,
        )
