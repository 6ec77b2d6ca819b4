"""Writes and reads model folders, and decides which of them may be loaded.

joblib runs code on load, so a folder is trusted only if its digest is the one pinned in the package
(``data/shipped_model.toml``) or if the caller says so. Nothing is unpickled before that is decided.

A model folder ``<name>-<version>/`` holds::

    classifier.joblib   the `ClaimClassifier`
    vectors.joblib      the `WordVectors`, where the model uses them
    meta.json           name, version, labels, thresholds, training data, library versions, scores
    README.md           the model card, generated from meta.json
"""

from __future__ import annotations

import hashlib
import json
import tomllib
import warnings
from dataclasses import dataclass, replace
from importlib.metadata import version as installed_version
from importlib.resources import files
from pathlib import Path
from typing import Any

from mdclaims.config import MODES
from mdclaims.errors import ModelError
from mdclaims.labels import LABELS
from mdclaims.model.classifier import ClaimClassifier
from mdclaims.model.features import FeatureSettings
from mdclaims.model.vectors import VECTORS_FILE, read_vectors, write_vectors

FORMAT_VERSION = 1
"""Raised when older or newer code could not read a model folder any more."""

CLASSIFIER_FILE = "classifier.joblib"
META_FILE = "meta.json"
CARD_FILE = "README.md"
MODEL_FILES = frozenset({CLASSIFIER_FILE, VECTORS_FILE, META_FILE, CARD_FILE})


@dataclass(frozen=True)
class LoadedModel:
    """A classifier and where it came from.

    Attributes
    ----------
    classifier : ClaimClassifier
    name, version : str
    sha256 : str
        The digest over all files of the folder, see `folder_digest`.
    meta : dict
        The contents of meta.json.
    """

    classifier: ClaimClassifier
    name: str
    version: str
    sha256: str
    meta: dict[str, Any]


def folder_digest(folder: Path) -> str:
    """Return one SHA-256 over all files of a model folder: names, sizes and contents, in order of name."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if path.is_file() and not path.name.startswith("."):
            data = path.read_bytes()
            digest.update(f"{path.name}\0{len(data)}\0".encode())
            digest.update(data)
    return digest.hexdigest()


def save_model(classifier: ClaimClassifier, meta: dict[str, Any], card: str, folder: Path) -> str:
    """Write a model folder and return its digest; the same model gives the same bytes."""
    import joblib

    folder.mkdir(parents=True, exist_ok=True)
    # Thresholds and vectors have files of their own.
    bare = replace(classifier, thresholds={}, vectors=None)
    joblib.dump(bare, folder / CLASSIFIER_FILE, compress=("zlib", 9))
    if classifier.vectors is not None:
        write_vectors(classifier.vectors, folder / VECTORS_FILE)
    (folder / META_FILE).write_text(
        json.dumps(meta, indent=2, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n"
    )
    (folder / CARD_FILE).write_text(card, encoding="utf-8", newline="\n")
    return folder_digest(folder)


def load_model(folder: Path | None = None, *, trust: bool = False) -> LoadedModel:
    """Load the shipped model, or another folder that the caller trusts.

    Parameters
    ----------
    folder : Path, optional
        A model folder; None is the shipped one.
    trust : bool
        Load a folder whose digest is not pinned. Loading runs code from its files.

    Raises
    ------
    ModelError
        If the folder is missing, damaged, foreign, untrusted or made for another version.
    """
    shipped = folder is None
    folder = shipped_model() if folder is None else folder
    if not folder.is_dir():
        raise ModelError(f"model {folder} is not a folder; pass a folder that `mdclaims train` wrote")
    missing = [name for name in (CLASSIFIER_FILE, META_FILE) if not (folder / name).is_file()]
    if missing:
        raise ModelError(f"model {folder} lacks {', '.join(missing)}; it is no mdclaims model or is incomplete")
    digest = folder_digest(folder)
    pinned = str(_pin()["sha256"])
    if digest != pinned and not trust:
        if shipped:
            raise ModelError(f"model {folder} is damaged: its digest is not the pinned one; reinstall mdclaims")
        raise ModelError(
            f"model {folder} is not the one shipped with mdclaims; loading it runs its code: "
            "add --trust-model if you trust it"
        )
    meta = _read_meta(folder)
    return LoadedModel(
        classifier=_read_classifier(folder, meta),
        name=str(meta["name"]),
        version=str(meta["version"]),
        sha256=digest,
        meta=meta,
    )


def shipped_model() -> Path:
    """Return the folder of the model that belongs to this version: in an installed wheel or in a checkout.

    Raises
    ------
    ModelError
        If it is in neither place.
    """
    folder = f"{_pin()['name']}-{_pin()['version']}"
    package = Path(str(files("mdclaims")))
    places = (package / "models" / folder, package.parent / "models" / folder)
    for place in places:
        if place.is_dir():
            return place
    raise ModelError(
        f"the shipped model {folder} is missing, looked for in {places[0]} and {places[1]}; reinstall mdclaims"
    )


PIN_FILE = Path("data") / "shipped_model.toml"


def write_pin(package: Path, *, name: str, version: str, sha256: str) -> None:
    """Write the pin of the shipped model into the package's source folder."""
    lines = (
        "# The model that belongs to this version of the package; written by `mdclaims train --ship`.",
        f'name = "{name}"',
        f'version = "{version}"',
        f'sha256 = "{sha256}"',
    )
    (package / PIN_FILE).write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def _pin() -> dict[str, Any]:
    try:
        source = (files("mdclaims") / "data" / "shipped_model.toml").read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ModelError("no model is shipped with this checkout yet; run `mdclaims train --ship`") from None
    return tomllib.loads(source)


def _read_meta(folder: Path) -> dict[str, Any]:
    path = folder / META_FILE
    try:
        meta = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} is damaged ({error}); train or download the model again") from error
    if not isinstance(meta, dict) or meta.get("format_version") != FORMAT_VERSION:
        found = meta.get("format_version") if isinstance(meta, dict) else None
        raise ModelError(
            f"model {folder} has format {found}, this mdclaims reads format {FORMAT_VERSION}; "
            "use the model of this version or train again"
        )
    if meta.get("labels") != list(LABELS):
        raise ModelError(
            f"model {folder} has the labels {meta.get('labels')}, this mdclaims has {list(LABELS)}; train again"
        )
    wanted, found = str(meta.get("scikit_learn", "")), installed_version("scikit-learn")
    if wanted.split(".")[:2] != found.split(".")[:2]:
        raise ModelError(
            f"model {folder} was made with scikit-learn {wanted}, installed is {found}; "
            "install that minor version or train again"
        )
    if not all(isinstance(meta.get(key), str) for key in ("name", "version")):
        raise ModelError(f"{path} lacks the model's name or version; train again")
    if not _has_thresholds(meta.get("thresholds")):
        raise ModelError(f"{path} lacks thresholds for every mode and label; train again")
    if set(meta.get("features", {})) != {*FeatureSettings.__dataclass_fields__, "columns"}:
        raise ModelError(f"{path} describes features of another version of mdclaims; train again")
    return meta


def _has_thresholds(table: object) -> bool:
    """Return whether there is a number for every mode and label."""
    if not isinstance(table, dict) or not all(isinstance(table.get(mode), dict) for mode in MODES):
        return False
    return all(isinstance(table[mode].get(label), int | float) for mode in MODES for label in LABELS)


def _read_classifier(folder: Path, meta: dict[str, Any]) -> ClaimClassifier:
    import joblib

    path = folder / CLASSIFIER_FILE
    with warnings.catch_warnings():
        # A patch release may warn about itself; another minor version was refused above.
        warnings.simplefilter("ignore", category=UserWarning)
        try:
            classifier = joblib.load(path)
        except Exception as error:  # a damaged pickle can raise anything
            raise ModelError(
                f"{path} is damaged and cannot be loaded ({type(error).__name__}); train or download it again"
            ) from error
    if not isinstance(classifier, ClaimClassifier) or classifier.labels != LABELS:
        raise ModelError(f"{path} holds no mdclaims classifier; pass a folder that `mdclaims train` wrote")
    classifier.thresholds = meta["thresholds"]
    if classifier.settings.vector_dimensions:
        classifier.vectors = read_vectors(folder / VECTORS_FILE)
    return classifier
