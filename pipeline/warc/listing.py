"""Reads lists of what an archive should hold, and compares them with what it holds.

A record that was dropped or doubled as a whole leaves no trace in an archive: only a list made
elsewhere can tell. Three kinds are read, each line by itself: CDX (with its legend line, or with 9
or 11 columns), CDXJ, and checksums as md5sum, sha1sum, sha256sum, sha512sum and BagIt write them.

Records are compared by archive, address and time, each as often as it occurs: where they lie may
have changed, when one before them was dropped. Only http and https addresses are compared, and no
requests or metadata, of which the reader keeps no addresses.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sealedbeam.pipeline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_LISTING_BYTES: Final = 1 << 30
_MAX_LINE_BYTES: Final = 1 << 16
_MAX_SHOWN: Final = 60
_ALGORITHMS: Final = {32: "md5", 40: "sha1", 64: "sha256", 128: "sha512"}
_CHECKSUM: Final = re.compile(r"\\?([0-9A-Fa-f]{32,128})(?:  | \*|[ \t]+)(\S.*)")
_LEGENDS: Final = {9: list("NbamskrVg"), 11: list("NbamskrMSVg")}
_CDXJ: Final = re.compile(r"(\S+) +(\d{4,17}) +(\{.*\})\s*")
_TIMESTAMP: Final = re.compile(r"\d{14}")
_TIMESTAMP_DIGITS: Final = 14
_SCHEMES: Final = ("http://", "https://")
_NO_PAGES: Final = frozenset(
    ("warc/request", "warc/metadata", "warc/warcinfo", "application/warc-fields", "text/anvl")
)


@dataclass(frozen=True, slots=True)
class Capture:
    """A record that is listed, or one that was found: archive, address, time, place."""

    file: str
    url: str
    timestamp: str
    offset: int | None


@dataclass(frozen=True, slots=True)
class FileDigest:
    """The checksum that a file should have, in lower-case hexadecimal."""

    file: str
    algorithm: str
    digest: str


@dataclass(slots=True)
class Listing:
    """All that lists say; files are named without their folders."""

    captures: list[Capture] = field(default_factory=list)
    digests: list[FileDigest] = field(default_factory=list)


def parse_listing(name: str, data: bytes) -> Listing:
    """Return what the list in `data` says.

    Raises:
        UsageError: a line is none of the kinds, or too long; `name` tells the reader which file.
    """
    if data.startswith(b"\x1f\x8b"):
        raise UsageError(f"{name} is compressed; give it unpacked to --expect")
    listing = Listing()
    legend: list[str] | None = None
    for number, raw in enumerate(data.split(b"\n"), 1):
        line = raw.decode("utf-8", "replace").rstrip("\r")
        if not line.strip() or line.startswith(("!", "#")):
            continue
        if line.startswith(" CDX "):
            legend = line.split()[1:]
            continue
        if len(raw) > _MAX_LINE_BYTES or not _take(listing, line, legend):
            shown = line[:_MAX_SHOWN].encode("unicode_escape").decode()
            raise UsageError(
                f"{name}, line {number}: neither CDX, CDXJ nor a checksum and a file: {shown}"
            )
    return listing


def _take(listing: Listing, line: str, legend: list[str] | None) -> bool:
    """Enter one line into `listing`; return whether it is one of the kinds."""
    if legend is None and (checksum := _CHECKSUM.fullmatch(line)):
        algorithm = _ALGORITHMS.get(len(checksum[1]))
        if algorithm is None:
            return False
        listing.digests.append(FileDigest(_base_name(checksum[2]), algorithm, checksum[1].lower()))
        return True
    values = _cdxj(line) or _cdx(line, legend)
    if values is None:
        return False
    if values["url"].lower().startswith(_SCHEMES) and values["mime"] not in _NO_PAGES:
        offset = values["offset"]
        listing.captures.append(
            Capture(
                _base_name(values["file"]),
                values["url"],
                values["timestamp"],
                int(offset) if offset.isdecimal() and len(offset) <= _TIMESTAMP_DIGITS else None,
            )
        )
    return True


def _cdxj(line: str) -> dict[str, str] | None:
    match = _CDXJ.fullmatch(line)
    if match is None:
        return None
    try:
        values: Any = json.loads(match[3])
    except (ValueError, RecursionError):
        return None
    url, file = values.get("url"), values.get("filename")
    if not isinstance(url, str) or not isinstance(file, str):
        return None
    timestamp = match[2][:_TIMESTAMP_DIGITS]
    mime, offset = str(values.get("mime", "")), str(values.get("offset", ""))
    return {"url": url, "file": file, "timestamp": timestamp, "mime": mime, "offset": offset}


def _cdx(line: str, legend: list[str] | None) -> dict[str, str] | None:
    columns = line.split()
    names = legend or _LEGENDS.get(len(columns))
    if names is None or len(names) != len(columns) or not {"a", "b", "g"} <= set(names):
        return None
    row = dict(zip(names, columns, strict=True))
    if not _TIMESTAMP.fullmatch(row["b"]):
        return None
    return {
        "url": row["a"],
        "file": row["g"],
        "timestamp": row["b"],
        "mime": row.get("m", ""),
        "offset": row.get("V", ""),
    }


def _base_name(path: str) -> str:
    return path.strip().rpartition("/")[2]


def timestamp_of(date: str) -> str:
    """Return a WARC-Date as lists write it: its first 14 digits."""
    return "".join(character for character in date if character.isdecimal())[:_TIMESTAMP_DIGITS]


def compare_captures(
    listed: Iterable[Capture], found: Iterable[Capture]
) -> tuple[list[Capture], list[Capture]]:
    """Return the listed captures that were not found, and the found ones that are not listed.

    Of several with the same archive, address and time those are taken for the odd ones whose
    offset the other side does not know, and the last ones first.
    """
    wanted, there = _grouped(listed), _grouped(found)
    missing: list[Capture] = []
    unlisted: list[Capture] = []
    for key in dict.fromkeys((*wanted, *there)):
        mine, theirs = wanted.get(key, []), there.get(key, [])
        missing += _odd_ones(mine, theirs)
        unlisted += _odd_ones(theirs, mine)
    return missing, unlisted


def _grouped(captures: Iterable[Capture]) -> dict[tuple[str, str, str], list[Capture]]:
    groups: defaultdict[tuple[str, str, str], list[Capture]] = defaultdict(list)
    for capture in captures:
        groups[capture.file, capture.url, capture.timestamp].append(capture)
    return groups


def _odd_ones(these: Sequence[Capture], others: Sequence[Capture]) -> list[Capture]:
    """Return as many of `these` as they are more than `others`."""
    known = {capture.offset for capture in others}
    ordered = sorted(these, key=lambda capture: capture.offset not in known)
    return ordered[len(others) :]
