"""The manifest: which bytes a finished index consists of, and how each of them is checked.

`manifest.json` is the last object of a job to appear. It names the inputs, every file with its
size and CRC-32C, and for Parquet files the extents (head, row groups, footer) that tile the file,
each with a CRC of its own, so that a reader can check exactly the bytes that it needs before
anything parses them.

Rules:

1. The bytes are canonical: one manifest has one encoding. Decoding encodes again and compares, so
   that a change of white space or of key order is damage too.
2. The manifest carries its own CRC-32C and SHA-256, taken over the canonical bytes without these
   two keys. Every single flipped bit is found, whether or not it changes what JSON says.
3. CRCs are strings of eight hexadecimal digits: readable, and of a fixed width.
4. Paths are relative, with `/` between their parts, and never lead out of the folder.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from .errors import IntegrityError
from .integrity.checksum import crc32c
from .text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT: Final = "sealedbeam-manifest"
VERSION: Final = 1
FILE_NAME: Final = "manifest.json"

_SEALS = ("crc32c", "sha256")
_CRC_DIGITS = 8
_HEX = frozenset("0123456789abcdef")

_Object: TypeAlias = "dict[str, Any]"


@dataclass(frozen=True, slots=True)
class Extent:
    """A checked range of a Parquet file.

    `first` and `last` bound what a row group holds: terms in a shard, document numbers in decimal
    in a documents file. They are None where nobody looks a row up by them; `rows` is 0 outside row
    groups.
    """

    kind: str
    offset: int
    length: int
    crc32c: str
    rows: int
    first: str | None
    last: str | None


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of the index; `rows` is None and `parts` empty unless it is Parquet."""

    path: str
    bytes: int
    crc32c: str
    rows: int | None
    parts: tuple[Extent, ...]


@dataclass(frozen=True, slots=True)
class InputEntry:
    """One input archive as it was read; its path is the user's and may be absolute."""

    path: str
    bytes: int
    crc32c: str


@dataclass(frozen=True, slots=True)
class Totals:
    """What the shards hold: the figures that scores and reconciliation stand on."""

    documents: int
    tokens: int
    terms: int
    postings: int
    pages: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Manifest:
    """The value of `manifest.json`; `configuration` and `totals.pages` are plain JSON objects."""

    configuration: Mapping[str, Any]
    configuration_hash: str
    inputs: tuple[InputEntry, ...]
    files: tuple[FileEntry, ...]
    totals: Totals
    shards: int


def format_crc32c(crc: int) -> str:
    """Return a CRC-32C as it stands in a manifest."""
    return f"{crc:0{_CRC_DIGITS}x}"


def encode_manifest(manifest: Manifest) -> bytes:
    """Return the canonical, self-checking bytes of `manifest`.

    Raises:
        IntegrityError: the value breaks a rule, so that nobody could read it back.
    """
    content = {"format": FORMAT, "version": VERSION, **asdict(manifest)}
    body = _canonical(content)
    seals = {"crc32c": format_crc32c(crc32c(body)), "sha256": hashlib.sha256(body).hexdigest()}
    data = _canonical({**content, **seals})
    decode_manifest(data)
    return data


def decode_manifest(data: bytes) -> Manifest:
    """Return the manifest whose canonical bytes are `data`.

    Raises:
        IntegrityError: a bit is not as it was written, or the format or version is another.
    """
    try:
        content = json.loads(data.decode("ascii"))
        _check_kind(content)
        _check_seals(content, data)
        return _manifest(content)
    except (ValueError, RecursionError) as error:
        raise IntegrityError(one_line(f"{FILE_NAME} is damaged: {error}")) from error


def _canonical(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, indent=1, sort_keys=True, allow_nan=False).encode("ascii") + b"\n"


def _check_kind(content: object) -> None:
    # Before the seals: another version may seal its manifest in another way.
    if not isinstance(content, dict):
        # A wrong value, not a wrong call: here and below no TypeError.
        raise ValueError("it is not a JSON object")  # noqa: TRY004
    kind, version = content.get("format"), content.get("version")
    if kind != FORMAT or type(version) is not int or version != VERSION:
        raise ValueError(
            f"format {kind!r} version {version!r} was found where {FORMAT!r} version {VERSION}"
            " belongs (or another release wrote it)"
        )


def _check_seals(content: _Object, data: bytes) -> None:
    body = _canonical({key: value for key, value in content.items() if key not in _SEALS})
    if content.get("crc32c") != format_crc32c(crc32c(body)):
        raise ValueError("its own CRC-32C does not agree")
    if content.get("sha256") != hashlib.sha256(body).hexdigest():
        raise ValueError("its own SHA-256 does not agree")
    if _canonical(content) != data:
        raise ValueError("its bytes are not in canonical form")


def _manifest(content: _Object) -> Manifest:
    keys = {"format", "version", *Manifest.__slots__, *_SEALS}
    _require_keys(content, keys, "the manifest")
    files = tuple(decode_file_entry(entry) for entry in _objects(content, "files"))
    if len({entry.path for entry in files}) != len(files):
        raise ValueError("two files have the same path")
    return Manifest(
        configuration=_object(content, "configuration"),
        configuration_hash=_hexadecimal(content, "configuration_hash"),
        inputs=tuple(_input(entry) for entry in _objects(content, "inputs")),
        files=files,
        totals=_totals(_object(content, "totals")),
        shards=_count(content, "shards"),
    )


def _totals(content: _Object) -> Totals:
    _require_keys(content, set(Totals.__slots__), "totals")
    return Totals(
        documents=_count(content, "documents"),
        tokens=_count(content, "tokens"),
        terms=_count(content, "terms"),
        postings=_count(content, "postings"),
        pages=_object(content, "pages"),
    )


def _input(content: _Object) -> InputEntry:
    _require_keys(content, set(InputEntry.__slots__), "an input")
    path = _text(content, "path")
    return InputEntry(path, _count(content, "bytes"), _hexadecimal(content, "crc32c", _CRC_DIGITS))


def decode_file_entry(content: _Object) -> FileEntry:
    """Return the file that a JSON object describes, once it keeps the rules.

    Raises:
        ValueError: it does not.
    """
    _require_keys(content, set(FileEntry.__slots__), "a file")
    entry = FileEntry(
        path=_relative_path(content),
        bytes=_count(content, "bytes"),
        crc32c=_hexadecimal(content, "crc32c", _CRC_DIGITS),
        rows=None if content["rows"] is None else _count(content, "rows"),
        parts=tuple(_extent(part) for part in _objects(content, "parts")),
    )
    if (entry.rows is None) != (not entry.parts):
        raise ValueError(f"{entry.path!r}: a file has either rows and parts, or neither")
    if entry.parts:
        _require_tiling(entry)
    return entry


def _extent(content: _Object) -> Extent:
    _require_keys(content, set(Extent.__slots__), "a part")
    return Extent(
        kind=_text(content, "kind"),
        offset=_count(content, "offset"),
        length=_count(content, "length"),
        crc32c=_hexadecimal(content, "crc32c", _CRC_DIGITS),
        rows=_count(content, "rows"),
        first=None if content["first"] is None else _text(content, "first"),
        last=None if content["last"] is None else _text(content, "last"),
    )


def _require_tiling(entry: FileEntry) -> None:
    kinds = [part.kind for part in entry.parts]
    if kinds != ["head", *["row_group"] * (len(kinds) - 2), "footer"]:
        raise ValueError(f"{entry.path!r}: its parts are not a head, row groups and a footer")
    end = 0
    for part in entry.parts:
        if part.offset != end:
            raise ValueError(f"{entry.path!r}: a part begins at {part.offset} instead of {end}")
        end += part.length
    if end != entry.bytes:
        raise ValueError(f"{entry.path!r}: its parts end at {end}, the file at {entry.bytes}")
    if sum(part.rows for part in entry.parts) != entry.rows:
        raise ValueError(f"{entry.path!r}: its row groups do not add up to {entry.rows} rows")


def _require_keys(content: _Object, expected: set[str], what: str) -> None:
    if content.keys() != expected:
        raise ValueError(f"{what} has the keys {sorted(content)} instead of {sorted(expected)}")


def _text(content: _Object, key: str) -> str:
    value = content[key]
    if not isinstance(value, str):
        raise ValueError(f"{key} is {value!r}, not a string")  # noqa: TRY004
    return value


def _count(content: _Object, key: str) -> int:
    value = content[key]
    # A bool is an int to isinstance, and no number here.
    if type(value) is not int or value < 0:
        raise ValueError(f"{key} is {value!r}, not a whole number from 0")
    return value


def _hexadecimal(content: _Object, key: str, digits: int | None = None) -> str:
    value = _text(content, key)
    if not value or not _HEX.issuperset(value) or digits not in (None, len(value)):
        raise ValueError(f"{key} is {value!r}, not {digits or 'some'} hexadecimal digits")
    return value


def _relative_path(content: _Object) -> str:
    path = _text(content, "path")
    names = path.split("/")
    if any(name in ("", ".", "..") for name in names) or "\\" in path or "\0" in path:
        raise ValueError(f"{path!r} is not a relative path inside the folder")
    return path


def _object(content: _Object, key: str) -> _Object:
    value = content[key]
    if not isinstance(value, dict):
        raise ValueError(f"{key} is {value!r}, not an object")  # noqa: TRY004
    return value


def _objects(content: _Object, key: str) -> list[_Object]:
    value = content[key]
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ValueError(f"{key} is not a list of objects")
    return value
