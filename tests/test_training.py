"""Training: what it needs, what it writes down, the model card, and shipping."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import pytest
from helpers import EFFICACY, LABELS, STIGMA, TINY_CORPUS, TINY_SENTENCES, line, write_lines

from mdclaims.config import MODES
from mdclaims.errors import CorpusError
from mdclaims.labels import label_info
from mdclaims.model import evaluation
from mdclaims.model.corpus import corpus_digest
from mdclaims.model.persistence import folder_digest, load_model
from mdclaims.model.training import TrainedModel, render_card, ship, train, write_model

ROUNDS = 20


@pytest.fixture(scope="module")
def trained() -> TrainedModel:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "BOOTSTRAP_ROUNDS", ROUNDS)
        return train(TINY_CORPUS, version="9.9.9")


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch):
    monkeypatch.setattr(evaluation, "BOOTSTRAP_ROUNDS", ROUNDS)


def tiny_rows() -> list[dict[str, Any]]:
    return [json.loads(row) for row in TINY_CORPUS.read_text(encoding="utf-8").splitlines()]


def without_label(rows, label, splits):
    return [
        {**row, "labels": [[name for name in labels if name != label] for labels in row["labels"]]}
        if row["split"] in splits
        else row
        for row in rows
    ]


# --- what it needs ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_every_split_is_needed(tmp_path, split):
    rows = [row for row in tiny_rows() if row["split"] != split]
    with pytest.raises(CorpusError, match=f"no document in split {split}; give every document train, dev or test"):
        train(write_lines(tmp_path / "a.jsonl", *rows), version="1")


@pytest.mark.parametrize("label", LABELS)
def test_every_label_is_needed(tmp_path, label):
    rows = without_label(tiny_rows(), label, {"train", "dev"})
    with pytest.raises(CorpusError, match=f"label {label} must be on some"):
        train(write_lines(tmp_path / "a.jsonl", *rows), version="1")


def test_a_broken_corpus_is_refused_with_its_line(tmp_path):
    file = write_lines(tmp_path / "a.jsonl", line(), line(kind="para", block=1))
    with pytest.raises(CorpusError, match=r"a\.jsonl:2: unknown kind 'para'"):
        train(file, version="1")


def test_fewer_sites_than_folds_are_refused(tmp_path):
    kept = {"amberfoot-1", "birchskin-1", "irisvein-1", "larchmood-1"}
    rows = [row for row in tiny_rows() if row["doc"] in kept]
    with pytest.raises(CorpusError, match="site"):
        train(write_lines(tmp_path / "a.jsonl", *rows), version="1")


def test_a_label_on_one_site_only_is_refused(tmp_path):
    rows = tiny_rows()
    first = [row for row in rows if row["doc"] == "amberfoot-1"]
    others = [row for row in rows if row["doc"] != "amberfoot-1"]
    rows = [*first, *without_label(others, STIGMA, {"train", "dev"})]
    with pytest.raises(CorpusError, match=STIGMA):
        train(write_lines(tmp_path / "a.jsonl", *rows), version="1")


def test_a_test_split_without_one_label_can_be_trained_on(tmp_path):
    rows = without_label(tiny_rows(), STIGMA, {"test"})
    model = train(write_lines(tmp_path / "a.jsonl", *rows), version="1")
    assert model.meta["test"]["labels"][STIGMA]["support"] == 0


# --- what it writes down ----------------------------------------------------------------------------------------


def test_metadata(trained):
    meta = trained.meta
    assert (meta["format_version"], meta["name"], meta["version"], meta["language"]) == (1, "en_claims", "9.9.9", "en")
    assert meta["labels"] == list(LABELS)
    assert meta["scikit_learn"] == installed_version("scikit-learn")
    assert meta["corpus"]["sha256"] == corpus_digest(TINY_CORPUS)
    counts = [meta["corpus"][split] for split in ("train", "dev", "test")]
    assert [count["documents"] for count in counts] == [count["sites"] for count in counts] == [8, 3, 3]
    assert sum(count["sentences"] for count in counts) == TINY_SENTENCES
    assert set(meta["thresholds"]) == set(meta["out_of_fold"]) == set(MODES)
    assert meta["test"]["mode"] == "balanced"
    assert meta["test"]["documents"] == 3
    assert meta["features"]["columns"] == len(trained.classifier.columns)


def test_metadata_are_json_without_nan_and_without_time(trained):
    text = json.dumps(trained.meta, allow_nan=False)
    assert json.loads(text)["version"] == "9.9.9"
    assert not {"date", "time", "created", "timestamp"} & set(trained.meta)


def test_rates_of_the_modes_are_shares(trained):
    rows = [(mode, label, row) for mode, table in trained.meta["out_of_fold"].items() for label, row in table.items()]
    assert len(rows) == 12
    for mode, label, row in rows:
        assert set(row) == {"precision", "recall", "marked"}, (mode, label)
        assert all(0 <= value <= 1 for value in row.values()), (mode, label)


# --- the card ---------------------------------------------------------------------------------------------------


def test_the_card_holds_the_figures(trained):
    card, test = trained.card, trained.meta["test"]
    assert card.startswith("# en_claims 9.9.9\n")
    macro, low, high = test["macro_f1"]
    assert f"Macro-F1 {macro:.3f} ({low:.3f} to {high:.3f})" in card
    for label, row in test["labels"].items():
        (found,) = [text for text in card.splitlines() if text.startswith(f"| `{label}` |")]
        cells = [cell.strip() for cell in found.strip("|").split("|")]
        assert cells[1] == str(row["support"])
        for cell, name in zip(cells[2:5], ("precision", "recall", "f1"), strict=True):
            assert cell == "{:.2f} ({:.2f} to {:.2f})".format(*row[name])
        assert cells[5] == f"{row['average_precision'][0]:.2f}"
    for mode, table in trained.meta["thresholds"].items():
        for label, threshold in table.items():
            assert f"| `{mode}` | `{label}` | {threshold:.3f} |" in card
    assert trained.meta["corpus"]["sha256"] in card
    assert trained.meta["scikit_learn"] in card
    assert "95 % bootstrap over documents" in card
    for name, baseline in test["baselines"].items():
        assert f"{name} {baseline['macro_f1']:.3f}" in card


def test_the_card_explains_every_label(trained):
    for label in LABELS:
        assert f"- `{label}` ({label_info()[label].display}): {label_info()[label].meaning}" in trained.card


def test_the_card_has_no_hole(trained):
    assert "{{" not in trained.card
    assert "{%" not in trained.card
    assert "None" not in trained.card
    assert "nan" not in trained.card
    assert render_card(trained.meta) == trained.card


def test_the_card_of_the_shipped_model_belongs_to_its_metadata():
    loaded = load_model()
    from mdclaims.model.persistence import CARD_FILE, shipped_model

    assert (shipped_model() / CARD_FILE).read_text(encoding="utf-8").startswith(f"# {loaded.name} {loaded.version}\n")
    assert loaded.meta["corpus"]["sha256"] in (shipped_model() / CARD_FILE).read_text(encoding="utf-8")


# --- shipping ---------------------------------------------------------------------------------------------------


@pytest.fixture
def checkout(tmp_path: Path, trained: TrainedModel) -> Path:
    """A checkout with an older model in it."""
    (tmp_path / "mdclaims" / "data").mkdir(parents=True)
    write_model(replace(trained, meta={**trained.meta, "version": "0.0.1"}), tmp_path / "models")
    return tmp_path


def pin_of(checkout: Path) -> dict[str, Any]:
    return tomllib.loads((checkout / "mdclaims" / "data" / "shipped_model.toml").read_text(encoding="utf-8"))


def test_ship_writes_folder_and_pin_and_removes_the_old_one(checkout, trained):
    folder = ship(trained, checkout)
    assert folder == checkout / "models" / "en_claims-9.9.9"
    assert [path.name for path in (checkout / "models").iterdir()] == ["en_claims-9.9.9"]
    assert pin_of(checkout) == {"name": "en_claims", "version": "9.9.9", "sha256": folder_digest(folder)}


def test_ship_replaces_the_same_version(checkout, trained):
    ship(trained, checkout)
    (checkout / "models" / "en_claims-9.9.9" / "README.md").write_text("old")
    before = folder_digest(checkout / "models" / "en_claims-9.9.9")
    ship(trained, checkout)
    assert pin_of(checkout)["sha256"] == folder_digest(checkout / "models" / "en_claims-9.9.9") != before


def test_ship_leaves_other_folders_alone(checkout, trained):
    other = checkout / "models" / "fr_claims-1.0"
    other.mkdir()
    (other / "README.md").write_text("x")
    ship(trained, checkout)
    assert (other / "README.md").read_text() == "x"


def test_ship_into_a_checkout_without_a_model(tmp_path, trained):
    (tmp_path / "mdclaims" / "data").mkdir(parents=True)
    folder = ship(trained, tmp_path)
    assert pin_of(tmp_path)["sha256"] == folder_digest(folder)


def test_ship_needs_a_checkout(tmp_path, trained):
    with pytest.raises(CorpusError, match="is no checkout of mdclaims"):
        ship(trained, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_ship_does_not_delete_files_that_no_model_has(checkout, trained):
    ship(trained, checkout)
    mine = checkout / "models" / "en_claims-9.9.9" / "notes.txt"
    mine.write_text("mine")
    pin = pin_of(checkout)
    with pytest.raises(CorpusError, match="holds files that no model has"):
        ship(trained, checkout)
    assert mine.read_text() == "mine"
    assert pin_of(checkout) == pin


def test_ship_does_not_delete_such_files_of_an_older_model_either(checkout, trained):
    mine = checkout / "models" / "en_claims-0.0.1" / "notes.txt"
    mine.write_text("mine")
    with pytest.raises(CorpusError, match="holds files that no model has"):
        ship(trained, checkout)
    assert mine.read_text() == "mine"


def test_the_shipped_model_scores_as_the_trained_one(checkout, trained):
    loaded = load_model(ship(trained, checkout), trust=True)
    assert loaded.classifier.thresholds[MODES[0]][EFFICACY] == trained.meta["thresholds"][MODES[0]][EFFICACY]
    assert loaded.meta == json.loads(json.dumps(trained.meta))
