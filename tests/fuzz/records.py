"""Payload readers of pages, documents and identities: inverses of their writers, or ValueError."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sealedbeam.pipeline.integrity.block import Found, Seal
from sealedbeam.pipeline.integrity.ladder import Accepted
from sealedbeam.pipeline.integrity.layout import frame_prefix
from sealedbeam.pipeline.integrity.ledger import Outcome
from sealedbeam.pipeline.integrity.lineage import Origin
from sealedbeam.pipeline.jobs.segment import StoredDocument
from sealedbeam.pipeline.records import Document, Page

from tests.fuzz.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

_IDENTITY = Origin(1, 2, 3, 4, 5).encode()


def check(data: bytes) -> None:
    """Decode the bytes as a page, as a document, or as an identity."""
    payload = data[1:]
    try:
        match data[0] % 3 if data else 0:
            case 0:
                assert Page.from_payload(payload).to_payload() == payload
            case 1:
                assert document_of(payload).to_payload() == payload
            case 2:
                assert Origin.decode(payload).encode() == payload
    except ValueError:
        return


def document_of(payload: bytes) -> Document:
    """Return the document that a payload holds once its fields have been checked."""
    frame = memoryview(frame_prefix(_IDENTITY, len(payload)) + payload)
    stored = StoredDocument.of(Accepted(Found(0, _IDENTITY, frame, Seal()), Outcome.INTACT, 1))
    stored.check()
    view = stored.view
    return Document(
        str(view.url, "utf-8"),
        str(view.title, "utf-8"),
        str(view.text, "utf-8"),
        str(view.language, "utf-8"),
        view.status,
        str(view.content_type, "utf-8"),
        str(view.charset, "utf-8"),
        str(view.fetched_at, "utf-8"),
        bytes(view.content_digest),
        tuple(str(view.links, "utf-8").split("\n")),
    )


def seeds() -> Iterator[bytes]:
    """Yield a page, a document and an identity."""
    yield b"\0" + Page("response", "http://a/", "", 200, "text/html", "", "", b"<p>").to_payload()
    document = Document(
        "http://a/", "t", "t\nx", "en", 200, "text/html", "utf-8", "", b"d" * 16, ("http://b/",)
    )
    yield b"\1" + document.to_payload()
    yield b"\2" + _IDENTITY


TARGET = Target(
    check,
    seeds,
    (
        "sealedbeam.pipeline.fields",
        "sealedbeam.pipeline.records",
        "sealedbeam.pipeline.integrity.lineage",
        "sealedbeam.pipeline.jobs.segment",
    ),
)
