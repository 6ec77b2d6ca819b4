"""front_matter.py: what of a Markdown text's front matter search results show."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdclaims.reading import read_bytes

BODY = "# Knees\n\nWe treat knees.\n"


def read(front):
    return read_bytes(f"---\n{front}\n---\n{BODY}".encode(), source="x", format="markdown")


@pytest.mark.parametrize(
    ("front", "expected"),
    [
        ('title: "Knee care"', [("title", "Knee care")]),
        ("title: Knee care: a guide\ntags: [a, b]\ndate: 2024-01-01", [("title", "Knee care: a guide")]),
        ("description: 'It helps.'\ntitle: T", [("title", "T"), ("description", "It helps.")]),
        ("seo:\n  title: Best care\n  description: It works.", [("title", "Best care"), ("description", "It works.")]),
        ("seoTitle: Best\nog:description: It works.", [("title", "Best"), ("description", "It works.")]),
        ("excerpt: >-\n  It works\n  well.\nlayout: post", [("description", "It works well.")]),
        ("summary: |\n  It works.", [("description", "It works.")]),
        ("title: Same\nseo_title: same", [("title", "Same")]),
        ("layout: post\ntitle:\nslug: a", []),
    ],
)
def test_titles_and_descriptions_are_metadata(front, expected):
    page = read(front)
    found = [(block.kind, page.text[block.start : block.end]) for block in page.blocks if block.region == "metadata"]
    assert found == expected
    assert [block.kind for block in page.blocks if block.region != "metadata"] == ["heading", "paragraph"]
    titles = [text for kind, text in expected if kind == "title"]
    assert page.title == (titles[0] if titles else "Knees")


def test_they_stand_in_the_source():
    page = read('title: "Knee care"\ndescription: |\n  It works.')
    for block in page.blocks:
        start, end = page.source_span(block.start, block.end)
        assert page.source_text[start:end] == page.text[block.start : block.end]


@given(st.text(st.sampled_from("title: |>'\"\n -ab"), max_size=60))
def test_any_front_matter_is_read(front):
    assert read(front).text.endswith("We treat knees.")
