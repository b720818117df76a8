"""The one spelling of a web address, by the WHATWG URL Standard and a few rules of a crawler.

Rules, after the standard's own (lower-case host in Punycode, default port gone, dots dissolved):
1. Only http and https. No fragment, no user name and no password: they never reach a server's
   pages, and must not reach a log.
2. An escaped letter, digit, hyphen, dot, underscore or tilde stands for itself, and the digits of
   all other escapes are upper-case (RFC 3986, 6.2.2). Where a percent sign escapes nothing, no
   escape is undone: it could become part of a new one.
3. The dot that may end a host name is left out: it names the same host.
4. What no server can be at is no address: a name with an empty label, or of more characters than
   DNS allows, and port 0.
5. An address of more than `MAX_URL_CHARACTERS` is none; the limit is the one of site maps.

Nearly all links that pages hold are in this form already, which one regular expression tells in a
fifth of the time that parsing takes.
"""

from __future__ import annotations

import re

import ada_url

MAX_URL_CHARACTERS = 2_048
_MAX_INPUT_CHARACTERS = 1 << 14  # fragments and dots that dissolve are longer than what is left
_MAX_HOST_CHARACTERS = 253
_MAX_LABEL_CHARACTERS = 63

_WEB_SCHEMES = ("http://", "https://")
_UNRESERVED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
_UNESCAPED = {f"%{ord(character):02X}": character for character in _UNRESERVED}
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_USER = re.compile(r"((?:^|[a-z]:)[/\\]{2,})[^/\\?#\s]*@", re.IGNORECASE)
_STRAY = re.compile(r"%(?![0-9A-Fa-f]{2})")
# The final form without ports, escapes and whatever the standard could still change: no piece of
# the path is empty or dotted, and no label has rules of its own, as addresses and "xn--" have.
_LABEL = r"(?!xn--)[a-z0-9][a-z0-9-]{0,62}+"
_LAST_LABEL = r"(?!xn--)[a-z][a-z0-9-]{0,62}+"
_HOST = rf"(?=[^/]{{1,{_MAX_HOST_CHARACTERS}}}/)(?:{_LABEL}\.)++{_LAST_LABEL}"
_PIECE = r"[\w~()!$&'*+,;=@:-]++"
_FINAL = re.compile(
    rf"https?://{_HOST}/(?:{_PIECE}(?:[./]{_PIECE})*+/?+)?+(?:\?[\w=&./+,;~:@-]*+)?+",
    re.ASCII,
)


def canonical(url: str, base: str = "") -> str | None:
    """Return the canonical form of `url`, or None if it names no page of the web.

    Args:
        url: an address, or with `base` a reference.
        base: the canonical address that a relative `url` is seen from.
    """
    if len(url) > _MAX_INPUT_CHARACTERS:
        return None
    if _FINAL.fullmatch(url):
        return url if len(url) <= MAX_URL_CHARACTERS else None
    try:
        parsed: str = ada_url.URL(url, base or None).href
    except ValueError:
        return None
    if not parsed.startswith(_WEB_SCHEMES):
        return None
    scheme, _, authority_and_rest = parsed.partition("#")[0].partition("://")
    authority, _, rest = authority_and_rest.partition("/")
    host = _clean_host(authority.rpartition("@")[2])
    result = f"{scheme}://{host}/{_clean_escapes(rest)}"
    return result if host and len(result) <= MAX_URL_CHARACTERS else None


def without_user(text: str) -> str:
    """Return any text without the user names and passwords of the addresses in it, to be shown."""
    return _USER.sub(r"\1", text)


def host_of(url: str) -> str:
    """Return the host of a canonical address, with its port where that is not the usual one.

    This is what a crawler is polite to: the schemes of one host share it.
    """
    return url.split("/", 3)[2]


def _clean_host(authority: str) -> str:
    """Return host and port of a parsed address, or nothing if no server can be there."""
    if authority.startswith("["):
        return "" if authority.endswith("]:0") else authority
    host, colon, port = authority.partition(":")
    host = host.removesuffix(".")
    labels = host.split(".")
    is_name = len(host) <= _MAX_HOST_CHARACTERS and all(
        0 < len(label) <= _MAX_LABEL_CHARACTERS for label in labels
    )
    return f"{host}{colon}{port}" if is_name and port != "0" else ""


def _clean_escapes(rest: str) -> str:
    if "%" not in rest:
        return rest
    table = {} if _STRAY.search(rest) else _UNESCAPED
    return _ESCAPE.sub(lambda escape: table.get(upper := escape[0].upper(), upper), rest)
