"""The records that travel between the stages, and their payload bytes.

A `Page` is what the reader found in an archive: one HTTP response, still encoded. A `Document` is
what the parser made of it. Both are plain values with an exact byte form, so that sealing one
seals everything later stages see. They are tuples because one of each is made for every page: a
frozen dataclass takes 3 us to fill, a tuple 0.5.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from .fields import pack_fields, unpack_fields

if TYPE_CHECKING:
    from .errors import Buffer

_PAGE_FIELDS = 8
_DOCUMENT_FIELDS = 10
_STATUS = struct.Struct("<H")


class Page(NamedTuple):
    """One archived HTTP response.

    `kind` is the WARC type (response, resource, revisit), `fetched_at` the WARC-Date as it stood,
    `status` 0 where there is no HTTP status line. Header values are as sent, empty where absent;
    `body` still has its transfer and content encodings.
    """

    kind: str
    url: str
    fetched_at: str
    status: int
    content_type: str
    content_encoding: str
    transfer_encoding: str
    body: Buffer

    def to_payload(self) -> bytes:
        """Return the exact bytes that are sealed for this page."""
        return pack_fields(
            (
                self.kind.encode(),
                self.url.encode(),
                self.fetched_at.encode(),
                _STATUS.pack(self.status),
                self.content_type.encode(),
                self.content_encoding.encode(),
                self.transfer_encoding.encode(),
                self.body,
            )
        )

    @classmethod
    def from_payload(cls, payload: Buffer) -> Page:
        """Return the page that `to_payload` made `payload` of; raises ValueError otherwise."""
        kind, url, fetched_at, status, *headers, body = unpack_fields(payload, _PAGE_FIELDS)
        content_type, content_encoding, transfer_encoding = (str(h, "utf-8") for h in headers)
        return cls(
            str(kind, "utf-8"),
            str(url, "utf-8"),
            str(fetched_at, "utf-8"),
            _number(status),
            content_type,
            content_encoding,
            transfer_encoding,
            body,
        )


class Document(NamedTuple):
    """One parsed page, as it is stored and indexed.

    `text` is what is indexed: the title on the first line, then the visible text. `charset` is the
    WHATWG name of the encoding that was used, `language` the declared one or empty,
    `content_digest` the XXH3-128 of the decoded body, `links` absolute URLs without fragments.
    """

    url: str
    title: str
    text: str
    language: str
    status: int
    content_type: str
    charset: str
    fetched_at: str
    content_digest: bytes
    links: tuple[str, ...]

    def to_payload(self) -> bytes:
        """Return the exact bytes that are sealed for this document."""
        return pack_fields(
            (
                self.url.encode(),
                self.title.encode(),
                self.text.encode(),
                self.language.encode(),
                _STATUS.pack(self.status),
                self.content_type.encode(),
                self.charset.encode(),
                self.fetched_at.encode(),
                self.content_digest,
                "\n".join(self.links).encode(),
            )
        )


class DocumentView(NamedTuple):
    """A document's payload taken apart without decoding it: every field is UTF-8 bytes."""

    url: memoryview
    title: memoryview
    text: memoryview
    language: memoryview
    status: int
    content_type: memoryview
    charset: memoryview
    fetched_at: memoryview
    content_digest: memoryview
    links: memoryview

    @classmethod
    def from_payload(cls, payload: Buffer) -> DocumentView:
        """Return the view; raises ValueError when `payload` is not a document's."""
        url, title, text, language, status, kind, charset, fetched_at, digest, links = (
            unpack_fields(payload, _DOCUMENT_FIELDS)
        )
        return cls(
            url, title, text, language, _number(status), kind, charset, fetched_at, digest, links
        )


def _number(field: memoryview) -> int:
    if len(field) != _STATUS.size:
        raise ValueError(f"a status field has {len(field)} bytes instead of {_STATUS.size}")
    return int(_STATUS.unpack(field)[0])
