"""Says what a file is that was given as an archive and is none, so that the next step is plain.

A guess from the first bytes, for people: nothing is decided by it.
"""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .source import ByteSource

_HEAD_BYTES: Final = 1 << 12
_GZIP: Final = b"\x1f\x8b"
_WBITS_GZIP: Final = 31
_CDX: Final = "a CDX index; give the archives that it lists"
_KINDS: Final = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), kind)
    for pattern, kind in (
        (rb"PK\x03\x04", "a ZIP file, as a WACZ is; unpack it and give the archives inside"),
        (rb"PAR1", "a Parquet file"),
        (rb"BZh[1-9]", "compressed with bzip2; unpack it"),
        (rb"\xfd7zXZ", "compressed with xz; unpack it"),
        (rb"7z\xbc\xaf", "a 7z file; unpack it and give the archives inside"),
        (rb".{257}ustar", "a tar file; unpack it and give the archives inside"),
        (rb"filedesc://", "an ARC file, the format before WARC; convert it"),
        (rb" CDX ", _CDX),
        (rb"[^\s)]+\)\S* \d{14} ", _CDX),
        (rb"WARC/", "a WARC file of an unknown version"),
        (rb"\s*(?:<!--|<\?xml|<!doctype html|<html|<head)", "a web page; fetch the archive again"),
        (rb"\s*https?://\S+\s*(?:\n|\Z)", "a list of addresses; give the archive of their pages"),
        (rb"\0+\Z", "zeros where it should begin; fetch it again"),
    )
)


def describe_lookalike(source: ByteSource) -> str:
    """Return what `source` looks like and what to do about it; empty if it looks like nothing."""
    if not source.size:
        return "it is empty"
    head = source.read(0, _HEAD_BYTES)
    if not head.startswith(_GZIP):
        kind = _recognise(head)
        return f"it is {kind}" if kind else ""
    try:
        inner = zlib.decompressobj(_WBITS_GZIP).decompress(head, _HEAD_BYTES)
    except zlib.error:
        return "it is damaged gzip; fetch it again"
    kind = _recognise(inner)
    return f"it is gzip, and in it is {kind}" if kind else "it is gzip of something else"


def _recognise(head: bytes) -> str:
    return next((kind for pattern, kind in _KINDS if pattern.match(head)), "")
