"""The manifest: which bytes a finished index consists of, and how each of them is checked.

`manifest.json` is the last object of a job to appear. It names the inputs, every file with its
size and CRC-32C, and for Parquet files the extents (head, row groups, footer) that tile the file,
each with a CRC of its own, so that a reader can check exactly the bytes that it needs before
anything parses them.

Rules:

1. It proves itself, as `sealed_json` tells: one manifest has one encoding, and every single flipped
   bit is found.
2. CRCs are strings of eight hexadecimal digits: readable, and of a fixed width.
3. Paths are relative, with `/` between their parts, and never lead out of the folder.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from .errors import IntegrityError
from .sealed_json import (
    CRC_DIGITS,
    JsonObject,
    count_of,
    decode_sealed,
    encode_sealed,
    hexadecimal_of,
    object_of,
    objects_of,
    relative_path_of,
    require_keys,
    text_of,
)
from .text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT: Final = "sealedbeam-manifest"
VERSION: Final = 1
FILE_NAME: Final = "manifest.json"
COPY_NAME: Final = "manifest.copy.json"  # the same bytes again, where parity was made


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


def name_part(file: FileEntry, number: int) -> str:
    """Return what a part of a Parquet file is called, and where it lies, in the user's words."""
    part = file.parts[number]
    # The head stands before the row groups.
    kind = f"row group {number - 1}" if part.kind == "row_group" else part.kind
    return f"{kind} [{part.offset}..{part.offset + part.length})"


def format_crc32c(crc: int) -> str:
    """Return a CRC-32C as it stands in a manifest."""
    return f"{crc:0{CRC_DIGITS}x}"


def encode_manifest(manifest: Manifest) -> bytes:
    """Return the canonical, self-checking bytes of `manifest`.

    Raises:
        IntegrityError: the value breaks a rule, so that nobody could read it back.
    """
    data = encode_sealed({"format": FORMAT, "version": VERSION, **asdict(manifest)})
    decode_manifest(data)
    return data


def decode_manifest(data: bytes) -> Manifest:
    """Return the manifest whose canonical bytes are `data`.

    Raises:
        IntegrityError: a bit is not as it was written, or the format or version is another.
    """
    try:
        return _manifest(decode_sealed(data, FORMAT, VERSION))
    except (ValueError, RecursionError) as error:
        raise IntegrityError(one_line(f"{FILE_NAME} is damaged: {error}")) from error


def _manifest(content: JsonObject) -> Manifest:
    require_keys(content, set(Manifest.__slots__), "the manifest")
    files = tuple(decode_file_entry(entry) for entry in objects_of(content, "files"))
    if len({entry.path for entry in files}) != len(files):
        raise ValueError("two files have the same path")
    return Manifest(
        configuration=object_of(content, "configuration"),
        configuration_hash=hexadecimal_of(content, "configuration_hash"),
        inputs=tuple(_input(entry) for entry in objects_of(content, "inputs")),
        files=files,
        totals=_totals(object_of(content, "totals")),
        shards=count_of(content, "shards"),
    )


def _totals(content: JsonObject) -> Totals:
    require_keys(content, set(Totals.__slots__), "totals")
    return Totals(
        documents=count_of(content, "documents"),
        tokens=count_of(content, "tokens"),
        terms=count_of(content, "terms"),
        postings=count_of(content, "postings"),
        pages=object_of(content, "pages"),
    )


def _input(content: JsonObject) -> InputEntry:
    require_keys(content, set(InputEntry.__slots__), "an input")
    path = text_of(content, "path")
    return InputEntry(
        path, count_of(content, "bytes"), hexadecimal_of(content, "crc32c", CRC_DIGITS)
    )


def decode_file_entry(content: JsonObject) -> FileEntry:
    """Return the file that a JSON object describes, once it keeps the rules.

    Raises:
        ValueError: it does not.
    """
    require_keys(content, set(FileEntry.__slots__), "a file")
    entry = FileEntry(
        path=relative_path_of(content),
        bytes=count_of(content, "bytes"),
        crc32c=hexadecimal_of(content, "crc32c", CRC_DIGITS),
        rows=None if content["rows"] is None else count_of(content, "rows"),
        parts=tuple(_extent(part) for part in objects_of(content, "parts")),
    )
    if (entry.rows is None) != (not entry.parts):
        raise ValueError(f"{entry.path!r}: a file has either rows and parts, or neither")
    if entry.parts:
        _require_tiling(entry)
    return entry


def _extent(content: JsonObject) -> Extent:
    require_keys(content, set(Extent.__slots__), "a part")
    return Extent(
        kind=text_of(content, "kind"),
        offset=count_of(content, "offset"),
        length=count_of(content, "length"),
        crc32c=hexadecimal_of(content, "crc32c", CRC_DIGITS),
        rows=count_of(content, "rows"),
        first=None if content["first"] is None else text_of(content, "first"),
        last=None if content["last"] is None else text_of(content, "last"),
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
