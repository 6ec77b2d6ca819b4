"""Writes WARC 1.1 (ISO 28500:2017), one gzip member for each record.

A record is written at once and whole: what is finished stays when the program is killed.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from fastwarc.warc import WarcRecord, WarcRecordType

from mdclaims.cases.fetching import Exchange
from mdclaims.cases.locking import lock
from mdclaims.errors import UsageError


class WarcWriter:
    """An archive that is being written, by one process at a time.

    Parameters
    ----------
    path : Path
        If it exists, nothing is written before `go_on_at`.

    Raises
    ------
    UsageError
        If it cannot be written, or another process writes it.
    """

    def __init__(self, path: Path) -> None:
        try:
            # Unbuffered: each record is one write, at once with the system.
            try:
                self._stream = path.open("xb", buffering=0)
                self.is_new = True
            except FileExistsError:
                self._stream = path.open("r+b", buffering=0)
                self.is_new = False
        except OSError as error:
            raise UsageError(f"{path} cannot be written ({error.strerror}); choose another place") from error
        try:
            lock(self._stream)
        except OSError as error:
            self._stream.close()
            raise UsageError(
                f"{path} is being written by another capture; wait for it, or name another file"
            ) from error
        self._stream.seek(0)
        self.path = path
        self._info_id: str | None = None

    def go_on_at(self, end: int) -> None:
        """Go on behind so many bytes; what is behind them now is cut off."""
        self._stream.truncate(end)
        self._stream.seek(end)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()

    def write_info(self, fields: Mapping[str, str]) -> None:
        """Write the first record of a run: who captured, with what, and how."""
        block = "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode()
        self._info_id = _record_id()
        record = _record(
            WarcRecordType.warcinfo, block, "application/warc-fields", datetime.now(UTC), record_id=self._info_id
        )
        record.headers["WARC-Filename"] = self.path.name
        self._write(record)

    def write_exchange(self, exchange: Exchange) -> None:
        """Write a request and its answer, together."""
        request_id, response_id = _record_id(), _record_id()
        response = _record(
            WarcRecordType.response,
            exchange.response,
            "application/http; msgtype=response",
            exchange.date,
            record_id=response_id,
        )
        # WARC 1.1: the payload is the entity body, that is without its transfer coding. Some tools, fastwarc among
        # them, take it with the framing of chunks; then the block digest is the one to check.
        response.headers["WARC-Payload-Digest"] = _digest(exchange.body)
        request = _record(
            WarcRecordType.request,
            exchange.request,
            "application/http; msgtype=request",
            exchange.date,
            record_id=request_id,
        )
        request.headers["WARC-Concurrent-To"] = response_id
        for record in (response, request):
            record.headers["WARC-Target-URI"] = exchange.url
            record.headers["WARC-IP-Address"] = exchange.ip
        self._write(response, request)

    def write_metadata(self, data: Mapping[str, Any], url: str | None = None) -> None:
        """Write JSON about an address, or about the whole capture."""
        block = json.dumps(data, ensure_ascii=False).encode()
        record = _record(WarcRecordType.metadata, block, "application/json", datetime.now(UTC), record_id=_record_id())
        if url is not None:
            record.headers["WARC-Target-URI"] = url
        self._write(record)

    def _write(self, *records: WarcRecord) -> None:
        packed = b""
        for record in records:
            if self._info_id is not None and record.record_type != WarcRecordType.warcinfo:
                record.headers["WARC-Warcinfo-ID"] = self._info_id
            plain = io.BytesIO()
            record.write(plain)
            packed += gzip.compress(plain.getvalue(), mtime=0)
        rest = memoryview(packed)
        while rest:  # an unbuffered write may take a part alone
            rest = rest[self._stream.write(rest) :]


def _record(kind: WarcRecordType, block: bytes, content_type: str, date: datetime, *, record_id: str) -> WarcRecord:
    record = WarcRecord()
    record.init_headers(kind, content_length=len(block))
    record.headers.status_line = "WARC/1.1"
    record.headers["WARC-Record-ID"] = record_id
    record.headers["WARC-Date"] = date.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    record.headers["Content-Type"] = content_type
    record.headers["WARC-Block-Digest"] = _digest(block)
    record.set_bytes_content(block)
    return record


def _record_id() -> str:
    return f"<urn:uuid:{uuid.uuid4()}>"


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
