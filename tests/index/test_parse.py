"""A page becomes a document or a reason, whatever its bytes are."""

from __future__ import annotations

import gzip

import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.index.parse import Parsed, Rejected, RejectReason, parse_page
from sealedbeam.pipeline.records import Document, DocumentView, Page

_BODY = b"<html lang=en><title>Seal</title><p>sealed <a href=../beam#x>beam</a>"
_PAGE = Page(
    kind="response",
    url="https://example.org/a/b",
    fetched_at="2024-01-01T00:00:00Z",
    status=200,
    content_type="text/html; charset=utf-8",
    content_encoding="",
    transfer_encoding="",
    body=_BODY,
)
_HEADERS = st.one_of(
    st.sampled_from(
        ["", "text/html", "text/plain", "application/xhtml+xml; charset=utf-16", "gzip", "chunked",
         "text/html; charset=big5", "text/html; charset=x-user-defined", "deflate"]
    ),
    st.text(),
)  # fmt: skip
_MARKUP = st.lists(
    st.sampled_from(
        ["<p>", "</p>", "<b>", "<table>", "<td>", "<title>", "<base href=", "<a href='", "'", ">",
         "<!--", "-->", "<script>", "</script>", "<svg>", "<template>", "&#xD800;", "&#0;", "\0",
         "<body>", "<head>", "<frameset>", "<select>", "<option>", "é", "x", " ", "\n", "#", "/",
         "<meta charset=utf-16le>", "<noscript>", "<html lang="]
    )
).map("".join)  # fmt: skip
_BODIES = st.one_of(
    st.binary(),
    _MARKUP.map(str.encode),
    _MARKUP.map(lambda text: text.encode("utf-16")),
    _MARKUP.map(lambda text: gzip.compress(text.encode())),
)


def _parse(**changes: object) -> Document:
    result = parse_page(_PAGE._replace(**changes))  # type: ignore[arg-type]  # test values
    assert isinstance(result, Parsed)
    return result.document


def test_document_of_a_page() -> None:
    """Every field of the document is what the page says."""
    expected = Document(
        url="https://example.org/a/b",
        title="Seal",
        text="Seal\nsealed  beam",
        language="en",
        status=200,
        content_type="text/html",
        charset="utf-8",
        fetched_at="2024-01-01T00:00:00Z",
        content_digest=xxhash.xxh3_128_digest(_BODY),
        links=("https://example.org/beam",),
    )

    assert Parsed(expected) == parse_page(_PAGE)


def test_decoded_body_is_what_is_digested() -> None:
    """The digest is of the body without its encodings, so copies under other ones are found."""
    assert _parse() == _parse(body=gzip.compress(_BODY), content_encoding="gzip")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"kind": "revisit"}, RejectReason.REVISIT),
        ({"status": 404}, RejectReason.HTTP_STATUS),
        ({"status": 206}, RejectReason.HTTP_STATUS),
        ({"status": 0}, RejectReason.HTTP_STATUS),
        ({"body": b""}, RejectReason.EMPTY_BODY),
        ({"body": b"0\r\n\r\n", "transfer_encoding": "chunked"}, RejectReason.EMPTY_BODY),
        ({"body": b"\x1f\x8bjunkjunkjunk", "content_encoding": "gzip"},
         RejectReason.UNDECODABLE_BODY),
        ({"content_type": "image/png"}, RejectReason.CONTENT_TYPE),
        ({"content_type": "", "body": b"%PDF-1.7"}, RejectReason.CONTENT_TYPE),
        ({"content_type": "text/html; charset=hz-gb-2312"}, RejectReason.UNSUPPORTED_CHARSET),
    ],
)  # fmt: skip
def test_reasons(changes: dict[str, object], reason: RejectReason) -> None:
    """Whatever is no document is rejected with the reason."""
    page = _PAGE._replace(**changes)  # type: ignore[arg-type]  # test values

    assert parse_page(page) == Rejected(reason)


def test_resources_have_no_status() -> None:
    """A resource record has no status line, and is indexed."""
    assert _parse(kind="resource", status=0).status == 0


@pytest.mark.parametrize("content_type", ["", " TEXT/HTML ;x", "application/xhtml+xml"])
def test_accepted_types(content_type: str) -> None:
    """HTML is accepted under its types in any case, and without a type if it looks like HTML."""
    assert _parse(content_type=content_type).title == "Seal"


def test_plain_text_is_its_own_text() -> None:
    """Plain text has no title and no links, and its tags are text."""
    document = _parse(content_type="text/plain", body=b"a <b>\0c\n")

    assert (document.title, document.text, document.links) == ("", "a <b> c", ())


def test_invalid_utf_8_is_replaced() -> None:
    """A page that says UTF-8 and is not keeps what is valid."""
    assert _parse(body=b"a\xffb").text == "a\ufffdb"
    assert _parse(body=b"a\xffb", content_type="text/plain; charset=utf-8").text == "a\ufffdb"


def test_other_charsets_are_decoded() -> None:
    """Title, text and links come out of any encoding alike."""
    body = "<title>Ключ</title><p>Дым<a href=Луч>Луч</a>".encode("koi8-r")

    document = _parse(body=body, content_type="text/html; charset=koi8-r")

    assert (document.text, document.charset) == ("Ключ\nДым Луч", "koi8-r")
    assert document.links == ("https://example.org/a/%D0%9B%D1%83%D1%87",)


@pytest.mark.parametrize("charset", ["utf-8", "windows-1252", "utf-16"])
def test_nul_does_not_get_out(charset: str) -> None:
    """No field has a NUL, which separates texts further down the line."""
    body = "<title>a\0b</title><svg>\0c</svg><a href='d\0e'>f\0g</a>&#0;<![CDATA[\0]]>".encode(
        charset
    )

    document = _parse(body=body, content_type=f"text/html; charset={charset}", url="http://h/\0")

    assert "\0" not in "".join((document.url, document.title, document.text, *document.links))


@given(body=_BODIES, headers=st.tuples(_HEADERS, _HEADERS, _HEADERS), url=st.text(
    st.characters(codec=None)))  # fmt: skip
def test_any_page_is_parsed_or_rejected(
    body: bytes, headers: tuple[str, str, str], url: str
) -> None:
    """Any bytes under any headers give a document that can be stored, or a reason."""
    content_type, content_encoding, transfer_encoding = headers
    page = _PAGE._replace(
        url=url,
        body=memoryview(body),
        content_type=content_type,
        content_encoding=content_encoding,
        transfer_encoding=transfer_encoding,
    )

    result = parse_page(page)

    assert result == parse_page(page)
    if isinstance(result, Parsed):
        document = result.document
        view = DocumentView.from_payload(document.to_payload())
        assert b"\0" not in b"".join((view.url, view.title, view.text, view.links))
        assert len(document.links) == len(bytes(view.links).splitlines())


@pytest.mark.parametrize(
    "body",
    [
        b"<div>" * 5_000 + b"x",
        b"<b>" * 200_000 + b"x",
        b"<div>" * 1_000_000,
        b"<table><tr><td>" * 5_000,
        b"<p>x" * 200_000,
        b"&#xD800;" * 100_000,
        b"\0" * 1_000_000,
        b"<title>" + b"x" * 5_000_000,
        b"<!--" + b"-" * 1_000_000,
        b"<a href='" + b"x" * 1_000_000,
        b"<svg>" + b"<g>" * 100_000,
        bytes(range(256)) * 1_000,
    ],
)
def test_hostile_pages(body: bytes) -> None:
    """Nesting, size and junk are borne without an error."""
    result = parse_page(_PAGE._replace(body=body))

    if isinstance(result, Parsed):
        result.document.to_payload()
    else:
        assert result.reason is RejectReason.TOO_COMPLEX


def test_many_links_are_cut() -> None:
    """A page of 20,000 links gives the first 10,000."""
    body = b"".join(b"<a href=%d>x</a>" % number for number in range(20_000))

    links = _parse(body=body).links

    assert len(links) == 10_000
    assert links[-1] == "https://example.org/a/9999"
