"""Speed and memory of the whole way, measured in one run: ``python tests/bench/bench_check.py [FOLDER]``.

FOLDER holds HTML files; without it the example page is read many times. Prints seconds and ratios; never asserts a
time. Stages are timed with CPU seconds of one process and one thread.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

# Before numpy is imported, which happens in `main`.
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def wall(arguments: list[str], runs: int = 5) -> float:
    """Return the median wall time of a command, in seconds."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run(arguments, capture_output=True, check=False)
        times.append(time.perf_counter() - start)
    return sorted(times)[runs // 2]


def cost_of_findings(files: list[Path], **settings: object) -> tuple[float, float]:
    """Return the CPU seconds of reading, splitting and scoring pages, and those of their findings on top.

    Every page is screened once before it is timed, so that no side meets words that the other has read. Of three
    runs the shortest counts.
    """
    import mdclaims
    from mdclaims.config import Settings
    from mdclaims.errors import ReadError
    from mdclaims.language.pipeline import shared_pipeline
    from mdclaims.language.sentences import page_inputs, split_page
    from mdclaims.reading import read_page

    screener = mdclaims.load(settings=Settings(**settings))
    plain = whole = 0.0
    for file in files:
        try:
            screener.screen_file(file)
        except ReadError:
            continue
        runs = []
        for _ in range(3):
            start = time.process_time()
            screener.model.classifier.scores(page_inputs(split_page(read_page(file), shared_pipeline())))
            scored = time.process_time()
            screener.screen_file(file)
            runs.append((scored - start, time.process_time() - scored))
        plain += min(run[0] for run in runs)
        whole += min(run[1] for run in runs)
    return plain, whole - plain


def main() -> None:
    """Measure and print."""
    example = Path(__file__).parents[2] / "mdclaims" / "data" / "examples" / "knee-clinic.html"
    program = [sys.executable, "-m", "mdclaims"]
    bare = wall([sys.executable, "-c", "pass"])
    help_time, check_time = wall([*program, "--help"]), wall([*program, "check", "--exit-zero", str(example)])
    print(f"cold start, median of 5, wall: python {bare:.2f} s, --help {help_time:.2f} s, check {check_time:.2f} s")

    files = sorted(Path(sys.argv[1]).rglob("*.html")) if len(sys.argv) > 1 else [example] * 100
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    import mdclaims
    from mdclaims.config import MODES
    from mdclaims.errors import ReadError
    from mdclaims.language.hashing import WordRows
    from mdclaims.language.pipeline import shared_pipeline
    from mdclaims.language.sentences import page_inputs, split_page
    from mdclaims.reading import read_page

    screener = mdclaims.load()
    screener.screen_file(example)  # loads what is loaded once
    stages = {"read": 0.0, "split": 0.0, "score": 0.0}
    pages = sentences = failed = 0
    everything = []
    for file in files:
        start = time.process_time()
        try:
            page = read_page(file)
        except ReadError:
            failed += 1
            continue
        read = time.process_time()
        split = page_inputs(split_page(page, shared_pipeline()))
        done = time.process_time()
        screener.model.classifier.scores(split)
        scored = time.process_time()
        stages["read"] += read - start
        stages["split"] += done - read
        stages["score"] += scored - done
        pages += 1
        sentences += len(split)
        everything += split
    total = sum(stages.values())
    shares = ", ".join(f"{name} {100 * seconds / total:.0f} %" for name, seconds in stages.items())
    rates = f"{pages / total:.1f} pages/s, {sentences / total:.0f} sentences/s"
    print(f"{pages} pages ({failed} not read), {sentences} sentences: {rates} ({shares})")

    costs = []
    for mode in MODES:
        plain, findings = cost_of_findings(files, mode=mode)
        _, explained = cost_of_findings(files, mode=mode, explain=True)
        costs.append(f"{mode} {findings / plain:.2f} ({(explained - findings) / (plain + findings):.2f})")
    print(
        "findings on top of reading, splitting and scoring, by mode, "
        f"and explanations on top of all that: {', '.join(costs)}"
    )

    batch = (everything * (1 + 2000 // max(len(everything), 1)))[:20000]
    batches = [batch[n : n + 2000] for n in range(0, len(batch), 2000)]
    start = time.process_time()
    for part in batches:
        screener.model.classifier.scores(part)
    scoring = time.process_time() - start
    ours = len(batch) / scoring
    strings = [
        list(dict.fromkeys(text for entry in part for text in (entry.text, entry.heading, entry.previous, entry.next)))
        for part in batches
    ]
    start = time.process_time()
    for part in strings:
        WordRows.read(shared_pipeline(), part)
    from_tokens = len(batch) / (scoring - (time.process_time() - start))
    texts = [entry.text for entry in batch]
    vectorizer = TfidfVectorizer(ngram_range=(1, 2))
    matrix = vectorizer.fit_transform(texts)
    plain = LogisticRegression(solver="liblinear").fit(matrix, [n % 2 for n in range(len(texts))])
    start = time.process_time()
    for n in range(0, len(texts), 2000):
        for _ in range(4):
            plain.predict_proba(vectorizer.transform(texts[n : n + 2000]))
    tfidf = len(texts) / (time.process_time() - start)
    print(
        f"scoring {len(batch)} sentences in batches of 2,000: from text {ours:.0f} sentences/s, "
        f"from tokens (without the time of tokenising them) {from_tokens:.0f} sentences/s"
    )
    print(
        f"plain TF-IDF with four regressions: {tfidf:.0f} sentences/s; "
        f"ratio from text {ours / tfidf:.2f}, from tokens {from_tokens / tfidf:.2f}"
    )
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
