"""JSON files that prove themselves, and the readers of their fields.

Such a file is a JSON object with a format, a version, and its own CRC-32C and SHA-256, both over
its bytes without these two keys. Its bytes are canonical: one value has one encoding. Decoding
encodes again and compares, so that every single flipped bit is found, whether or not it changes
what JSON says. CRCs are strings of eight hexadecimal digits: readable, and of a fixed width.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from .integrity.checksum import crc32c

if TYPE_CHECKING:
    from collections.abc import Mapping

CRC_DIGITS: Final = 8
JsonObject: TypeAlias = "dict[str, Any]"

_SEALS = ("crc32c", "sha256")
_HEX = frozenset("0123456789abcdef")


def encode_sealed(content: Mapping[str, Any]) -> bytes:
    """Return the canonical bytes of `content` with its seals; format and version are in it."""
    body = _canonical(content)
    return _canonical({**content, **_seals_of(body)})


def decode_sealed(data: bytes, kind: str, version: int) -> JsonObject:
    """Return what `data` says, without format, version and seals.

    Raises:
        ValueError: a bit is not as it was written, or the format or version is another.
        RecursionError: it is nested too deeply for anything that was written here.
    """
    content = json.loads(data.decode("ascii"))
    _check_kind(content, kind, version)
    _check_seals(content, data)
    return {key: content[key] for key in content if key not in ("format", "version", *_SEALS)}


def _seals_of(body: bytes) -> dict[str, str]:
    return {
        "crc32c": f"{crc32c(body):0{CRC_DIGITS}x}",
        "sha256": hashlib.sha256(body).hexdigest(),
    }


def _canonical(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, indent=1, sort_keys=True, allow_nan=False).encode("ascii") + b"\n"


def _check_kind(content: object, expected: str, expected_version: int) -> None:
    # Before the seals: another version may seal its file in another way.
    if not isinstance(content, dict):
        # A wrong value, not a wrong call: here and below no TypeError.
        raise ValueError("it is not a JSON object")  # noqa: TRY004
    kind, version = content.get("format"), content.get("version")
    if kind != expected or type(version) is not int or version != expected_version:
        raise ValueError(
            f"format {kind!r} version {version!r} was found where {expected!r} version"
            f" {expected_version} belongs (or another release wrote it)"
        )


def _check_seals(content: JsonObject, data: bytes) -> None:
    body = _canonical({key: value for key, value in content.items() if key not in _SEALS})
    seals = _seals_of(body)
    if content.get("crc32c") != seals["crc32c"]:
        raise ValueError("its own CRC-32C does not agree")
    if content.get("sha256") != seals["sha256"]:
        raise ValueError("its own SHA-256 does not agree")
    if _canonical(content) != data:
        raise ValueError("its bytes are not in canonical form")


def require_keys(content: JsonObject, expected: set[str], what: str) -> None:
    """Raise ValueError unless `content` has exactly the keys `expected`."""
    if content.keys() != expected:
        raise ValueError(f"{what} has the keys {sorted(content)} instead of {sorted(expected)}")


def text_of(content: JsonObject, key: str) -> str:
    """Return a field that is a string."""
    value = content[key]
    if not isinstance(value, str):
        raise ValueError(f"{key} is {value!r}, not a string")  # noqa: TRY004
    return value


def count_of(content: JsonObject, key: str) -> int:
    """Return a field that is a whole number from 0."""
    value = content[key]
    # A bool is an int to isinstance, and no number here.
    if type(value) is not int or value < 0:
        raise ValueError(f"{key} is {value!r}, not a whole number from 0")
    return value


def hexadecimal_of(content: JsonObject, key: str, digits: int | None = None) -> str:
    """Return a field that is lower-case hexadecimal digits, so many if given."""
    value = text_of(content, key)
    if not value or not _HEX.issuperset(value) or digits not in (None, len(value)):
        raise ValueError(f"{key} is {value!r}, not {digits or 'some'} hexadecimal digits")
    return value


def relative_path_of(content: JsonObject) -> str:
    """Return the field `path`, which never leads out of the folder."""
    path = text_of(content, "path")
    names = path.split("/")
    if any(name in ("", ".", "..") for name in names) or "\\" in path or "\0" in path:
        raise ValueError(f"{path!r} is not a relative path inside the folder")
    return path


def object_of(content: JsonObject, key: str) -> JsonObject:
    """Return a field that is an object."""
    value = content[key]
    if not isinstance(value, dict):
        raise ValueError(f"{key} is {value!r}, not an object")  # noqa: TRY004
    return value


def objects_of(content: JsonObject, key: str) -> list[JsonObject]:
    """Return a field that is a list of objects."""
    value = content[key]
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ValueError(f"{key} is not a list of objects")
    return value
