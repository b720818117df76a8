"""Makes a record, and its page where it is one, of the bytes of a complete WARC record."""

from __future__ import annotations

from typing import Final

from sealedbeam.pipeline.records import Page

from .digests import Encodings, check_digests
from .header import Fields, WarcHeader, parse_http, text
from .values import MAX_PAGE_BODY_BYTES, Digest, WarcRecord

_PAGE_TYPES: Final = frozenset({"response", "resource", "revisit"})
_SCHEMES: Final = ("http://", "https://")
_NOT_ENCODED: Final = Encodings("", "")


def build_record(
    header: WarcHeader, data: bytes, extent: tuple[int, int], *, check: bool
) -> WarcRecord:
    """Return the record.

    Args:
        header: the parsed header of the record.
        data: the record: header, block, and anything after it.
        extent: offset and length in the archive.
        check: whether to compare digests; unchecked ones are reported as absent.
    """
    warc_type = text(header.warc_type).lower()
    fields = header.fields
    page: Page | None = None
    body_start, encodings = header.size, _NOT_ENCODED
    block = memoryview(data)[header.size : header.block_end]
    if warc_type in _PAGE_TYPES:
        url = text(fields.get(b"\nwarc-target-uri:")).removeprefix("<").removesuffix(">")
        if url[:8].lower().startswith(_SCHEMES):
            if warc_type == "resource":
                page = _resource(url, fields, block)
            else:
                page, body_start = _response(warc_type, url, header, data)
                encodings = Encodings(page.transfer_encoding, page.content_encoding)
    digest = Digest.ABSENT
    if check:
        digest = check_digests(
            b"" if warc_type == "revisit" else fields.get(b"\nwarc-payload-digest:"),
            fields.get(b"\nwarc-block-digest:"),
            block[body_start - header.size :],
            block,
            encodings,
        )
    record_id = text(fields.get(b"\nwarc-record-id:"))
    return WarcRecord(*extent, warc_type, record_id, page, digest)


def _resource(url: str, fields: Fields, block: memoryview) -> Page:
    return Page(
        kind="resource",
        url=url,
        fetched_at=text(fields.get(b"\nwarc-date:")),
        status=0,
        content_type=text(fields.get(b"\ncontent-type:")),
        content_encoding="",
        transfer_encoding="",
        body=block[: MAX_PAGE_BODY_BYTES + 1],
    )


def _response(kind: str, url: str, header: WarcHeader, data: bytes) -> tuple[Page, int]:
    status, http, body_start = parse_http(data, header.size, header.block_end)
    page = Page(
        kind=kind,
        url=url,
        fetched_at=text(header.fields.get(b"\nwarc-date:")),
        status=status,
        content_type=text(http.get(b"\ncontent-type:")),
        content_encoding=text(http.get(b"\ncontent-encoding:")),
        transfer_encoding=text(http.get(b"\ntransfer-encoding:")),
        body=memoryview(data)[body_start : header.block_end][: MAX_PAGE_BODY_BYTES + 1],
    )
    return page, body_start
