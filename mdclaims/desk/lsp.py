"""`mdclaims lsp`: the language server, which marks a draft in an editor while it is written.

Everything that reads or judges text runs on one thread of its own, a check at a time, so that the server answers while
a long draft is read. Of a changed draft only sentences that are new, or whose neighbours or heading changed, are scored
again: two equal `SentenceInput` score equal, and the screener remembers them. Whatever a document or a config holds,
the server goes on; what is wrong with them is told in the editor.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress as ignore
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.exceptions import FeatureRequestError
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol, default_converter, lsp_method
from pygls.uris import to_fs_path

from mdclaims.config import JURISDICTIONS, ConfigFinder, Settings
from mdclaims.desk.lsp_answers import INFO_CHOICES, Look, actions, diagnostics, hover
from mdclaims.desk.lsp_documents import Checked, Document, format_in_editor
from mdclaims.errors import ReadError, UsageError
from mdclaims.findings.checking import Checker
from mdclaims.findings.screening import Screener
from mdclaims.findings.watching import Signature, settings_files, signature
from mdclaims.model.persistence import LoadedModel
from mdclaims.reading import format_of, read_decoded
from mdclaims.reports.report import settings_line

_log = logging.getLogger(__name__)

DELAY = 0.05
"""Seconds without a key press before a draft is checked. A check of 2,000 words takes less than that again, and people
leave 0.1 to 0.3 s between two keys."""
_LONGEST_DELAY = 1.0
"""A long draft waits as long as its last check took, but not longer than these seconds."""
MEMORY = 10_000
"""How many sentences are remembered with their scores: those of some fifty drafts, in a few megabytes."""
DEFAULT_MODE = "edit"
# It has something for each label, and for each list of wording.
_WARM_UP = "Our laser cures acne. It is safe. Drug addicts suffer. Call us today."


# --- settings of the client ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ClientSettings:
    """What a client sets, as options of a command line: it goes before any config.

    Attributes
    ----------
    mode : str or None
    jurisdictions : tuple of str or None
    info : str
        See `Look`.
    ask_reason : bool
        See `Look.asks_reason`.
    """

    mode: str | None = None
    jurisdictions: tuple[str, ...] | None = None
    info: str = "hint"
    ask_reason: bool = False

    def applied(self, settings: Settings) -> Settings:
        """Return the settings of a config with what the client sets."""
        if self.mode is not None:
            settings = replace(settings, mode=self.mode)
        if self.jurisdictions is not None:
            settings = replace(settings, jurisdictions=self.jurisdictions)
        return settings


_KEYS = ("mode", "jurisdictions", "info", "askReason")


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def client_settings(given: object, before: ClientSettings) -> ClientSettings:
    """Return what a client sets, with what it set before where it says nothing; null takes a setting back.

    Parameters
    ----------
    given : object
        A table of `mode`, `jurisdictions`, `info` and `askReason`, or one that has it under `mdclaims`.
    before : ClientSettings

    Raises
    ------
    UsageError
        If a key is unknown or a value is of the wrong kind; it names the key.
    """
    if isinstance(given, Mapping) and "mdclaims" in given:
        given = given["mdclaims"]
    if given is None:
        return before
    if not isinstance(given, Mapping):
        raise UsageError(f"editor settings must be a table of {', '.join(_KEYS)}")
    changes: dict[str, Any] = {}
    for key, value in given.items():
        if key not in _KEYS:
            raise UsageError(f"editor settings have the unknown key {str(key)[:60]!r}; known are {', '.join(_KEYS)}")
        if key == "jurisdictions":
            if value is not None and not (isinstance(value, list | tuple) and all(map(_is_text, value))):
                raise UsageError("editor settings: jurisdictions must be a list of names such as uk")
            # An empty list is what an editor shows where nobody chose.
            changes["jurisdictions"] = tuple(value) if value else None
        elif key == "mode":
            changes["mode"] = value or None
        elif key == "info":
            if value not in (None, *INFO_CHOICES):
                raise UsageError(f"editor settings: info must be one of {', '.join(INFO_CHOICES)}")
            changes["info"] = value or "hint"
        else:
            if not isinstance(value, bool):
                raise UsageError("editor settings: askReason must be true or false")
            changes["ask_reason"] = value
    found = replace(before, **changes)
    try:
        found.applied(Settings())  # Settings knows the modes and jurisdictions, and names one that it does not know
    except (UsageError, TypeError) as error:
        raise UsageError(f"editor settings: {error}") from error
    return found


# --- checking -----------------------------------------------------------------------------------------------------


class Checks:
    """Checks documents, one after the other; only one thread uses it.

    A config, cleared wording or list of one's own that was changed since the last check is read again.

    Parameters
    ----------
    model : LoadedModel
    config : Path, optional
        Use this config for every document, and look for none.
    today : callable
        Returns the day: a server runs for weeks.
    """

    def __init__(
        self, model: LoadedModel, config: Path | None = None, *, today: Callable[[], date] = date.today
    ) -> None:
        self._model = model
        self._config = config
        self._today = today
        self._made_for: tuple[ClientSettings, date] | None = None
        self._checker: Checker | None = None
        self._configs = ConfigFinder(mode=DEFAULT_MODE)
        self._watched: dict[Path, Signature | None] = {}
        self.generation = 0

    def check(self, document: Document, client: ClientSettings) -> Checked:
        """Return what a check of a document comes to; never raises, whatever the document or its config holds."""
        text = document.text
        checked = Checked(
            document.uri, document.format, text, document.version, document.encoding, self._today(), self.generation
        )
        try:
            checker = self._renewed(client, checked.today)
            checked = replace(checked, generation=self.generation)
            return self._check(checker, document, checked)
        except UsageError as error:
            return replace(checked, generation=self.generation, trouble=str(error))
        except Exception as error:  # noqa: BLE001 (a bug, or memory: the other documents are still checked)
            _log.exception("checking %s failed", document.uri)
            said = f"internal error ({type(error).__name__}: {error}); please report it with the server's log"
            return replace(checked, generation=self.generation, problem=f"met an {said}")
        finally:
            self._watch(document.file)

    def warm_up(self) -> None:
        """Load all data that a check needs, and keep the garbage collector from looking through it ever again.

        It would do so every few seconds, for 0.1 s each.
        """
        self.check(
            Document("untitled:warm-up", "text", _WARM_UP, 0), ClientSettings(jurisdictions=tuple(JURISDICTIONS))
        )
        gc.collect()
        gc.freeze()

    def _check(self, checker: Checker, document: Document, checked: Checked) -> Checked:
        screener = checker.screener_for(document.file)
        checked = replace(
            checked,
            thresholds=screener.thresholds,
            limits=screener.settings.limits,
            settings_line=settings_line(screener.settings),
        )
        if not checked.text.strip():
            return checked
        source = str(document.file or document.uri)
        try:
            page = read_decoded(checked.text, source=source, format=checked.format, limits=screener.settings.limits)
        except ReadError as error:
            return replace(checked, problem=str(error))
        outcome = checker.examine_page(page, document.file)
        return replace(checked, result=outcome.result, notes=outcome.notes)

    def _renewed(self, client: ClientSettings, today: date) -> Checker:
        """Return the checker, a new one if what it was made from has changed."""
        changed = any(signature(file) != known for file, known in self._watched.items())
        if self._checker is None or changed or self._made_for != (client, today):
            self._watched.clear()
            self._checker = None
            self.generation += 1
            self._configs = ConfigFinder(self._config, adjust=client.applied, mode=DEFAULT_MODE)
            settings = client.applied(Settings(mode=DEFAULT_MODE))
            screener = Screener(self._model, settings, memory=MEMORY)
            self._checker = Checker(screener, settings, self._configs, today=today)
            self._made_for = client, today
        return self._checker

    def _watch(self, file: Path | None) -> None:
        """Remember how the files are now on which a document's check depends."""
        folder = file.parent if file is not None else Path.cwd()
        with ignore(OSError):
            found = settings_files((), [folder], self._configs)
            with ignore(UsageError):  # what a wrong config names is not known
                found |= settings_files([file or folder / "untitled"], [], self._configs)
            if self._config is not None:
                found |= {self._config}
            for entry in found - self._watched.keys():
                self._watched[entry] = signature(entry)


# --- the server ---------------------------------------------------------------------------------------------------


class _Protocol(LanguageServerProtocol):
    """pygls's protocol without its own documents: `Document` says why."""

    @lsp_method(types.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(self, params: types.DidOpenTextDocumentParams) -> Any:
        yield self.fm.features[types.TEXT_DOCUMENT_DID_OPEN], (params,), None

    @lsp_method(types.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(self, params: types.DidChangeTextDocumentParams) -> Any:
        yield self.fm.features[types.TEXT_DOCUMENT_DID_CHANGE], (params,), None

    @lsp_method(types.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(self, params: types.DidCloseTextDocumentParams) -> Any:
        yield self.fm.features[types.TEXT_DOCUMENT_DID_CLOSE], (params,), None


@dataclass
class _Open:
    """An open document with its last check, the timer of its next, and how long a check takes."""

    document: Document
    checked: Checked | None = None
    timer: asyncio.TimerHandle | None = None
    seconds: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def stop(self) -> None:
        """Check it no more, until somebody asks."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class DraftServer(LanguageServer):
    """The language server of one client.

    Parameters
    ----------
    checks : Checks
    version : str
        Of mdclaims.
    settings : ClientSettings
        What the command line sets; the client goes before it.
    """

    def __init__(self, checks: Checks, version: str, settings: ClientSettings) -> None:
        super().__init__("mdclaims", version, protocol_cls=_Protocol, converter_factory=default_converter)
        self.checks = checks
        self.settings = settings
        self.look = Look()
        self.encoding = "utf-16"
        self.folder: Path | None = None
        self.open: dict[str, _Open] = {}
        self.worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checks")
        self._tasks: set[asyncio.Task[Checked | None]] = set()
        self._troubles: set[str] = set()
        self._said: set[str] = set()

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Write an error of the protocol to the client's log; a request's error is already its answer."""
        if source != FeatureRequestError:
            self.say(f"a message of the editor failed: {error}", types.MessageType.Warning)

    def say(self, text: str, kind: types.MessageType = types.MessageType.Info) -> None:
        """Write a line to the client's log, the same line once."""
        if text not in self._said:
            self._said.add(text)
            self.window_log_message(types.LogMessageParams(kind, text))

    def configure(self, given: object) -> None:
        """Take the client's settings over, or tell what is wrong with them and go on as before."""
        try:
            self.settings = client_settings(given, self.settings)
        except UsageError as error:
            self.window_show_message(types.ShowMessageParams(types.MessageType.Error, f"mdclaims: {error}"))
            return
        self.look = replace(self.look, info=self.settings.info, asks_reason=self.settings.ask_reason)

    def plan(self, entry: _Open) -> None:
        """Check a document as soon as nobody has typed in it for a moment."""
        entry.stop()
        wait = min(max(DELAY, entry.seconds), _LONGEST_DELAY)
        entry.timer = asyncio.get_running_loop().call_later(wait, self.start, entry)

    def start(self, entry: _Open, *, anew: bool = False) -> None:
        """Check a document now."""
        task = asyncio.get_running_loop().create_task(self.check(entry, anew=anew))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def start_all(self) -> None:
        """Check all documents: what they are checked with may have changed."""
        for entry in self.open.values():
            self.start(entry, anew=True)

    async def check(self, entry: _Open, *, anew: bool = False) -> Checked | None:
        """Return the check of a document's text as it is now, and publish it if it is new; None once it is closed."""
        entry.stop()
        async with entry.lock:
            document = entry.document
            checked = entry.checked
            if anew or checked is None or checked.text != document.text or checked.version != document.version:
                loop = asyncio.get_running_loop()
                start = loop.time()
                checked = await loop.run_in_executor(self.worker, self.checks.check, copy(document), self.settings)
                entry.seconds = loop.time() - start
                entry.checked = checked
                if self.open.get(document.uri) is not entry:
                    return None
                if checked.text == document.text:
                    self.publish(checked)
            # What a check finds changed, the other documents have not seen yet.
            for other in self.open.values():
                if other.checked is not None and other.checked.generation < checked.generation:
                    other.checked = None
                    self.start(other)
        return checked

    def publish(self, checked: Checked) -> None:
        """Show the client the diagnostics of a check."""
        self._tell_trouble()
        if checked.settings_line:
            self.say(checked.settings_line)
        found = diagnostics(checked, self.look)
        self.text_document_publish_diagnostics(
            types.PublishDiagnosticsParams(uri=checked.uri, version=checked.version, diagnostics=found)
        )

    def _tell_trouble(self) -> None:
        """Show what is wrong with a config once, until it is mended."""
        now = {entry.checked.trouble for entry in self.open.values() if entry.checked and entry.checked.trouble}
        for trouble in sorted(now - self._troubles):
            self.window_show_message(types.ShowMessageParams(types.MessageType.Error, f"mdclaims: {trouble}"))
        self._troubles = now


# --- messages of the client ---------------------------------------------------------------------------------------


def initialize(ls: DraftServer, params: types.InitializeParams) -> None:
    """Learn what the client can do, and what it sets."""
    text = params.capabilities.text_document or types.TextDocumentClientCapabilities()
    hovering = (text.hover.content_format if text.hover else None) or []
    workspace = params.capabilities.workspace
    edits = workspace.workspace_edit if workspace else None
    ls.look = Look(
        related=bool(text.publish_diagnostics and text.publish_diagnostics.related_information),
        markdown=types.MarkupKind.Markdown in hovering,
        versioned=bool(edits and edits.document_changes),
    )
    ls.encoding = str(getattr(ls.workspace.position_encoding, "value", ls.workspace.position_encoding))
    folders = params.workspace_folders
    root = folders[0].uri if folders else params.root_uri
    place = to_fs_path(root) if root else params.root_path
    ls.folder = Path(place) if place else None
    ls.configure(params.initialization_options)


async def initialized(ls: DraftServer, _params: types.InitializedParams) -> None:
    """Ask the client to tell of changed configs, if it can; a check looks for itself in any case."""
    workspace = ls.client_capabilities.workspace
    watching = workspace.did_change_watched_files if workspace else None
    if watching and watching.dynamic_registration:
        watchers = [types.FileSystemWatcher(glob_pattern="**/*.toml")]
        options = types.DidChangeWatchedFilesRegistrationOptions(watchers=watchers)
        registration = types.Registration(
            id="mdclaims-configs", method=types.WORKSPACE_DID_CHANGE_WATCHED_FILES, register_options=options
        )
        with ignore(Exception):  # a client that refuses what it offered
            await ls.client_register_capability_async(types.RegistrationParams([registration]))


def did_open(ls: DraftServer, params: types.DidOpenTextDocumentParams) -> None:
    """Check a document that is opened."""
    given = params.text_document
    kind = format_in_editor(given.uri, given.language_id)
    if kind is None:
        if given.language_id == "html" or format_of(Path(given.uri)) == "html":
            ls.say("HTML is not marked in an editor, since its places are not known; use mdclaims check FILE")
        return
    document = Document(given.uri, kind, given.text, given.version, folder=ls.folder, encoding=ls.encoding)
    if given.uri in ls.open:
        ls.open[given.uri].stop()
    ls.open[given.uri] = _Open(document)
    ls.start(ls.open[given.uri])


def did_change(ls: DraftServer, params: types.DidChangeTextDocumentParams) -> None:
    """Follow the client's text, and check it soon."""
    entry = ls.open.get(params.text_document.uri)
    if entry is not None:
        entry.document.change(params.content_changes, params.text_document.version)
        ls.plan(entry)


def did_save(ls: DraftServer, params: types.DidSaveTextDocumentParams) -> None:
    """Check a document anew: whoever saves may have changed a config as well."""
    entry = ls.open.get(params.text_document.uri)
    if entry is not None:
        ls.start(entry, anew=True)


def did_close(ls: DraftServer, params: types.DidCloseTextDocumentParams) -> None:
    """Forget a document, and what the client shows of it."""
    entry = ls.open.pop(params.text_document.uri, None)
    if entry is not None:
        entry.stop()
        ls.text_document_publish_diagnostics(types.PublishDiagnosticsParams(params.text_document.uri, []))


def did_change_watched_files(ls: DraftServer, _params: types.DidChangeWatchedFilesParams) -> None:
    """Check everything: a config was changed."""
    ls.start_all()


def did_change_configuration(ls: DraftServer, params: types.DidChangeConfigurationParams) -> None:
    """Take the client's settings over, and check everything with them."""
    ls.configure(params.settings)
    ls.start_all()


async def hovered(ls: DraftServer, params: types.HoverParams) -> types.Hover | None:
    """Tell about the sentence at a position."""
    checked = await _current(ls, params.text_document.uri)
    return None if checked is None else hover(checked, params.position, ls.look)


async def code_action(ls: DraftServer, params: types.CodeActionParams) -> list[types.CodeAction] | None:
    """Offer what can be done about the findings in a range."""
    wanted = params.context.only
    if wanted is not None and not any(types.CodeActionKind.QuickFix.value.startswith(str(kind)) for kind in wanted):
        return None
    checked = await _current(ls, params.text_document.uri)
    if checked is None:
        return None
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(ls.worker, actions, checked, params.range, ls.look)


async def _current(ls: DraftServer, uri: str) -> Checked | None:
    """Return the check of a document as it is now, or None if it is not open or is being changed."""
    entry = ls.open.get(uri)
    checked = None if entry is None else await ls.check(entry)
    return checked if entry is not None and checked is not None and checked.text == entry.document.text else None


def create_server(checks: Checks, version: str, settings: ClientSettings | None = None) -> DraftServer:
    """Return a server that is ready to be started; see `DraftServer`."""
    server = DraftServer(checks, version, settings or ClientSettings())
    handlers: dict[str, Callable[..., Any]] = {
        types.INITIALIZE: initialize,
        types.INITIALIZED: initialized,
        types.TEXT_DOCUMENT_DID_OPEN: did_open,
        types.TEXT_DOCUMENT_DID_CHANGE: did_change,
        types.TEXT_DOCUMENT_DID_SAVE: did_save,
        types.TEXT_DOCUMENT_DID_CLOSE: did_close,
        types.WORKSPACE_DID_CHANGE_WATCHED_FILES: did_change_watched_files,
        types.WORKSPACE_DID_CHANGE_CONFIGURATION: did_change_configuration,
        types.TEXT_DOCUMENT_HOVER: hovered,
    }
    for name, handler in handlers.items():
        server.feature(name)(handler)
    kinds = types.CodeActionOptions(code_action_kinds=[types.CodeActionKind.QuickFix])
    server.feature(types.TEXT_DOCUMENT_CODE_ACTION, kinds)(code_action)
    return server


def serve(
    model: LoadedModel, *, version: str, config: Path | None = None, settings: ClientSettings | None = None
) -> None:
    """Serve one client over standard input and output until it says goodbye or is gone.

    Parameters
    ----------
    model : LoadedModel
    version : str
        Of mdclaims.
    config : Path, optional
    settings : ClientSettings, optional
        What the command line sets.

    Raises
    ------
    MdclaimsError
        If the config that is named here is wrong.
    """
    if config is not None:
        ConfigFinder(config)
    checks = Checks(model, config)
    server = create_server(checks, version, settings)
    server.worker.submit(checks.warm_up)
    server.start_io()
