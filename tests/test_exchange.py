"""`export --labels`: which sentences of a case annotators get, and the way back into training."""

from __future__ import annotations

import json

import pytest
from helpers import TINY_CORPUS
from sample_case import screen_case

from mdclaims.cases.store import connect
from mdclaims.cli import run
from mdclaims.labels import LABELS
from mdclaims.model.corpus import read_corpus

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    return screen_case(tmp_path_factory.mktemp("exchange"))


def export(case, output, *more):
    names = ["--labels", "doccano", "--inputs", str(case.parent), "-o", str(output)]
    assert run(["export", str(case), *names, *map(str, more)]) == 0
    return [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]


def kept(case):
    """Return the kept sentences of a case with their distance from one half."""
    nearest = f"least({', '.join(f'abs({label} - 0.5)' for label in LABELS)})"
    with connect(case) as connection:
        rows = connection.execute(f"SELECT text, heading, min({nearest}) FROM sentences GROUP BY ALL").fetchall()
    return {(text, heading or ""): distance for text, heading, distance in rows}


def test_the_most_uncertain_come_first(case, tmp_path):
    distances = kept(case)
    rows = export(case, tmp_path / "a.jsonl", "--limit", 10)
    found = [distances[row["text"], row.get("heading", "")] for row in rows]
    assert found == sorted(distances.values())[:10]


def test_each_text_comes_once_under_its_heading_with_what_stands_around_it(case, tmp_path):
    rows = export(case, tmp_path / "a.jsonl", "--limit", 1000)
    assert {(row["text"], row.get("heading", "")) for row in rows} == set(kept(case))
    assert len(rows) == len(kept(case))
    (row,) = [row for row in rows if row["text"].startswith("Our shockwave") and "in 3 sessions" in row["text"]]
    assert (row["before"], row["after"]) == ("Knee care 3", "It is completely safe and has no side effects.")
    assert (row["heading"], row["site"], row["kind"], row["label"]) == ("Knee care 3", "knee3.example", "paragraph", [])


def test_the_most_diverse_are_less_alike_than_the_most_uncertain(case, tmp_path):
    def shared_words(rows):
        words = [set(row["text"].lower().split()) for row in rows]
        pairs = [(one, other) for n, one in enumerate(words) for other in words[:n]]
        return sum(len(one & other) / len(one | other) for one, other in pairs) / len(pairs)

    diverse = export(case, tmp_path / "a.jsonl", "--order", "diverse", "--limit", 12)
    uncertain = export(case, tmp_path / "b.jsonl", "--limit", 12)
    assert len({row["item"] for row in diverse}) == 12
    assert shared_words(diverse) < shared_words(uncertain)


@pytest.mark.parametrize("format", ["doccano", "label-studio", "argilla", "prodigy"])
def test_labels_exported_and_imported_are_the_findings_of_the_case(case, tmp_path, format):
    names = ["--labels", format, "--suggest", "--inputs", str(case.parent)]
    assert run(["export", str(case), *names, "-o", str(tmp_path / "mdclaims.txt")]) == 0
    output = tmp_path / "claims.jsonl"
    names = ["--format", format, "--suggestions", "-o", str(output)]
    assert run(["corpus", "import", str(tmp_path / "mdclaims.txt"), *names]) == 0
    assert read_corpus(output)
    with connect(case) as connection:
        rows = connection.execute("SELECT page, sentence, label FROM findings WHERE label IS NOT NULL").fetchall()
    found = {}
    for page, sentence, label in rows:
        found.setdefault((page, sentence), set()).add(label)
    seen = 0
    for line in output.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        page = entry["doc"].partition("/")[2]
        assert set(entry["labels"][0]) == found.get((page, entry["block"]), set())
        assert entry["annotations"] == {"mdclaims": entry["labels"]} == {"mdclaims": [entry["labels"][0]]}
        seen += 1
    assert seen == len(kept(case)) > 20


def test_train_uses_what_came_back(case, tmp_path):
    rows = export(case, tmp_path / "ann.jsonl", "--suggest", "--limit", 20)
    assert all(row["label"] for row in rows)
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "tiny.jsonl").write_bytes(TINY_CORPUS.read_bytes())
    names = ["--format", "doccano", "-o", str(corpus / "claims.jsonl")]
    assert run(["corpus", "import", str(tmp_path / "ann.jsonl"), *names]) == 0
    documents = read_corpus(corpus)
    assert run(["train", str(corpus), "-o", str(tmp_path / "models")]) == 0
    (meta,) = (tmp_path / "models").rglob("meta.json")
    told = json.loads(meta.read_text(encoding="utf-8"))
    counts = {split: sum(document.split == split for document in documents) for split in ("train", "dev", "test")}
    assert {split: told["corpus"][split]["documents"] for split in counts} == counts
    assert len(documents) > len(read_corpus(TINY_CORPUS))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["CASE", "--labels", "doccano", "--limit", "0", "-o", "new"], 2, "--limit takes"),
        (["CASE", "--labels", "doccano", "-o", "case"], 2, "is there already"),
        (["CASE", "--labels", "doccano", "--seed", "1", "-o", "new"], 2, "--seed goes with --sample"),
        (["CASE", "--labels", "doccano", "--trust-model", "-o", "new"], 2, "needs --model"),
        (["drafts", "--labels", "doccano", "-o", "new"], 3, "is not there"),
    ],
)
def test_bad_input_gets_one_line(case, monkeypatch, capsys, arguments, code, message):
    monkeypatch.chdir(case.parent)
    assert run(["export", *(word.replace("CASE", "case") for word in arguments)]) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
