"""The config: where it is found, what its keys mean, and that no file does more than give one clear error."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdclaims.config import KEYS, Config, ConfigFinder, Settings, differing_key, find_upwards, load_config, read_toml
from mdclaims.errors import UsageError
from mdclaims.labels import LABELS, PRIORITIES, label_info

TEMPLATE = (files("mdclaims") / "data" / "templates" / "mdclaims.toml").read_text(encoding="utf-8")


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A repository with a folder of drafts in it, and a config beside the repository that must not count."""
    write(tmp_path / "mdclaims.toml", 'mode = "screen"')
    (tmp_path / "repository" / ".git").mkdir(parents=True)
    write(tmp_path / "repository" / "site" / "drafts" / "a.md", "Hello.")
    monkeypatch.chdir(tmp_path / "repository")
    return tmp_path / "repository"


def mode_for(tree, name="site/drafts/a.md"):
    return ConfigFinder().config_of(tree / name).settings.mode


# --- finding ----------------------------------------------------------------------------------------------------


def test_the_search_ends_at_the_root_of_a_repository(tree):
    assert mode_for(tree) == "balanced"
    (tree / ".git").rmdir()
    assert mode_for(tree) == "screen"


def test_a_worktree_is_a_repository_too(tree):
    (tree / ".git").rmdir()
    write(tree / ".git", "gitdir: elsewhere")
    assert mode_for(tree) == "balanced"


@pytest.mark.parametrize("place", ["", "site", "site/drafts"])
def test_a_config_is_found_upwards(tree, place):
    write(tree / place / "mdclaims.toml", 'mode = "edit"')
    assert mode_for(tree) == "edit"


def test_the_nearest_config_holds_alone(tree):
    write(tree / "mdclaims.toml", 'mode = "edit"')
    write(tree / "site" / "mdclaims.toml", "max_chars = 7")
    settings = ConfigFinder().config_of(tree / "site/drafts/a.md").settings
    assert (settings.mode, settings.limits.max_chars) == ("balanced", 7)


def test_our_own_file_goes_before_a_pyproject(tree):
    write(tree / "site" / "pyproject.toml", '[tool.mdclaims]\nmode = "screen"')
    assert mode_for(tree) == "screen"
    write(tree / "site" / "mdclaims.toml", 'mode = "edit"')
    assert mode_for(tree) == "edit"


@pytest.mark.parametrize("text", ["[project]\nname = 'x'", "not = = toml", "[tool.other]\nmdclaims = 1", ""])
def test_a_pyproject_that_does_not_speak_to_us_is_passed_over(tree, text):
    write(tree / "mdclaims.toml", 'mode = "edit"')
    write(tree / "site" / "pyproject.toml", text)
    assert mode_for(tree) == "edit"


def test_a_damaged_pyproject_that_speaks_to_us_is_an_error(tree):
    write(tree / "site" / "pyproject.toml", "[tool.mdclaims\nmode = 1")
    with pytest.raises(UsageError, match=r"config .*pyproject\.toml is not valid TOML"):
        mode_for(tree)


def test_standard_input_has_the_config_of_the_working_folder(tree, monkeypatch):
    write(tree / "site" / "mdclaims.toml", 'mode = "edit"')
    assert ConfigFinder().config_of(None).settings.mode == "balanced"
    monkeypatch.chdir(tree / "site" / "drafts")
    assert ConfigFinder().config_of(None).settings.mode == "edit"


def test_an_explicit_config_replaces_the_search(tree):
    write(tree / "site" / "mdclaims.toml", "damaged = = ")
    other = write(tree / "other.toml", 'mode = "edit"')
    assert ConfigFinder(other).config_of(tree / "site/drafts/a.md").settings.mode == "edit"


def test_the_command_line_wins_over_every_config(tree):
    from dataclasses import replace

    write(tree / "site" / "mdclaims.toml", 'mode = "edit"\nlabels = ["call_to_action"]')
    finder = ConfigFinder(adjust=lambda settings: replace(settings, mode="screen"))
    for name in ("site/drafts/a.md", "b.md"):
        assert finder.config_of(tree / name).settings.mode == "screen"
    assert finder.config_of(tree / "site/drafts/a.md").settings.labels == ("call_to_action",)


def test_a_config_is_read_once(tree, monkeypatch):
    from mdclaims import config as module

    write(tree / "mdclaims.toml", 'mode = "edit"')
    calls = []
    monkeypatch.setattr(module, "load_config", lambda path, **given: calls.append(path) or load_config(path, **given))
    finder = ConfigFinder()
    for name in ("a.md", "site/b.md", "site/drafts/c.md", "site/drafts/d.md"):
        assert finder.config_of(tree / name).settings.mode == "edit"
    assert calls == [Path("mdclaims.toml")]


def test_the_mode_where_neither_config_nor_command_line_says_one(tree):
    assert ConfigFinder(mode="edit").config_of(tree / "a.md").settings.mode == "edit"
    write(tree / "mdclaims.toml", 'labels = ["safety_claim"]')
    assert ConfigFinder(mode="edit").config_of(tree / "a.md").settings.mode == "edit"
    write(tree / "mdclaims.toml", 'mode = "screen"')
    assert ConfigFinder(mode="edit").config_of(tree / "a.md").settings.mode == "screen"
    assert ConfigFinder().config_of(tree / "a.md").settings.mode == "screen"


def test_find_upwards_ends_without_a_repository(tmp_path):
    asked = []
    assert find_upwards(tmp_path / "a", lambda place: asked.append(place)) is None
    assert asked[0] == tmp_path / "a"
    assert asked[-1] == Path(tmp_path.anchor)


# --- exclude ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patterns", "left_out", "kept"),
    [
        (["archive/"], ["archive/a.md", "x/archive/b/c.md"], ["archive.md", "x/a.md"]),
        (["/archive/"], ["archive/a.md"], ["x/archive/a.md"]),
        (["*.old.md", "!keep.old.md"], ["a.old.md", "x/b.old.md"], ["keep.old.md", "old.md"]),
        (["drafts/**/tmp-*"], ["drafts/tmp-1.md", "drafts/a/b/tmp-2.md"], ["tmp-1.md"]),
        ([], [], ["a.md"]),
    ],
)
def test_exclude_reads_as_a_gitignore(tmp_path, patterns, left_out, kept):
    config = Config(path=tmp_path / "mdclaims.toml", exclude=tuple(patterns))
    assert [name for name in (*left_out, *kept) if config.excludes(tmp_path / name)] == left_out


def test_exclude_reaches_no_further_than_its_folder(tmp_path):
    config = Config(path=tmp_path / "site" / "mdclaims.toml", exclude=("*",))
    assert config.excludes(tmp_path / "site" / "a.md")
    assert not config.excludes(tmp_path / "a.md")


def test_no_pattern_takes_long(tmp_path):
    config = load_config(write(tmp_path / "c.toml", f'exclude = ["{"*a" * 60}*b", "{"**/" * 60}b"]'))
    assert not config.excludes(tmp_path / ("a/" * 100) / ("a" * 200))  # in years, if it went back over what it tried


# --- severities -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        '[severities]\n"call_to_action.presses" = "info"',
        '[severities]\ncall_to_action.presses = "info"',
        '[severities.call_to_action]\npresses = "info"',
        'severities = { "call_to_action.presses" = "info" }',
    ],
)
def test_severities_can_be_written_as_toml_likes_it(tmp_path, text):
    settings = load_config(write(tmp_path / "c.toml", text)).settings
    assert settings.severities == (("call_to_action.presses", "info"),)


@pytest.mark.parametrize("value", ['"house.toml"', '["house.toml"]'])
def test_wording_is_a_file_or_several(tmp_path, value):
    settings = load_config(write(tmp_path / "c.toml", f"wording = {value}")).settings
    assert settings.wording == (tmp_path / "house.toml",)


def test_a_stance_goes_before_its_label(tmp_path):
    text = '[severities]\n"call_to_action.presses" = "high"\ncall_to_action = "info"'
    settings = load_config(write(tmp_path / "c.toml", text)).settings
    assert dict(settings.severities) == {"call_to_action.presses": "high", "call_to_action.signposts": "info"}


# --- wrong files ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("severities = 3", "severities must be a table"),
        ('[severities]\n"x.presses" = "info"', "severities: unknown label in 'x.presses'"),
        ('[severities]\n"call_to_action.x" = "info"', "call_to_action has presses, signposts"),
        ('[severities]\ncall_to_action = "low"', "must be one of high, normal, info, not 'low'"),
        ("[severities]\ncall_to_action = 3", "must be one of high, normal, info, not 3"),
        ("cues = 'a.toml'", "cues must be a list of files"),
        ("wording = 3", "wording must be a list of files"),
        ("wording = ['a.toml', 3]", "wording must be a list of files"),
        ("exclude = [3]", "exclude must be a list of paths"),
        ('exclude = ["!"]', "exclude: '!' is no pattern as in a .gitignore"),
        ('exclude = ["a[z-a]"]', "is no pattern as in a .gitignore"),
        (f'exclude = ["{"x" * 1001}"]', "1,000 characters at most"),
        ("a = " + "[" * 50_000, "nested too deep"),
        ("a = " + "9" * 50_000, "is not valid TOML"),
        (".".join(["a"] * 50_000) + " = 1", "more than 500 full stops"),
        ("#" * 1_000_001, "more than 1,000,000 bytes"),
        ("mode = 'x\\ny'", "unknown mode"),
        ('"a\\nb" = 1', "unknown key"),
    ],
    ids=lambda value: value[:30],
)
def test_a_wrong_config_names_file_and_key(tmp_path, text, message):
    file = write(tmp_path / "c.toml", text)
    with pytest.raises(UsageError) as caught:
        load_config(file)
    assert str(file) in str(caught.value)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 1000


VALUES = st.recursive(
    st.one_of(
        st.booleans(), st.integers(), st.text(max_size=8), st.sampled_from([*LABELS, *PRIORITIES, "edit", "*.md", "!"])
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from([*LABELS, "call_to_action.presses", "x"]), inner, max_size=3),
    ),
    max_leaves=6,
)


def toml(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(c):08x}" if not "\ud800" <= c <= "\udfff" else "?" for c in value) + '"'
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return "{" + ", ".join(f"{toml(key)} = {toml(entry)}" for key, entry in value.items()) + "}"


def result_or_one_error(path):
    """Return True for a result, False for one clear error line; anything else fails."""
    try:
        config = load_config(path)
    except UsageError as error:
        told = str(error)
    else:
        assert isinstance(config.settings, Settings)
        config.excludes(path.parent / "a.md")
        return True
    assert str(path) in told
    return False


@given(st.dictionaries(st.sampled_from([*KEYS, "other"]), VALUES, max_size=4))
def test_any_config_gives_a_result_or_one_clear_error(tmp_path_factory, table):
    text = "\n".join(f"{key} = {toml(value)}" for key, value in table.items())
    result_or_one_error(write(tmp_path_factory.mktemp("any") / "c.toml", text))


@given(st.binary(max_size=60))
def test_any_bytes_give_a_result_or_one_clear_error(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("any") / "c.toml"
    path.write_bytes(data)
    result_or_one_error(path)


def test_the_property_meets_both_ends(tmp_path):
    assert result_or_one_error(write(tmp_path / "a.toml", 'exclude = ["*.md"]'))
    assert not result_or_one_error(write(tmp_path / "b.toml", "x = 1"))


def test_a_byte_order_mark_is_no_error(tmp_path):
    (tmp_path / "c.toml").write_bytes(b'\xef\xbb\xbfmode = "edit"')
    assert load_config(tmp_path / "c.toml").settings.mode == "edit"


def test_read_toml_names_what_it_read(tmp_path):
    with pytest.raises(UsageError, match=r"wordings .*gone\.toml cannot be read"):
        read_toml(tmp_path / "gone.toml", what="wordings")


# --- one report -------------------------------------------------------------------------------------------------


def test_differing_key():
    one = Settings()
    assert differing_key(one, Settings(severities=(("call_to_action.presses", "info"),), cues=(Path("x"),))) is None
    assert differing_key(one, Settings(mode="edit")) == "mode"
    assert differing_key(one, Settings(labels=LABELS[:1])) == "labels"


# --- the template of `init` -------------------------------------------------------------------------------------


def template_with_everything():
    return re.sub(r'(?m)^# (?=[a-z_]+ = |\[|")', "", TEMPLATE)


def test_every_key_of_the_template_is_true(tmp_path):
    write(tmp_path / "my_cues.toml", "")
    config = load_config(write(tmp_path / "mdclaims.toml", template_with_everything()))
    default = Settings()
    given = {key for key in tomllib.loads(template_with_everything()) if key != "severities"}
    assert given == set(KEYS) - {"severities"}
    for entry in fields(Settings):
        if entry.name not in {"severities", "cues", "wording", "jurisdictions"}:
            assert getattr(config.settings, entry.name) == getattr(default, entry.name), entry.name
    assert config.settings.cues == (tmp_path / "my_cues.toml",)
    assert config.settings.wording == (tmp_path / "house.toml",)
    assert dict(config.settings.severities) == {
        "call_to_action.presses": "info",
        **{f"stigma_framing.{stance}": "high" for stance in label_info()["stigma_framing"].stances},
    }
    assert config.exclude == ("archive/", "*.old.md")


def test_the_template_as_it_is_changes_nothing(tmp_path):
    assert load_config(write(tmp_path / "mdclaims.toml", TEMPLATE)).settings == Settings()


def test_every_key_is_in_the_documentation():
    text = (Path(__file__).parents[1] / "docs" / "config.md").read_text(encoding="utf-8")
    for key in KEYS:
        assert f"| `{key}` |" in text, key
    for label, info in label_info().items():
        assert f"`{label}`: " + ", ".join(f"`{stance}`" for stance in info.stances) in " ".join(text.split()), label
