"""No page, however hostile, gets more into a document than the limits allow, or costs much more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sealedbeam.pipeline.index import limits, parse
from sealedbeam.pipeline.index.html import MAX_TITLE_CHARACTERS, HtmlContent
from sealedbeam.pipeline.index.limits import MAX_LINKS_CHARACTERS, MAX_TEXT_BYTES, Cut
from sealedbeam.pipeline.index.links import MAX_LINKS
from sealedbeam.pipeline.index.parse import Parsed, Rejected, RejectReason, parse_page
from sealedbeam.pipeline.warc import values
from sealedbeam.pipeline.warc.header import WarcHeader, parse_warc_header
from sealedbeam.pipeline.warc.record import build_record
from selectolax.lexbor import SelectolaxError

from tests.support import monsters
from tests.support.monsters import MONSTERS

if TYPE_CHECKING:
    from sealedbeam.pipeline.records import Page

    from tests.support.archives import StoredRecord

# What a monster becomes where it is no whole document.
_REJECTED = {
    "4 million empty elements": RejectReason.TOO_COMPLEX,
    "2 million paragraphs": RejectReason.TOO_COMPLEX,
    "8 million attributes": RejectReason.TOO_COMPLEX,
    "quoted attributes of a tag": RejectReason.TOO_COMPLEX,
    "million levels behind stray ends": RejectReason.TOO_COMPLEX,
    "levels behind ends in comments": RejectReason.TOO_COMPLEX,
    "levels behind ends in quotes": RejectReason.TOO_COMPLEX,
    "nested tables": RejectReason.TOO_COMPLEX,
    "nested templates": RejectReason.TOO_COMPLEX,
    "nested foreign content": RejectReason.TOO_COMPLEX,
    "many html elements": RejectReason.TOO_COMPLEX,
    "fonts and paragraphs": RejectReason.TOO_COMPLEX,
    "fonts behind stray ends": RejectReason.TOO_COMPLEX,
    "fonts in objects": RejectReason.TOO_COMPLEX,
    "fonts with long attributes": RejectReason.TOO_COMPLEX,
    "misnested anchors": RejectReason.TOO_COMPLEX,
    "million links": RejectReason.TOO_COMPLEX,
    "header of 10 MB": RejectReason.HTTP_STATUS,
    "100,000 header lines": RejectReason.HTTP_STATUS,
    "empty members": RejectReason.EMPTY_BODY,
}
_CUT = {
    "20,000 links": (Cut.LINKS,),
    "links of percent signs": (Cut.LINKS,),
    "token of 10 MB": (Cut.TEXT,),
    "inflates to 2 GB": (Cut.BODY, Cut.TEXT),
    "bomb in a bomb": (Cut.BODY, Cut.TEXT),
    "chunks of a byte": (Cut.BODY,),
    "invalid UTF-8": (Cut.TEXT,),
    "Han of 10 MB": (Cut.TEXT,),
    "UTF-16 with an odd byte": (Cut.TEXT,),
}
_WHOLE = (
    "attribute of 10 MB",
    "href of 10 MB",
    "title of a megabyte",
    "nested buttons",
    "combining marks of 5 MB",
    "chunk of 4 GB",
    "chunk size of a megabyte",
    "URL of 60 KB and links",
    "long base",
    "escapes of ISO-2022-JP",
    "controls everywhere",
)


def _page_of(record: StoredRecord) -> Page:
    header = parse_warc_header(record.raw)
    assert isinstance(header, WarcHeader)
    page = build_record(header, record.raw, (0, len(record.raw)), check=False).page
    assert page is not None
    return page


@pytest.mark.parametrize(("name", "reason"), _REJECTED.items(), ids=list(_REJECTED))
def test_what_cannot_be_borne_is_rejected(name: str, reason: RejectReason) -> None:
    """A page that would take minutes or gigabytes is rejected before it does."""
    assert Rejected(reason) == parse_page(_page_of(MONSTERS[name]()))


@pytest.mark.parametrize(("name", "cuts"), _CUT.items(), ids=list(_CUT))
def test_what_is_over_a_limit_is_cut_and_told(name: str, cuts: tuple[Cut, ...]) -> None:
    """A document holds what the limits allow, says what was cut, and is the same every time."""
    page = _page_of(MONSTERS[name]())

    result = parse_page(page)

    assert isinstance(result, Parsed)
    assert cuts == result.cuts
    document = result.document
    assert len(document.text.encode()) <= MAX_TEXT_BYTES + 4 * MAX_TITLE_CHARACTERS + 1
    assert len(document.links) <= MAX_LINKS
    assert sum(map(len, document.links)) <= MAX_LINKS_CHARACTERS
    assert result == parse_page(page)


@pytest.mark.parametrize("name", _WHOLE)
def test_what_only_looks_dangerous_is_a_whole_document(name: str) -> None:
    """A page that is merely odd is indexed without a cut."""
    result = parse_page(_page_of(MONSTERS[name]()))

    assert isinstance(result, Parsed)
    assert result.cuts == ()


def test_both_sides_agree_on_stored_bodies() -> None:
    """What the archive's reader cuts off a body is told: the parser has the same limit."""
    assert values.MAX_PAGE_BODY_BYTES == limits.MAX_STORED_BODY_BYTES
    page = _page_of(monsters.page(b"1\r\nx\r\n" + b"40000000\r\n" + b" " * (40 << 20)))

    assert len(page.body) == values.MAX_PAGE_BODY_BYTES + 1
    result = parse_page(page._replace(transfer_encoding="chunked"))
    assert isinstance(result, Parsed)
    assert result.cuts == (Cut.BODY,)


def test_the_text_is_cut_between_words() -> None:
    """The last word of a text that is cut is whole."""
    page = _page_of(monsters.page(b"needle " * (MAX_TEXT_BYTES // 6)))

    result = parse_page(page)

    assert isinstance(result, Parsed)
    assert result.document.text.endswith(" needle")
    assert result.cuts == (Cut.TEXT,)


def test_exactly_as_many_links_as_allowed_are_no_cut() -> None:
    """Repeated links and links that lead nowhere do not count."""
    links = monsters.numbered("<a href=%d>", MAX_LINKS) + b"<a href=0><a href='http://['>"

    result = parse_page(_page_of(monsters.page(monsters.html(links))))

    assert isinstance(result, Parsed)
    assert len(result.document.links) == MAX_LINKS
    assert result.cuts == ()


def test_a_base_that_is_too_long_resolves_nothing() -> None:
    """Links that a long base would make too long are left out; absolute ones stand."""
    body = b"<base href='http://b/" + b"b" * 3_000 + b"/'><a href=x>x</a><a href=http://c/d>y</a>"

    result = parse_page(_page_of(monsters.page(body)))

    assert isinstance(result, Parsed)
    assert result.document.links == ("http://c/d",)


def test_references_that_lead_nowhere_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of very many references only the first are looked at, and the cut is told."""
    references = ["http://["] * 200_000
    content = HtmlContent("", "text", "", references, "")
    monkeypatch.setattr(parse, "read_html", lambda _source: content)

    result = parse_page(_page_of(monsters.page(b"x")))

    assert isinstance(result, Parsed)
    assert result.cuts == (Cut.LINKS,)


def test_an_engine_without_memory_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    """That the HTML engine gets no memory is no property of the page: it is not rejected."""

    def fail(_source: bytes) -> HtmlContent:
        raise SelectolaxError("Can't parse HTML.")

    monkeypatch.setattr(parse, "read_html", fail)

    with pytest.raises(MemoryError):
        parse_page(_page_of(monsters.page(b"x")))
