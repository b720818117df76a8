"""What parity protects: groups of files, their strips' digests, and the code that joins them.

This is the value of `parity/parity.json`, which proves itself as the manifest does and lies there
twice. Files are grouped by size, the largest first, so that a group's parity, which is as long as
its longest file, is used. Besides all files of the manifest it protects the manifest itself, and
summary.json.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.integrity.checksum import DIGEST_BYTES
from sealedbeam.pipeline.sealed_json import (
    CRC_DIGITS,
    JsonObject,
    count_of,
    decode_sealed,
    encode_sealed,
    hexadecimal_of,
    objects_of,
    relative_path_of,
    require_keys,
    text_of,
)
from sealedbeam.pipeline.text import one_line

from .erasure import STRIPS_MAX, WIDTH_UNIT_BYTES
from .strips import STRIP_BYTES_MAX, count_strips

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sealedbeam.pipeline.manifest import FileEntry

    from .gf256 import Matrix

FORMAT: Final = "sealedbeam-parity"
VERSION: Final = 1
FOLDER: Final = "parity"
PARITY_FILE: Final = f"{FOLDER}/parity.json"
PARITY_COPY: Final = f"{FOLDER}/parity.copy.json"
_SHA256_DIGITS = 64


@dataclass(frozen=True, slots=True)
class Scheme:
    """So many data files to a group at most, and so many parity files to each group."""

    data: int
    parity: int

    def __post_init__(self) -> None:
        if self.data < 1 or self.parity < 1 or self.data + self.parity > STRIPS_MAX:
            raise ValueError(f"{self} files: at least 1 of each, and at most {STRIPS_MAX} in all")

    def __str__(self) -> str:
        return f"{self.data}+{self.parity}"


DEFAULT_SCHEME: Final = Scheme(10, 2)


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a group; `digests` are the XXH3-128 of its strips, end to end."""

    path: str
    size_bytes: int
    crc32c: str
    digests: bytes


@dataclass(frozen=True, slots=True)
class Group:
    """Files that are repaired together: one row of `matrix` for each parity file."""

    strip_bytes: int
    matrix: Matrix
    data: tuple[Member, ...]
    parity: tuple[Member, ...]

    @property
    def members(self) -> tuple[Member, ...]:
        """All files, numbered as the strips of a stripe are."""
        return (*self.data, *self.parity)


@dataclass(frozen=True, slots=True)
class Parity:
    """The value of parity.json; it belongs to the one manifest whose digest it names."""

    manifest_sha256: str
    scheme: Scheme
    groups: tuple[Group, ...]

    @property
    def members(self) -> dict[str, Member]:
        """All files of all groups by their paths."""
        return {member.path: member for group in self.groups for member in group.members}


def group_files(files: Iterable[FileEntry], data: int) -> list[tuple[FileEntry, ...]]:
    """Return the files in groups of at most `data`, the largest first."""
    ordered = sorted(files, key=lambda file: (-file.bytes, file.path))
    return [tuple(ordered[start : start + data]) for start in range(0, len(ordered), data)]


def parity_bytes(sizes: Iterable[int]) -> int:
    """Return the size of each parity file over files of these sizes."""
    return -(-max(sizes, default=0) // WIDTH_UNIT_BYTES) * WIDTH_UNIT_BYTES


def encode_parity_file(parity: Parity) -> bytes:
    """Return the self-proving bytes of `parity`.

    Raises:
        IntegrityError: the value breaks a rule, so that nobody could read it back.
    """
    content = {
        "format": FORMAT,
        "version": VERSION,
        "manifest_sha256": parity.manifest_sha256,
        "data": parity.scheme.data,
        "parity": parity.scheme.parity,
        "groups": [
            {
                "strip_bytes": group.strip_bytes,
                "matrix": [bytes(row).hex() for row in group.matrix],
                "data": [_encode_member(member) for member in group.data],
                "parity": [_encode_member(member) for member in group.parity],
            }
            for group in parity.groups
        ],
    }
    data = encode_sealed(content)
    decode_parity_file(data)
    return data


def _encode_member(member: Member) -> JsonObject:
    return {
        "path": member.path,
        "bytes": member.size_bytes,
        "crc32c": member.crc32c,
        "digests": base64.b64encode(member.digests).decode(),
    }


def decode_parity_file(data: bytes) -> Parity:
    """Return what the bytes of a parity.json say.

    Raises:
        IntegrityError: a bit is not as it was written, or the format or version is another.
    """
    try:
        return _parity(decode_sealed(data, FORMAT, VERSION))
    except (ValueError, RecursionError) as error:
        raise IntegrityError(one_line(f"{PARITY_FILE} is damaged: {error}")) from error


def _parity(content: JsonObject) -> Parity:
    keys = {"manifest_sha256", "data", "parity", "groups"}
    require_keys(content, keys, "the file")
    groups = tuple(_group(group) for group in objects_of(content, "groups"))
    paths = [member.path for group in groups for member in group.members]
    if len(set(paths)) != len(paths):
        raise ValueError("two files have the same path")
    return Parity(
        manifest_sha256=hexadecimal_of(content, "manifest_sha256", _SHA256_DIGITS),
        scheme=Scheme(count_of(content, "data"), count_of(content, "parity")),
        groups=groups,
    )


def _group(content: JsonObject) -> Group:
    require_keys(content, {"strip_bytes", "matrix", "data", "parity"}, "a group")
    strip_bytes = count_of(content, "strip_bytes")
    if strip_bytes > STRIP_BYTES_MAX or not strip_bytes or strip_bytes % WIDTH_UNIT_BYTES:
        raise ValueError(f"strips of {strip_bytes} bytes")
    data = tuple(_member(member, strip_bytes) for member in objects_of(content, "data"))
    parity = tuple(_member(member, strip_bytes) for member in objects_of(content, "parity"))
    rows = content["matrix"]
    if not data or not parity or len(data) + len(parity) > STRIPS_MAX:
        raise ValueError(f"a group of {len(data)} + {len(parity)} files")
    if not isinstance(rows, list) or len(rows) != len(parity):
        raise ValueError("a matrix does not have a row for each parity file")
    expected = parity_bytes(member.size_bytes for member in data)
    if any(member.size_bytes != expected for member in parity):
        raise ValueError("a parity file is not as long as its group's longest file")
    return Group(strip_bytes, tuple(_row(row, len(data)) for row in rows), data, parity)


def _row(digits: object, columns: int) -> tuple[int, ...]:
    row = bytes.fromhex(digits) if isinstance(digits, str) else b""
    if len(row) != columns or row.hex() != digits:
        raise ValueError(f"a row of a matrix is {digits!r}, not {columns} bytes in hexadecimal")
    return tuple(row)


def _member(content: JsonObject, strip_bytes: int) -> Member:
    require_keys(content, {"path", "bytes", "crc32c", "digests"}, "a file")
    size = count_of(content, "bytes")
    text = text_of(content, "digests")
    digests = base64.b64decode(text, validate=True)
    if base64.b64encode(digests).decode() != text:
        raise ValueError("digests are not in the one way in which base64 is written")
    if len(digests) != DIGEST_BYTES * count_strips(size, strip_bytes):
        raise ValueError(f"{len(digests)} bytes of digests do not go with a file of {size} bytes")
    crc = hexadecimal_of(content, "crc32c", CRC_DIGITS)
    return Member(relative_path_of(content), size, crc, digests)
