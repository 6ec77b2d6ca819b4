"""Links with text fragments: what a browser needs to find the sentence again."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdclaims.cases.exhibits import fragment_link

PAGE = "https://clinic.example/knee"


@pytest.mark.parametrize(
    ("text", "directive"),
    [
        ("Relief at last", "Relief%20at%20last"),
        ("Fast-acting, safe & sure", "Fast%2Dacting%2C%20safe%20%26%20sure"),
        ("Call us\ntoday", "Call%20us,today"),
        ("100 % é", "100%20%25%20%C3%A9"),
    ],
)
def test_fragment_link_encodes(text, directive):
    assert fragment_link(f"{PAGE}#top", text) == f"{PAGE}#:~:text={directive}"


def test_fragment_link_names_long_quotes_by_their_ends():
    words = [f"word{number}" for number in range(100)]
    link = fragment_link(PAGE, " ".join(words))
    start, end = link.partition("#:~:text=")[2].split(",")
    assert unquote(start).split() == words[:6]
    assert unquote(end).split() == words[-6:]


@given(st.text(min_size=1).filter(lambda text: text.strip()))
def test_fragment_link_holds_no_sign_of_its_own(text):
    directive = fragment_link(PAGE, text).removeprefix(f"{PAGE}#:~:text=")
    assert directive
    assert directive.count(",") <= 1
    assert "-" not in directive
    assert "&" not in directive
