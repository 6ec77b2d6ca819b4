"""The datasheet's figures: put between its marks, and nowhere else."""

import pytest
from helpers import tiny_documents

from mdclaims.errors import CorpusError
from mdclaims.model.figures import corpus_figures, replace_figures


def test_figures_count_what_is_there():
    text = corpus_figures(tiny_documents())
    assert "| all | 14 | 14 | 71 |" in text
    assert "over 71 sentences" in text


def test_figures_replace_what_stands_between_the_marks(tmp_path):
    file = tmp_path / "sheet.md"
    file.write_text("a\n<!-- figures -->\nold\n<!-- /figures -->\nz\n", encoding="utf-8")
    replace_figures(file, "new\n")
    assert file.read_text(encoding="utf-8") == "a\n<!-- figures -->\nnew\n<!-- /figures -->\nz\n"


@pytest.mark.parametrize("text", ["", "<!-- figures -->\n", "<!-- /figures -->"])
def test_figures_need_their_marks(text, tmp_path):
    file = tmp_path / "sheet.md"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(CorpusError, match="must hold the lines"):
        replace_figures(file, "new")
    assert file.read_text(encoding="utf-8") == text


def test_figures_name_a_file_that_is_not_there(tmp_path):
    with pytest.raises(CorpusError, match="cannot be read"):
        replace_figures(tmp_path / "gone.md", "new")
