"""What a record says about its page."""

from __future__ import annotations

import pytest
from sealedbeam.pipeline.warc import (
    Container,
    Digest,
    WarcRecord,
)

from tests.support.archives import StoredRecord as Stored
from tests.support.archives import (
    pack,
    record_bytes,
    resource_record,
    response_record,
    sha1,
    warcinfo_record,
)
from tests.support.reading import (
    ALL,
    read_all,
    records,
)


@pytest.mark.parametrize("container", ALL)
def test_page_fields(container: Container) -> None:
    """A page carries the header values as sent, and its body still encoded."""
    head = (
        b"HTTP/1.0 404 Not Found\r\ncontent-TYPE: text/html\r\nContent-Encoding:\tgzip\r\n"
        b"X-Long: a\r\n  b\r\nTransfer-Encoding: chunked\r\n"
    )
    record = response_record("HTTPS://example.org/\u00e9", b"5\r\nhello\r\n0\r\n\r\n", head=head)
    (found,) = records(read_all(pack([record], container).data, container))
    assert found.page is not None
    assert (
        found.page.kind,
        found.page.url,
        found.page.fetched_at,
        found.page.status,
        found.page.content_type,
        found.page.content_encoding,
        found.page.transfer_encoding,
        found.page.body,
    ) == (
        "response",
        "HTTPS://example.org/\u00e9",
        "2024-02-29T12:34:56Z",
        404,
        "text/html",
        "gzip",
        "chunked",
        b"5\r\nhello\r\n0\r\n\r\n",
    )


def one_page(record: Stored) -> WarcRecord:
    (found,) = read_all(pack([record]).data, Container.GZIP_MEMBERS)
    assert isinstance(found, WarcRecord)
    return found


def test_resource_page() -> None:
    """A resource is a page without status whose type is the record's own Content-Type."""
    found = one_page(resource_record("http://a.example/x.txt", b"HTTP/1.1 200\r\n\r\nx", "text/x"))
    assert found.page is not None
    assert (
        found.page.status,
        found.page.content_type,
        found.page.content_encoding,
    ) == (0, "text/x", "")
    assert found.page.body == b"HTTP/1.1 200\r\n\r\nx"
    assert found.digest is Digest.GOOD


def test_other_records_are_no_pages() -> None:
    """Only response, resource and revisit records with an http or https URI have a page."""
    request = response_record("http://a.example/", b"x", kind="request")
    dns = response_record("dns:a.example", b"x")
    assert one_page(request).page is None
    assert one_page(dns).page is None
    assert one_page(warcinfo_record()).page is None
    assert one_page(response_record("http://a.example/", b"", kind="revisit")).page is not None


def test_angle_brackets_and_latin1() -> None:
    """Brackets round the URI are stripped, and bytes that are not UTF-8 are read as Latin-1."""
    record = response_record("<http://a.example/caf~>", b"x", digests=False)
    raw = record.raw.replace(b"caf~", b"caf\xe9")
    found = one_page(Stored(raw, "response", "", b""))
    assert found.page is not None
    assert found.page.url == "http://a.example/caf\u00e9"


@pytest.mark.parametrize(
    ("block", "status", "content_type", "body"),
    [
        (b"HTTP/1.1 2x0 OK\r\nContent-Type: text/html\r\n\r\nbody", 0, "", b"body"),
        (b"HTTQ/1.1 200 OK\r\nContent-Type: text/html\r\n\r\nbody", 0, "", b"body"),
        (b"HTTP/1.1 200 OK\nContent-Type: text/html\n\nbody", 200, "text/html", b"body"),
        (b"HTTP/2 200\r\n\r\nbody", 200, "", b"body"),
        (b"HTTP/1.1 200 OK\r\nno end", 0, "", b"HTTP/1.1 200 OK\r\nno end"),
        (b"<p>one\r\nx:\r\n\r\ntwo", 0, "", b"<p>one\r\nx:\r\n\r\ntwo"),
        (b"", 0, "", b""),
    ],
)
def test_malformed_http_is_still_a_page(
    block: bytes, status: int, content_type: str, body: bytes
) -> None:
    """Whatever stands where an HTTP response should be becomes a page, never an exception."""
    raw = record_bytes("response", block, {"WARC-Target-URI": "http://a.example/"})
    found = one_page(Stored(raw, "response", "", b""))
    assert found.page is not None
    assert (status, content_type, body) == (
        found.page.status,
        found.page.content_type,
        bytes(found.page.body),
    )


def test_digest_of_a_revisit() -> None:
    """A revisit's payload digest is another record's: only its block digest counts."""
    record = response_record("http://a.example/", b"", kind="revisit")
    other = record.raw.replace(sha1(b"").encode(), sha1(b"another").encode())
    assert one_page(Stored(other, "revisit", "", b"")).digest is Digest.GOOD
    absent = other.replace(b"WARC-Block-Digest", b"WARC-Other-Digest")
    assert one_page(Stored(absent, "revisit", "", b"")).digest is Digest.ABSENT
