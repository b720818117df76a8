"""Makes pages and documents again from their identity and the input files alone.

The stages are pure functions, so that a record can be derived in any process at any later time:
its identity names the byte range, the range is read and decoded again, and the chain of stages is
run over it. The caller compares the new seal with the old one; only the same bytes count.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from sealedbeam.pipeline.index.http_body import decode_body
from sealedbeam.pipeline.index.parse import Parsed, parse_page
from sealedbeam.pipeline.integrity.lineage import Origin
from sealedbeam.pipeline.warc.parts import read_record
from sealedbeam.pipeline.warc.values import WarcRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sealedbeam.pipeline.records import Page

    from .context import JobContext


def derive_page(context: JobContext, origin: Origin) -> Page | None:
    """Return the page at `origin`, None when its bytes are no longer a page."""
    record = read_record(
        context.source(origin.source),
        context.inputs[origin.source].container,
        origin.offset,
        origin.length,
    )
    return record.page if isinstance(record, WarcRecord) else None


def derive_pages(context: JobContext, identities: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    """Return the page records with these identities; what cannot be read is left out."""
    pages = ((identity, derive_page(context, Origin.decode(identity))) for identity in identities)
    return [(identity, page.to_payload()) for identity, page in pages if page is not None]


def derive_documents(context: JobContext, identities: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    """Return the document records with these identities; what cannot be made is left out."""
    derived = []
    for identity in identities:
        page = derive_page(context, Origin.decode(identity))
        result = None if page is None else parse_page(page)
        if isinstance(result, Parsed):
            derived.append((identity, result.document.to_payload()))
    return derived


def derive_body_digest(context: JobContext, origin: Origin) -> bytes | None:
    """Return the SHA-256 of the decoded body of the page at `origin`, None when it is gone."""
    page = derive_page(context, origin)
    if page is None:
        return None
    body = decode_body(page.body, page.transfer_encoding, page.content_encoding)
    return None if body is None else hashlib.sha256(body.data).digest()
