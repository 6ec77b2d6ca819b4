"""The corpus format: every breach is found and named with file and line; pages and inputs come out right."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from helpers import (
    ACTION,
    EFFICACY,
    ROOT,
    SAFETY,
    STIGMA,
    TINY_CORPUS,
    TINY_SENTENCES,
    TINY_SITES,
    line,
    tiny_documents,
    write_lines,
)

from mdclaims.errors import CorpusError
from mdclaims.labels import LABELS
from mdclaims.model.corpus import (
    SPLITS,
    assign_split,
    check_corpus,
    corpus_digest,
    corpus_files,
    parse_documents,
    read_corpus,
)

# --- the two corpora --------------------------------------------------------------------------------------------


def test_the_tiny_corpus_has_no_problem():
    assert check_corpus(TINY_CORPUS) == []
    documents = tiny_documents()
    assert len({document.site for document in documents}) == len(documents) == TINY_SITES
    assert {document.split for document in documents} == set(SPLITS)
    counts = Counter(label for document in documents for _, labels in document.sentences() for label in labels)
    assert set(counts) == set(LABELS)
    assert min(counts.values()) >= 10
    assert sum(1 for document in documents for _ in document.sentences()) == TINY_SENTENCES


def test_the_corpus_of_the_project_has_no_problem():
    problems = check_corpus(ROOT / "corpus" / "documents")
    assert problems == []
    assert len(read_corpus(ROOT / "corpus" / "documents")) >= 100


# --- reading ----------------------------------------------------------------------------------------------------


def test_a_block_is_read_whole(tmp_path):
    file = write_lines(
        tmp_path / "a.jsonl",
        line(
            area="tms", page_kind="faq", variety="en-GB", year=2020, kind="heading", level=3, region="footer",
            sentences=["One.", "Two."], labels=[[ACTION, EFFICACY], []],
            annotations={"writer": [[SAFETY], []], "reader": [[], [STIGMA, SAFETY]]},
            stance=[{EFFICACY: "limits"}, {}], stance_annotations={"first": [{EFFICACY: "rebuts"}, {}]},
        ),
    )  # fmt: skip
    (document,) = read_corpus(file)
    assert (document.doc, document.site, document.area) == ("one", "one.example", "tms")
    assert (document.page_kind, document.variety, document.split) == ("faq", "en-GB", "train")
    (block,) = document.blocks
    assert (block.kind, block.level, block.region) == ("heading", 3, "footer")
    assert block.sentences == ("One.", "Two.")
    assert block.labels == ((EFFICACY, ACTION), ())  # in the order of LABELS
    assert block.annotations == {"writer": ((SAFETY,), ()), "reader": ((), (SAFETY, STIGMA))}
    assert block.stances == ({EFFICACY: "limits"}, {})
    assert block.stance_annotations == {"first": ({EFFICACY: "rebuts"}, {})}
    assert document.stances() == [{EFFICACY: "limits"}, {}]
    assert block.place == f"{file}:1"


def test_what_is_absent_has_its_default(tmp_path):
    file = write_lines(
        tmp_path / "a.jsonl", line(site=None, split=None), line(block=1, kind="heading", site=None, split=None)
    )
    (document,) = read_corpus(file)
    assert document.site == "one"  # its own id
    assert document.split is document.area is document.page_kind is document.variety is None
    assert [block.region for block in document.blocks] == ["main", "main"]
    assert [block.level for block in document.blocks] == [None, 2]
    assert document.blocks[0].annotations == {}


def test_empty_lines_and_windows_line_ends_are_fine(tmp_path):
    file = tmp_path / "a.jsonl"
    rows = [json.dumps(line()), "", "  ", json.dumps(line(block=1))]
    file.write_bytes("\r\n".join(rows).encode())
    (document,) = read_corpus(file)
    assert [block.place for block in document.blocks] == [f"{file}:1", f"{file}:4"]


def test_gaps_between_blocks_are_fine(tmp_path):
    file = write_lines(tmp_path / "a.jsonl", line(block=3), line(block=7))
    assert len(read_corpus(file)[0].blocks) == 2


def test_line_separators_inside_a_text_do_not_end_the_line(tmp_path):
    file = write_lines(tmp_path / "a.jsonl", line(area="one\u2028two\u0085three\x0bfour"), line(doc="two"))
    documents, problems = parse_documents(file)
    assert problems == []
    assert [document.doc for document in documents] == ["one", "two"]


# --- faults of one line -----------------------------------------------------------------------------------------

TWO = {"sentences": ["One.", "Two."]}
FAULTS = [
    ("{", "not valid JSON"),
    ("{'doc': 1}", "not valid JSON"),
    ("\ufeff{}", "not valid JSON"),
    ("[]", "a line must be a JSON object"),
    ("null", "a line must be a JSON object"),
    ('"text"', "a line must be a JSON object"),
    (line(doc=None), "lacks 'doc'"),
    (line(block=None), "lacks 'block'"),
    (line(kind=None), "lacks 'kind'"),
    (line(sentences=None), "lacks 'sentences'"),
    (line(labels=None), "lacks 'labels'"),
    (line(colour="red"), "unknown key 'colour'"),
    (line(doc=3), "'doc' must be of type str"),
    (line(site=3), "'site' must be of type str"),
    (line(area=["tms"]), "'area' must be of type str"),
    (line(block="0"), "'block' must be of type int"),
    (line(block=True), "'block' must be of type int"),
    (line(block=0.5), "'block' must be of type int"),
    (line(kind=1), "'kind' must be of type str"),
    (line(region=1), "'region' must be of type str"),
    (line(kind="heading", level="2"), "'level' must be of type int"),
    (line(kind="heading", level=True), "'level' must be of type int"),
    (line(year="2020"), "'year' must be of type int"),
    (line(split=1), "'split' must be of type str"),
    (line(sentences="We close early."), "'sentences' must be of type list"),
    (line(labels={}), "'labels' must be of type list"),
    (line(annotations=[]), "'annotations' must be of type dict"),
    (line(stance="x"), "'stance' must be of type list"),
    (line(stance_annotations=[]), "'stance_annotations' must be of type dict"),
    (line(stance=[]), "stance must have one object for each of the 1 sentences"),
    (line(stance=[[]]), "stance must have one object for each of the 1 sentences"),
    (line(stance=[{EFFICACY: "promotes"}]), f"stance: {EFFICACY!r} is no label of its sentence"),
    (
        line(labels=[[EFFICACY]], stance=[{EFFICACY: "discloses"}]),
        "stance: unknown stance 'discloses' of efficacy_claim",
    ),
    (line(stance_annotations={"first": [1]}), "stance annotations 'first' must have one object for each"),
    (line(kind="para"), "unknown kind 'para'"),
    (line(region="body"), "unknown region 'body'"),
    (line(split="training"), "unknown split 'training'"),
    (line(page_kind="shop"), "unknown page_kind 'shop'"),
    (line(variety="en"), "unknown variety 'en'"),
    (line(kind="heading", level=0), "heading level 0 is not 1 to 6"),
    (line(kind="heading", level=7), "heading level 7 is not 1 to 6"),
    (line(sentences=[], labels=[]), "has no sentences"),
    (line(sentences=[""]), "sentence '' is not a text"),
    (line(sentences=[3]), "sentence 3 is not a text"),
    (line(sentences=[" We close."]), "white space at its ends"),
    (line(sentences=["We close. "]), "white space at its ends"),
    (line(sentences=["We  close."]), "doubled white space"),
    (line(sentences=["We\nclose."]), "white space"),
    (line(sentences=["We\tclose."]), "white space"),
    (line(sentences=["We\u00a0close."]), "white space"),
    (line(sentences=["We cl\u200bose."]), "invisible characters"),
    (line(sentences=["We cl\u00adose."]), "invisible characters"),
    (line(sentences=["   "]), "white space"),
    (line(labels=[]), "labels must have one list for each of the 1 sentences"),
    (line(labels=[[], []]), "labels must have one list for each of the 1 sentences"),
    (line(**TWO), "labels must have one list for each of the 2 sentences"),
    (line(labels=[EFFICACY]), f"labels: {EFFICACY!r} is not a list of labels"),
    (line(labels=[["efficacy"]]), "labels: unknown label 'efficacy'"),
    (line(labels=[[3]]), "labels: unknown label 3"),
    (line(labels=[[["x"]]]), "labels: unknown label"),
    (line(labels=[[EFFICACY, EFFICACY]]), "a label stands twice"),
    (line(annotations={"ann": [[], []]}), "annotations 'ann' must have one list"),
    (line(annotations={"ann": "x"}), "annotations 'ann' must have one list"),
    (line(annotations={"ann": [["stigma"]]}), "annotations 'ann': unknown label 'stigma'"),
    (line(annotations={"ann": [[STIGMA, STIGMA]]}), "annotations 'ann': a label stands twice"),
]


@pytest.mark.parametrize(("entry", "message"), FAULTS, ids=[message for _, message in FAULTS])
def test_a_fault_is_named_with_file_and_line(tmp_path, entry, message):
    file = write_lines(tmp_path / "bad.jsonl", line(doc="zero", site="zero.example"), "", entry)
    documents, problems = parse_documents(file)
    assert [document.doc for document in documents] == ["zero"]
    assert len(problems) == 1, problems
    assert problems[0].startswith(f"{file}:3: ")
    assert message in problems[0]
    with pytest.raises(CorpusError) as caught:
        read_corpus(file)
    assert str(caught.value) == problems[0]


def test_several_faults_of_a_line_are_all_named(tmp_path):
    file = write_lines(tmp_path / "bad.jsonl", line(kind="para", region="body", labels=[["x"]]))
    _, problems = parse_documents(file)
    assert len(problems) == 3


def test_a_deeply_nested_line_is_a_fault(tmp_path):
    file = write_lines(tmp_path / "bad.jsonl", "[" * 100_000)
    _, problems = parse_documents(file)
    assert len(problems) == 1


def test_a_lone_surrogate_is_a_fault(tmp_path):
    file = write_lines(tmp_path / "bad.jsonl", json.dumps(line(sentences=["We \ud800 close."])))
    _, problems = parse_documents(file)
    assert len(problems) == 1


# --- faults between lines ---------------------------------------------------------------------------------------


def test_blocks_of_a_document_must_be_adjacent(tmp_path):
    file = write_lines(tmp_path / "bad.jsonl", line(), line(doc="two"), line(block=1))
    _, problems = parse_documents(file)
    assert problems == [f"{file}:3: document 'one' goes on after another began; keep its blocks together"]


@pytest.mark.parametrize("block", [4, 5])
def test_blocks_must_be_in_order(tmp_path, block):
    file = write_lines(tmp_path / "bad.jsonl", line(block=5), line(block=block))
    _, problems = parse_documents(file)
    assert problems == [f"{file}:2: block {block} of 'one' stands after block 5"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("site", "b.example"),
        ("area", "b"),
        ("page_kind", "faq"),
        ("variety", "en-GB"),
        ("year", 1999),
        ("split", "test"),
    ],
)
def test_a_document_keeps_its_site_and_split(tmp_path, key, value):
    file = write_lines(tmp_path / "bad.jsonl", line(), line(block=1, **{key: value}))
    _, problems = parse_documents(file)
    assert problems == [f"{file}:2: {key} differ from the first block of 'one'"]


def test_repeated_ids_in_two_files(tmp_path):
    one = write_lines(tmp_path / "1.jsonl", line())
    two = write_lines(tmp_path / "2.jsonl", line())
    assert f"{two}:1: document 'one' stands already at {one}:1" in check_corpus(tmp_path)


def test_a_missing_split(tmp_path):
    file = write_lines(tmp_path / "a.jsonl", line(split=None))
    assert check_corpus(file) == [f"{file}:1: document 'one' has no split; give it train, dev or test"]


def test_a_site_in_two_splits_leaks(tmp_path):
    file = write_lines(
        tmp_path / "a.jsonl",
        line(doc="a", site="s.example", split="train"),
        line(doc="b", site="s.example", split="train", sentences=["We open late."]),
        line(doc="c", site="s.example", split="test", sentences=["We never close."]),
    )
    assert check_corpus(file) == [f"{file}:3: site 's.example' leaks: test here, train at {file}:1"]


def test_documents_without_a_site_do_not_leak(tmp_path):
    file = write_lines(
        tmp_path / "a.jsonl", line(doc="a", site=None), line(doc="b", site=None, split="test", sentences=["We open."])
    )
    assert check_corpus(file) == []


# --- duplicates -------------------------------------------------------------------------------------------------

LONG = "Our gentle laser clears the skin of every patient within four short visits"


def pair(tmp_path, one, two, *, same_site=False):
    return write_lines(
        tmp_path / "a.jsonl",
        line(doc="a", site="a.example", sentences=[one]),
        line(doc="b", site="a.example" if same_site else "b.example", sentences=[two]),
    )


@pytest.mark.parametrize(
    "other", [LONG, LONG + ".", LONG.upper(), LONG.replace("visits", "sittings"), "Yes: " + LONG], ids=range(5)
)
def test_near_duplicates_between_sites(tmp_path, other):
    file = pair(tmp_path, LONG, other)
    problems = check_corpus(file)
    assert len(problems) == 1
    assert problems[0].startswith(f"{file}:2: near duplicate of {file}:1: ")
    assert LONG[:20] in problems[0]


def test_an_apostrophe_does_not_make_a_difference(tmp_path):
    file = pair(tmp_path, "You’ll love what our lasers do for you here", "You'll love what our lasers do for you here")
    assert len(check_corpus(file)) == 1


def test_a_sentence_half_alike_is_no_duplicate(tmp_path):
    other = LONG.replace("every patient within four short visits", "most people after a month of treatment")
    assert check_corpus(pair(tmp_path, LONG, other)) == []


def test_short_sentences_may_repeat(tmp_path):
    seven = "Call our friendly team to book now"
    assert len(seven.split()) == 7
    assert check_corpus(pair(tmp_path, seven, seven)) == []
    assert len(check_corpus(pair(tmp_path, seven + " please", seven + " please"))) == 1


def test_repetition_on_one_site_is_fine(tmp_path):
    assert check_corpus(pair(tmp_path, LONG, LONG, same_site=True)) == []


def shared(tmp_path, *, common, own=4, region=None, same_site=True):
    """Two documents with `own` sentences of their own each, and `common` shared ones."""
    words = ["amber", "birch", "cedar", "dune", "elm", "fern", "grove", "holly", "iris", "juniper", "kelp", "larch"]
    rows = []
    for doc in ("a", "b"):
        sentences = [f"We sell {word} soap" for word in words[:common]]
        sentences += [f"Our {doc} {word} cream" for word in words[:own]]
        site = "s.example" if same_site else f"{doc}.example"
        rows += [line(doc=doc, site=site, block=n, sentences=[text], region=region) for n, text in enumerate(sentences)]
    return write_lines(tmp_path / "a.jsonl", *rows)


def test_documents_that_share_more_than_a_fifth(tmp_path):
    file = shared(tmp_path, common=2, own=6)
    assert check_corpus(file) == [f"{file}:9: document 'b' shares 2 of 8 sentences with 'a'"]


def test_a_fifth_may_be_shared(tmp_path):
    assert check_corpus(shared(tmp_path, common=1)) == []


def test_documents_of_few_sentences_may_share(tmp_path):
    assert check_corpus(shared(tmp_path, common=2, own=2)) == []


@pytest.mark.parametrize("region", ["header", "nav", "footer"])
def test_menus_may_be_shared(tmp_path, region):
    assert check_corpus(shared(tmp_path, common=6, region=region)) == []


def test_shared_documents_of_two_sites(tmp_path):
    assert len(check_corpus(shared(tmp_path, common=3, same_site=False))) == 1


# --- files ------------------------------------------------------------------------------------------------------


def test_a_folder_is_read_recursively_and_sorted(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("b.jsonl", "a.jsonl", "sub/c.jsonl"):
        write_lines(tmp_path / name, line(doc=name))
    (tmp_path / "notes.txt").write_text("x")
    assert [file.relative_to(tmp_path).as_posix() for file in corpus_files(tmp_path)] == [
        "a.jsonl",
        "b.jsonl",
        "sub/c.jsonl",
    ]
    assert [document.doc for document in read_corpus(tmp_path)] == ["a.jsonl", "b.jsonl", "sub/c.jsonl"]


@pytest.mark.parametrize("make", [lambda path: path, lambda path: path / "gone.jsonl"], ids=["empty folder", "no file"])
def test_no_file_is_an_error(tmp_path, make):
    with pytest.raises(CorpusError, match=r"no \.jsonl file found"):
        read_corpus(make(tmp_path))


def test_a_file_that_is_not_utf8(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b'{"doc": "\xff"}')
    with pytest.raises(CorpusError, match=r"a\.jsonl: cannot be read as UTF-8 text"):
        read_corpus(tmp_path)


def test_the_digest_changes_with_names_and_contents(tmp_path):
    file = write_lines(tmp_path / "a.jsonl", line())
    digests = {corpus_digest(file)}
    write_lines(file, line(area="x"))
    digests.add(corpus_digest(file))
    write_lines(tmp_path / "b.jsonl", line(area="x"))
    digests.add(corpus_digest(tmp_path / "b.jsonl"))
    digests.add(corpus_digest(tmp_path))
    assert len(digests) == 4


# --- splits -----------------------------------------------------------------------------------------------------


def test_shares_of_the_splits():
    counts = Counter(assign_split(f"clinic-{n}.example") for n in range(2000))
    assert set(counts) == set(SPLITS)
    assert counts["train"] == pytest.approx(1400, abs=80)
    assert counts["dev"] == pytest.approx(300, abs=60)
    assert counts["test"] == pytest.approx(300, abs=60)


@pytest.mark.parametrize(
    ("site", "split"), [("clinic-0.example", "train"), ("clinic-2.example", "dev"), ("clinic-3.example", "test")]
)
def test_the_split_of_a_name_never_moves(site, split):
    assert assign_split(site) == split


# --- pages and inputs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", tiny_documents(), ids=lambda document: document.doc)
def test_gold_sentences_stand_exactly_on_the_page(document):
    page = document.page()
    gold = document.gold_sentences()
    expected = [text for text, _ in document.sentences()]
    assert len(gold) == len(expected) >= 4
    assert [sentence.text for sentence in gold] == expected
    end = 0
    for sentence in gold:
        assert page.text[sentence.start : sentence.end] == sentence.text
        assert page.text[end : sentence.start].strip() == ""
        assert sentence.block.start <= sentence.start < sentence.end <= sentence.block.end
        end = sentence.end
    assert page.text[end:].strip() == ""
    assert [block.kind for block in page.blocks] == [block.kind for block in document.blocks]


def test_inputs_carry_heading_kind_region_and_neighbours(tmp_path):
    file = write_lines(
        tmp_path / "a.jsonl",
        line(kind="heading", level=2, sentences=["What it treats"]),
        line(block=1, kind="list_item", sentences=["Anxiety"]),
        line(block=2, kind="heading", level=3, sentences=["Risks"]),
        line(block=3, sentences=["One.", "Two."], labels=[[], []]),
        line(block=4, kind="heading", level=2, sentences=["Prices"]),
        line(block=5, sentences=["Ask us."]),
        line(block=6, kind="link", region="footer", sentences=["Call"]),
    )
    inputs = read_corpus(file)[0].inputs()
    assert [(entry.text, entry.heading) for entry in inputs] == [
        ("What it treats", ""),
        ("Anxiety", "What it treats"),
        ("Risks", "What it treats"),
        ("One.", "Risks"),
        ("Two.", "Risks"),
        ("Prices", ""),
        ("Ask us.", "Prices"),
        ("Call", ""),
    ]
    assert [entry.kind for entry in inputs[:2]] == ["heading", "list_item"]
    assert [entry.region for entry in inputs] == ["main"] * 7 + ["footer"]
    assert [entry.first_block for entry in inputs] == [True, *[False] * 6, True]
    assert [entry.previous for entry in inputs] == ["", *[entry.text for entry in inputs[:-1]]]
    assert [entry.next for entry in inputs] == [*[entry.text for entry in inputs[1:]], ""]
