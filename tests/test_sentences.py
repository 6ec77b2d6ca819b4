"""sentences.py: where sentences begin and end, and what the model sees of them."""

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mdclaims.language.sentences import SentenceInput, page_inputs, sentence_spans, split_page
from mdclaims.reading import read_bytes
from mdclaims.reading.page import Fragment, PageBuilder

# Written for this project: each line has a text, its sentences and why it is hard.
CASES = [
    json.loads(line)
    for line in (Path(__file__).parent / "data" / "splitting.jsonl").read_text(encoding="utf-8").splitlines()
]
FLOOR = 0.98


def split(nlp, text):
    return [text[start:end] for start, end in sentence_spans(text, nlp)]


def test_the_cases_are_in_order():
    assert len(CASES) == 444
    assert all(set(case) == {"text", "sentences", "why"} for case in CASES)
    assert len({case["text"] for case in CASES}) >= 440
    assert sum(len(case["sentences"]) > 1 for case in CASES) > 150
    assert sum(len(case["sentences"]) == 1 for case in CASES) > 80


def test_nearly_all_cases_split_exactly(nlp):
    assert len(CASES) == 444
    failing = [
        f"{case['why']}: {found} instead of {case['sentences']}"
        for case in CASES
        if (found := split(nlp, case["text"])) != case["sentences"]
    ]
    assert 1 - len(failing) / len(CASES) >= FLOOR, "\n".join(failing)


# Each of these must hold; "|" marks the boundaries.
MUST_HOLD = """
We care.|We listen.|We explain.
Dr. Wren sees you on Monday.|Dr. Lee is away.
Ask Mr. Pell, Mrs. Adeyo or Ms. Quill.|They help.
Prof. Imre Talvik leads the team.
Wren et al. found less pain.|It lasted.
Laser vs. surgery is a fair question.
Take No. 1 first.|Then rest.
Is it safe?|No.|You may drive at once.
No.|You may drive.
Take 2.5 mg daily.|Rest well.
It costs £1.50 a day.|Ask us.
We treat joints, e.g. knees and hips.|Ask us.
One week, i.e. seven days, is enough.
Lasers, creams, etc. are here.
We use lasers, creams, etc.|Call us.
J. K. Rowe founded the clinic.|She is kind.
John F. Lee, M.D., will see you.
It is rich in vitamin C.|It also tastes good.
Visit us at 12 Hill St. in Calder Bay.|Call first.
Our house is at 4 Mill Rd.|We open at nine.
Write to info@calder.example.|We answer.
Book at www.calder.example.|Now is good.
Call 01632 960 771.|We answer.
Call 555.010.0142 today.|We answer.
Open 9 a.m. to 5 p.m. daily.|Call us.
We close at 5 p.m.|Our doors open at nine.
The U.S. Food and Drug Administration cleared it.|Ask us.
It ends here.Next comes this.
Feel better.Call us
Is it safe?Yes!
Is it safe?!|Yes, it is.
It helps...|We hope.
It helps... but not always.
Wait…|There is more.
“It helps.”|She smiled.
“Does it hurt?” she asked.
He said: “It helps.”|We listened.
(It helps.)|We care.
It helps (see below).|We care.
It lasts (really? yes!) for a year.
See Fig. 2 for more.|Ask us.
Jan. 5 is free.|Book now.
Mon. to Fri. we are open.
1. Relax.|2. Breathe.|3. Sleep.
It works.1 We measured it.
It works.[1] We measured it.
It works.*|*Results vary.
🌿 Less pain 🌿 More sleep
✅ Safe ✅ Fast ✅ Near
We offer: • Botox • Fillers
Home • About • Contact
We love it 😀 You will too
Call 📞 01632 960 771
50% OFF!!!|Book now.
Calder Ltd. is a company.
Ask about our Skin No. 5 cream.
""".strip().splitlines()
# Marks without white space around them, so that "|" cannot stand for a space.
GLUED = {
    "It ends here.Next comes this.": ["It ends here.", "Next comes this."],
    "Feel better.Call us": ["Feel better.", "Call us"],
    "Is it safe?Yes!": ["Is it safe?", "Yes!"],
    "It works.1 We measured it.": ["It works.1", "We measured it."],
    "It works.[1] We measured it.": ["It works.[1]", "We measured it."],
    "🌿 Less pain 🌿 More sleep": ["🌿 Less pain", "🌿 More sleep"],
    "✅ Safe ✅ Fast ✅ Near": ["✅ Safe", "✅ Fast", "✅ Near"],
    "We offer: • Botox • Fillers": ["We offer:", "• Botox", "• Fillers"],
    "We love it 😀 You will too": ["We love it 😀", "You will too"],
}


def test_the_table_is_whole():
    assert len(MUST_HOLD) == 56
    assert set(GLUED) <= set(MUST_HOLD)


@pytest.mark.parametrize("line", MUST_HOLD)
def test_these_must_hold(nlp, line):
    expected = GLUED.get(line, line.split("|"))
    assert split(nlp, line.replace("|", " ") if line not in GLUED else line) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n ", []),
        ("Pain relief", ["Pain relief"]),
        ("...", ["..."]),
        ("!!! 50% off", ["!!! 50% off"]),
        ("One\nTwo", ["One", "Two"]),
        ("We ease\npain.", ["We ease\npain."]),
        ("One.\n\nTwo.", ["One.", "Two."]),
        ("  One.   Two.  ", ["One.", "Two."]),
        (".", ["."]),
    ],
)
def test_edges(nlp, text, expected):
    assert split(nlp, text) == expected


# --- pages ----------------------------------------------------------------------------------------------------


def page_of(*blocks):
    """Return a page of (kind, text) blocks."""
    builder = PageBuilder()
    for kind, text in blocks:
        builder.add([Fragment(text)], kind=kind, level=2 if kind == "heading" else None)
    return builder.build(source="", sha256="", title=None, encoding="")


def test_sentences_of_a_page(nlp):
    page = page_of(("heading", "Knee pain"), ("paragraph", "We ease it. Ask 😀 us."), ("list_item", "it lasts"))
    sentences = split_page(page, nlp)
    assert [(s.start, s.end, s.text, s.block.index) for s in sentences] == [
        (0, 9, "Knee pain", 0),
        (11, 22, "We ease it.", 1),
        (23, 32, "Ask 😀 us.", 1),
        (34, 42, "it lasts", 2),
    ]


@pytest.mark.parametrize("kind", ["paragraph", "list_item", "cell", "button"])
def test_no_sentence_spans_two_blocks(nlp, kind):
    page = page_of((kind, "We ease"), (kind, "pain and"), (kind, "sleep."))
    assert [s.text for s in split_page(page, nlp)] == ["We ease", "pain and", "sleep."]


def assert_sentences_hold(page, sentences):
    covered = 0
    for sentence in sentences:
        assert page.text[sentence.start : sentence.end] == sentence.text
        assert sentence.text
        assert sentence.text == sentence.text.strip()
        assert sentence.start >= covered
        assert not page.text[covered : sentence.start].strip()
        covered = sentence.end
        assert sentence.block in page.blocks
        assert sentence.block.start <= sentence.start < sentence.end <= sentence.block.end
    assert not page.text[covered:].strip()


TEXTS = st.lists(
    st.sampled_from(
        (
            "We care|. |.|? |! |... |… |Dr. |e.g. |No. |2.5 |1. |\n|\n\n|  |“|” |\"|(|) |[1]|• |✅ |🌿|😀 |:) |J. |"
            "a.m. |it |Book |- |https://x.example/ |a@b.example |,|;|'|*|¹|\u200b|\u00a0|<p>|<br>|**|# |> "
        ).split("|")
    ),
    min_size=1,
    max_size=25,
).map("".join)  # fmt: skip


@given(st.one_of(TEXTS, st.text(st.characters(exclude_categories=["Cc", "Cs"]))))
@example("We ease pain.\u2028Always.")
@example("“”")
@pytest.mark.parametrize("format", ["text", "markdown", "html"])
def test_sentences_cover_any_page(nlp, format, text):
    page = read_bytes(("Pain relief. " * 3 + text).encode("utf-8"), source="", format=format)
    sentences = split_page(page, nlp)
    assert len(sentences) >= 3
    assert_sentences_hold(page, sentences)
    assert len(page_inputs(sentences)) == len(sentences)


@given(TEXTS)
def test_spans_cover_all_that_is_not_white_space(nlp, text):
    spans = sentence_spans(text, nlp)
    inside = [at for start, end in spans for at in range(start, end)]
    assert inside == sorted(set(inside))
    outside = set(range(len(text))) - set(inside)
    assert [text[at] for at in sorted(outside) if not text[at].isspace()] == []
    assert all(not text[at].isspace() for start, end in spans for at in (start, end - 1))


# --- quotations -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("We ease pain.", [False]),
        ("“They eased my pain.”", [True]),
        ('"They eased my pain."', [True]),
        ("«They eased my pain.»", [True]),
        ("“They eased my pain.” We are glad.", [True, False]),
        ("“They eased it. I sleep again.” We are glad.", [True, True, False]),
        ("She said “good” about our small and friendly clinic.", [False]),
        ("Ann said “they eased all of my pain.”", [True]),
        ("“They eased my pain. It never closed", [False, False]),
        ("He is 6'2\" and she is 5'4\" tall.", [False]),
        ("It’s the patients’ choice.", [False]),
        ("The clinic’s so-called “cure”.", [False]),
    ],
)
def test_quoted(nlp, text, expected):
    assert [sentence.quoted for sentence in split_page(page_of(("paragraph", text)), nlp)] == expected


def test_a_block_quote_is_quoted(nlp):
    page = page_of(("quote", "They eased my pain. I sleep."), ("paragraph", "We are glad."))
    assert [sentence.quoted for sentence in split_page(page, nlp)] == [True, True, False]


def test_a_quotation_ends_with_its_block(nlp):
    page = page_of(("paragraph", "“They eased it."), ("paragraph", "I sleep again."), ("paragraph", "Really.”"))
    assert [sentence.quoted for sentence in split_page(page, nlp)] == [False, False, False]


# --- what the model sees --------------------------------------------------------------------------------------


def test_inputs_have_the_context_of_their_page(nlp):
    markup = (
        "<title>Calder</title><nav><a>Home</a><a>Fees</a></nav><h1>Knees</h1><p>We ease it. Ask us.</p>"
        "<h2>Hips</h2><ul><li>Them too.</li></ul><footer><p>Call.</p></footer>"
    )
    inputs = page_inputs(split_page(read_bytes(markup.encode(), source="", format="html"), nlp))
    assert inputs == [
        SentenceInput("Calder", "title", "metadata", "", "", "Home", first_block=True),
        SentenceInput("Home", "link", "nav", "", "Calder", "Fees", first_block=True),
        SentenceInput("Fees", "link", "nav", "", "Home", "Knees", first_block=False),
        SentenceInput("Knees", "heading", "main", "", "Fees", "We ease it.", first_block=True),
        SentenceInput("We ease it.", "paragraph", "main", "Knees", "Knees", "Ask us.", first_block=False),
        SentenceInput("Ask us.", "paragraph", "main", "Knees", "We ease it.", "Hips", first_block=False),
        SentenceInput("Hips", "heading", "main", "Knees", "Ask us.", "Them too.", first_block=False),
        SentenceInput("Them too.", "list_item", "main", "Hips", "Hips", "Call.", first_block=False),
        SentenceInput("Call.", "paragraph", "footer", "", "Them too.", "", first_block=True),
    ]


def test_all_sentences_of_the_first_block_are_in_the_first_block(nlp):
    page = page_of(("paragraph", "One is. Two is."), ("paragraph", "Three is."))
    assert [model_input.first_block for model_input in page_inputs(split_page(page, nlp))] == [True, True, False]


def test_inputs_of_no_sentences():
    assert page_inputs([]) == []


def test_equal_inputs_are_one_key():
    assert len({SentenceInput("We care."), SentenceInput("We care."), SentenceInput("We care.", region="nav")}) == 2
