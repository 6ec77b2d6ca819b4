"""Speed of screening beside what it is measured by, in one run: ``python tests/bench/bench_screen.py FOLDER``.

FOLDER holds HTML files of real pages. They are written into one .warc.gz, which each contender reads in turn, round by
round, each time in a fresh process that has met no word yet:

- ours: the work of one worker, from the archive to pages, findings, sentences and evidence of the case;
- fastwarc + resiliparse: reading and parsing alone;
- trafilatura + spaCy's sentencizer + TF-IDF of word and character n-grams with a logistic regression for each label,
  trained on our corpus.

Of all rounds the one with the least processor time counts, for other programs can only add to it. Starting,
loading and training are not counted. ``--without-memory`` adds ours without remembering sentences that repeat;
``--workers`` screens copies of the archive with one worker and with two. Prints; never asserts a time.

    pip install ".[all]" fastwarc resiliparse trafilatura
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import gzip
import hashlib
import multiprocessing
import os
import platform
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Before numpy is imported, here and in all processes below.
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

CORPUS = Path(__file__).parents[2] / "corpus" / "documents"
NEEDED = ("fastwarc", "resiliparse", "trafilatura", "psutil", "pyarrow")
WITHOUT_MEMORY = "ours, without memory"


@dataclass
class Measured:
    """What one contender took for the archive once."""

    pages: int
    sentences: int
    cpu: float
    wall: float
    stages: dict[str, float] = field(default_factory=dict)
    """Processor seconds of each stage."""
    judged: int = 0
    """Sentences that the classifier saw: those that were not met before."""


# --- the archive ------------------------------------------------------------------------------------------------------


def write_archive(files: list[Path], path: Path) -> int:
    """Write pages as an archiver does, one gzip member for each record; return their bytes."""
    total = 0
    with path.open("wb") as stream:
        for number, file in enumerate(files):
            body = file.read_bytes()
            total += len(body)
            head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(body)
            # Pages in one folder are of one site.
            address = f"https://{hashlib.sha256(file.parent.name.encode()).hexdigest()[:12]}.example/{number}"
            fields = (
                "WARC/1.1\r\nWARC-Type: response\r\nWARC-Date: 2026-03-01T09:30:00Z\r\n"
                f"WARC-Record-ID: <urn:uuid:00000000-0000-4000-8000-{number:012d}>\r\nWARC-Target-URI: {address}\r\n"
                "Content-Type: application/http; msgtype=response\r\n"
                f"Content-Length: {len(head) + len(body)}\r\n\r\n"
            )
            stream.write(gzip.compress(fields.encode() + head + body + b"\r\n\r\n", mtime=0))
    return total


@contextlib.contextmanager
def timed() -> Iterator[Callable[[int, int], Measured]]:
    """Give a function that tells what was taken since."""
    cpu, wall = time.process_time(), time.perf_counter()
    yield lambda pages, sentences: Measured(pages, sentences, time.process_time() - cpu, time.perf_counter() - wall)


# --- ours -------------------------------------------------------------------------------------------------------------


class Stages:
    """Times functions from outside, each without those below it that are timed too."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._open: list[str] = []
        self._since = time.process_time()

    def _turn(self) -> None:
        now = time.process_time()
        self.seconds[self._open[-1] if self._open else "the rest"] += now - self._since
        self._since = now

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count what happens inside for a stage."""
        self._turn()
        self._open.append(name)
        try:
            yield
        finally:
            self._turn()
            self._open.pop()

    def watch(self, owner: Any, attribute: str, name: str) -> None:
        """Let a function count for a stage."""
        function = getattr(owner, attribute)

        @functools.wraps(function)
        def inner(*arguments: Any, **named: Any) -> Any:
            with self.stage(name):
                return function(*arguments, **named)

        setattr(owner, attribute, inner)

    def watch_iterator(self, owner: Any, attribute: str, name: str) -> None:
        """Let the steps of a generator function count for a stage."""
        function = getattr(owner, attribute)

        @functools.wraps(function)
        def inner(*arguments: Any, **named: Any) -> Iterator[Any]:
            iterator = iter(function(*arguments, **named))
            while True:
                with self.stage(name):
                    item = next(iterator, self)
                if item is self:
                    return
                yield item

        setattr(owner, attribute, inner)


class Silent:
    """Hears what a worker tells, and does nothing with it."""

    def reading(self, place: tuple[int, int], address: str) -> None:
        """Hear which page is next."""

    def finished(self, part: object) -> None:
        """Hear that a part is written."""


def ours(archive: Path, memory: int | None = None) -> Measured:
    """Do the work of a worker: from the archive to the parts of a case."""
    from mdclaims.cases import work
    from mdclaims.cases.batch import Task
    from mdclaims.cases.engine import Progress
    from mdclaims.cases.sites import Sites
    from mdclaims.config import Settings
    from mdclaims.findings import screening
    from mdclaims.model.classifier import ClaimClassifier
    from mdclaims.reading.archive import ArchiveRange

    stages = Stages()
    stages.watch_iterator(work, "read_captures", "reading records")
    stages.watch(work, "page_of", "reading HTML")
    stages.watch(screening, "split_page", "splitting")
    stages.watch(screening, "read_inputs", "features and scores")
    stages.watch(ClaimClassifier, "judge", "features and scores")
    stages.watch(screening.Screener, "screen_pages", "findings")
    stages.watch(screening.Screener, "_find_cues", "cues")
    stages.watch(work._TaskWriter, "_keep", "rows, evidence, Parquet")
    stages.watch(work._TaskWriter, "finish", "rows, evidence, Parquet")
    met: Counter[str] = Counter()
    unknown = screening._Memory.unknown

    def counting(self: Any, inputs: Any) -> Any:
        new = unknown(self, inputs)
        met["all"] += len(inputs)
        met["new"] += len(new)
        return new

    screening._Memory.unknown = counting  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as folder:
        begin = work.Begin(Path(folder), Settings(mode="screen"), Sites.of(()))
        screener = begin.screener() if memory is None else screening.load(settings=begin.settings, memory=memory)
        do = begin.work(screener)
        task = Task(0, archive.stat().st_size, part=ArchiveRange(archive, None), name=archive.name)
        met.clear()
        stages.seconds.clear()
        last = None
        hear = Silent()

        def remember(part: Any) -> None:
            nonlocal last
            last = part

        hear.finished = remember  # type: ignore[method-assign]
        with stages.stage("the rest"), timed() as taken:
            # False says that a fresh process should go on; here the same one does.
            while not do(task, Progress(last), hear):
                pass
            measured = taken(0, met["all"])
        measured.pages, measured.judged = last.pages if last else 0, met["new"]
        measured.stages = dict(stages.seconds)
        return measured


# --- the others -------------------------------------------------------------------------------------------------------


def bodies(archive: Path) -> Iterator[bytes]:
    """Yield the pages of the archive with fastwarc."""
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    with archive.open("rb") as stream:
        for record in ArchiveIterator(stream, record_types=WarcRecordType.response):
            yield record.reader.read()


def parsing(archive: Path) -> Measured:
    """Read and parse the pages, and do nothing with them."""
    from resiliparse.parse.encoding import detect_encoding
    from resiliparse.parse.html import HTMLTree

    pages = 0
    with timed() as taken:
        for body in bodies(archive):
            HTMLTree.parse_from_bytes(body, detect_encoding(body))
            pages += 1
        return taken(pages, 0)


def train_baseline() -> Any:
    """Fit the model that a data scientist would build first, on train and dev of our corpus."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline, make_union

    from mdclaims.labels import LABELS
    from mdclaims.model.corpus import read_corpus

    documents = [document for document in read_corpus(CORPUS) if document.split != "test"]
    rows = [row for document in documents for row in document.sentences()]
    model = make_pipeline(
        make_union(
            TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True),
            TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), min_df=2, sublinear_tf=True),
        ),
        OneVsRestClassifier(LogisticRegression(solver="liblinear")),
    )
    return model.fit([text for text, _ in rows], [[label in given for label in LABELS] for _, given in rows])


def baseline(archive: Path, model: Path) -> Measured:
    """Extract each page's article, split it, and score its sentences; nothing is written."""
    import joblib
    import spacy
    import trafilatura

    scorer = joblib.load(model)
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    scorer.predict_proba([sentence.text for sentence in nlp("The first page takes longer.").sents])
    trafilatura.extract("<p>The first page takes longer than others.</p>")
    pages = sentences = 0
    with timed() as taken:
        for body in bodies(archive):
            text = trafilatura.extract(body) or ""
            found = [sentence.text for sentence in nlp(text).sents]
            if found:
                scorer.predict_proba(found)
            pages += 1
            sentences += len(found)
        return taken(pages, sentences)


# --- the run ----------------------------------------------------------------------------------------------------------


def in_fresh_process(function: Callable[..., Measured], *arguments: Any) -> Measured:
    """Call a function in a process that has met nothing yet."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def compare(contenders: dict[str, tuple[Any, ...]], rounds: int) -> dict[str, list[Measured]]:
    """Let the contenders take turns, and return their rounds, the best first."""
    found: dict[str, list[Measured]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, (function, *arguments) in contenders.items():
            found[name].append(in_fresh_process(function, *arguments))
    return {name: sorted(measured, key=lambda entry: entry.cpu) for name, measured in found.items()}


def report(found: dict[str, list[Measured]]) -> None:
    """Print the table, and ours by stage."""
    first = found["ours"][0]
    print(
        f"\n{'':32}{'pages/s':>9}{'ratio':>8}{'ms/page':>9}{'sent./page':>12}{'sent./s':>9}{'by clock':>10}{'worst':>8}"
    )
    for name, rounds in found.items():
        best = rounds[0]
        rate, per_page = best.pages / best.cpu, best.sentences / best.pages
        clock = best.pages / min(entry.wall for entry in rounds)
        print(
            f"{name:32}{rate:9.1f}{rate / (first.pages / first.cpu):8.2f}{1000 / rate:9.2f}{per_page:12.0f}"
            f"{rate * per_page:9.0f}{clock:10.1f}{rounds[-1].pages / rounds[-1].cpu:8.1f}"
        )
    total = sum(first.stages.values())
    print("\nours by stage:")
    for name, seconds in sorted(first.stages.items(), key=lambda entry: -entry[1]):
        print(f"  {name:30}{100 * seconds / total:6.1f} %{1000 * seconds / first.pages:9.2f} ms/page")
    print(f"  sentences met before, and not judged again: {100 - 100 * first.judged / first.sentences:.0f} %")


def report_workers(archive: Path, copies: int, rounds: int) -> None:
    """Screen copies of the archive as a user would, with one worker and with two, by the clock."""
    from mdclaims.cases.screen import ScreenOptions, screen
    from mdclaims.config import Settings

    times: dict[int, list[float]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(copies):
            (folder / "in" / f"{number}.warc.gz").parent.mkdir(exist_ok=True)
            shutil.copyfile(archive, folder / "in" / f"{number}.warc.gz")
        for number in range(rounds):
            for workers, seconds in times.items():
                start = time.perf_counter()
                options = ScreenOptions(Settings(mode="screen"), workers=workers)
                screen([str(folder / "in")], folder / f"case-{workers}-{number}", options)
                seconds.append(time.perf_counter() - start)
    one, two = min(times[1]), min(times[2])
    print(f"\n{copies} copies, whole run by the clock: one worker {one:.1f} s, two {two:.1f} s, ratio {one / two:.2f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Speed of screening beside what it is measured by.")
    parser.add_argument("folder", type=Path, help="HTML files of real pages; pages in one folder are of one site")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--smallest", type=float, default=0, help="pages of at least so many KB (1,000 bytes)")
    parser.add_argument("--largest", type=float, default=float("inf"), help="pages of at most so many KB")
    parser.add_argument("--ours-alone", action="store_true", help="without the others")
    parser.add_argument("--without-memory", action="store_true", help="also ours without remembering sentences")
    parser.add_argument("--workers", type=int, metavar="COPIES", help="also two workers against one, on so many copies")
    arguments = parser.parse_args()
    for module in NEEDED:
        try:
            __import__(module)
        except ImportError:
            sys.exit(f'{module} is missing; pip install ".[all]" fastwarc resiliparse trafilatura')
    files = [
        file
        for file in sorted(arguments.folder.rglob("*.html"))
        if arguments.smallest <= file.stat().st_size / 1000 <= arguments.largest
    ]
    if not files:
        sys.exit(f"{arguments.folder} holds no such .html file; name a folder of real pages")
    with tempfile.TemporaryDirectory() as name:
        archive = Path(name) / "pages.warc.gz"
        size = write_archive(files, archive)
        print(
            f"{len(files)} pages, {size / len(files) / 1000:.0f} KB each, {archive.stat().st_size / 1e6:.1f} MB of .warc.gz; "  # noqa: E501
            f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
        )
        contenders: dict[str, tuple[Any, ...]] = {"ours": (ours, archive)}
        if arguments.without_memory:
            contenders[WITHOUT_MEMORY] = (ours, archive, 0)
        if not arguments.ours_alone:
            import joblib

            model = Path(name) / "baseline.joblib"
            joblib.dump(train_baseline(), model)
            contenders["fastwarc + resiliparse"] = (parsing, archive)
            contenders["trafilatura + spaCy + TF-IDF"] = (baseline, archive, model)
        report(compare(contenders, arguments.rounds))
        if arguments.workers:
            report_workers(archive, arguments.workers, arguments.rounds)


if __name__ == "__main__":
    main()
