"""The user's rules for which addresses a crawl takes: by host, prefix, pattern and extension.

What a list of refusals names is refused. Of the lists of permissions, each that is not empty must
permit the address: a host and a prefix both given mean both. Refusals win.

Patterns are searched for anywhere in the address by RE2, in time that is linear in the address
whatever the pattern; so it has no look-around and no back-references.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cache
from typing import TYPE_CHECKING

import re2
from sealedbeam.pipeline.errors import UsageError
from sealedbeam.pipeline.text import one_line

from .urls import canonical, host_of, without_user

if TYPE_CHECKING:
    from collections.abc import Iterator

NO_PAGES = (
    *("7z", "apk", "avi", "avif", "bin", "bmp", "bz2", "css", "deb", "dll", "dmg", "doc", "docx"),
    *("eot", "epub", "exe", "flac", "gif", "gz", "ico", "iso", "jar", "jpeg", "jpg", "js", "m4a"),
    *("m4v", "mkv", "mov", "mp3", "mp4", "mpeg", "mpg", "msi", "odp", "ods", "odt", "ogg", "ogv"),
    *("otf", "pdf", "pkg", "png", "ppt", "pptx", "ps", "rar", "rpm", "svg", "tar", "tgz", "tif"),
    *("tiff", "ttf", "wasm", "wav", "webm", "webp", "wmv", "woff", "woff2", "xls", "xlsx", "xz"),
    *("zip", "zst"),
)
"""Extensions of what holds no HTML, as a rule."""

_PATTERN_BYTES_MAX = 8 << 20  # of RE2's memory, for all patterns of a list together
_WILDCARD_LABELS = ("*.", ".")
_NO_HOST = frozenset("/\\?#@ \t\r\n")  # what would end a host, or be dropped from it


@dataclass(frozen=True, slots=True)
class UrlRules:
    """The rules, checked when they are made.

    A host stands for its subdomains too, and with a port for that port alone. Extensions are those
    of the last piece of the path, without the dot, in lower case.

    Raises:
        UsageError: an entry is no host, no web address or no pattern; it is named.
    """

    allow_hosts: tuple[str, ...] = ()
    deny_hosts: tuple[str, ...] = ()
    allow_prefixes: tuple[str, ...] = ()
    deny_prefixes: tuple[str, ...] = ()
    allow_patterns: tuple[str, ...] = ()
    deny_patterns: tuple[str, ...] = ()
    deny_extensions: tuple[str, ...] = NO_PAGES
    _allowed: frozenset[str] = field(init=False, repr=False, compare=False)
    _denied: frozenset[str] = field(init=False, repr=False, compare=False)
    _extensions: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for entry in filter(lambda entry: entry.init, fields(self)):
            name, values = entry.name, getattr(self, entry.name)
            if isinstance(values, str) or not all(isinstance(value, str) for value in values):
                raise UsageError(f"{name} must be a list of text")
            kind = name.partition("_")[2]
            if kind == "hosts":
                values = [_check_host(name, value) for value in values]
            elif kind == "prefixes":
                values = [_check_prefix(name, value) for value in values]
            elif kind == "patterns":
                _check_patterns(name, tuple(values))
            else:
                values = [value.lower().removeprefix(".") for value in values]
            object.__setattr__(self, name, tuple(values))
        object.__setattr__(self, "_allowed", frozenset(self.allow_hosts))
        object.__setattr__(self, "_denied", frozenset(self.deny_hosts))
        object.__setattr__(self, "_extensions", frozenset(self.deny_extensions))

    def judge(self, url: str) -> str:
        """Return "" if the canonical address `url` is taken, else the word for why it is not."""
        return next(self._object(url), "")

    def judge_sitemap(self, url: str) -> str:
        """Return "" if the site map at `url` is taken, else the word for why it is not.

        It is no page: what is said of the pages that are wanted is not said of it.
        """
        return next(self._object_to_all(url), "")

    def _object(self, url: str) -> Iterator[str]:
        yield from self._object_to_all(url)
        if self.allow_prefixes and not url.startswith(self.allow_prefixes):
            yield "prefix_not_allowed"
        if self._extensions and _extension(url) in self._extensions:
            yield "extension_denied"
        if self.allow_patterns and not _compile(self.allow_patterns).search(url):
            yield "pattern_not_allowed"

    def _object_to_all(self, url: str) -> Iterator[str]:
        host = host_of(url)
        if self._denied and _covers(self._denied, host):
            yield "host_denied"
        if self._allowed and not _covers(self._allowed, host):
            yield "host_not_allowed"
        if url.startswith(self.deny_prefixes):
            yield "prefix_denied"
        if self.deny_patterns and _compile(self.deny_patterns).search(url):
            yield "pattern_denied"


def _check_host(name: str, value: str) -> str:
    for wildcard in _WILDCARD_LABELS:
        value = value.removeprefix(wildcard)
    url = canonical(f"http://{value}/")
    if url is None or not _NO_HOST.isdisjoint(value):
        raise UsageError(one_line(f"{name}: {value!r} is no host; write it like example.org"))
    return host_of(url)


def _check_prefix(name: str, value: str) -> str:
    url = canonical(value)
    if url is None:
        shown = f"{name}: {without_user(value)!r} is no web address"
        raise UsageError(one_line(f"{shown}; write it like https://example.org/docs"))
    return url


def _check_patterns(name: str, patterns: tuple[str, ...]) -> None:
    shown = ""
    try:
        for pattern in patterns:
            shown = f"{pattern!r} is no pattern of RE2"
            _compile_one(pattern)  # as it stands: within parentheses "a)|(b" would be one
        shown = "these patterns are none together"
        _compile(patterns)
    except (re2.error, UnicodeEncodeError) as error:
        reason = error.args[0]
        told = reason.decode(errors="replace") if isinstance(reason, bytes) else str(error)
        raise UsageError(one_line(f"{name}: {shown}: {told}")) from None


@cache
def _compile(patterns: tuple[str, ...]) -> re2._Regexp:
    """Return one pattern that finds what any of `patterns` does."""
    return _compile_one("|".join(f"(?:{pattern})" for pattern in patterns))


def _compile_one(pattern: str) -> re2._Regexp:
    options = re2.Options()
    options.max_mem = _PATTERN_BYTES_MAX
    options.log_errors = False
    return re2.compile(pattern, options)


def _covers(hosts: frozenset[str], host: str) -> bool:
    """Whether one of `hosts` is `host` or a parent domain of it.

    The end of an address is no parent of it, nor can it be listed: as a host it is an address.
    """
    name = host.rpartition(":")[0] if _has_port(host) else host
    if host in hosts or name in hosts:
        return True
    labels = name.split(".")
    return any(".".join(labels[start:]) in hosts for start in range(1, len(labels)))


def _has_port(host: str) -> bool:
    return ":" in host.rpartition("]")[2]


def _extension(url: str) -> str:
    """Return the extension of the last piece of the path in lower case, or nothing."""
    path = url.partition("?")[0].split("/", 3)[3]
    return path.rpartition("/")[2].rpartition(".")[2].lower() if "." in path else ""
