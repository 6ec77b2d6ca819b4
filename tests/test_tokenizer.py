"""tokenizer.py and pipeline.py: one token for each thing that a reader sees as one, and no character lost."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from spacy.attrs import NORM

from mdclaims.language.pipeline import create_pipeline, looks_english, norm, shared_pipeline
from mdclaims.language.tokenizer import abbreviations

PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            [" ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u2028", "\x1c", "\x85", ".", "...", "Dr.", "e.g.", "a.m.",
             "https://x.example/a?b", "www.", "a@b.example", "@", "#tag", "2.5", "1,000", "10mg", "5%", "£", "-",
             "👩\u200d⚕️", "🇬🇧", "1\ufe0f\u20e3", "\u200d", "\ufe0f", "’", "'", "\u0301", "_", "²", "½", "٣", "中文",
             "ß", "İ", ":)"]
        ),
        st.text(max_size=3),
    ),
    max_size=20,
).map("".join)  # fmt: skip


@given(st.one_of(st.text(), PIECES))
@example("")
@example(" ")
@example("   ")
@example(" a  b   c ")
@example("a \n b")
@example("a\n \nb")
@example("\n a")
def test_the_tokens_give_the_text_back(nlp, text):
    doc = nlp.make_doc(text)
    assert doc.text == text
    assert all(token.text for token in doc)
    # White space is a token of its own or the single space behind one.
    assert not [token.text for token in doc if token.text != token.text.strip() and not token.text.isspace()]


def tokens(nlp, text):
    return [token.text for token in nlp.make_doc(text)]


@pytest.mark.parametrize(
    "word",
    [
        # web addresses
        "https://calder.example/book?day=1&x=2#top", "http://calder.example", "www.calder.example/fees", "calder.com",
        "WWW.CALDER.ORG/FEES", "HTTPS://CALDER.EXAMPLE", "CALDER.COM",
        "calder-clinic.co.uk/book", "calder.health", "Calder.com",
        # e-mail addresses
        "info@calder.example", "jo.wren+web@mail.calder.co.uk",
        # numbers
        "7", "2.5", "1,000.50", "9:30", "24/7", "1st", "2nd", "100", "555.010.0142",
        # abbreviations
        "Dr.", "Prof.", "e.g.", "i.e.", "vs.", "a.m.", "U.S.", "Ph.D.", "etc.", "Ltd.", "St.", "approx.",
        # emoji
        "😀", "👍🏽", "👩\u200d⚕️", "👨\u200d👩\u200d👧", "🇬🇧", "1\ufe0f\u20e3", "✔\ufe0f", "☎\ufe0f", "➡", "★",
        # others
        "don’t", "patient's", "#relief", "@calder", "leaflet.pdf", ":)", "...", "…", "?!", "café", "中文",
    ],
)  # fmt: skip
def test_one_token(nlp, word):
    assert tokens(nlp, word) == [word]
    assert tokens(nlp, f"see {word} here") == ["see", word, "here"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("We care.", ["We", "care", "."]),
        ("non-invasive", ["non", "-", "invasive"]),
        ("20% off", ["20", "%", "off"]),
        ("£40", ["£", "40"]),
        ("(see https://x.example/a).", ["(", "see", "https://x.example/a", ")", "."]),
        ("info@x.example.", ["info@x.example", "."]),
        ("Go to calder.com!", ["Go", "to", "calder.com", "!"]),
        ("less pain.It helps", ["less", "pain", ".", "It", "helps"]),
        ("😀😀", ["😀", "😀"]),
        ("5.", ["5", "."]),
        ("in 2024, 3.5", ["in", "2024", ",", "3.5"]),
        ("No. 1", ["No", ".", "1"]),
        ("Drs", ["Drs"]),
        ("“Good”", ["“", "Good", "”"]),
        ("a\n\nb", ["a", "\n\n", "b"]),
        ("a   b", ["a", "  ", "b"]),
    ],
)
def test_tokens(nlp, text, expected):
    assert tokens(nlp, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("10mg", ["10", "mg"]), ("2.5mg", ["2.5", "mg"]), ("1,000mg", ["1,000", "mg"]), ("9:30am", ["9:30", "am"])],
)
def test_a_unit_that_touches_its_number_does_not_tear_it(nlp, text, expected):
    assert tokens(nlp, text) == expected


def test_offsets_are_code_points(nlp):
    doc = nlp.make_doc("😀 Dr. Wren")
    assert [(token.text, token.idx) for token in doc] == [("😀", 0), ("Dr.", 2), ("Wren", 6)]


def test_every_listed_abbreviation_keeps_its_full_stop(nlp):
    lists = abbreviations()
    words = sorted(lists["never"] | lists["may_end"] | lists["may_end_before_capital"] | lists["addresses"])
    assert len(words) > 100
    torn = [word for word in words if tokens(nlp, f"x {word}. y") != ["x", f"{word}.", "y"]]
    assert torn == []
    assert [word for word in words if word != word.lower() or word.endswith(".")] == []


def test_abbreviations_lists():
    assert set(abbreviations()) == {
        "never", "may_end", "may_end_before_capital", "addresses", "before_number", "before_amount", "calendar",
        "units", "letter_names", "starters",
    }  # fmt: skip
    assert all(abbreviations().values())


# --- the pipeline ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Don’t", "don't"), ("70%", "00%"), ("2.5", "0.0"), ("ʼS", "'s"), ("CAFÉ", "café"), ("٣", "٣")],
)
def test_norm(text, expected):
    assert norm(text) == expected


@pytest.mark.parametrize(
    "word",
    ["www.x.org", "http://x.example", "https://x.example/a?b=1#c", "calder.com", "Calder.com", "calder.co.uk/book",
     "calder-clinic.health", "calder.com/leaflet.pdf"],
)  # fmt: skip
def test_web_addresses_have_one_norm(nlp, word):
    assert [token.norm_ for token in nlp.make_doc(f"See {word}, please.")] == ["see", "<url>", ",", "please", "."]


@pytest.mark.parametrize("word", ["a@b.co", "jo.wren+web@mail.calder.co.uk", "INFO@Calder.Example"])
def test_email_addresses_have_one_norm(nlp, word):
    assert [token.norm_ for token in nlp.make_doc(f"See {word}, please.")] == ["see", "<email>", ",", "please", "."]


@pytest.mark.parametrize(
    "text",
    ["e.g.", "i.e.", "a.m.", "U.S.", "Ph.D.", "Dr.", "Dr.Smith", "St.Mary", "less pain.It helps", "brochure.pdf",
     "photo.jpg", "index.html", "2.5", "9:30", "555.010.0142", "10.30am", "No.1", "...", "wait...what", "www",
     "@calder", "#relief", "me@home", "and/or", "non-invasive", "<url>", "http"],
)  # fmt: skip
def test_what_is_no_address_keeps_its_words(nlp, text):
    words = nlp.make_doc(f"See {text} now")[1:-1]
    assert words.text == text
    assert [token.norm_ for token in words] == [re.sub("[0-9]", "0", token.text.lower()) for token in words]


def test_tokens_carry_our_norm(nlp):
    doc = nlp.make_doc("We DON’T promise 85 %.")
    assert [token.norm_ for token in doc] == ["we", "don't", "promise", "00", "%", "."]
    assert nlp.vocab["Relief"].norm_ == "relief"
    assert nlp.vocab.lex_attr_getters[NORM] is norm


GERMAN = "Wir behandeln das Knie ohne Operation, ohne Tabletten, ohne Risiko und in wenigen Wochen. "
ENGLISH = "We treat the joint without surgery, and most of our patients walk better within a month. "


@pytest.mark.parametrize("before", ["", "Calder.com/start ", "https://calder.example/a ", "www.calder.example: "])
def test_an_address_does_not_hide_the_language(before):
    assert not looks_english([before + GERMAN])
    assert looks_english([before + ENGLISH])
    # Enough English in a text that begins with an address outweighs the rest.
    assert looks_english([GERMAN * 3, before + ENGLISH])


def test_the_pipeline_has_no_components(nlp):
    assert nlp.pipe_names == []
    assert nlp.lang == "en"


def test_the_shared_pipeline_is_made_once():
    assert shared_pipeline() is shared_pipeline()
    assert create_pipeline() is not create_pipeline()


def test_the_pipeline_survives_bytes(nlp):
    text = "Dr. Wren’s non-invasive care: 2.5 mg, see www.x.example 😀."
    restored = create_pipeline().from_bytes(nlp.to_bytes())
    assert tokens(restored, text) == tokens(nlp, text)
    assert [token.norm_ for token in restored.make_doc(text)] == [token.norm_ for token in nlp.make_doc(text)]
    assert len(tokens(restored, text)) == 14


def test_the_pipeline_survives_a_folder(nlp, tmp_path):
    nlp.to_disk(tmp_path / "pipeline")
    restored = create_pipeline().from_disk(tmp_path / "pipeline")
    assert tokens(restored, "Dr. Wren’s 2.5 mg") == ["Dr.", "Wren’s", "2.5", "mg"]
