"""Model folders: equal bytes, equal scores, and nothing is loaded that should not be."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import joblib
import pytest
from helpers import TINY_CORPUS, tiny_classifier, tiny_inputs

from mdclaims.config import MODES
from mdclaims.errors import ModelError
from mdclaims.labels import LABELS
from mdclaims.model import evaluation, persistence
from mdclaims.model.classifier import ClaimClassifier
from mdclaims.model.persistence import (
    CARD_FILE,
    CLASSIFIER_FILE,
    META_FILE,
    MODEL_FILES,
    folder_digest,
    load_model,
    save_model,
    shipped_model,
    write_pin,
)
from mdclaims.model.training import TrainedModel, train, write_model


@pytest.fixture(scope="module")
def trained() -> TrainedModel:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "BOOTSTRAP_ROUNDS", 20)
        return train(TINY_CORPUS, version="9.9.9")


@pytest.fixture
def folder(trained: TrainedModel, tmp_path: Path) -> Path:
    """A model folder to damage."""
    write_model(trained, tmp_path)
    return tmp_path / "en_claims-9.9.9"


def change_meta(folder: Path, **changes: Any) -> None:
    path = folder / META_FILE
    meta = json.loads(path.read_text(encoding="utf-8"))
    meta.update(changes)
    meta = {key: value for key, value in meta.items() if value is not None}
    path.write_text(json.dumps(meta), encoding="utf-8")


# --- writing and reading ----------------------------------------------------------------------------------------


def test_a_model_folder_holds_three_files(folder):
    assert {path.name for path in folder.iterdir()} == {CLASSIFIER_FILE, META_FILE, CARD_FILE}


def test_save_and_load_give_equal_scores(folder, trained):
    loaded = load_model(folder, trust=True)
    expected = trained.classifier.scores(tiny_inputs())
    assert expected.std() > 0.1
    assert loaded.classifier.scores(tiny_inputs()).tobytes() == expected.tobytes()
    assert loaded.classifier.thresholds == trained.classifier.thresholds
    assert (loaded.name, loaded.version) == ("en_claims", "9.9.9")
    assert loaded.sha256 == folder_digest(folder)
    assert loaded.meta["labels"] == list(LABELS)


def test_training_twice_gives_the_same_bytes(trained, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluation, "BOOTSTRAP_ROUNDS", 20)
    digest = write_model(train(TINY_CORPUS, version="9.9.9"), tmp_path / "again")
    assert digest == folder_digest(folder)
    for name in (CLASSIFIER_FILE, META_FILE, CARD_FILE):
        assert (tmp_path / "again" / "en_claims-9.9.9" / name).read_bytes() == (folder / name).read_bytes()


def test_using_a_model_does_not_change_what_is_saved(trained, folder, tmp_path):
    trained.classifier.scores(tiny_inputs())
    assert write_model(trained, tmp_path / "used") == folder_digest(folder)


def test_meta_holds_the_thresholds_of_the_classifier(folder):
    loaded = load_model(folder, trust=True)
    assert set(loaded.meta["thresholds"]) == set(MODES)
    assert loaded.meta["thresholds"] == {mode: dict(row) for mode, row in loaded.classifier.thresholds.items()}


# --- the digest -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [CLASSIFIER_FILE, META_FILE, CARD_FILE])
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_the_digest_changes_with_any_byte(folder, name, place):
    before = folder_digest(folder)
    data = bytearray((folder / name).read_bytes())
    at = {"first": 0, "middle": len(data) // 2, "last": len(data) - 1}[place]
    data[at] ^= 1
    (folder / name).write_bytes(data)
    assert folder_digest(folder) != before


def test_the_digest_changes_with_a_new_file_a_lost_file_and_a_name(folder):
    digests = {folder_digest(folder)}
    (folder / "extra.txt").write_bytes(b"")
    digests.add(folder_digest(folder))
    (folder / "extra.txt").rename(folder / "other.txt")
    digests.add(folder_digest(folder))
    (folder / "other.txt").unlink()
    (folder / CARD_FILE).unlink()
    digests.add(folder_digest(folder))
    assert len(digests) == 4


def test_the_digest_sees_where_one_file_ends_and_the_next_begins(tmp_path):
    for name, one, two in (("x", b"ab", b"c"), ("y", b"a", b"bc")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1").write_bytes(one)
        (tmp_path / name / "2").write_bytes(two)
    assert folder_digest(tmp_path / "x") != folder_digest(tmp_path / "y")


def test_the_digest_does_not_depend_on_the_place(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "elsewhere")
    assert folder_digest(tmp_path / "elsewhere") == folder_digest(folder)


# --- trust ------------------------------------------------------------------------------------------------------


def test_an_untrusted_folder_is_refused(folder):
    with pytest.raises(ModelError, match="--trust-model"):
        load_model(folder)


class Writer:
    """Unpickling it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_nothing_is_unpickled_before_the_folder_is_trusted(folder, tmp_path):
    trap = tmp_path / "trap"
    joblib.dump(Writer(trap), folder / CLASSIFIER_FILE)
    with pytest.raises(ModelError, match="--trust-model"):
        load_model(folder)
    assert not trap.exists()
    # The trap works: it is the refusal that kept it shut.
    with pytest.raises(ModelError, match="holds no mdclaims classifier"):
        load_model(folder, trust=True)
    assert trap.exists()


def test_nothing_is_unpickled_when_the_metadata_are_wrong(folder, tmp_path):
    trap = tmp_path / "trap"
    joblib.dump(Writer(trap), folder / CLASSIFIER_FILE)
    change_meta(folder, format_version=2)
    with pytest.raises(ModelError, match="format 2"):
        load_model(folder, trust=True)
    assert not trap.exists()


def test_a_folder_with_the_pinned_digest_needs_no_trust(folder, monkeypatch):
    pin = {"name": "en_claims", "version": "9.9.9", "sha256": folder_digest(folder)}
    monkeypatch.setattr(persistence, "_pin", lambda: pin)
    assert load_model(folder).version == "9.9.9"


# --- missing and damaged ----------------------------------------------------------------------------------------


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(ModelError, match="gone is not a folder"):
        load_model(tmp_path / "gone", trust=True)


def test_a_file_instead_of_a_folder(folder):
    with pytest.raises(ModelError, match=r"meta\.json is not a folder"):
        load_model(folder / META_FILE, trust=True)


@pytest.mark.parametrize("name", [CLASSIFIER_FILE, META_FILE])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"lacks {name}"):
        load_model(folder, trust=True)


def test_an_empty_folder_lacks_both(tmp_path):
    with pytest.raises(ModelError, match=f"lacks {CLASSIFIER_FILE}, {META_FILE}"):
        load_model(tmp_path, trust=True)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:10],
        lambda data: data[: len(data) // 2],
        lambda data: data[:-100],
        lambda data: bytes(range(256)) * 8,
        lambda data: data[:200] + b"\x00" * 50 + data[250:],
        lambda data: b"\x80\x04\x95garbage",
        lambda data: b"classifier",
    ],
    ids=["empty", "ten bytes", "half", "end cut off", "random", "hole", "pickle head", "text"],
)
def test_a_damaged_classifier_is_refused(folder, damage):
    path = folder / CLASSIFIER_FILE
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ModelError, match=rf"{CLASSIFIER_FILE} is damaged and cannot be loaded"):
        load_model(folder, trust=True)


@pytest.mark.parametrize(
    "thing", [None, {"labels": LABELS}, [1, 2, 3], "classifier"], ids=["none", "dict", "list", "str"]
)
def test_a_pickle_of_something_else_is_refused(folder, thing):
    joblib.dump(thing, folder / CLASSIFIER_FILE)
    with pytest.raises(ModelError, match="holds no mdclaims classifier"):
        load_model(folder, trust=True)


def test_a_classifier_with_other_labels_is_refused(folder):
    classifier = tiny_classifier()
    foreign = ClaimClassifier(
        labels=LABELS[::-1],
        settings=classifier.settings,
        columns=classifier.columns,
        classifiers=classifier.classifiers,
        thresholds=classifier.thresholds,
    )
    joblib.dump(foreign, folder / CLASSIFIER_FILE)
    with pytest.raises(ModelError, match="holds no mdclaims classifier"):
        load_model(folder, trust=True)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe\x00", b"\x80\x04", b'{"format_version": 1,}'])
def test_a_damaged_meta_is_refused(folder, data):
    (folder / META_FILE).write_bytes(data)
    with pytest.raises(ModelError, match=r"meta\.json is damaged"):
        load_model(folder, trust=True)


@pytest.mark.parametrize("data", ["[]", "null", "3", '"x"', "{}"])
def test_a_meta_that_is_no_description_is_refused(folder, data):
    (folder / META_FILE).write_text(data, encoding="utf-8")
    with pytest.raises(ModelError, match="has format None, this mdclaims reads format 1"):
        load_model(folder, trust=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 2}, "has format 2"),
        ({"format_version": "1"}, "has format 1"),
        ({"format_version": None}, "has format None"),
        ({"labels": list(LABELS[::-1])}, "has the labels"),
        ({"labels": list(LABELS[:3])}, "has the labels"),
        ({"labels": [*LABELS, "new"]}, "has the labels"),
        ({"labels": None}, "has the labels None"),
        ({"scikit_learn": "1.0.2"}, r"was made with scikit-learn 1\.0\.2"),
        ({"scikit_learn": "99.0"}, r"was made with scikit-learn 99\.0"),
        ({"scikit_learn": None}, "was made with scikit-learn"),
        ({"thresholds": None}, "lacks thresholds"),
        ({"thresholds": {}}, "lacks thresholds"),
        ({"thresholds": [1]}, "lacks thresholds"),
        ({"thresholds": {"balanced": dict.fromkeys(LABELS, 0.5)}}, "lacks thresholds"),
        ({"thresholds": {mode: dict.fromkeys(LABELS[1:], 0.5) for mode in MODES}}, "lacks thresholds"),
        ({"thresholds": {mode: dict.fromkeys(LABELS, "0.5") for mode in MODES}}, "lacks thresholds"),
    ],
)
def test_metadata_of_another_model_are_refused(folder, changes, message):
    change_meta(folder, **changes)
    with pytest.raises(ModelError, match=message):
        load_model(folder, trust=True)


def test_another_patch_release_of_scikit_learn_is_fine(folder):
    meta = json.loads((folder / META_FILE).read_text(encoding="utf-8"))
    major, minor, _ = meta["scikit_learn"].split(".", 2)
    change_meta(folder, scikit_learn=f"{major}.{minor}.99")
    assert load_model(folder, trust=True).version == "9.9.9"


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"name": None}, id="no name"),
        pytest.param({"version": None}, id="no version"),
        pytest.param({"thresholds": {**dict.fromkeys(MODES, 3)}}, id="thresholds are numbers"),
    ],
)
def test_incomplete_metadata_are_refused(folder, changes):
    change_meta(folder, **changes)
    with pytest.raises(ModelError):
        load_model(folder, trust=True)


def test_a_deeply_nested_meta_is_refused(folder):
    (folder / META_FILE).write_text("[" * 100_000, encoding="utf-8")
    with pytest.raises(ModelError):
        load_model(folder, trust=True)


# --- the shipped model ------------------------------------------------------------------------------------------


@pytest.fixture
def shipped_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the shipped folder, which the package takes for the shipped one."""
    copy = tmp_path / shipped_model().name
    shutil.copytree(shipped_model(), copy)
    monkeypatch.setattr(persistence, "shipped_model", lambda: copy)
    return copy


def test_the_shipped_model_loads_without_trust():
    loaded = load_model()
    assert loaded.classifier.labels == LABELS
    assert set(loaded.classifier.thresholds) == set(MODES)
    assert loaded.sha256 == persistence._pin()["sha256"]
    assert shipped_model().name == f"{loaded.name}-{loaded.version}"


def test_the_shipped_folder_may_be_named_without_trust():
    assert load_model(shipped_model()).sha256 == load_model().sha256


def test_an_equal_copy_needs_no_trust(shipped_copy):
    assert load_model(shipped_copy).sha256 == load_model().sha256


@pytest.mark.parametrize("name", [CLASSIFIER_FILE, META_FILE, CARD_FILE])
def test_a_damaged_shipped_model_is_refused(shipped_copy, name):
    with (shipped_copy / name).open("ab") as stream:
        stream.write(b" ")
    with pytest.raises(ModelError, match="is damaged: its digest is not the pinned one; reinstall"):
        load_model()


def test_a_file_added_to_the_shipped_model_is_refused(shipped_copy):
    (shipped_copy / "sitecustomize.py").write_text("")
    with pytest.raises(ModelError, match="reinstall"):
        load_model()


@pytest.mark.parametrize("name", [CLASSIFIER_FILE, META_FILE])
def test_a_shipped_model_with_a_file_missing_is_refused(shipped_copy, name):
    (shipped_copy / name).unlink()
    with pytest.raises(ModelError, match=f"lacks {name}"):
        load_model()


def test_a_missing_shipped_model_says_where_it_was_looked_for(monkeypatch):
    monkeypatch.setattr(persistence, "_pin", lambda: {"name": "en_claims", "version": "0.0.0", "sha256": ""})
    with pytest.raises(
        ModelError, match=r"shipped model en_claims-0\.0\.0 is missing, looked for in .* and .*; reinstall"
    ):
        load_model()


def test_no_pin_says_what_to_run(monkeypatch, tmp_path):
    monkeypatch.setattr(persistence, "files", lambda package: tmp_path)
    with pytest.raises(ModelError, match="mdclaims train --ship"):
        load_model()


def test_the_pin_is_written_and_read(monkeypatch, tmp_path):
    (tmp_path / "data").mkdir()
    write_pin(tmp_path, name="en_claims", version="1.2.3", sha256="ab" * 32)
    monkeypatch.setattr(persistence, "files", lambda package: tmp_path)
    assert persistence._pin() == {"name": "en_claims", "version": "1.2.3", "sha256": "ab" * 32}
    assert (tmp_path / "data" / "shipped_model.toml").read_bytes().endswith(b'"\n')


def test_the_shipped_files_are_small_enough_for_git():
    sizes = {path.name: path.stat().st_size for path in shipped_model().iterdir()}
    assert set(sizes) == MODEL_FILES
    assert max(sizes.values()) <= 8 * 2**20, sizes


def test_save_model_returns_the_digest_of_what_it_wrote(tmp_path):
    digest = save_model(tiny_classifier(), {"name": "täst"}, "# card\n", tmp_path / "new" / "folder")
    assert digest == folder_digest(tmp_path / "new" / "folder")
    assert (tmp_path / "new" / "folder" / META_FILE).read_text(encoding="utf-8") == '{\n  "name": "täst"\n}\n'
    assert isinstance(
        pickle.loads(pickle.dumps(joblib.load(tmp_path / "new" / "folder" / CLASSIFIER_FILE))), ClaimClassifier
    )
