"""Writes small web archives: records, answers of servers, and the ways they are packed."""

import gzip
import zipfile

PAGE = "<!doctype html><title>Knee care</title><p>Shockwave therapy helps a worn knee. Call to book number {}.</p>"


def answer(body=b"", *headers, status="200 OK", content_type="text/html; charset=utf-8"):
    """Return the HTTP answer of a server."""
    lines = [f"HTTP/1.1 {status}", *([f"Content-Type: {content_type}"] if content_type else []), *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def record(block, *headers, type="response", address="https://clinic.example/", date="2026-03-01T09:30:00Z"):
    """Return one WARC record, with its two line ends."""
    lines = ["WARC/1.1", f"WARC-Type: {type}", "WARC-Record-ID: <urn:uuid:6f0c1e2a-0000-4000-8000-000000000000>"]
    lines += [f"WARC-Date: {date}"] * bool(date) + [f"WARC-Target-URI: {address}"] * bool(address)
    lines += ["Content-Type: application/http; msgtype=response"] * (type != "resource")
    lines += [*headers, f"Content-Length: {len(block)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + block + b"\r\n\r\n"


def page_record(number=0, *headers):
    """Return the record of a page that names its number."""
    return record(answer(PAGE.format(number).encode()), *headers, address=f"https://clinic.example/{number}")


def per_record(records):
    """Pack each record into a gzip member of its own, as archivers do."""
    return b"".join(gzip.compress(item, mtime=0) for item in records)


def one_member(records):
    """Pack all records into one gzip member, as ``gzip archive.warc`` does."""
    return gzip.compress(b"".join(records), mtime=0)


PACKED = {"warc": b"".join, "per_record": per_record, "one_member": one_member}
"""The ways to pack records, by name."""


def wacz(path, members, *, method=zipfile.ZIP_STORED):
    """Write a WACZ with WARC files by their names in it."""
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("datapackage.json", "{}")
        for name, data in members.items():
            package.writestr(name, data, compress_type=method)
    return path
