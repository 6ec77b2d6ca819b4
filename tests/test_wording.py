"""wording.py and patterns.py: the data in data/wording, and how suggestions fit into a sentence."""

import re
from pathlib import Path

import pytest
from growth import grows_linearly
from helpers import LABELS, stub_screener
from hypothesis import given
from hypothesis import strategies as st
from test_config import toml

from mdclaims.cli import run
from mdclaims.errors import UsageError
from mdclaims.findings.qualifiers import Qualifier
from mdclaims.findings.stance import CLAIMS, attributes
from mdclaims.findings.wording import (
    MOST_QUESTIONS,
    WordingMatcher,
    is_raised,
    load_wording,
    own_wording,
    quoted_spans,
    shared_wording,
    shipped_files,
    shipped_wording,
)
from mdclaims.labels import label_info
from mdclaims.language.cues import Cue, shared_matcher
from mdclaims.language.pipeline import shared_pipeline
from mdclaims.language.sentences import split_page
from mdclaims.reading import read_bytes

ENTRIES = shipped_wording().entries
QUESTIONS = shipped_wording().questions
EXAMPLES = [(entry.name, before, after) for entry in ENTRIES for before, after in entry.examples]
ADVISED = [(entry.name, text) for entry in ENTRIES for text in entry.advised]
SILENT = [(entry.name, text) for entry in ENTRIES for text in entry.silent]
NEAR = Qualifier(sentence=1, kind="risk", sentences_away=1, blocks_away=0, hidden=False)


def suggestions_for(text, *, matcher=None, format="text"):
    """Return the page and its suggestions, whatever a model says about its sentences."""
    page = read_bytes(text.encode(), source="x", format=format)
    found = []
    for sentence in split_page(page, shared_pipeline()):
        cues = [
            Cue(cue.name, cue.start + sentence.start, cue.end + sentence.start, cue.text)
            for cue in shared_matcher().find(shared_pipeline().make_doc(sentence.text))
        ]
        quoted = quoted_spans(page.text, sentence.block)
        found += (matcher or shared_wording()).suggest(sentence, cues, quoted)
    return page, found


def of_entry(name, text):
    return [entry for entry in suggestions_for(text)[1] if entry.name == name]


def applied(text, found):
    for entry in sorted(found, key=lambda entry: -entry.start):
        if entry.replacement is not None:
            text = text[: entry.start] + entry.replacement + text[entry.end :]
    return text


# --- the data ---------------------------------------------------------------------------------------------------


def test_there_is_data():
    assert len(ENTRIES) >= 25
    assert len(EXAMPLES) >= 120
    assert len(ADVISED) >= 40
    assert len(SILENT) >= 80
    assert len(QUESTIONS) >= 15
    assert {name for name, *_ in (*EXAMPLES, *ADVISED)} == {entry.name for entry in ENTRIES}


@pytest.mark.parametrize(("name", "before", "after"), EXAMPLES)
def test_an_example_becomes_what_it_should(name, before, after):
    assert applied(before, of_entry(name, before)) == after


@pytest.mark.parametrize(("name", "before", "after"), EXAMPLES)
def test_what_an_example_becomes_is_left_alone(name, before, after):
    assert [entry for entry in of_entry(name, after) if entry.replacement is not None] == []


@pytest.mark.parametrize(("name", "text"), ADVISED)
def test_an_entry_gives_advice_alone(name, text):
    found = of_entry(name, text)
    assert found
    assert [entry.replacement for entry in found] == [None] * len(found)


@pytest.mark.parametrize(("name", "text"), SILENT)
def test_an_entry_is_silent(name, text):
    assert of_entry(name, text) == []


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_an_entry_is_written_plainly(entry):
    assert entry.about.endswith(".")
    assert entry.advice.endswith(".")
    assert len(entry.advice) <= 130
    assert not re.search("breach|illegal|must not", entry.advice)


def test_guides_have_addresses_and_the_unverified_are_known():
    guides = {entry.guide for entry in ENTRIES}
    assert len(guides) >= 8
    assert {guide.name for guide in guides if not guide.address.startswith("http")} == {
        guide.name for guide in guides if "mdclaims" in guide.name
    }
    assert {guide.address.split("/")[2] for guide in guides if guide.verified} == {
        "pmc.ncbi.nlm.nih.gov", "www.impactnorwood.org", "obesityweek.org", "www.obesity.org",
        "editorial-styleguide.umark.wisc.edu", "garbl.blogspot.com", "mindframe.org.au", "community.utexas.edu",
        "www.deiguide.org", "www.diversitystyleguide.com",
    }  # fmt: skip


# --- fitting ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("An addict came.", "A person with a substance use disorder came."),
        ("Is an obese patient safe?", "Is a patient with obesity safe?"),
        ("A wheelchair-bound adult came.", "An adult who uses a wheelchair came."),
        ("A diabetic adult came.", "An adult with diabetes came."),
        ("AN ADDICT", "A PERSON WITH A SUBSTANCE USE DISORDER"),
        ("We help Parkinson's sufferers.", "We help people with Parkinson's."),
        ("The 😀 elderly, and 😀 the elderly.", "The 😀 elderly, and 😀 older people."),
    ],
)
def test_article_capitals_and_offsets(before, after):
    page, found = suggestions_for(before)
    assert applied(page.text, found) == after


@pytest.mark.parametrize(
    "text",
    [
        "She said “addicts are liars” and left.",
        'She said "addicts are liars" and left.',
        "She said ‘addicts are liars’ and left.",
        "“We see addicts. Many suffer from pain.",
        "This 'addicts' is not used here.",
    ],
)
def test_nothing_is_suggested_in_quotations(text):
    assert suggestions_for(text)[1] == []
    assert suggestions_for(re.sub("[“”\"‘’']", "", text))[1]


def test_nothing_is_suggested_in_a_block_quote():
    assert suggestions_for("> Addicts are welcome.", format="markdown")[1] == []
    assert suggestions_for("Addicts are welcome.", format="markdown")[1]


PIECES = [
    "addicts", "an addict", "Addicts", "ADDICTS", "the elderly", "people suffering from", "suffers from", "migraine",
    "migraine sufferers", "is suffering from", "you", "Are you", "suffering from", "diabetics", "obese patients",
    "and",
    "the", "a", ",", ".", "?", "“", "”", '"', "'", "😀", "\n", "substance abuse", "treatment", "Institute",
    "who failed two antidepressants",
    "wheelchair-bound", "committed suicide",
    "not", "been clean", "drugs", "battling", "depression", "seeking", "-", "I",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=14))
def test_suggestions_are_in_place_disjoint_and_outside_quotations(pieces):
    page, found = suggestions_for(" ".join(["We see addicts.", *pieces]))
    sentences = [(sentence.start, sentence.end) for sentence in split_page(page, shared_pipeline())]
    quoted = [span for block in page.blocks for span in quoted_spans(page.text, block)]
    end = 0
    for entry in found:
        assert entry.start >= end
        end = entry.end
        assert page.text[entry.start : entry.end] == entry.text
        assert any(start <= entry.start < entry.end <= stop for start, stop in sentences)
        assert all(entry.end <= start or entry.start >= stop for start, stop in quoted)
        assert entry.replacement is None or entry.replacement == " ".join(entry.replacement.split())


@given(st.lists(st.sampled_from(PIECES), max_size=10))
def test_a_replacement_no_longer_fires_its_entry(pieces):
    page, found = suggestions_for(" ".join(["We see addicts.", *pieces]))
    for entry in found:
        if entry.replacement is not None:
            again = suggestions_for(entry.replacement)[1]
            assert not [other for other in again if other.name == entry.name and other.text == entry.text]
    after = suggestions_for(applied(page.text, found) or ".")[1]
    before_count = sum(entry.replacement is not None for entry in found)
    assert sum(entry.replacement is not None for entry in after) <= before_count


@pytest.mark.parametrize(
    "piece",
    [
        "addicts ", "people suffering from ", "is a ", "migraine and ", "“addicts ", "' ", "<people> ", "chronic ",
        "Substance Abuse Institute ", "suffering ", "I suffered ", "and seeking addicts ", "- ", "pain, or pain ",
        "is suffering and also ",
    ],
)  # fmt: skip
def test_hostile_text_takes_linear_work(piece):
    def suggesting(times):
        page = read_bytes((piece * times).encode(), source="x", format="text")
        (first, *_) = split_page(page, shared_pipeline())
        cues = [Cue("condition_pain", n, n + 4, "pain") for n in range(0, len(page.text), 8)]
        return lambda: shared_wording().suggest(first, cues, quoted_spans(page.text, first.block))

    assert grows_linearly(suggesting, of=100)


# --- questions --------------------------------------------------------------------------------------------------


def raised(question, text, qualifier=None):
    cues = shared_matcher().find(shared_pipeline().make_doc(text))
    facts = attributes(cues, [])
    return is_raised(question, facts, qualifier, {cue.name for cue in cues})


@pytest.mark.parametrize(
    ("question", "text"),
    [(question, text) for question in QUESTIONS for text in question.fires],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_question_is_raised(question, text):
    assert raised(question, text)
    assert not question.unqualified or not raised(question, text, NEAR)


@pytest.mark.parametrize(
    ("question", "text"),
    [(question, text) for question in QUESTIONS for text in question.silent],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_question_is_not_raised(question, text):
    assert not raised(question, text)


def test_questions_ask_or_say_what_to_add():
    assert len(QUESTIONS) >= 15
    for question in QUESTIONS:
        assert "?" in question.advice, question.name


def findings(text):
    return stub_screener().screen_text(text).findings


def test_a_claim_gets_the_most_telling_questions():
    (finding,) = findings("TMS always cures depression in 90% of patients [e95].")
    assert [entry.name for entry in finding.suggestions] == ["cure", "figure"]
    assert len(finding.suggestions) == MOST_QUESTIONS
    assert {(entry.replacement, entry.guide, entry.verified) for entry in finding.suggestions} == {(None, None, None)}


@pytest.mark.parametrize("label", LABELS)
def test_what_is_only_noted_gets_no_suggestion(label):
    letter = dict(zip(LABELS, "esga", strict=True))[label]
    text = "Addicts suffer from pain, 90% off, TMS always cures it, the laser is safe and FDA approved"
    checked = 0
    for stance in label_info()[label].stances:
        (finding,) = findings(f"{text} [{letter}95:{stance}].")
        assert bool(finding.suggestions) == (stance in label_info()[label].forward)
        checked += 1
    assert checked >= 2


def test_every_suggestion_of_a_page_lies_in_its_sentence():
    text = "Café “x” 😀. Addicts [g95] suffer from pain. TMS always works [e95]. The laser is safe [s95]."
    result = stub_screener().screen_text(f"{text}\n\n20% off [a95:presses].")
    assert len(result.findings) == 4
    for finding in result.findings:
        assert finding.suggestions
        sentence = result.sentences[finding.sentence].sentence
        for entry in finding.suggestions:
            assert sentence.start <= entry.start < entry.end <= sentence.end
            assert result.page.text[entry.start : entry.end] == entry.text


def test_a_near_qualifier_answers_the_question_for_one():
    names = {
        entry.name for finding in findings("Shockwave therapy heals heel pain [e95].") for entry in finding.suggestions
    }
    assert "unqualified_absence" in names
    near = findings("Shockwave therapy heals heel pain [e95]. It does not work for everyone [e95:limits].")
    assert len(near) == 2
    assert "unqualified_absence" not in {entry.name for entry in near[0].suggestions}
    assert {label for label in LABELS if label in CLAIMS} == {near[0].label, "safety_claim"}


# --- files ------------------------------------------------------------------------------------------------------

GOOD = """
[guide.house]
name = "House style"
address = "https://clinic.example/style"
verified = true
[slot.ours]
about = "Ours."
map = { "punters" = "guests" }
[wording.punters]
about = "Patients called punters."
guide = "house"
advice = "Say “guests”."
forms = [{ find = "<ours>", say = "<ours>" }]
examples = [["Our punters come.", "Our guests come."]]
silent = ["Our guests come."]
"""


def written(tmp_path, *contents):
    paths = [tmp_path / f"{letter}.toml" for letter, _ in zip("abc", contents, strict=False)]
    for path, content in zip(paths, contents, strict=True):
        path.write_text(content, encoding="utf-8")
    return paths


def test_own_wording_stands_beside_that_of_the_package(tmp_path):
    wording = load_wording([*shipped_files(), *written(tmp_path, GOOD)])
    assert len(wording.entries) == len(ENTRIES) + 1
    page, found = suggestions_for("Punters suffer from gout.", matcher=WordingMatcher(wording, shared_pipeline()))
    assert applied(page.text, found) == "Guests have gout."
    assert found[0].guide == "House style"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[words.x]\na = 1\n", r"a\.toml: unknown table \[words\]"),
        (GOOD.replace("advice =", "advise ="), r"a\.toml: \[wording\.punters\] has unknown keys: advise"),
        (GOOD.replace('advice = "Say “guests”."\n', ""), r"\[wording\.punters\] lacks advice"),
        (GOOD.replace('guide = "house"', 'guide = "home"'), r"names the guide 'home', which no file has"),
        (GOOD.replace('find = "<ours>", say = "<ours>"', 'find = "<theirs>"'), r"names the list <theirs>"),
        (GOOD.replace('say = "<ours>"', 'say = "<people>"'), r"says what '<ours>' does not find"),
        (GOOD.replace("find =", "finds ="), r"has unknown keys: finds"),
        (GOOD.replace("verified = true", ""), r"\[guide\.house\] lacks verified"),
        (GOOD.replace('address = "https://clinic.example/style"', ""), r"\[guide\.house\] lacks address"),
        (GOOD.replace("[slot.ours]", "[slot.some]"), r"\[slot\.some\] has a name that the pattern language keeps"),
        (GOOD.replace("map = {", "words = [\"<nowhere>\"]\nmap = {"), r"names the list <nowhere>"),
        (re.sub("(?m)^map.*$", "", GOOD), r"\[slot\.ours\] lacks words"),
        (re.sub("(?m)^forms.*$", "", GOOD), r"lacks phrases or forms"),
        (re.sub("(?m)^examples.*$", "", GOOD), r"lacks examples"),
        (re.sub("(?m)^silent.*$", "", GOOD), r"lacks silent"),
        (re.sub("(?m)^silent.*$", "silent = 3", GOOD), r"\[wording\.punters\]: silent must be a list of texts"),
        (re.sub("(?m)^forms.*$", "forms = [1]", GOOD), r"forms must be a list of tables"),
        (GOOD.replace('say = "<ours>"', "say = 3"), r"form '<ours>': say must be a text"),
        (re.sub("(?m)^examples.*$", "examples = [['a']]", GOOD), r"examples must be a list of pairs of texts"),
        (GOOD.replace("verified = true", "verified = 1"), r"\[guide\.house\]: verified must be true or false"),
        (re.sub("(?m)^map.*$", "map = { a = 1 }", GOOD), r"\[slot\.ours\]: map must be a table of texts"),
        (re.sub("(?m)^map.*$", "words = ['-']", GOOD), r"\[slot\.ours\] lacks words"),
        (re.sub("(?m)^map.*$", f"words = ['{'a ' * 11}']", GOOD), r"entries of 10 words at most"),
        (GOOD.replace("[wording.punters]", "[wording]\nx = 1\n[wording.punters]"), r"\[wording\.x\] must be a table"),
        (GOOD.replace('find = "<ours>"', 'find = "()"').replace(', say = "<ours>"', ""), r"'\(\)' has no word"),
        (GOOD.replace('find = "<ours>"', f'find = "{"(a|b)" * 10} <ours>"'), r"stand for 1,000 others"),
        (GOOD.replace('find = "<ours>"', f'find = "{"a" * 400} <ours>"'), r"may have 400 characters"),
        (GOOD.replace('find = "<ours>"', 'find = "<some> <some> <some> <adjective> <ours>"'), r"3 of the slots"),
        ("[wording.addict]\noff = true", r"a\.toml: \[wording\.addict\] stands in two files"),
        ("[wording.new]\noff = true", r"a\.toml: \[wording\.new\] switches off what mdclaims does not have"),
        (GOOD.replace("wording.punters", "wording.addict"), r"a\.toml: \[wording\.addict\] stands in two files"),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        load_wording([*shipped_files(), *written(tmp_path, content)])


# --- a user's own -------------------------------------------------------------------------------------------------

ADDICT = GOOD.replace("wording.punters", "wording.addict").replace(
    'forms = [{ find = "<ours>", say = "<ours>" }]', 'forms = [{ find = "addicts", say = "our guests" }]'
)


def own(tmp_path, *contents):
    return own_wording(written(tmp_path, *contents))


def test_an_own_entry_takes_the_place_of_one_of_the_package(tmp_path):
    changed = ADDICT.replace('"Our punters come."', '"Addicts come."')
    matcher = own(tmp_path, changed)
    page, found = suggestions_for("Addicts came.", matcher=matcher)
    assert applied(page.text, found) == "Our guests came."
    assert [entry.name for entry in matcher.wording.entries] == [entry.name for entry in ENTRIES]


def test_an_entry_or_question_is_switched_off(tmp_path):
    matcher = own(tmp_path, "[wording.addict]\noff = true\n[question.cure]\noff = true")
    assert suggestions_for("Addicts came.", matcher=matcher)[1] == []
    assert suggestions_for("Addicts came.")[1] != []
    assert len(matcher.wording.entries) == len(ENTRIES) - 1
    assert "cure" not in {question.name for question in matcher.wording.questions}


def test_two_own_files_may_not_say_different_things(tmp_path):
    for other in (ADDICT, "[wording.addict]\noff = true"):
        with pytest.raises(UsageError, match=r"wording .*b\.toml: \[wording\.addict\] stands in two files"):
            own(tmp_path, ADDICT, other.replace("guide.house", "guide.b").replace("slot.ours", "slot.b"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('Our guests come."]]', 'Guests come."]]'), "'Our punters come.' becomes 'Guests come.'"),
        (('silent = ["', 'advised = ["'), "lacks silent"),
        (('silent = ["Our guests', 'silent = ["Our punters'), "'Our punters come.' gets nothing"),
        (("silent =", 'advised = ["Our punters sit."]\nsilent ='), "'Our punters sit.' gets advice alone"),
        (('silent = ["Our guests come."]', 'silent = [" "]'), "' ' gets nothing"),
        (('silent = ["Our guests come."]', 'silent = ["\u200b"]'), "gets nothing"),
    ],
)
def test_the_examples_of_an_own_entry_must_hold(tmp_path, change, message):
    assert change[0] in GOOD
    with pytest.raises(UsageError, match=r"\[wording\.punters\]") as caught:
        own(tmp_path, GOOD.replace(*change))
    assert message in str(caught.value)


def test_a_file_that_is_not_there_or_not_toml_is_one_clear_error(tmp_path):
    with pytest.raises(UsageError, match=r"wording .*gone\.toml cannot be read"):
        own_wording([tmp_path / "gone.toml"])
    with pytest.raises(UsageError, match=r"wording .*a\.toml is not valid TOML"):
        own(tmp_path, "= 1")


def test_the_example_of_the_documentation_holds(tmp_path):
    text = (Path(__file__).parents[1] / "docs" / "config.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(# house\.toml\n.*?)```", text, re.DOTALL)
    names = {entry.name for entry in own(tmp_path, example).wording.entries}
    assert "our_patients" in names
    assert "addict" not in names


def test_an_error_names_config_and_file(tmp_path, monkeypatch, capsys):
    (tmp_path / "mdclaims.toml").write_text('wording = "a.toml"')
    (tmp_path / "a.md").write_text("Hello.")
    written(tmp_path, '[wording."x\\ny"]\nabout = 1')
    monkeypatch.chdir(tmp_path)
    assert run(["check", "a.md"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "config mdclaims.toml: wording a.toml: [wording.x y]: about must be a text" in line


def test_own_wording_reaches_the_findings(tmp_path):
    changed = ADDICT.replace('"Our punters come."', '"Addicts come."')
    screener = stub_screener(wording=tuple(written(tmp_path, changed)))
    (finding,) = screener.screen_text("Addicts came [g95].").findings
    assert [(entry.replacement, entry.guide) for entry in finding.suggestions] == [("Our guests", "House style")]


VALUES = st.recursive(
    st.one_of(st.booleans(), st.integers(), st.sampled_from(["", "a", "<some>", "<ours>", "(a|b)", "house", "-", "<"])),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from("ab"), inner, max_size=2)),
    max_leaves=4,
)
KEYS = {
    "wording": ["about", "guide", "advice", "forms", "phrases", "except", "needs", "examples", "silent", "off"],
    "slot": ["about", "words", "map"],
    "guide": ["name", "address", "verified"],
    "question": ["about", "advice", "stances", "cues", "without", "attributes", "unqualified", "fires", "silent"],
}  # fmt: skip
TABLES = st.sampled_from(sorted(KEYS)).flatmap(
    lambda section: st.tuples(
        st.just(section), st.sampled_from(["addict", "new"]), st.dictionaries(st.sampled_from(KEYS[section]), VALUES)
    )
)


@given(st.lists(TABLES, max_size=2, unique_by=lambda table: table[:2]), st.sampled_from(["", GOOD]))
def test_any_own_file_gives_wording_or_one_clear_error(tmp_path_factory, tables, rest):
    lines = [rest]
    for section, name, table in tables:
        lines += [f"[{section}.{name}]", *(f"{key} = {toml(value)}" for key, value in table.items())]
    path = tmp_path_factory.mktemp("any") / "a.toml"
    path.write_text("\n".join(lines))
    told = ""
    try:
        wording = load_wording(shipped_files(), [path])
    except ValueError as error:
        told = str(error)
    else:
        assert len(wording.entries) >= len(ENTRIES) - 1
    assert not told or str(path) in told


def test_no_own_pattern_takes_long(tmp_path):
    finds = ["<some> <some> <some> zzz", "<people?> " * 30 + "zzz", "a " * 150 + "zzz", "<function?> " * 30 + "zzz"]
    forms = ", ".join(f'{{ find = "{find}" }}' for find in finds)
    content = re.sub("(?m)^forms.*$", f'forms = [{forms}, {{ find = "<ours>", say = "<ours>" }}]', GOOD)
    matcher = own(tmp_path, content)
    suggestions_for("the of an in " * 200 + "people.", matcher=matcher)


QUESTION = """
[question.x]
about = "X."
advice = "X?"
stances = ["promotes"]
cues = ["cure"]
fires = ["It cures all."]
silent = ["No."]
"""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (QUESTION.replace('"promotes"', '"limits"'), r"a\.toml: \[question\.x\] has the unknown stance 'limits'"),
        (QUESTION.replace('"cure"', '"cures"'), r"unknown cue list 'cures'"),
        (QUESTION + "attributes = { colour = 1 }\n", r"unknown attribute 'colour'"),
        (QUESTION + "why = 1\n", r"unknown keys: why"),
    ],
)
def test_a_bad_question_is_refused(tmp_path, content, message):
    assert load_wording(written(tmp_path, QUESTION)).questions[0].name == "x"
    with pytest.raises(ValueError, match=message):
        load_wording(written(tmp_path, content))


def test_entries_without_the_shared_slots_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no file has the slots before_condition"):
        load_wording(written(tmp_path, GOOD))
