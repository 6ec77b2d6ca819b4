"""How near the order of the sites is to one that people made: by rank, by number of findings, and at random.

    python tests/bench/compare_orders.py CASE FIRST.txt SECOND.txt [--top 10] [--campaign NAME]

Each file is the order of one reader: names of sites of the case, one a line, the first to be read first; the two
readers order the same sites, and only these count. Printed are how many of a reader's first sites are in the first by
each order, the same for the two readers among themselves, and Spearman's correlation of the whole order. At random the
overlap is top * top / sites on average; its 95 % range is that of the hypergeometric distribution.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from scipy.stats import hypergeom, spearmanr

from mdclaims.cases.campaign import read_campaign
from mdclaims.cases.casefile import open_case
from mdclaims.cases.ranking import rank


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", type=Path)
    parser.add_argument("readers", type=Path, nargs=2)
    parser.add_argument("--top", type=int, default=10)
    parser.add_argument("--campaign")
    options = parser.parse_args()
    first, second = (read_order(path) for path in options.readers)
    if set(first) != set(second):
        raise SystemExit(f"the readers did not order the same sites: {', '.join(sorted(set(first) ^ set(second)))}")
    if not 0 < options.top <= len(first):
        raise SystemExit(f"--top must be from 1 to {len(first)}, the number of sites")
    by_tool = tool_orders(options.case, options.campaign)
    unknown = set(first) - set(by_tool["rank"])
    if unknown:
        raise SystemExit(f"no sites of the case: {', '.join(sorted(unknown))}")
    orders = {name: [site for site in order if site in set(first)] for name, order in by_tool.items()}
    print(f"{len(first)} sites, first {options.top}: overlap (Spearman) with")
    print(f"{'':<22}{options.readers[0].name:>20}{options.readers[1].name:>20}")
    for name, order in {**orders, "the other reader": None}.items():
        figures = []
        for own, other in ((first, second), (second, first)):
            compared = other if order is None else order
            figures.append(f"{overlap(own, compared, options.top)} ({correlation(own, compared):.2f})")
        print(f"{name:<22}{figures[0]:>20}{figures[1]:>20}")
    chance = hypergeom(len(first), options.top, options.top)
    low, high = (int(chance.ppf(share)) for share in (0.025, 0.975))
    print(f"{'at random':<22}{f'{chance.mean():.1f} ({low} to {high})':>20}")


def read_order(path: Path) -> list[str]:
    """Return the sites of a reader's file, in order."""
    names = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    if len(set(names)) < len(names):
        raise SystemExit(f"{path} names a site twice")
    return names


def tool_orders(case: Path, campaign: str | None) -> dict[str, list[str]]:
    """Return all sites of a case in the orders that are compared; ties in the order of their names."""
    with open_case(case) as opened:
        ranking = rank(opened, None if campaign is None else read_campaign(campaign))
        counts = opened.connection.execute("SELECT site, findings, high FROM sites").fetchall()
    orders = {"rank": [site.site for site in ranking.sites]}
    for number, name in ((1, "number of labels"), (2, "number of high")):
        orders[name] = [row[0] for row in sorted(counts, key=lambda row: (-row[number], row[0]))]
    return orders


def overlap(one: Sequence[str], other: Sequence[str], top: int) -> int:
    """Return how many of the first sites two orders share."""
    return len(set(one[:top]) & set(other[:top]))


def correlation(one: Sequence[str], other: Sequence[str]) -> float:
    """Return Spearman's correlation of two orders of the same sites."""
    place = {site: number for number, site in enumerate(other)}
    return float(spearmanr(range(len(one)), [place[site] for site in one]).statistic)


if __name__ == "__main__":
    main()
