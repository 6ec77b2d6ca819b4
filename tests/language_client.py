"""An editor for tests and benches: a real language client that starts `mdclaims lsp` and speaks with it over stdio."""

from __future__ import annotations

import asyncio
import re
import sys
import time

from helpers import ROOT, environment
from lsprotocol import types
from pygls.lsp.client import LanguageClient
from pygls.protocol import default_converter

CODECS = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}
WAIT = 60  # seconds until a test gives up on an answer


def converter():
    """Return pygls's converter, which takes an action that has a command for that command (lsprotocol 2025.0)."""
    made = default_converter()

    def action(given, _):
        kind = types.Command if isinstance(given.get("command"), str) else types.CodeAction
        return made.structure(given, kind)

    made.register_structure_hook(types.Command | types.CodeAction, action)
    return made


class Editor:
    """An editor with one server. It keeps the text of its documents itself, by code points.

    Parameters
    ----------
    folder : Path
        The workspace.
    options : tuple of str
        Of `mdclaims lsp`.
    settings : dict, optional
        The initialization options.
    encodings : list of str, optional
        The position encodings that it offers.
    """

    def __init__(self, folder, *options, settings=None, encodings=None, markdown=True, versioned=True, watches=False):
        self.folder = folder
        self.options = options
        self.settings = settings
        self.encodings = encodings
        self.markdown = markdown
        self.versioned = versioned
        self.watches = watches
        self.encoding = "utf-16"
        self.texts: dict[str, str] = {}
        self.versions: dict[str, int] = {}
        self.published: dict[str, list[types.PublishDiagnosticsParams]] = {}
        self.times: dict[tuple[str, int], float] = {}
        self.shown: list[str] = []
        self.logged: list[str] = []
        self.registered: list[str] = []

    async def __aenter__(self):
        self.news = asyncio.Event()
        self.client = LanguageClient("tests", "1", converter_factory=converter)
        self.client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)(lambda params: self._take(params))
        self.client.feature(types.WINDOW_SHOW_MESSAGE)(lambda params: self._hear(self.shown, params.message))
        self.client.feature(types.WINDOW_LOG_MESSAGE)(lambda params: self._hear(self.logged, params.message))
        self.client.feature(types.CLIENT_REGISTER_CAPABILITY)(
            lambda params: self._hear(self.registered, *(entry.method for entry in params.registrations))
        )
        await self.client.start_io(
            sys.executable, "-m", "mdclaims", "lsp", "--stdio", *self.options, cwd=self.folder, env=environment()
        )
        result = await self.client.initialize_async(
            types.InitializeParams(
                capabilities=self._capabilities(),
                workspace_folders=[types.WorkspaceFolder(self.folder.as_uri(), "tests")],
                initialization_options=self.settings,
            )
        )
        self.capabilities = result.capabilities
        chosen = result.capabilities.position_encoding
        self.encoding = str(getattr(chosen, "value", chosen) or "utf-16")
        self.client.initialized(types.InitializedParams())
        return self

    async def __aexit__(self, *_):
        await asyncio.wait_for(self.client.shutdown_async(None), WAIT)
        self.client.exit(None)
        await asyncio.wait_for(self.client.stop(), WAIT)
        self.stderr = (await self.client._server.stderr.read()).decode()
        assert "Traceback" not in self.stderr, self.stderr

    def _capabilities(self):
        content = [types.MarkupKind.Markdown] if self.markdown else [types.MarkupKind.PlainText]
        return types.ClientCapabilities(
            general=types.GeneralClientCapabilities(position_encodings=self.encodings),
            text_document=types.TextDocumentClientCapabilities(
                hover=types.HoverClientCapabilities(content_format=content),
                publish_diagnostics=types.PublishDiagnosticsClientCapabilities(related_information=True),
            ),
            workspace=types.WorkspaceClientCapabilities(
                workspace_edit=types.WorkspaceEditClientCapabilities(document_changes=self.versioned),
                did_change_watched_files=types.DidChangeWatchedFilesClientCapabilities(
                    dynamic_registration=self.watches
                ),
            ),
        )

    # --- what the server says -------------------------------------------------------------------------------------

    def _take(self, params):
        if params.version is not None:
            self.times.setdefault((params.uri, params.version), time.perf_counter())
        self.published.setdefault(params.uri, []).append(params)
        self.news.set()

    def _hear(self, where, *messages):
        where.extend(messages)
        self.news.set()

    async def until(self, holds):
        """Wait for messages until something holds."""
        end = time.monotonic() + WAIT
        while not holds():
            self.news.clear()
            await asyncio.wait_for(self.news.wait(), end - time.monotonic())

    async def diagnostics(self, uri):
        """Return the diagnostics of a document's text as it is now."""
        await self.until(lambda: self.published.get(uri) and self.published[uri][-1].version == self.versions[uri])
        return list(self.published[uri][-1].diagnostics)

    # --- documents ------------------------------------------------------------------------------------------------

    def uri(self, name):
        return (self.folder / name).as_uri()

    def open(self, name, text, language="markdown"):
        uri = name if ":" in name else self.uri(name)
        self.texts[uri], self.versions[uri] = text, 1
        self.published.pop(uri, None)
        self.client.text_document_did_open(
            types.DidOpenTextDocumentParams(types.TextDocumentItem(uri, language, 1, text))
        )
        return uri

    def change(self, uri, *edits):
        """Change a document: each edit is (start, end, new text), by code points of the text before it."""
        changes = []
        for start, end, new in edits:
            changes.append(types.TextDocumentContentChangePartial(self.range(uri, start, end), new))
            self.texts[uri] = self.texts[uri][:start] + new + self.texts[uri][end:]
        self.versions[uri] += 1
        self.client.text_document_did_change(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(uri=uri, version=self.versions[uri]), changes
            )
        )

    def replace(self, uri, text):
        """Send a document's whole text."""
        self.texts[uri] = text
        self.versions[uri] += 1
        self.client.text_document_did_change(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(uri=uri, version=self.versions[uri]),
                [types.TextDocumentContentChangeWholeDocument(text)],
            )
        )

    def save(self, uri):
        self.client.text_document_did_save(types.DidSaveTextDocumentParams(types.TextDocumentIdentifier(uri)))

    def close(self, uri):
        self.client.text_document_did_close(types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(uri)))

    async def hover(self, uri, words):
        """Return what is told where some words stand, or None."""
        at = self.texts[uri].index(words)
        params = types.HoverParams(types.TextDocumentIdentifier(uri), self.range(uri, at, at).start)
        return await asyncio.wait_for(self.client.text_document_hover_async(params), WAIT)

    async def actions(self, uri, words, only=None):
        """Return what can be done where some words stand, by title."""
        at = self.texts[uri].index(words)
        params = types.CodeActionParams(
            types.TextDocumentIdentifier(uri),
            self.range(uri, at, at + len(words)),
            types.CodeActionContext([], only=only),
        )
        found = await asyncio.wait_for(self.client.text_document_code_action_async(params), WAIT)
        return {action.title: action for action in found or []}

    def apply(self, uri, action):
        """Make the edit of an action."""
        if self.versioned:
            (change,) = action.edit.document_changes
            assert (change.text_document.uri, change.text_document.version) == (uri, self.versions[uri])
            edits = change.edits
        else:
            edits = action.edit.changes[uri]
        self.change(uri, *((*self.offsets(uri, edit.range), edit.new_text) for edit in edits))

    # --- places ---------------------------------------------------------------------------------------------------

    def range(self, uri, start, end):
        return range_in(self.texts[uri], start, end, self.encoding)

    def offsets(self, uri, place):
        """Return the code-point offsets of a range, which must be a place of the text."""
        lines = list(re.finditer(r"(?s)(.*?)(\r\n|\r|\n|\Z)", self.texts[uri]))
        return tuple(
            lines[at.line].start() + len(decoded(lines[at.line].group(1), at.character, self.encoding))
            for at in (place.start, place.end)
        )

    def words(self, uri, place):
        """Return the words in a range."""
        start, end = self.offsets(uri, place)
        return self.texts[uri][start:end]


def decoded(line, units, encoding):
    """Return the first code units of a line."""
    codec, size = CODECS[encoding]
    data = line.encode(codec)
    assert units * size <= len(data), "a position behind the end of its line"
    return data[: units * size].decode(codec)


def position_in(text, at, encoding="utf-16"):
    """Return the position of a code-point offset, by splitting and encoding alone."""
    codec, size = CODECS[encoding]
    lines = re.split(r"\r\n|\r|\n", text[:at])
    return types.Position(len(lines) - 1, len(lines[-1].encode(codec)) // size)


def range_in(text, start, end, encoding="utf-16"):
    return types.Range(position_in(text, start, encoding), position_in(text, end, encoding))


def drafted(words):
    """Return a draft in Markdown of at least so many words, from the documents of the corpus."""
    import json

    parts, count = [], 0
    for path in sorted((ROOT / "corpus" / "documents").glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            block = json.loads(line)
            if block.get("region", "main") != "main":
                continue
            mark = {"title": "# ", "heading": "#" * block.get("level", 2) + " ", "list_item": "- "}
            parts.append(mark.get(block["kind"], "") + " ".join(block["sentences"]))
            count += len(parts[-1].split())
            if count >= words:
                return "\n\n".join(parts) + "\n"
    raise ValueError(f"the corpus has no {words} words")
