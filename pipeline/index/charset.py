"""Finds the character encoding of a body, and decodes it, by the WHATWG Encoding Standard.

Precedence: byte order mark, HTTP header, `<meta>` declaration, valid UTF-8, statistical detection,
windows-1252. Encodings carry the standard's names in lower case, as `TextDecoder.encoding` gives
them; each is decoded by the Python codec that comes closest to the standard's tables, and bytes
that are invalid in it become U+FFFD.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

from resiliparse.parse.encoding import detect_encoding

UTF_8 = "utf-8"
FALLBACK = "windows-1252"
REPLACEMENT = "replacement"

_MAX_DECLARATION_BYTES = 4096  # the standard says 1,024; pages put their declaration later
_MAX_LABEL_CHARACTERS = 40
_USER_DEFINED = "x-user-defined"

# The standard's names and labels, and the Python codec of each (none where we decode ourselves).
_ENCODINGS = (
    ("utf-8", "utf-8", "unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf8 x-unicode20utf8"),
    ("ibm866", "cp866", "866 cp866 csibm866"),
    (
        "iso-8859-2",
        "iso8859-2",
        "csisolatin2 iso-ir-101 iso8859-2 iso88592 iso_8859-2 iso_8859-2:1987 l2 latin2",
    ),
    (
        "iso-8859-3",
        "iso8859-3",
        "csisolatin3 iso-ir-109 iso8859-3 iso88593 iso_8859-3 iso_8859-3:1988 l3 latin3",
    ),
    (
        "iso-8859-4",
        "iso8859-4",
        "csisolatin4 iso-ir-110 iso8859-4 iso88594 iso_8859-4 iso_8859-4:1988 l4 latin4",
    ),
    (
        "iso-8859-5",
        "iso8859-5",
        "csisolatincyrillic cyrillic iso-ir-144 iso8859-5 iso88595 iso_8859-5 iso_8859-5:1988",
    ),
    (
        "iso-8859-6",
        "iso8859-6",
        (
            "arabic asmo-708 csiso88596e csiso88596i csisolatinarabic ecma-114 iso-8859-6-e "
            "iso-8859-6-i iso-ir-127 iso8859-6 iso88596 iso_8859-6 iso_8859-6:1987"
        ),
    ),
    (
        "iso-8859-7",
        "iso8859-7",
        (
            "csisolatingreek ecma-118 elot_928 greek greek8 iso-ir-126 iso8859-7 iso88597 "
            "iso_8859-7 iso_8859-7:1987 sun_eu_greek"
        ),
    ),
    (
        "iso-8859-8",
        "iso8859-8",
        (
            "csiso88598e csisolatinhebrew hebrew iso-8859-8-e iso-ir-138 iso8859-8 iso88598 "
            "iso_8859-8 iso_8859-8:1988 visual"
        ),
    ),
    ("iso-8859-8-i", "iso8859-8", "csiso88598i logical"),
    ("iso-8859-10", "iso8859-10", "csisolatin6 iso-ir-157 iso8859-10 iso885910 l6 latin6"),
    ("iso-8859-13", "iso8859-13", "iso8859-13 iso885913"),
    ("iso-8859-14", "iso8859-14", "iso8859-14 iso885914"),
    ("iso-8859-15", "iso8859-15", "csisolatin9 iso8859-15 iso885915 iso_8859-15 l9"),
    ("iso-8859-16", "iso8859-16", ""),
    ("koi8-r", "koi8-r", "cskoi8r koi koi8 koi8_r"),
    ("koi8-u", "koi8-u", "koi8-ru"),
    ("macintosh", "mac-roman", "csmacintosh mac x-mac-roman"),
    ("windows-874", "cp874", "dos-874 iso-8859-11 iso8859-11 iso885911 tis-620"),
    ("windows-1250", "cp1250", "cp1250 x-cp1250"),
    ("windows-1251", "cp1251", "cp1251 x-cp1251"),
    (
        "windows-1252",
        "cp1252",
        (
            "ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 "
            "iso8859-1 iso88591 iso_8859-1 iso_8859-1:1987 l1 latin1 us-ascii x-cp1252"
        ),
    ),
    ("windows-1253", "cp1253", "cp1253 x-cp1253"),
    (
        "windows-1254",
        "cp1254",
        (
            "cp1254 csisolatin5 iso-8859-9 iso-ir-148 iso8859-9 iso88599 iso_8859-9 "
            "iso_8859-9:1989 l5 latin5 x-cp1254"
        ),
    ),
    ("windows-1255", "cp1255", "cp1255 x-cp1255"),
    ("windows-1256", "cp1256", "cp1256 x-cp1256"),
    ("windows-1257", "cp1257", "cp1257 x-cp1257"),
    ("windows-1258", "cp1258", "cp1258 x-cp1258"),
    ("x-mac-cyrillic", "mac-cyrillic", "x-mac-ukrainian"),
    (
        "gbk",
        "gb18030",
        "chinese csgb2312 csiso58gb231280 gb2312 gb_2312 gb_2312-80 iso-ir-58 x-gbk",
    ),
    ("gb18030", "gb18030", ""),
    ("big5", "big5hkscs", "big5-hkscs cn-big5 csbig5 x-x-big5"),
    ("euc-jp", "euc_jp", "cseucpkdfmtjapanese x-euc-jp"),
    ("iso-2022-jp", "iso2022_jp", "csiso2022jp"),
    (
        "shift_jis",
        "cp932",
        "csshiftjis ms932 ms_kanji shift-jis sjis windows-31j x-sjis",
    ),
    (
        "euc-kr",
        "cp949",
        (
            "cseuckr csksc56011987 iso-ir-149 korean ks_c_5601-1987 ks_c_5601-1989 ksc5601 "
            "ksc_5601 windows-949"
        ),
    ),
    (REPLACEMENT, "", "csiso2022kr hz-gb-2312 iso-2022-cn iso-2022-cn-ext iso-2022-kr"),
    ("utf-16be", "utf-16-be", "unicodefffe"),
    (
        "utf-16le",
        "utf-16-le",
        "csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16",
    ),
    (_USER_DEFINED, "", ""),
)
_NAMES = {label: name for name, _, labels in _ENCODINGS for label in (name, *labels.split())}
_CODECS = {name: codec for name, codec, _ in _ENCODINGS}
_USER_DEFINED_TABLE = "".join(map(chr, (*range(0x80), *range(0xF780, 0xF800))))

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16le"),
    (codecs.BOM_UTF16_BE, "utf-16be"),
)

_PARAMETER = re.compile(r""";[ \t]*charset[ \t]*=[ \t]*(?:"([^"]*)"?|([^";,\s]+))""", re.IGNORECASE)
# Comments and elements that hold raw text are consumed whole, so that nothing in them declares.
_TAG = re.compile(
    rb"""<(?:
        !--.*?(?:-->|\Z)
      | (script|style|title|textarea|noscript|template|xmp|iframe)(?=[\s/>]).*?(?:</\1[\s/>]|\Z)
      | (?P<meta>meta)[\s/](?P<attributes>(?:[^>"']|"[^"]*(?:"|\Z)|'[^']*(?:'|\Z))*)
      | [a-z/](?:[^>"']|"[^"]*(?:"|\Z)|'[^']*(?:'|\Z))*
    )""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_ATTRIBUTE = re.compile(
    rb"""([^\s=/"'>]+)(?:\s*=\s*(?:"([^"]*)|'([^']*)|([^\s"'>]+)))?["']?""",
)
_CONTENT_CHARSET = re.compile(
    rb"""charset\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s;"']+))""", re.IGNORECASE
)


def encoding_name(label: str) -> str:
    """Return the standard's name for `label`, or an empty string for an unknown one."""
    if len(label) > _MAX_LABEL_CHARACTERS:
        return ""
    return _NAMES.get(label.strip("\t\n\f\r ").lower(), "")


def find_encoding(body: bytes, content_type: str, *, is_html: bool) -> str:
    """Return the name of the encoding of `body`, which came with the header `content_type`."""
    for mark, name in _BYTE_ORDER_MARKS:
        if body.startswith(mark):
            return name
    parameter = _PARAMETER.search(content_type)
    declared = encoding_name(parameter[1] or parameter[2] or "") if parameter else ""
    if not declared and is_html:
        declared = declared_encoding(body)
    return declared or _detected_encoding(body)


def declared_encoding(body: bytes) -> str:
    """Return the encoding that a `<meta>` near the start of `body` declares, or ""."""
    head = body[:_MAX_DECLARATION_BYTES]
    if b"charset" not in head.lower():
        return ""
    for tag in _TAG.finditer(head):
        if tag["meta"] is None:
            continue
        name = encoding_name(_meta_label(tag["attributes"]))
        # A declaration that could be read as ASCII is not in UTF-16.
        if name:
            return {"utf-16be": UTF_8, "utf-16le": UTF_8, _USER_DEFINED: FALLBACK}.get(name, name)
    return ""


@lru_cache(maxsize=256)
def _meta_label(attributes: bytes) -> str:
    """Return the label that a `<meta>` with these attributes declares, or ""."""
    values: dict[bytes, bytes] = {}
    for match in _ATTRIBUTE.finditer(attributes):
        values.setdefault(match[1].lower(), match[2] or match[3] or match[4] or b"")
    label = values.get(b"charset", b"")
    if not label and values.get(b"http-equiv", b"").strip().lower() == b"content-type":
        charset = _CONTENT_CHARSET.search(values.get(b"content", b""))
        label = (charset[1] or charset[2] or charset[3] or b"") if charset else b""
    return label.decode("latin-1")


def _detected_encoding(body: bytes) -> str:
    # Valid UTF-8 beyond ASCII is never an accident; an incomplete last character may be the cut.
    try:
        codecs.utf_8_decode(body, "strict", False)
    except UnicodeDecodeError:
        pass
    else:
        if b"\x1b" not in body:
            return UTF_8
    detected = encoding_name(detect_encoding(body, html5_compatible=False) or "")
    return FALLBACK if detected in ("", REPLACEMENT) else detected


def decode(body: bytes, name: str) -> str:
    """Return `body` decoded from the encoding `name`, without its byte order mark.

    The text has no lone surrogates. `name` is one that `find_encoding` gave, but not
    `REPLACEMENT`, which stands for encodings that the standard forbids to decode.
    """
    if name == _USER_DEFINED:
        return codecs.charmap_decode(body, "replace", _USER_DEFINED_TABLE)[0]
    start = 0
    for mark, marked_name in _BYTE_ORDER_MARKS:
        if name == marked_name and body.startswith(mark):
            start = len(mark)
    return str(memoryview(body)[start:], _CODECS[name], "replace")
