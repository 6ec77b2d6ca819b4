"""Annotation tools: what each exports is read, and what is exported comes back equal."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from helpers import ACTION, EFFICACY, SAFETY, STIGMA
from hypothesis import given
from hypothesis import strategies as st

from mdclaims.cli import run
from mdclaims.errors import CorpusError
from mdclaims.labels import LABELS
from mdclaims.model.annotation_formats import FORMATS, Item, folded, import_labels, read_items, to_corpus, write_items
from mdclaims.model.corpus import check_corpus, read_corpus

# Small files of our own, in the shape that each tool exports for texts with several labels.
DOCCANO = """\
{"id": 41, "text": "It eases heel pain.", "label": ["efficacy_claim"], "Comments": []}
{"id": 42, "text": "Ring us now.", "label": ["call_to_action", "efficacy_claim"], "Comments": ["sure?"], "page": 3}
{"id": 43, "text": "We close at noon.", "label": ["none"], "Comments": []}
{"id": 44, "text": "Nobody looked at this.", "label": [], "Comments": []}
"""
DOCCANO_1 = """\
{"id": 1, "text": "It eases heel pain.", "meta": {}, "annotation_approver": null, "annotations": [
{"id": 5, "label": 1, "label_name": "efficacy_claim", "user": 1, "user_name": "ann"},
{"id": 6, "label": 2, "label_name": "call_to_action", "user": 2, "user_name": "bob"}]}
""".replace("\n{", " {", 2)
LABEL_STUDIO = [
    {
        "id": 7,
        "data": {"text": "It eases heel pain."},
        "annotations": [
            {
                "id": 11,
                "completed_by": {"id": 2, "email": "ann@office.example", "first_name": "", "last_name": ""},
                "result": [
                    {
                        "id": "Ab12",
                        "from_name": "label",
                        "to_name": "text",
                        "type": "choices",
                        "origin": "manual",
                        "value": {"choices": ["efficacy_claim", "safety_claim"]},
                    }
                ],
                "was_cancelled": False,
                "ground_truth": False,
                "lead_time": 4.1,
                "task": 7,
            },
            {"id": 12, "completed_by": 3, "result": [], "was_cancelled": False, "task": 7},
            {"id": 13, "completed_by": 4, "result": [], "was_cancelled": True, "task": 7},
        ],
        "drafts": [],
        "predictions": [],
        "meta": {},
        "inner_id": 1,
        "project": 5,
    },
    {"id": 8, "data": {"text": "We close at noon."}, "annotations": [], "predictions": []},
]
ARGILLA = [
    {
        "id": "r1",
        "fields": {"text": "It eases heel pain."},
        "metadata": {},
        "suggestions": {},
        "responses": {
            "label": [
                {"value": ["efficacy_claim"], "user_id": "0a6c2b1e-0000-4000-8000-000000000001"},
                {"value": ["none"], "user_id": "0a6c2b1e-0000-4000-8000-000000000002"},
            ],
            "comment": [{"value": "hm", "user_id": "0a6c2b1e-0000-4000-8000-000000000001"}],
        },
        "vectors": {},
        "_server_id": "5d0f1c2a-0000-4000-8000-000000000009",
    },
    {"id": "r2", "fields": {"text": "Noon."}, "metadata": {}, "suggestions": {}, "responses": {}, "vectors": {}},
]
PRODIGY = """\
{"text":"It eases heel pain.","_input_hash":-17,"_task_hash":9,"options":[{"id":"efficacy_claim","text":"Works"}],\
"_view_id":"choice","accept":["efficacy_claim"],"config":{"choice_style":"multiple"},"answer":"accept",\
"_timestamp":1700000000,"_annotator_id":"claims-ann","_session_id":"claims-ann"}
{"text":"We close at noon.","options":[{"id":"efficacy_claim","text":"Works"}],"_view_id":"choice","accept":[],\
"answer":"accept","_session_id":"claims-bob"}
{"text":"Garbled","options":[{"id":"efficacy_claim","text":"Works"}],"accept":[],"answer":"ignore"}
{"text":"Not yet seen","options":[{"id":"efficacy_claim","text":"Works"}]}
"""


def written(tmp_path, content, name="export.json"):
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def annotations(found):
    return [(item.text, dict(item.annotations)) for item in found.items]


def test_doccano_is_read(tmp_path):
    found = read_items(written(tmp_path, DOCCANO, "ann.jsonl"), "doccano")
    assert annotations(found) == [
        ("It eases heel pain.", {"ann": (EFFICACY,)}),
        ("Ring us now.", {"ann": (EFFICACY, ACTION)}),
        ("We close at noon.", {"ann": ()}),
    ]
    assert found.passed_over == 1


def test_doccano_of_old_is_read_with_its_users(tmp_path):
    found = read_items(written(tmp_path, DOCCANO_1.replace("\n", " ")), "doccano")
    assert annotations(found) == [("It eases heel pain.", {"ann": (EFFICACY,), "bob": (ACTION,)})]


def test_label_studio_is_read(tmp_path):
    found = read_items(written(tmp_path, LABEL_STUDIO), "label-studio")
    assert annotations(found) == [("It eases heel pain.", {"ann@office.example": (EFFICACY, SAFETY), "3": ()})]
    assert found.passed_over == 1


def test_argilla_is_read(tmp_path):
    found = read_items(written(tmp_path, ARGILLA), "argilla")
    ((text, given_),) = annotations(found)
    assert text == "It eases heel pain."
    assert sorted(given_.values()) == [(), (EFFICACY,)]
    assert found.passed_over == 1


def test_prodigy_is_read(tmp_path):
    found = read_items(written(tmp_path, PRODIGY), "prodigy")
    assert annotations(found) == [
        ("It eases heel pain.", {"claims-ann": (EFFICACY,)}),
        ("We close at noon.", {"claims-bob": ()}),
    ]
    assert found.passed_over == 2


# --- round trip ---------------------------------------------------------------------------------------------------

text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30).map(folded).filter(bool)
label_sets = st.sets(st.sampled_from(LABELS)).map(lambda chosen: tuple(name for name in LABELS if name in chosen))
items = st.builds(
    Item,
    id=st.just(""),
    text=text,
    doc=st.just("0123456789ab/0-1"),
    site=text,
    sentence=st.just(0),
    kind=st.sampled_from(["paragraph", "list_item", "button"]),
    heading=text | st.just(""),
    before=text | st.just(""),
    after=text | st.just(""),
    first_block=st.booleans(),
    suggested=label_sets,
)


def judged_in_the_tool(content, format):
    """Take every suggestion for the judgement of "ann", in the shape that the tool exports."""
    if format in {"doccano", "prodigy"}:
        entries = [json.loads(line) for line in content.splitlines() if line]
    else:
        entries = json.loads(content)
    for number, entry in enumerate(entries, 1):
        if format == "doccano":
            entry |= {"id": number, "Comments": []}
        elif format == "label-studio":
            result = entry["predictions"][0]["result"]
            entry["annotations"] = [{"completed_by": {"email": "ann"}, "result": result, "was_cancelled": False}]
        elif format == "argilla":
            entry["responses"] = {"label": [{"value": entry["suggestions"]["label"]["value"], "user_id": "ann"}]}
        else:
            entry |= {"answer": "accept", "_annotator_id": "ann"}
    if format in {"doccano", "prodigy"}:
        return "".join(json.dumps(entry) + "\n" for entry in entries)
    return json.dumps(entries)


@pytest.mark.parametrize("format", FORMATS)
@given(drawn=st.lists(items, min_size=1, max_size=4))
def test_labels_come_back_equal(tmp_path_factory, format, drawn):
    wanted = [replace(item, id=f"{item.doc}:{n}", sentence=n) for n, item in enumerate(drawn)]
    content = judged_in_the_tool(write_items(wanted, format), format)
    found = read_items(written(tmp_path_factory.mktemp("tool"), content, "ann.json"), format).items
    assert [replace(item, suggested=None) for item in found] == [
        replace(item, suggested=None, annotations={"ann": item.suggested}) for item in wanted
    ]


@pytest.mark.parametrize("format", ["label-studio", "argilla", "prodigy"])
def test_suggestions_are_no_annotations_unless_asked_for(tmp_path, format):
    item = Item("a:1", "It eases heel pain.", "a", "a.example", 1, suggested=(EFFICACY,))
    path = written(tmp_path, write_items([item], format))
    with pytest.raises(CorpusError, match="nobody judged"):
        import_labels([path], format)
    (line,) = import_labels([path], format, suggestions=True).text.splitlines()
    assert json.loads(line)["annotations"] == {"mdclaims": [[EFFICACY]]}


# --- the corpus ---------------------------------------------------------------------------------------------------


def item(number=1, **annotations):
    given_ = {name: tuple(labels) for name, labels in annotations.items()}
    return Item(f"d:{number}", f"Sentence {number}.", "d", "d.example", number, heading="Heel pain", annotations=given_)


def labels_of(*merged, **how):
    return [line["labels"][0] for line in to_corpus(merged, **how).lines]


def test_labels_are_settled_by_the_majority_and_ties_by_whom_one_says():
    three = item(ann=[EFFICACY], bob=[EFFICACY, SAFETY], eve=[STIGMA])
    assert labels_of(three) == [[EFFICACY]]
    two = item(ann=[EFFICACY], bob=[SAFETY])
    assert labels_of(two) == [[EFFICACY, SAFETY]]
    assert labels_of(two, settle="bob") == [[SAFETY]]
    assert (to_corpus([two]).ties, to_corpus([three]).ties) == (1, 0)


def test_files_of_several_annotators_are_put_together_and_agreement_is_told(tmp_path, capsys):
    lines = write_items([replace(item(n), suggested=(EFFICACY,) if n % 2 else ()) for n in range(1, 9)], "doccano")
    written(tmp_path, lines, "ann.jsonl")
    written(tmp_path, lines.replace('["none"]', '["safety_claim"]', 1), "bob.jsonl")
    names = [str(tmp_path / f"{name}.jsonl") for name in ("ann", "bob")]
    output = tmp_path / "out" / "claims.jsonl"
    assert run(["corpus", "import", *names, "--format", "doccano", "-o", str(output)]) == 0
    told = capsys.readouterr().err
    assert "agreement of ann and bob over 8 sentences" in told
    assert "efficacy_claim 1.00, safety_claim 0.00" in told
    assert "1 sentences have a label on which" in told
    (document,) = read_corpus(output)
    assert check_corpus(output) == []
    assert [labels for _, labels in document.sentences()][:2] == [(EFFICACY,), (SAFETY,)]
    assert document.blocks[1].annotations == {"ann": ((),), "bob": ((SAFETY,),)}
    assert run(["corpus", "agreement", str(output), "--first", "ann", "--second", "bob"]) == 0


def test_the_model_sees_imported_sentences_in_their_context(tmp_path):
    one = replace(item(3, ann=[]), before="Before.", after="After.", first_block=True, kind="list_item")
    text = import_labels([written(tmp_path, judged_in_the_tool(write_items([replace(one, suggested=())], "prodigy"),
                                                               "prodigy"))], "prodigy").text  # fmt: skip
    (document,) = read_corpus(written(tmp_path, text, "claims.jsonl"))
    (entry,) = document.inputs()
    assert (entry.heading, entry.previous, entry.next, entry.first_block) == ("Heel pain", "Before.", "After.", True)
    assert (entry.text, entry.kind, entry.region) == ("Sentence 3.", "list_item", "main")


# --- bad input ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("format", "content", "message"),
    [
        ("doccano", '{"text": "A.", "label": ["positive"]}', "unknown label 'positive'"),
        ("doccano", '{"label": ["none"]}', "'text' is missing"),
        ("doccano", "{", "not valid JSON"),
        ("doccano", '{"text": " ", "label": ["none"]}', "has no text"),
        ("doccano", '{"text": "A.", "label": ["none", "safety_claim"]}', "both 'none' and a label"),
        ("doccano", "[1]", "is no entry of doccano"),
        ("doccano", '{"text": "A.", "label": ["none"], "item": "x"}', "'kind' is missing"),
        ("label-studio", "{}", "must be a JSON list"),
        ("label-studio", '[{"data": {"body": "A."}}]', "'text' is missing"),
        ("argilla", '[{"fields": {"text": "A."}, "responses": [1]}]', "is no entry of argilla"),
        ("prodigy", '{"text": "A.", "label": "X", "answer": "accept"}', "interface choice"),
    ],
)
def test_bad_files_get_one_line_with_the_place(tmp_path, format, content, message):
    path = written(tmp_path, content)
    with pytest.raises(CorpusError) as error:
        read_items(path, format)
    assert message in str(error.value)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_one_id_stands_for_one_text():
    with pytest.raises(CorpusError, match="two texts"):
        to_corpus([item(ann=[]), replace(item(bob=[]), text="Other.")])


def test_who_settles_must_be_there(tmp_path):
    with pytest.raises(CorpusError, match="no annotator is called 'eve'; found: ann"):
        import_labels([written(tmp_path, DOCCANO, "ann.jsonl")], "doccano", settle="eve")
