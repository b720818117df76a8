"""The encoding of a body is found in the standard's order, and decoding it cannot fail."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.index import charset

_RUSSIAN = "Съешь же ещё этих мягких французских булок, да выпей чаю. " * 8
_META = b'<meta charset="koi8-r">'


def _find(body: bytes, content_type: str = "text/html", *, is_html: bool = True) -> str:
    return charset.find_encoding(body, content_type, is_html=is_html)


@pytest.mark.parametrize(
    ("mark", "name"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16le"),
        (codecs.BOM_UTF16_BE, "utf-16be"),
    ],
)
def test_byte_order_mark_beats_header(mark: bytes, name: str) -> None:
    """A byte order mark decides, whatever the header and the page declare."""
    assert name == _find(mark + _META, "text/html; charset=windows-1251")


def test_header_beats_meta() -> None:
    """The HTTP header decides over the page's own declaration."""
    assert _find(_META, "text/html; charset=windows-1251") == "windows-1251"


def test_meta_beats_detection() -> None:
    """A declaration decides even where detection would say otherwise."""
    body = b"<meta charset=iso-8859-5>" + _RUSSIAN.encode("cp1251")

    assert _find(body) == "iso-8859-5"
    assert _find(body.replace(b"charset", b"chartype")) == "windows-1251"


def test_unknown_labels_are_passed_over() -> None:
    """A label that the standard does not know is as good as none, in the header and in the page."""
    assert _find(b"<meta charset=bogus><meta charset=koi8-r>", "text/html; charset=x") == "koi8-r"


@pytest.mark.parametrize(
    "header",
    [
        "text/html;charset=koi8-r",
        'text/html; charset="KOI8-R"',
        "text/html; q=1; CHARSET = koi8-r ; x=y",
        'text/html; charset="koi8-r',
    ],
)
def test_header_parameter_forms(header: str) -> None:
    """The charset parameter is found in every form in which servers write it."""
    assert _find(b"", header) == "koi8-r"


@pytest.mark.parametrize(
    "declaration",
    [
        b"<meta charset=koi8-r>",
        b"<META CHARSET='koi8-r'/>",
        b'<meta name=x charset = " koi8-r ">',
        b'<html><head><meta name="a>b"><meta charset="koi8-r">',
        b'<meta http-equiv="Content-Type" content="text/html; charset=koi8-r">',
        b"<meta content='text/html;charset=koi8-r' http-equiv=content-type>",
        b"<script>let a = 1;</script><!-- x --><meta charset=koi8-r>",
    ],
)
def test_declarations(declaration: bytes) -> None:
    """Both forms of the declaration are read, with any quoting, case and order."""
    assert charset.declared_encoding(declaration) == "koi8-r"


@pytest.mark.parametrize(
    "text",
    [
        b"<p>write charset=koi8-r there</p>",
        b"<!-- <meta charset=koi8-r> -->",
        b"<script>'<meta charset=koi8-r>'</script>",
        b"<title><meta charset=koi8-r></title>",
        b"<a title='<meta charset=koi8-r>'>",
        b"<metadata charset=koi8-r>",
        b'<meta name="d" content="charset=koi8-r">',
        b" " * 4096 + b"<meta charset=koi8-r>",
        b"<!-- <meta charset=koi8-r>",
    ],
)
def test_what_declares_nothing(text: bytes) -> None:
    """Text, comments, scripts, attribute values, other tags and late tags declare nothing."""
    assert charset.declared_encoding(text) == ""


def test_declared_utf_16_means_utf_8() -> None:
    """A UTF-16 declaration that could be read byte by byte is a lie."""
    assert charset.declared_encoding(b"<meta charset=utf-16>") == "utf-8"
    assert charset.declared_encoding(b"<meta charset=x-user-defined>") == "windows-1252"


@pytest.mark.parametrize(
    ("body", "header", "name"),
    [
        (codecs.BOM_UTF8 + b"<meta charset=koi8-r>", "text/html; charset=big5", "utf-8"),
        (codecs.BOM_UTF16_LE + b"<\0p\0>", "text/html; charset=utf-8", "utf-16le"),
        (b"<meta charset=koi8-r>", "text/html; charset=big5", "big5"),
        (b"<meta charset=koi8-r>", "text/html; charset=utf-7", "koi8-r"),
        (b"<meta charset=koi8-r>", "text/html; charset=ISO-8559-1", "koi8-r"),
        (b"<meta charset=utf-7>+ADw-p+AD4-", "text/html", "utf-8"),
        (b"<meta charset=hz-gb-2312>", "text/html; charset=\x1b[31m", "replacement"),
        (b"<meta charset=koi8-r>", "text/html; charset=" + "u" * 60_000, "koi8-r"),
    ],
)
def test_of_liars_the_first_in_rank_is_believed(body: bytes, header: str, name: str) -> None:
    """Mark before header before declaration; a label that is none is as if it were not there."""
    assert name == _find(body, header)


def test_half_a_character_is_replaced() -> None:
    """UTF-16 that ends in the middle of a character loses that one alone."""
    assert charset.decode("ab".encode("utf-16-le")[:-1], "utf-16le") == "a\ufffd"


def test_plain_text_declares_nothing() -> None:
    """In plain text a tag is text."""
    assert _find(_META, "text/plain", is_html=False) == "utf-8"


def test_undeclared_utf_8_is_found_even_when_cut() -> None:
    """Valid UTF-8 is UTF-8, though its last character be cut in two."""
    assert _find("Größe €".encode()[:-1]) == "utf-8"


def test_undeclared_binary_falls_back() -> None:
    """What nothing can be found out about is windows-1252."""
    assert _find(b"\xff") == "windows-1252"


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("ISO-8859-1", "windows-1252"),
        ("ascii", "windows-1252"),
        ("latin5", "windows-1254"),
        ("gb2312", "gbk"),
        ("\tUTF8\n", "utf-8"),
        ("ks_c_5601-1987", "euc-kr"),
        ("windows-31j", "shift_jis"),
        ("tis-620", "windows-874"),
        ("hz-gb-2312", "replacement"),
        ("utf-7", ""),
        ("base64", ""),
        ("", ""),
        ("u" * 10**6, ""),
    ],
)
def test_labels(label: str, name: str) -> None:
    """Labels mean what the standard says, and nothing else is a label."""
    assert name == charset.encoding_name(label)


@pytest.mark.parametrize(
    ("name", "body", "text"),
    [
        ("shift_jis", b"\x87\x40\x81\x60", "①\uff5e"),
        ("gbk", "€𠀀".encode("gb18030"), "€𠀀"),
        ("euc-kr", "똠".encode("cp949"), "똠"),
        ("x-user-defined", b"a\x80\xff", "a\uf780\uf7ff"),
        ("utf-8", codecs.BOM_UTF8 + b"a\xff", "a\ufffd"),
        ("utf-16le", b"\xff\xfea\0\x00\xd8b\0", "a\ufffdb"),
        ("windows-1252", b"\x80", "€"),
    ],
)
def test_decoding(name: str, body: bytes, text: str) -> None:
    """Bytes decode by the standard's tables, invalid ones to the replacement character."""
    assert text == charset.decode(body, name)


@given(body=st.binary(), name=st.sampled_from(sorted({*charset._NAMES.values()})))
def test_every_encoding_decodes_anything(body: bytes, name: str) -> None:
    """Every encoding decodes any bytes to text without lone surrogates."""
    if name != charset.REPLACEMENT:
        charset.decode(body, name).encode()


@given(body=st.binary(), header=st.text())
def test_any_bytes_have_an_encoding(body: bytes, header: str) -> None:
    """Whatever the bytes and the header, the answer is one of the standard's names."""
    assert _find(body, header) in charset._CODECS
