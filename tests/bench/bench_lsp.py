"""From a key press to its diagnostics, through a real language client: ``python tests/bench/bench_lsp.py [WORDS]``.

The draft is text of the corpus, 2,000 words if not said otherwise. Keys are pressed at random places, one after the
other: a time is that from sending the change until the diagnostics of just that text have arrived, process boundary,
pauses of the server (`DELAY`) and all. Prints milliseconds; never asserts a time.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from language_client import Editor, drafted

from mdclaims.desk.lsp import DELAY

KEYS = 200
WARM = 20
TYPED = "the laser helps most people to walk without pain and it cures them. "


async def pressed(editor: Editor, uri: str, keys: int, seed: int) -> list[float]:
    """Return the seconds of key presses at random places, each awaited."""
    dice = random.Random(seed)
    times = []
    for n in range(keys):
        at = dice.randrange(len(editor.texts[uri]))
        start = time.perf_counter()
        editor.change(uri, (at, at, TYPED[n % len(TYPED)]))
        await editor.diagnostics(uri)
        times.append(editor.times[uri, editor.versions[uri]] - start)
    return times


async def typed(editor: Editor, uri: str, keys: int, seed: int) -> list[float]:
    """Return the seconds from the last key of bursts of typing, a key every 120 ms, to the diagnostics."""
    dice = random.Random(seed)
    times = []
    while len(times) < keys:
        at = dice.randrange(len(editor.texts[uri]))
        for n in range(12):
            start = time.perf_counter()
            editor.change(uri, (at + n, at + n, TYPED[n]))
            await asyncio.sleep(0.12)
        await editor.diagnostics(uri)
        times.append(editor.times[uri, editor.versions[uri]] - start)
    return times


def told(name: str, times: list[float]) -> None:
    """Print the median and the 95th percentile."""
    ordered = sorted(times)
    median, last = ordered[len(ordered) // 2], ordered[int(0.95 * len(ordered))]
    pause = (
        f"{1000 * (median - DELAY):.0f} and {1000 * (last - DELAY):.0f} ms without the pause of {1000 * DELAY:.0f} ms"
    )
    print(f"{name}: median {1000 * median:.0f} ms, 95th percentile {1000 * last:.0f} ms ({pause}), n = {len(times)}")


async def measure(words: int, *options: str) -> None:
    """Measure one setting."""
    with tempfile.TemporaryDirectory() as folder:
        async with Editor(Path(folder), *options) as editor:
            text = drafted(words)
            start = time.perf_counter()
            uri = editor.open("draft.md", text)
            found = await editor.diagnostics(uri)
            first = time.perf_counter() - start
            name = f"{len(text.split()):,} words, {' '.join(options) or 'no jurisdiction'}"
            print(f"{name}: opened in {1000 * first:.0f} ms, {len(found)} diagnostics")
            await pressed(editor, uri, WARM, 1)
            told("  key presses one by one", await pressed(editor, uri, KEYS, 2))
            told("  last key of a burst", await typed(editor, uri, KEYS // 10, 3))


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    asyncio.run(measure(wanted))
    asyncio.run(measure(wanted, "-j", "us", "-j", "uk", "-j", "au", "-j", "eu"))
