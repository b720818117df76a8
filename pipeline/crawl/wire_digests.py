"""Compares a body with the digests that its server sent along: good, absent or bad.

`Content-Digest` and `Repr-Digest` (RFC 9530), `Digest` (RFC 3230) and `Content-MD5`. All of them
are of the bytes as they came, with their content encoding; a partial response is not compared. What
was damaged before the server took its digest stays unseen, and most servers send none.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import TYPE_CHECKING

from sealedbeam.pipeline.warc.values import Digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sealedbeam.pipeline.errors import Buffer

    Fields = Sequence[tuple[bytes, bytes]]

_ALGORITHMS = {
    "sha-512": hashlib.sha512,
    "sha-256": hashlib.sha256,
    "sha": hashlib.sha1,
    "md5": hashlib.md5,
}
_STRUCTURED = re.compile(r"([a-z0-9-]+)=:([A-Za-z0-9+/=]*):")
_PLAIN = re.compile(r"([A-Za-z0-9-]+)=([A-Za-z0-9+/=]+)")


def compare_digests(fields: Fields, body: Buffer) -> Digest:
    """Return whether a body is what its header's digests say; one that is bad decides."""
    verdict = Digest.ABSENT
    for algorithm, stated in _read_digests(fields):
        hasher = _ALGORITHMS[algorithm](usedforsecurity=False)
        hasher.update(body)
        if hasher.digest() != stated:
            return Digest.BAD
        verdict = Digest.GOOD
    return verdict


def _read_digests(fields: Fields) -> Iterator[tuple[str, bytes]]:
    """Yield algorithm and value of each digest that is stated in a form that is known."""
    for name, value in fields:
        text = value.decode("latin-1")
        lower = name.lower()
        if lower in {b"content-digest", b"repr-digest"}:
            found = _STRUCTURED.findall(text)
        elif lower == b"digest":
            found = _PLAIN.findall(text)
        elif lower == b"content-md5":
            found = [("md5", text.strip())]
        else:
            continue
        for algorithm, encoded in found:
            digest = _decode(encoded)
            known = _ALGORITHMS.get(algorithm.lower())
            if known is not None and len(digest) == known(usedforsecurity=False).digest_size:
                yield algorithm.lower(), digest


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""
