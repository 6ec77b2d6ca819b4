"""`mdclaims lsp`, driven by a real language client over stdio."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from datetime import date

import pytest
from helpers import environment, run_cli, run_python
from hypothesis import given, settings
from hypothesis import strategies as st
from language_client import WAIT, Editor, range_in
from lsprotocol import types

from mdclaims.config import ConfigFinder, Settings
from mdclaims.desk.lsp import ClientSettings, client_settings
from mdclaims.desk.lsp_documents import format_in_editor
from mdclaims.errors import ReadError, UsageError
from mdclaims.findings.checking import Checker
from mdclaims.findings.screening import load
from mdclaims.reading import read_bytes

pytestmark = pytest.mark.e2e

DRAFT = """\
# Knee clinic 😀

Shockwave therapy cures every worn knee. Drug addicts 👩‍⚕️ are welcome.

- Cafe\u0301 😀: laser treatment relieves pain for 95% of patients.
- Book your free assessment today!

You may have some bruising for a day or two.

## Skin

Our laser cures 👍 acne for good.
"""
CLAIM = "Shockwave therapy cures every worn knee."
WORDING = "Drug addicts 👩‍⚕️ are welcome."
ITEM = "Cafe\u0301 😀: laser treatment relieves pain for 95% of patients."


def with_editor(tmp_path, work, **given):
    """Run `work(editor)` with an editor in a folder of its own, which no config above reaches."""
    (tmp_path / ".git").mkdir(exist_ok=True)
    options = given.pop("options", ())

    async def main():
        async with Editor(tmp_path, *options, **given) as editor:
            return await work(editor)

    return asyncio.run(main())


def brief(editor, uri, found):
    """Return (code, severity, words) of diagnostics."""
    return [(entry.code, entry.severity.name, editor.words(uri, entry.range)) for entry in found]


# --- diagnostics --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [(None, "utf-16"), (["utf-8", "utf-16"], "utf-8"), (["utf-32"], "utf-32"), (["utf-16", "utf-8"], "utf-16")],
)
def test_diagnostics_stand_on_their_words_in_every_encoding(tmp_path, offered, chosen):
    async def work(editor):
        assert editor.encoding == chosen
        uri = editor.open("a.md", DRAFT)
        return brief(editor, uri, await editor.diagnostics(uri))

    found = with_editor(tmp_path, work, encodings=offered)
    assert ("efficacy_claim", "Warning", "Our laser cures 👍 acne for good.") in found
    assert ("efficacy_claim", "Information", CLAIM) in found
    assert ("stigma_framing", "Information", WORDING) in found
    assert ("efficacy_claim", "Information", ITEM) in found
    assert ("safety_claim", "Hint", "You may have some bruising for a day or two.") in found


def test_diagnostics_are_those_of_check_in_mode_edit(tmp_path):
    (tmp_path / "a.md").write_text(DRAFT, encoding="utf-8")
    result = run_cli("check", "a.md", "-f", "json", "-m", "edit", "-j", "uk", cwd=tmp_path)
    (page,) = json.loads(result.stdout)["pages"]
    severities = {"high": "Warning", "normal": "Information", "info": "Hint"}
    expected = []
    for finding in page["findings"]:
        sentence = page["sentences"][finding["sentence"]]
        place = range_in(DRAFT, sentence["source_start"], sentence["source_end"])
        expected.append((finding["label"] or finding["rules"][0]["id"], severities[finding["priority"]], place))
    assert len(expected) >= 5

    async def work(editor):
        uri = editor.open("a.md", DRAFT)
        return [(entry.code, entry.severity.name, entry.range) for entry in await editor.diagnostics(uri)]

    assert with_editor(tmp_path, work, options=("-j", "uk")) == expected


def test_a_message_says_why_and_what_to_write_and_points_to_what_stands_beside(tmp_path):
    async def work(editor):
        uri = editor.open("a.md", DRAFT)
        return editor, uri, await editor.diagnostics(uri)

    editor, uri, found = with_editor(tmp_path, work, options=("-j", "uk"))
    by_words = {editor.words(uri, entry.range): entry for entry in found}
    claim = by_words[CLAIM]
    assert "promises an end of it (“cures”)" in claim.message
    assert "Possible: check CAP Code 12" in claim.message
    assert "Instead: “Drug addicts” → “People with a substance use disorder”" in by_words[WORDING].message
    heading, risk = by_words[ITEM].related_information
    assert editor.words(uri, heading.location.range) == "Knee clinic 😀"
    assert editor.words(uri, risk.location.range) == "You may have some bruising for a day or two."
    assert {entry.source for entry in found} == {"mdclaims"}


def test_findings_for_information_can_be_hidden(tmp_path):
    async def work(editor):
        uri = editor.open("a.md", DRAFT)
        shown = {entry.severity.name for entry in await editor.diagnostics(uri)}
        return shown, await editor.hover(uri, "You may have")

    assert with_editor(tmp_path, work, settings={"info": "hidden"}) == ({"Warning", "Information"}, None)


def test_what_stands_in_html_is_marked_between_its_neighbours(tmp_path):
    text = "We are here.\n\n<div>\nThe laser cures acne &amp; scars for good.\n</div>\n\nWe are there.\n"

    async def work(editor):
        uri = editor.open("a.md", text)
        (found,) = [entry for entry in await editor.diagnostics(uri) if entry.code == "efficacy_claim"]
        return editor.words(uri, found.range), found.message

    words, message = with_editor(tmp_path, work)
    assert words == "<div>\nThe laser cures acne &amp; scars for good.\n</div>"
    assert "It stands in HTML here: “The laser cures acne & scars for good.”" in message


def test_formats_go_by_suffix_then_language(tmp_path):
    assert format_in_editor("file:///a/b%20c.MD", "plaintext") == "markdown"
    assert format_in_editor("file:///a/b.txt", "markdown") == "text"
    assert format_in_editor("untitled:Untitled-1", "Markdown") == "markdown"
    assert format_in_editor("file:///a/b.py", "python") is None
    assert format_in_editor("file:///a/b.html", "html") is None

    async def work(editor):
        page = editor.open("a.html", f"<p>{CLAIM}</p>", "html")
        new = editor.open("untitled:Untitled-1", CLAIM, "plaintext")
        found = await editor.diagnostics(new)
        return [entry.code for entry in found], editor.published.get(page), list(editor.logged)

    codes, page, logged = with_editor(tmp_path, work)
    assert codes == ["efficacy_claim"]
    assert page is None
    assert any("HTML is not marked" in line for line in logged)


# --- typing -------------------------------------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        "Shockwave therapy cures pain.", "Drug addicts are welcome.", "Call us today!", " ", "\n", "\n\n", "\r\n", "\r",
        "\r\n\r\n", "# ", "- ", "> ", "**", "| a | b |\n|---|---|\n", "[x](y)", "&amp;", "<b>", "<div>\n", "`", "😀",
        "e\u0301", "👩‍⚕️", "\x0c", "\u2028", "\x85", "“", "”", "We may see bruising.", "---\n", "word", "1. ",
        "<!-- mdclaims: ok efficacy_claim, reason: checked -->\n", "[mdclaims: ok call_to_action, reason: ours]\n",
    ]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=12).map("".join)


@pytest.fixture(scope="module")
def typing(tmp_path_factory):
    """An editor that lives as long as the module, with the loop it runs on, and the folder."""
    folder = tmp_path_factory.mktemp("typing")
    (folder / ".git").mkdir()
    with asyncio.Runner() as runner:
        editor = Editor(folder)
        runner.run(editor.__aenter__())
        yield runner, editor
        runner.run(editor.__aexit__(None, None, None))


@pytest.fixture(scope="module")
def whole():
    """Check a whole text as `check --mode edit` does, from its bytes: what an editor must show of it."""
    chosen = Settings(mode="edit")
    screener = load(settings=chosen)

    def expected(text, kind, path):
        checker = Checker(screener, chosen, ConfigFinder(mode="edit"), today=date.today())
        try:
            page = read_bytes(text.encode(), source=str(path), format=kind)
        except ReadError:
            return None
        result = checker.check_page(page, path)
        # As the page counts: a line feed for every line end.
        folded = text.replace("\r\n", "\n").replace("\r", "\n")
        return [
            (finding.name, range_in(folded, *span))
            for finding in result.findings
            if finding.suppressed is None
            and (span := page.source_cover(*result.sentences[finding.sentence].sentence[:2])) is not None
        ]

    return expected


@settings(max_examples=150)
@given(data=st.data(), start=TEXTS, kind=st.sampled_from(["markdown", "text"]))
def test_after_any_edits_the_diagnostics_are_those_of_the_whole_text(typing, whole, data, start, kind):
    runner, editor = typing
    name = "a.md" if kind == "markdown" else "a.txt"

    async def work():
        uri = editor.open(name, start)
        for _ in range(data.draw(st.integers(1, 3), label="messages")):
            text, edits = editor.texts[uri], []
            for _ in range(data.draw(st.integers(1, 3), label="edits")):
                places = [at for at in range(len(text) + 1) if text[at - 1 : at + 1] != "\r\n"]
                one, other = (data.draw(st.sampled_from(places)) for _ in range(2))
                new = data.draw(TEXTS)
                edits.append((min(one, other), max(one, other), new))
                text = text[: edits[-1][0]] + new + text[edits[-1][1] :]
            editor.change(uri, *edits)
            assert editor.texts[uri] == text
            if data.draw(st.booleans(), label="wait"):
                await editor.diagnostics(uri)
        found = await editor.diagnostics(uri)
        editor.close(uri)
        return editor.texts[uri], found

    text, found = runner.run(work())
    expected = whole(text, kind, editor.folder / name)
    findings = [entry for entry in found if isinstance(entry.code, str) and re.match("[a-z]+_[a-z_]+$", entry.code)]
    if expected is None:
        assert findings == []
        return
    mapped = [(entry.code, entry.range) for entry in findings if "It stands in HTML here" not in entry.message]
    assert [entry for entry in mapped if entry[0] != "no_reason"] == expected


def test_quick_typing_is_checked_once_at_its_end(tmp_path):
    async def work(editor):
        uri = editor.open("a.md", DRAFT)
        await editor.diagnostics(uri)
        for letter in "Laser cures acne. ":
            editor.change(uri, (0, 0, letter))
        await editor.diagnostics(uri)
        return [params.version for params in editor.published[uri]], editor.versions[uri]

    versions, last = with_editor(tmp_path, work)
    assert versions[0] == 1
    assert versions[-1] == last == 19
    assert len(versions) < 10


def test_whole_texts_and_edits_of_nothing_known_are_taken(tmp_path):
    async def work(editor):
        uri = editor.open("a.md", "Nothing here.")
        editor.replace(uri, CLAIM)
        assert [entry.code for entry in await editor.diagnostics(uri)] == ["efficacy_claim"]
        editor.texts["file:///nowhere.md"], editor.versions["file:///nowhere.md"] = "", 1
        editor.change("file:///nowhere.md", (0, 0, "x"))
        editor.close("file:///nowhere.md")
        editor.replace(uri, "")
        return await editor.diagnostics(uri), list(editor.shown)

    assert with_editor(tmp_path, work) == ([], [])


def test_closing_clears_what_is_shown(tmp_path):
    async def work(editor):
        uri = editor.open("a.md", DRAFT)
        assert await editor.diagnostics(uri)
        editor.change(uri, (0, 0, "x"))
        editor.close(uri)
        await editor.until(lambda: editor.published[uri][-1].diagnostics in ([], ()))
        again = editor.open("a.md", CLAIM)
        found = await editor.diagnostics(again)
        return len(found), [params.version for params in editor.published[again]]

    assert with_editor(tmp_path, work) == (1, [1])


HOSTILE = [
    "> " * 400 + CLAIM,
    "[" * 20_000,
    "- " * 3_000,
    "\x00\x01\x02\ud800" * 100,
    "<div>" * 3_000 + CLAIM,
    "word " * 100_000,
    "😀" * 20_000,
    "<!--" * 5_000,
    "`" * 9_999 + "\n" + "| " * 5_000,
    "---\n- {a: !!python/object:os.system x}\n---\n" + CLAIM,
]


def test_no_document_ends_the_server(tmp_path):
    async def work(editor):
        uris = [editor.open(f"h{n}.md", text) for n, text in enumerate(HOSTILE)]
        uris += [editor.open(f"h{n}.txt", text, "plaintext") for n, text in enumerate(HOSTILE)]
        results = [await editor.diagnostics(uri) for uri in uris]
        uri = editor.open("good.md", CLAIM)
        return results, [entry.code for entry in await editor.diagnostics(uri)]

    results, good = with_editor(tmp_path, work)
    assert good == ["efficacy_claim"]
    (refused,) = results[0]
    assert "Not checked: it nests lists or quotes more than 50 deep; flatten them" in refused.message
    assert not [entry for found in results for entry in found if "internal error" in entry.message]


# --- hovering -----------------------------------------------------------------------------------------------------


def test_hovering_tells_why_cues_provisions_and_wording_with_its_guide(tmp_path):
    async def work(editor):
        uri = editor.open("a.md", DRAFT)
        claim = await editor.hover(uri, "every worn")
        wording = await editor.hover(uri, "addicts")
        assert editor.words(uri, claim.range) == CLAIM
        return claim.contents, wording.contents, await editor.hover(uri, "# Knee")

    claim, wording, nothing = with_editor(tmp_path, work, options=("-j", "uk"))
    assert nothing is None
    assert claim.kind == types.MarkupKind.Markdown
    assert claim.value.startswith(
        "**Says it works** · look at it · clear\n\n- Why: says that it works, promises an end"
    )
    for line in (r"- Beside it: a risk, ", r"- Check: possible\: check CAP Code 12", "- Ask: ", "- Cues: “Shockwave"):
        assert line in claim.value
    assert re.search(r"- Source: \[CAP Code 12\\\.\d+\]\(<https://\S+>\)", claim.value)
    assert "- Instead: “Drug addicts” → “People with a substance use disorder”" in wording.value
    assert re.search(r"- Source: \[Table of person\\-first terms.*\]\(<https://\S+>\)", wording.value)


def test_a_draft_writes_no_markup_into_what_is_told(tmp_path):
    text = "The laser cures acne [x](command:evil) ![i](y.png) <b>`for` **good**.\n\nHeading *one*\n"

    async def work(editor):
        uri = editor.open("a.txt", text, "plaintext")
        return (await editor.hover(uri, "laser")).contents.value

    told = with_editor(tmp_path, work)
    assert not re.search(r"(?<!\\)[\[!<`](?!https|Table)", told.replace("\n- Source", ""))


def test_a_client_without_markdown_is_told_plain_text(tmp_path):
    async def work(editor):
        uri = editor.open("a.md", DRAFT)
        return (await editor.hover(uri, "addicts")).contents

    found = with_editor(tmp_path, work, markdown=False)
    assert found.kind == types.MarkupKind.PlainText
    assert found.value.startswith("Wording about people · look at it")
    assert "\\" not in found.value


# --- code actions -------------------------------------------------------------------------------------------------

WRITE = "Write “People with a substance use disorder” in place of “Drug addicts”"
FINE = "Mark as fine, with a reason: "


@pytest.mark.parametrize("versioned", [True, False])
def test_the_suggested_wording_is_written(tmp_path, versioned):
    async def work(editor):
        uri = editor.open("a.md", DRAFT)
        found = await editor.actions(uri, "addicts")
        editor.apply(uri, found[WRITE])
        assert (found[WRITE].kind, found[WRITE].is_preferred) == (types.CodeActionKind.QuickFix, True)
        (about,) = found[WRITE].diagnostics
        assert about.code == "stigma_framing"
        codes = [entry.code for entry in await editor.diagnostics(uri)]
        return editor.texts[uri], codes, await editor.actions(uri, "assessment", only=["refactor"])

    text, codes, others = with_editor(tmp_path, work, versioned=versioned)
    assert text == DRAFT.replace("Drug addicts", "People with a substance use disorder")
    assert "stigma_framing" not in codes
    assert others == {}


def test_no_edit_is_offered_where_markup_stands_among_the_words(tmp_path):
    async def work(editor):
        uri = editor.open("a.md", "*Drug* addicts are welcome.\n")
        return list(await editor.actions(uri, "addicts"))

    assert with_editor(tmp_path, work) == [f"{FINE}wording about people"]


PLACES = {
    "paragraph": ("a.md", "# Title\n\nWe are here.\n\nThe laser cures\nacne for good. And so on.\n\nThe end.\n"),
    "heading": ("a.md", "## The laser cures acne for good #\n\nThe laser heals.\n"),
    "setext": ("a.md", "The laser cures acne for good\n=====\n\nThe laser heals.\n"),
    "item": ("a.md", "# T\n\n1. We are here.\n2. The laser cures acne for good.\n3. The laser heals acne.\n"),
    "loose item": ("a.md", "- One.\n\n  Two.\n\n- **The laser cures acne for good.**\n\n  Three.\n"),
    "cell": ("a.md", "| a | b |\n|---|---|\n| One | The laser cures acne for good. |\n"),
    "quote": ("a.md", "> The laser cures\n> acne for good.\n\nThe laser heals acne.\n"),
    "link": ("a.md", "See [The laser cures acne for good](https://clinic.example/a).\n"),
    "front matter": ("a.md", "---\ntitle: x\n---\nThe laser cures acne for good.\n"),
    "carriage returns": ("a.md", "# Title\r\n\r\nThe laser cures acne for good.\r\n"),
    "plain": ("a.txt", "Title\n\nWe are here.\n\nThe laser cures acne for good. And so on.\n\nThe laser heals acne.\n"),
    "plain item": ("a.txt", "Title\n\n- One laser is ours.\n- The laser cures acne for good.\n- Three are theirs.\n"),
    "plain lines": ("a.txt", "The laser cures acne for good"),
}


@pytest.fixture(scope="module")
def marking(tmp_path_factory):
    folder = tmp_path_factory.mktemp("marking")
    (folder / ".git").mkdir()
    with asyncio.Runner() as runner:
        editor = Editor(folder)
        runner.run(editor.__aenter__())
        yield runner, editor
        runner.run(editor.__aexit__(None, None, None))


@pytest.mark.parametrize(("name", "text"), PLACES.values(), ids=PLACES)
def test_a_finding_is_marked_as_fine_wherever_it_stands(marking, name, text):
    runner, editor = marking

    async def work():
        uri = editor.open(name, text)
        before = brief(editor, uri, await editor.diagnostics(uri))
        titles = await editor.actions(uri, "cures")
        editor.apply(uri, titles[f"{FINE}says it works"])
        told = brief(editor, uri, await editor.diagnostics(uri))
        # The directive has no reason yet: the finding stays, and the editor says what is missing.
        assert [entry for entry in told if entry[0] != "no_reason"] == before
        (missing,) = [entry for entry in told if entry[0] == "no_reason"]
        assert missing[1] == "Warning"
        at = re.search("reason: ", editor.texts[uri]).end()
        editor.change(uri, (at, at, "checked by Ann, with care"))
        after = brief(editor, uri, await editor.diagnostics(uri))
        hovered = await editor.hover(uri, "cures")
        editor.close(uri)
        return before, after, hovered.contents.value

    before, after, hovered = runner.run(work())
    marked = [entry for entry in before if entry[0] == "efficacy_claim" and "cures" in entry[2]]
    assert len(marked) == 1
    assert after == [entry for entry in before if entry not in marked]
    assert r"- Not counted: marked as fine\: checked by Ann, with care" in hovered


def test_an_editor_that_asks_for_the_reason_is_told_where_to_write_it(tmp_path):
    async def work(editor):
        uri = editor.open("a.md", DRAFT)
        action = (await editor.actions(uri, "cures"))[f"{FINE}says it works"]
        return uri, action

    uri, action = with_editor(tmp_path, work, settings={"mdclaims": {"askReason": True}})
    assert action.edit is None
    assert action.command.command == "mdclaims.askReason"
    (argument,) = action.command.arguments
    assert argument == {
        "uri": uri,
        "version": 1,
        "position": {"line": 2, "character": 0},
        "before": "<!-- mdclaims: ok efficacy_claim, reason: ",
        "after": " -->\n",
    }


def test_directives_that_do_nothing_or_are_wrong_are_marked_on_their_line(tmp_path):
    text = "# T\n\n<!-- mdclaims: ok safety_claim, reason: x -->\nWe are here.\n\nAnd <!-- mdclaims: fine --> there.\n"

    async def work(editor):
        uri = editor.open("a.md", text)
        return brief(editor, uri, await editor.diagnostics(uri))

    assert with_editor(tmp_path, work) == [
        ("unused", "Information", "<!-- mdclaims: ok safety_claim, reason: x -->"),
        ("malformed", "Warning", "And <!-- mdclaims: fine --> there."),
    ]


# --- configuration ------------------------------------------------------------------------------------------------


def test_the_config_above_a_draft_counts_and_is_read_again(tmp_path):
    (tmp_path / "site").mkdir()
    config = tmp_path / "mdclaims.toml"
    config.write_text('labels = ["stigma_framing"]\n')

    async def work(editor):
        uri = editor.open("site/a.md", DRAFT)
        seen = [{entry.code for entry in await editor.diagnostics(uri)}]
        config.write_text('labels = ["call_to_action"]\nmode = "screen"\n')
        editor.change(uri, (0, 0, " "))
        seen.append({entry.code for entry in await editor.diagnostics(uri)})
        (tmp_path / "site" / "pyproject.toml").write_text('[tool.mdclaims]\nlabels = ["safety_claim"]\n')
        count = len(editor.published[uri])
        editor.save(uri)
        await editor.until(lambda: len(editor.published[uri]) > count)
        seen.append({entry.code for entry in await editor.diagnostics(uri)})
        return seen, list(editor.logged)

    seen, logged = with_editor(tmp_path, work)
    assert seen == [{"stigma_framing"}, {"call_to_action"}, {"safety_claim"}]
    assert [line.split(" (")[0] for line in logged] == ["Mode: edit", "Mode: screen"]


def test_a_wrong_config_is_told_once_and_the_server_goes_on(tmp_path):
    config = tmp_path / "mdclaims.toml"
    config.write_text('mod = "edit"\n')

    async def work(editor):
        uri, other = editor.open("a.md", DRAFT), editor.open("b.md", DRAFT)
        assert await editor.diagnostics(uri) == []
        for _ in range(3):
            editor.change(uri, (0, 0, " "))
            assert await editor.diagnostics(uri) == []
        assert await editor.diagnostics(other) == []
        assert await editor.hover(uri, "cures") is None
        config.write_text('mode = "edit"\n')
        editor.change(uri, (0, 0, " "))
        found = await editor.diagnostics(uri)
        # The other document is checked anew as well, without a key press.
        await editor.until(lambda: editor.published[other][-1].diagnostics)
        config.write_text("mode = \n")
        editor.change(uri, (0, 0, " "))
        await editor.until(lambda: len(editor.shown) > 1)
        return found, list(editor.shown)

    found, shown = with_editor(tmp_path, work)
    assert found
    assert len(shown) == 2
    assert "mdclaims.toml has the unknown key 'mod'" in shown[0]
    assert "is not valid TOML" in shown[1]


def test_cleared_wording_counts_and_a_watching_client_needs_no_key_press(tmp_path):
    async def work(editor):
        await editor.until(lambda: editor.registered == ["workspace/didChangeWatchedFiles"])
        uri = editor.open("a.md", CLAIM)
        assert [entry.code for entry in await editor.diagnostics(uri)] == ["efficacy_claim"]
        (tmp_path / "mdclaims-cleared.toml").write_text(
            f'[[cleared]]\nlabel = "efficacy_claim"\ntext = "{CLAIM}"\nscope = "everywhere"\nreason = "ours"\n'
        )
        changes = [types.FileEvent(editor.uri("mdclaims-cleared.toml"), types.FileChangeType.Created)]
        editor.client.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams(changes))
        await editor.until(lambda: not editor.published[uri][-1].diagnostics)
        return (await editor.hover(uri, "cures")).contents.value

    told = with_editor(tmp_path, work, watches=True)
    assert r"- Not counted: cleared\: ours" in told


def test_settings_of_the_editor_go_before_options_and_they_before_a_config(tmp_path):
    (tmp_path / "mdclaims.toml").write_text('mode = "balanced"\njurisdictions = ["us"]\n')

    async def work(editor):
        uri = editor.open("a.md", DRAFT)
        await editor.diagnostics(uri)
        for change in ({"mdclaims": {"jurisdictions": ["au"]}}, {"mdclaims": {"mode": None, "jurisdictions": []}}):
            count = len(editor.logged)
            editor.client.workspace_did_change_configuration(types.DidChangeConfigurationParams(change))
            await editor.until(lambda count=count: len(editor.logged) > count)
        editor.client.workspace_did_change_configuration(types.DidChangeConfigurationParams({"mode": "loud"}))
        await editor.until(lambda: editor.shown)
        return list(editor.logged), list(editor.shown)

    logged, shown = with_editor(tmp_path, work, options=("-j", "uk"), settings={"mode": "screen"})
    assert logged == [
        "Mode: screen (few missed statements). Jurisdictions: United Kingdom.",
        "Mode: screen (few missed statements). Jurisdictions: Australia.",
        "Mode: balanced (between few false alarms and few misses). Jurisdictions: United States.",
    ]
    assert shown == ["mdclaims: editor settings: unknown mode 'loud'; choose one of balanced, edit, screen"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "must be a table"),
        ({"mood": 1}, "unknown key 'mood'"),
        ({"jurisdictions": "uk"}, "must be a list"),
        ({"jurisdictions": ["xx"]}, "unknown jurisdiction 'xx'"),
        ({"jurisdictions": [1]}, "must be a list"),
        ({"mode": ["edit"]}, "unknown mode"),
        ({"info": "loud"}, "info must be one of hint, hidden"),
        ({"askReason": 1}, "askReason must be true or false"),
    ],
)
def test_wrong_settings_of_an_editor_are_named(given, said):
    with pytest.raises(UsageError, match=re.escape(said)):
        client_settings(given, ClientSettings())


# --- the process --------------------------------------------------------------------------------------------------


def test_without_its_extra_one_line_says_how_to_install_it(tmp_path):
    code = "import sys; sys.modules['pygls'] = None; from mdclaims.cli import run; sys.exit(run(['lsp']))"
    result = run_python("-c", code, cwd=tmp_path)
    assert result.returncode == 2
    (line,) = result.stderr.decode().splitlines()
    assert line == 'mdclaims: the language server needs an extra; install it with: pip install "mdclaims[lsp]"'


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--config", "none.toml"), "config none.toml cannot be read"),
        (("--model", "none"), "none"),
        (("--trust-model",), "--trust-model needs --model DIR"),
    ],
)
def test_wrong_usage_is_said_before_an_editor_is_served(tmp_path, options, said):
    result = run_cli("lsp", *options, cwd=tmp_path)
    assert result.returncode == 2
    assert result.stdout == b""
    (line,) = result.stderr.decode().splitlines()
    assert said in line


def test_a_client_that_is_gone_ends_the_server(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "mdclaims", "lsp"],
        cwd=tmp_path, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    out, err = process.communicate(b"Content-Length: 20\r\n\r\n{this is no JSON at!", timeout=WAIT)
    assert process.returncode == 0
    assert b"Traceback" not in out
    assert b"internal error" not in err


def test_neither_the_server_of_pages_nor_the_command_line_is_imported():
    code = "import sys, mdclaims.desk.lsp; print(*sorted(name for name in sys.modules if name.startswith('mdclaims.')))"
    loaded = run_python("-c", code).stdout.decode().split()
    assert "mdclaims.desk.lsp_answers" in loaded
    assert not [name for name in loaded if name.startswith(("mdclaims.cli", "mdclaims.desk.web", "mdclaims.cases"))]
