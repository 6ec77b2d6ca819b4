"""corrections.py: what an editor judged is kept, shown again, taken back and given out."""

import json
import sqlite3

import pytest

from mdclaims.desk.corrections import Corrections
from mdclaims.errors import UsageError
from mdclaims.language.sentences import SentenceInput
from mdclaims.model.corpus import read_corpus

ENTRY = SentenceInput(
    "It cures heel pain.", heading="Heel pain", previous="We care.", next="Call us.", first_block=True
)


@pytest.fixture
def corrections(tmp_path):
    return Corrections(tmp_path / "new" / "corrections.sqlite3")


def keep(corrections, *labels, entry=ENTRY, level=None):
    corrections.keep(entry, level, shown=["efficacy_claim"], labels=labels, model="en_claims 1")


def test_nothing_is_written_before_there_is_something_to_keep(corrections):
    assert (corrections.count(), dict(corrections.labels()), corrections.corpus()) == (0, {}, "")
    assert not corrections.path.parent.exists()


def test_they_outlive_the_server_and_are_found_whatever_the_case(corrections):
    keep(corrections, "call_to_action", "safety_claim")
    again = Corrections(corrections.path)
    assert dict(again.labels()) == {"it cures heel pain.": ("safety_claim", "call_to_action")}
    assert again.count() == 1


def test_the_last_word_counts_and_the_models_labels_take_it_back(corrections):
    keep(corrections, "safety_claim")
    keep(corrections)
    assert list(corrections.labels().values()) == [()]
    keep(corrections, "stigma_framing", entry=ENTRY._replace(heading="Elsewhere"))
    assert list(corrections.labels().values()) == [("stigma_framing",)]
    keep(corrections, "efficacy_claim")
    assert corrections.count() == 0


def test_the_corpus_reads_them_with_their_context(corrections, tmp_path):
    keep(corrections, "safety_claim")
    keep(corrections, "call_to_action", entry=SentenceInput("“Heel” pain\nends", kind="heading"), level=2)
    (tmp_path / "corrections.jsonl").write_text(corrections.corpus(), encoding="utf-8")
    blocks = {
        document.blocks[0].sentences: document.blocks[0] for document in read_corpus(tmp_path / "corrections.jsonl")
    }
    one, other = blocks["It cures heel pain.",], blocks["“Heel” pain ends",]
    assert one.labels == (("safety_claim",),)
    assert one.context == {"heading": "Heel pain", "previous": "We care.", "next": "Call us.", "first_block": True}
    assert (other.kind, other.level, other.labels) == ("heading", 2, (("call_to_action",),))


def test_what_the_model_said_is_kept_beside_it(corrections):
    keep(corrections, "safety_claim")
    with sqlite3.connect(corrections.path) as database:
        (row,) = database.execute("select shown, model from corrections").fetchall()
    database.close()
    assert (json.loads(row[0]), row[1]) == (["efficacy_claim"], "en_claims 1")


def test_errors_are_one_line(corrections, tmp_path):
    with pytest.raises(UsageError, match="unknown label"):
        keep(corrections, "lies")
    (tmp_path / "no.sqlite3").write_bytes(b"no database" * 99)
    with pytest.raises(UsageError, match=r"cannot be kept in .*check the file"):
        keep(Corrections(tmp_path / "no.sqlite3"), "safety_claim")
