"""Measures the editor's desk in a real browser: from a key press to the marks of a draft of 2,000 words.

``python tests/bench/bench_editor.py [KEYS]``: the time from the key's event in the page to the frame in which the marks
of the new text stand in it, with the pause after which the page asks the server. Sentences differ from each other, and
keys are pressed at words in places drawn by chance (seed 0), so that each changes a sentence and its neighbours.
"""

import os
import platform
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

WORDS = 2_000
STARTS = ("Our clinic", "The team", "A nurse", "Each visit", "Shockwave therapy", "This programme", "The new device")
VERBS = ("eases", "cures", "explains", "measures", "supports", "treats", "reduces")
THINGS = ("knee pain", "heel pain", "a sore back", "poor sleep", "the swelling", "an old injury", "the plan")
ENDS = (
    "for good",
    "in {} visits",
    "for {} of our patients",
    "at no risk",
    "after {} weeks",
    "with a doctor in room {}",
)
# Resolves with the milliseconds between the key and the frame that shows the marks of what it wrote.
MEASURE = """() => new Promise((resolve) => {
    const box = document.getElementById("box");
    box.addEventListener("keydown", (event) => {
        const start = event.timeStamp;
        const look = () => {
            if (box.dataset.shown !== box.dataset.asked) return;
            watch.disconnect();
            requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - start)));
        };
        const watch = new MutationObserver(look);
        watch.observe(box, { attributes: true, attributeFilter: ["data-shown"] });
    }, { once: true });
})"""


def draft(chance):
    """Return a text of some `WORDS` words in paragraphs under headings."""
    out, words = [], 0
    while words < WORDS:
        sentences = [
            f"{chance.choice(STARTS)} {chance.choice(VERBS)} {chance.choice(THINGS)} "
            f"{chance.choice(ENDS).format(chance.randint(2, 99))}."
            for _ in range(5)
        ]
        if len(out) % 4 == 0:
            out.append(f"## What we do about {chance.choice(THINGS)}")
        out.append(" ".join(sentences))
        words += len(out[-1].split())
    return "\n\n".join(out), words


def measure(page, chance, keys):
    """Press keys in places of the draft; return milliseconds."""
    times = []
    count = page.locator("#box p").count()
    for _ in range(keys):
        page.locator("#box p").nth(chance.randrange(count)).click()
        page.wait_for_timeout(120)
        handle = page.evaluate_handle(f"() => {{ window.measured = ({MEASURE})(); }}")
        page.keyboard.press(chance.choice("abcdefgh "))
        times.append(page.evaluate("() => window.measured"))
        handle.dispose()
    return sorted(times)


def main():
    """Run and print the figures."""
    keys = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    browser_path = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))))
    chance = random.Random(0)
    text, words = draft(chance)
    with tempfile.TemporaryDirectory() as home:
        process = subprocess.Popen(
            [sys.executable, "-m", "mdclaims", "serve", "--port", "0"],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "XDG_DATA_HOME": home},
        )
        try:
            base = re.search(r"http://\S+?(?=/ )", process.stderr.readline())[0]
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
                page = browser.new_page(viewport={"width": 1440, "height": 900})
                page.goto(base + "/")
                page.wait_for_selector("#box[data-shown]")
                page.set_input_files("#file", {"name": "a.md", "mimeType": "text/markdown", "buffer": text.encode()})
                page.wait_for_function("() => document.getElementById('box').innerText.includes('What we do about')")
                page.get_by_label("UK").check()
                page.wait_for_timeout(3_000)
                measure(page, chance, 5)
                times = measure(page, chance, keys)
                marks = page.evaluate("() => [...CSS.highlights.values()].reduce((sum, one) => sum + one.size, 0)")
                version = browser.version
                browser.close()
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=20)
    memory = Path("/proc/meminfo").read_text(encoding="ascii").split()[1] if sys.platform == "linux" else "?"
    print(f"{platform.platform()}, {os.cpu_count()} cores, {memory} kB, Chromium {version}")
    print(f"{words} words, {marks} marks shown, {len(times)} keys")
    slow = times[int(len(times) * 0.95)]
    print(f"key to marks: median {statistics.median(times):.0f} ms, 95th percentile {slow:.0f} ms")


if __name__ == "__main__":
    main()
