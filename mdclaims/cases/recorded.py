"""What the archive of a capture that ended early holds, so that the same capture can go on behind it.

The crawl is done once more from its beginning, with the answers that are recorded in place of requests: so everything
that it knew when it ended (links, redirects, rules of robots.txt, counts) comes again without being written down apart.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mdclaims.cases.addresses import Address
from mdclaims.errors import UsageError
from mdclaims.reading.records import Damage, DamagedError, Record, parse_headers, read_record, read_records

INPUTS_FIELD = "inputs-sha256"
"""The field of the warcinfo record that holds the digest of what was to be captured."""

# Whatever else the command is the same, another version may go on; each run's warcinfo names its own.
_MAY_DIFFER = frozenset({"software", "http-header-user-agent"})
_OTHER_FILE = "name another file"


def inputs_sha256(inputs: Sequence[str | Address]) -> str:
    """Return the digest by which a capture is known again."""
    return hashlib.sha256(json.dumps(shown_inputs(inputs), ensure_ascii=False).encode()).hexdigest()


def shown_inputs(inputs: Sequence[str | Address]) -> list[str]:
    """Return what was to be captured, as it is recorded."""
    return [entry.url if isinstance(entry, Address) else entry for entry in inputs]


def is_finished(path: Path, inputs: Sequence[str | Address]) -> bool:
    """True if an archive is there and holds a capture of these inputs that came to its end.

    Raises
    ------
    UsageError
        If it holds something else.
    """
    if not path.exists() or not path.stat().st_size:
        return False
    recorded = read_recorded(path)
    if recorded.info[INPUTS_FIELD] != inputs_sha256(inputs):
        raise UsageError(f"{path} holds a capture of other addresses; name another folder")
    return recorded.is_finished


@dataclass(frozen=True, slots=True)
class NotFetchedRecord:
    """What is recorded of an address that was not fetched.

    Attributes
    ----------
    url : str
        Itself, or where redirects led.
    asked : str
    site : str
    reason, detail : str
    admitted : bool
        It was going to be asked.
    unanswered : int
        Requests on its behalf of which no answer is recorded.
    """

    url: str
    asked: str
    site: str
    reason: str
    detail: str
    admitted: bool
    unanswered: int


@dataclass
class Recorded:
    """What is recorded.

    Attributes
    ----------
    path : Path
    info : dict of str to str
        The fields of the first warcinfo record, names in lower case.
    started : list of str
        When each run began.
    end : int
        Where the archive goes on: behind it are a record that was cut, and what an interrupted capture says at its end.
    is_finished : bool
        The capture came to its end.
    answers : dict of str to deque of int
        Where the answers of each address are that were not taken yet, in order.
    asked : dict of str to int
        How often each address was asked and answered.
    unfetched : dict of str to NotFetchedRecord
        By the address asked.
    """

    path: Path
    info: dict[str, str] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)
    end: int = 0
    is_finished: bool = False
    answers: defaultdict[str, deque[int]] = field(default_factory=lambda: defaultdict(deque))
    asked: Counter[str] = field(default_factory=Counter)
    unfetched: dict[str, NotFetchedRecord] = field(default_factory=dict)

    def knows(self, url: str) -> bool:
        """True if it is recorded what became of an address."""
        return url in self.asked or url in self.unfetched

    def take(self, url: str) -> bytes | None:
        """Return the next answer of an address, as it came; None if there is none left.

        Raises
        ------
        OSError
            If the archive cannot be read any more.
        """
        if not self.answers.get(url):
            return None
        offset = self.answers[url].popleft()
        try:
            with self.path.open("rb") as file:
                return read_record(file, lambda record: b"".join(record.pieces()), offset=offset)
        except DamagedError as error:
            raise OSError(f"its record at offset {offset} cannot be read: {error}") from error


def read_recorded(path: Path) -> Recorded:
    """Read the archive of a capture.

    Raises
    ------
    UsageError
        If it is none that a capture can go on with.
    """
    found = Recorded(path)
    reading = _Reading(found)
    try:
        with path.open("rb") as file:
            for item in read_records(file, reading.take):
                if isinstance(item, Damage):
                    reading.drop(item.offset)
        found.end = reading.end(path.stat().st_size)
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror or error}); {_OTHER_FILE}") from error
    if INPUTS_FIELD not in found.info:
        raise _not_ours(path)
    return found


def _not_ours(path: Path) -> UsageError:
    return UsageError(f"{path} exists and is no archive of mdclaims capture; {_OTHER_FILE}")


def check_same(recorded: Recorded, info: Mapping[str, str]) -> None:
    """See that a capture is the one whose archive is there.

    Raises
    ------
    UsageError
        If it asks for something else, or in another way.
    """
    if recorded.info[INPUTS_FIELD] != info[INPUTS_FIELD]:
        raise UsageError(f"{recorded.path} holds a capture of other addresses; {_OTHER_FILE}")
    wanted = {name.lower(): value.strip() for name, value in info.items()}
    for name in sorted({*recorded.info, *wanted} - _MAY_DIFFER):
        if recorded.info.get(name) != wanted.get(name):
            was, now = recorded.info.get(name, "not given"), wanted.get(name, "not given")
            raise UsageError(
                f"{recorded.path} holds a capture with another {name} ({was}, now {now}); take that, or {_OTHER_FILE}"
            )


class _Reading:
    """Takes in the records of an archive, one after another."""

    def __init__(self, found: Recorded) -> None:
        self._found = found
        self._response: tuple[str, int] | None = None
        self._dropped: int | None = None
        """Where that begins which is not kept."""

    def drop(self, offset: int) -> None:
        """Leave out what stands there, and behind."""
        if self._dropped is None:
            self._dropped = offset

    def keep(self) -> None:
        """See that nothing before was to be left out."""
        if self._dropped is not None:
            raise UsageError(f"{self._found.path} is damaged at offset {self._dropped}; {_OTHER_FILE}")

    def end(self, size: int) -> int:
        """Return where the archive goes on."""
        if self._response is not None:  # its request is missing, which is written with it
            self.drop(self._response[1])
        return size if self._dropped is None else min(self._dropped, size)

    def take(self, record: Record) -> None:
        """Take in a record."""
        kind, url = record.headers["warc-type"].lower(), record.headers.get("warc-target-uri", "")
        if kind == "response":
            self._response = url, record.offset
        elif kind == "request" and self._response is not None:
            self.keep()
            self._found.answers[self._response[0]].append(self._response[1])
            self._found.asked[self._response[0]] += 1
            self._response = None
        elif kind == "warcinfo":
            self.keep()
            self._take_info(record)
        elif kind == "metadata":
            self._take_metadata(record, url)

    def _take_info(self, record: Record) -> None:
        _, fields = parse_headers(b"warcinfo\r\n" + b"".join(record.pieces()))
        self._found.info = self._found.info or fields
        self._found.started.append(record.headers.get("warc-date", ""))

    def _take_metadata(self, record: Record, url: str) -> None:
        try:
            told = json.loads(b"".join(record.pieces()))
            if "capture" in told:
                self._found.is_finished = not told["capture"]["interrupted"]
                if not self._found.is_finished:
                    self.drop(record.offset)
                return
            entry = told["not_fetched"]
            about = NotFetchedRecord(
                url=url,
                **{key: str(entry[key]) for key in ("asked", "site", "reason", "detail")},
                admitted=bool(entry["admitted"]),
                unanswered=int(entry["unanswered"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"{self._found.path} exists and is no archive of mdclaims capture; {_OTHER_FILE}"
            ) from error
        if about.reason == "interrupted":
            self.drop(record.offset)
        else:
            self.keep()
            self._found.unfetched[about.asked] = about
