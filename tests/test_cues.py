"""cues.py: the lists in data/cues, and where their phrases stand in a text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdclaims.errors import UsageError
from mdclaims.labels import LABELS
from mdclaims.language import cues
from mdclaims.language.cues import (
    Cue,
    CueList,
    CueMatcher,
    cue_lists,
    expand,
    keyword_labels,
    own_matcher,
    shared_matcher,
)
from mdclaims.language.hashing import Lines, WordRows
from mdclaims.language.pipeline import shared_pipeline


@pytest.fixture(scope="module")
def matcher(nlp):
    return CueMatcher(nlp)


FIRES = [(entry.name, text) for entry in cue_lists() for text in entry.fires]
SILENT = [(entry.name, text) for entry in cue_lists() for text in entry.silent]


def test_there_are_lists():
    assert len(cue_lists()) >= 15
    assert [entry.name for entry in cue_lists()] == sorted({entry.name for entry in cue_lists()})
    assert len(FIRES) >= len(cue_lists())
    assert len(SILENT) >= len(cue_lists())
    assert {entry.label for entry in cue_lists()} == {None, *LABELS}
    assert all(entry.about for entry in cue_lists())


@pytest.mark.parametrize(("name", "text"), FIRES)
def test_a_list_fires(nlp, matcher, name, text):
    assert name in {cue.name for cue in matcher.find(nlp.make_doc(text))}


@pytest.mark.parametrize(("name", "text"), SILENT)
def test_a_list_is_silent(nlp, matcher, name, text):
    assert name not in {cue.name for cue in matcher.find(nlp.make_doc(text))}


@pytest.mark.parametrize("entry", cue_lists(), ids=lambda entry: entry.name)
def test_every_phrase_of_a_list_finds_itself(nlp, matcher, entry):
    assert entry.phrases
    assert len(set(entry.phrases)) == len(entry.phrases)
    lost = [
        phrase for phrase in entry.phrases if entry.name not in {cue.name for cue in matcher.find(nlp.make_doc(phrase))}
    ]
    assert lost == []


@pytest.mark.parametrize("entry", cue_lists(), ids=lambda entry: entry.name)
def test_phrases_are_written_plainly(entry):
    assert entry.phrases
    assert [phrase for phrase in entry.phrases if phrase != phrase.lower().strip() or set("()|’") & set(phrase)] == []


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        ("relief", ["relief"]),
        ("eas(e|es) pain", ["ease pain", "eases pain"]),
        ("cure(|s|d)", ["cure", "cures", "cured"]),
        ("(a|b) (c|d)", ["a c", "a d", "b c", "b d"]),
        ("call (us|)", ["call us", "call"]),
        ("(|very )safe", ["safe", "very safe"]),
        ("minimi(z|s)(e|ed)", ["minimize", "minimized", "minimise", "minimised"]),
        ("no (more|one)  else", ["no more else", "no one else"]),
    ],
)
def test_expand(phrase, expected):
    assert expand(phrase) == expected


# --- finding --------------------------------------------------------------------------------------------------


def of_phrases(monkeypatch, nlp, **phrases):
    """Return a matcher with one list for each argument."""
    lists = tuple(
        CueList(name=name, about="", label=None, phrases=tuple(texts), fires=(), silent=())
        for name, texts in phrases.items()
    )
    monkeypatch.setattr(cues, "cue_lists", lambda: lists)
    return CueMatcher(nlp)


def found(matcher, nlp, text):
    return [(cue.name, cue.text) for cue in matcher.find(nlp.make_doc(text))]


def test_the_longest_match_of_a_list_wins(monkeypatch, nlp):
    matcher = of_phrases(monkeypatch, nlp, x=["little to no", "little to no downtime", "downtime", "no"])
    assert found(matcher, nlp, "There is little to no downtime, no.") == [("x", "little to no downtime"), ("x", "no")]


def test_of_two_matches_of_equal_length_the_first_wins(monkeypatch, nlp):
    matcher = of_phrases(monkeypatch, nlp, x=["a b", "b c"])
    assert found(matcher, nlp, "a b c") == [("x", "a b")]


def test_lists_do_not_hide_each_other(monkeypatch, nlp):
    matcher = of_phrases(monkeypatch, nlp, x=["pain relief"], y=["relief"], z=["pain relief"])
    assert found(matcher, nlp, "Pain relief!") == [("x", "Pain relief"), ("z", "Pain relief"), ("y", "relief")]


@pytest.mark.parametrize(
    ("phrase", "text", "expected"),
    [
        ("relief", "RELIEF", "RELIEF"),
        ("don't wait", "Don’t wait!", "Don’t wait"),
        ("drug-free", "a drug-free day", "drug-free"),
        ("drug-free", "a drug free day", "drug free"),
        ("100%", "it is 100% safe", "100%"),
        ("a.m.", "at 9 a.m. today", "a.m."),
    ],
)
def test_spellings(monkeypatch, nlp, phrase, text, expected):
    assert found(of_phrases(monkeypatch, nlp, x=[phrase]), nlp, text) == [("x", expected)]


@pytest.mark.parametrize("text", ["reliefs", "disrelief", "drugfree", "rel ief"])
def test_whole_words_only(monkeypatch, nlp, text):
    assert found(of_phrases(monkeypatch, nlp, x=["relief", "drug-free"]), nlp, text) == []


def test_a_figure_counts_by_its_size(monkeypatch, nlp):
    matcher = of_phrases(monkeypatch, nlp, x=["50%"])
    assert found(matcher, nlp, "20% or 5% or 100%") == [("x", "20%")]


def test_offsets_point_to_the_text(nlp, matcher):
    text = "😀 Dr. Wren: “Safe and effective relief”, without surgery – ask us!"
    cues_found = matcher.find(nlp.make_doc(text))
    assert len(cues_found) >= 4
    assert [text[cue.start : cue.end] for cue in cues_found] == [cue.text for cue in cues_found]
    assert cues_found == sorted(cues_found, key=lambda cue: (cue.start, cue.end, cue.name))
    start = text.index("without surgery")
    assert Cue("noninvasive", start, start + 15, "without surgery") in cues_found


WORDS = st.lists(
    st.sampled_from(
        "safe side effects pain relief don’t wait suffer from free 50 % 😀 . , without surgery \n call us now".split(
            " "
        )
    ),
    max_size=20,
)


@given(WORDS)
def test_cues_of_a_list_are_disjoint_and_in_place(nlp, matcher, words):
    text = " ".join(["safe", *words])
    found_cues = matcher.find(nlp.make_doc(text))
    assert found_cues
    ends = dict.fromkeys(matcher.names, 0)
    for cue in found_cues:
        assert text[cue.start : cue.end] == cue.text
        assert cue.start >= ends[cue.name]
        ends[cue.name] = cue.end


def counts_of(matcher, nlp, *texts):
    return matcher.counts(WordRows.read(nlp, texts)).toarray()


def test_counts_are_in_the_order_of_the_names(nlp, matcher):
    assert matcher.names == tuple(entry.name for entry in cue_lists())
    counts = counts_of(matcher, nlp, "Call us today, call us now.", "xyzzy", "")
    assert counts.shape == (3, len(matcher.names))
    assert counts[0, matcher.names.index("imperative")] >= 2
    assert not counts[1:].any()


def test_counts_of_no_text(nlp, matcher):
    assert counts_of(matcher, nlp).shape == (0, len(matcher.names))


@given(st.lists(WORDS, max_size=4))
def test_a_text_counts_the_same_in_any_batch(nlp, matcher, texts):
    joined = [" ".join(words) for words in texts]
    alone = [counts_of(matcher, nlp, text)[0].tolist() for text in joined]
    assert counts_of(matcher, nlp, *joined).tolist() == alone


@given(st.lists(WORDS, max_size=5))
def test_texts_read_together_have_the_cues_that_they_have_alone(nlp, matcher, texts):
    joined = list(dict.fromkeys(" ".join(words) for words in texts))
    alone = [(text, matcher.find(nlp.make_doc(text))) for text in joined]
    assert list(matcher.find_lines(Lines.read(nlp, joined))) == alone


def test_a_phrase_of_two_lists_counts_in_both(monkeypatch, nlp):
    matcher = of_phrases(monkeypatch, nlp, x=["pain relief", "relief"], y=["pain relief"])
    assert counts_of(matcher, nlp, "Pain relief for pain-relief seekers").tolist() == [[4, 2]]


def test_addresses_are_cues_whoever_owns_them(nlp, matcher):
    for text in ("www.elmtree.example/book", "https://a.org", "me@clinic.co.uk", "Elmtree.com"):
        assert "contact" in {cue.name for cue in matcher.find(nlp.make_doc(f"See {text}, or not."))}


def test_keyword_labels_are_those_of_the_lists():
    texts = [
        "It relieves pain.",
        "Side effects may include nausea.",
        "Tinnitus sufferers wait.",
        "Get in touch",
        "Xyzzy.",
        "",
    ]
    labels = keyword_labels(texts)
    assert labels.shape == (6, len(LABELS))
    assert labels.dtype == bool
    assert labels[range(4), range(4)].all()
    assert not labels[4:].any()
    assert keyword_labels([]).shape == (0, len(LABELS))


# --- the files ------------------------------------------------------------------------------------------------

GOOD = '[x]\nabout = "X."\nlabel = "safety_claim"\nphrases = ["saf(e|er)"]\nfires = ["Safe."]\nsilent = ["No."]\n'


def load(monkeypatch, tmp_path, **contents):
    """Read the lists of a data folder that holds these files."""
    folder = tmp_path / "data" / "cues"
    folder.mkdir(parents=True)
    for name, content in contents.items():
        (folder / f"{name}.toml").write_text(content, encoding="utf-8")
    (folder / "README.md").write_text("not a list", encoding="utf-8")
    monkeypatch.setattr(cues, "files", lambda package: tmp_path)
    return cue_lists.__wrapped__()


def test_a_file_of_lists(monkeypatch, tmp_path):
    assert load(
        monkeypatch, tmp_path, a=GOOD, b=GOOD.replace("[x]", "[b]").replace('label = "safety_claim"\n', "")
    ) == (
        CueList("b", "X.", None, ("safe", "safer"), ("Safe.",), ("No.",), "b.toml"),
        CueList("x", "X.", "safety_claim", ("safe", "safer"), ("Safe.",), ("No.",), "a.toml"),
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (GOOD + 'fire = ["x"]\nwhy = "y"\n', r"a\.toml: \[x\] has unknown keys: fire, why"),
        (GOOD.replace("safety_claim", "safety"), r"a\.toml: \[x\] has an unknown label 'safety'"),
        (GOOD.replace('["saf(e|er)"]', "[]"), r"a\.toml: \[x\] lacks phrases"),
        (GOOD.replace('fires = ["Safe."]\n', ""), r"a\.toml: \[x\] lacks fires"),
        (GOOD.replace('silent = ["No."]\n', ""), r"a\.toml: \[x\] lacks silent"),
    ],
)
def test_a_bad_list_is_refused(monkeypatch, tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        load(monkeypatch, tmp_path, a=content)


def test_a_name_in_two_files_is_refused(monkeypatch, tmp_path):
    with pytest.raises(ValueError, match=r"b\.toml: \[x\] stands in two files"):
        load(monkeypatch, tmp_path, a=GOOD, b=GOOD)


def test_a_list_without_about_is_refused(monkeypatch, tmp_path):
    with pytest.raises(ValueError, match=r"a\.toml: \[x\]"):
        load(monkeypatch, tmp_path, a=GOOD.replace('about = "X."\n', ""))


# --- a user's own lists -----------------------------------------------------------------------------------------


def own(tmp_path, *texts):
    paths = []
    for number, text in enumerate(texts):
        paths.append(tmp_path / f"own{number}.toml")
        paths[-1].write_text(text, encoding="utf-8")
    return own_matcher(tuple(paths))


OURS = '[ours]\nabout = "Our devices."\nphrases = ["KneeWave (pro|plus|)"]\n'


def test_own_lists_are_found_as_the_shipped_ones_are(tmp_path, nlp):
    matcher = own(tmp_path, OURS, OURS.replace("[ours]", "[treatment_ours]"))
    found = matcher.find(shared_pipeline().make_doc("The KNEEWAVE-Plus works."))
    assert [(cue.name, cue.text) for cue in found] == [("ours", "KNEEWAVE-Plus"), ("treatment_ours", "KNEEWAVE-Plus")]


def test_own_lists_leave_the_shipped_matcher_alone(tmp_path):
    before = shared_matcher().names
    own(tmp_path, OURS)
    assert shared_matcher().names == before
    assert "ours" not in before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no list"),
        ("ours = 3", "[ours] must be a table"),
        (OURS.replace("[ours]", "[hedge]"), "[hedge] has the name of another list"),
        (OURS + 'x = "y"', "[ours] has the unknown key 'x'"),
        (OURS.replace("about", "label"), "[ours]: about must say"),
        (OURS + 'label = "claim"', "[ours]: label must be one of"),
        (OURS.replace('["KneeWave (pro|plus|)"]', '"KneeWave"'), "phrases must be a list of texts"),
        (OURS.replace('"KneeWave (pro|plus|)"', "3"), "phrases must be a list of texts"),
        (OURS.replace('"KneeWave (pro|plus|)"', ""), "[ours] lacks phrases"),
        (OURS.replace("KneeWave (pro|plus|)", " - "), "has no word"),
        (OURS.replace("KneeWave", "(a|b)" * 30), "stand for 1,000 others"),
        (OURS.replace("KneeWave", "a" * 200), "may have 200 characters"),
        (OURS + 'fires = ["We lift."]', "its example 'We lift.' does not fire"),
        (OURS + 'silent = ["A KneeWave."]', "its example 'A KneeWave.' is not silent"),
        ("[ours", "is not valid TOML"),
    ],
)
def test_a_wrong_list_names_file_and_list(tmp_path, text, message):
    with pytest.raises(UsageError, match="cue list") as caught:
        own(tmp_path, text)
    assert message in str(caught.value)


def test_two_own_lists_of_one_name(tmp_path):
    with pytest.raises(UsageError, match="name of another list"):
        own(tmp_path, OURS, OURS)


def test_too_many_phrases_are_refused_before_they_fill_the_memory(tmp_path):
    phrases = ", ".join(f'"{"(a|b)" * 9} w{n}"' for n in range(50))
    with pytest.raises(UsageError, match="more than 20,000 phrases"):
        own(tmp_path, f'[ours]\nabout = "x"\nphrases = [{phrases}]\n')
