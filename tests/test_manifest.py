"""Claims about the manifest: one value, one encoding, and no flipped bit that goes unseen."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

import google_crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.manifest import (
    Extent,
    FileEntry,
    InputEntry,
    Manifest,
    Totals,
    decode_manifest,
    encode_manifest,
    format_crc32c,
)

SHARD = FileEntry(
    path="shards/shard-00000.0a.parquet",
    bytes=100,
    crc32c="0000000a",
    rows=3,
    parts=(
        Extent("head", 0, 4, "0000000b", 0, None, None),
        Extent("row_group", 4, 50, "0000000c", 2, "ab", "b\u00e9"),
        Extent("row_group", 54, 26, "0000000d", 1, "c", "c"),
        Extent("footer", 80, 20, "0000000e", 0, None, None),
    ),
)
SMALL = Manifest(
    configuration={"protection": "correct", "ratio": 0.01, "nested": {"a": [1, None, True]}},
    configuration_hash="c0ffee",
    inputs=(InputEntry("/archives/a b.warc.gz", 12, "12345678"),),
    files=(SHARD, FileEntry("summary.json", 7, "00000001", None, ())),
    totals=Totals(documents=1, tokens=9, terms=3, postings=3, pages={"rejected": {"revisit": 1}}),
    shards=1,
)


def resealed(**changes: Any) -> bytes:
    """Return SMALL with other top-level values under correct seals, as a faulty writer would."""
    content = json.loads(encode_manifest(SMALL)) | changes
    content = {key: value for key, value in content.items() if key not in ("crc32c", "sha256")}
    body = canonical(content)
    content["crc32c"] = f"{google_crc32c.value(body):08x}"
    content["sha256"] = hashlib.sha256(body).hexdigest()
    return canonical(content)


def canonical(content: dict[str, Any]) -> bytes:
    return json.dumps(content, indent=1, sort_keys=True).encode() + b"\n"


def with_file(**changes: Any) -> bytes:
    return resealed(files=[dataclasses.asdict(SHARD) | changes])


def with_parts(*parts: Extent) -> bytes:
    return with_file(parts=[dataclasses.asdict(part) for part in parts])


def test_round_trip() -> None:
    """Decoding gives back the value that was encoded."""
    assert decode_manifest(encode_manifest(SMALL)) == SMALL


def test_form() -> None:
    """The bytes are ASCII JSON with sorted keys and one newline at the end."""
    data = encode_manifest(SMALL)
    content = json.loads(data)
    assert data.isascii()
    assert data.endswith(b"}\n")
    assert sorted(content) == list(content)
    assert content["format"] == "sealedbeam-manifest"
    assert content["version"] == 1
    assert content["files"][0]["parts"][1]["last"] == "b\u00e9"


def test_every_flipped_bit_is_found() -> None:
    """No single flipped bit of a manifest decodes."""
    data = encode_manifest(SMALL)
    for position in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[position // 8] ^= 1 << position % 8
        with pytest.raises(IntegrityError, match=r"^manifest\.json is damaged: "):
            decode_manifest(bytes(damaged))


def test_every_truncation_is_found() -> None:
    """No proper prefix of a manifest decodes, nor one with trailing bytes."""
    data = encode_manifest(SMALL)
    for damaged in (*(data[:end] for end in range(len(data))), data + b"\n", data + data):
        with pytest.raises(IntegrityError):
            decode_manifest(damaged)


@given(st.binary(max_size=200) | st.text(max_size=50).map(str.encode))
def test_foreign_bytes_are_refused(data: bytes) -> None:
    """Bytes that are no manifest raise IntegrityError and nothing else."""
    with pytest.raises(IntegrityError):
        decode_manifest(data)


def test_insignificant_changes_are_found() -> None:
    """White space and key order, which JSON does not mind, are damage."""
    content = json.loads(encode_manifest(SMALL))
    with pytest.raises(IntegrityError, match="not in canonical form"):
        decode_manifest(json.dumps(content, sort_keys=True).encode())
    with pytest.raises(IntegrityError, match="not in canonical form"):
        decode_manifest(json.dumps(dict(reversed(content.items())), indent=1).encode() + b"\n")


def test_resealing_helper_is_faithful() -> None:
    """What these tests reseal without a change decodes, so each refusal below has one cause."""
    assert decode_manifest(resealed()) == SMALL
    assert decode_manifest(with_file()) == dataclasses.replace(SMALL, files=(SHARD,))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "other"}, "format 'other'"),
        ({"version": 2}, "version 2"),
        ({"version": True}, "version True"),
        ({"shards": True}, "shards is True"),
        ({"shards": -1}, "shards is -1"),
        ({"shards": 1.0}, "shards is 1.0"),
        ({"configuration": []}, "configuration is"),
        ({"configuration_hash": ""}, "configuration_hash is ''"),
        ({"configuration_hash": "XY"}, "configuration_hash is 'XY'"),
        ({"inputs": {}}, "inputs is not a list"),
        ({"inputs": [{"path": "a", "bytes": 1}]}, "an input has the keys"),
        ({"inputs": [{"path": 1, "bytes": 1, "crc32c": "00000000"}]}, "path is 1"),
        ({"files": [3]}, "files is not a list"),
        ({"totals": {}}, "totals has the keys"),
        ({"more": 1}, "the manifest has the keys"),
    ],
)
def test_wrong_values_are_refused(changes: dict[str, Any], message: str) -> None:
    """A manifest with correct seals and a wrong value is refused, and the message names it."""
    with pytest.raises(IntegrityError, match=message):
        decode_manifest(resealed(**changes))


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "..", "a/../b", "a//b", "./a", "a/", "a\\b", "a\0b", "shards/.."]
)
def test_paths_stay_inside_the_folder(path: str) -> None:
    """A path that is absolute, climbs, or is spelt oddly is refused."""
    with pytest.raises(IntegrityError, match="not a relative path"):
        decode_manifest(with_file(path=path))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": None}, "either rows and parts"),
        ({"parts": []}, "either rows and parts"),
        ({"rows": 4}, "do not add up to 4 rows"),
        ({"bytes": 101}, "its parts end at 100, the file at 101"),
        ({"crc32c": "123"}, "not 8 hexadecimal digits"),
        ({"crc32c": "0000000A"}, "not 8 hexadecimal digits"),
    ],
)
def test_wrong_files_are_refused(changes: dict[str, Any], message: str) -> None:
    """A file entry that contradicts itself is refused."""
    with pytest.raises(IntegrityError, match=message):
        decode_manifest(with_file(**changes))


def test_parts_tile_the_file() -> None:
    """Gaps, overlaps and wrong kinds among the parts are refused."""
    head, first, second, footer = SHARD.parts
    for parts in ((head, second, footer), (head, first, first, footer), (first, second, footer)):
        with pytest.raises(IntegrityError, match="part"):
            decode_manifest(with_parts(*parts))
    shifted = dataclasses.replace(second, offset=55)
    with pytest.raises(IntegrityError, match="a part begins at 55 instead of 54"):
        decode_manifest(with_parts(head, first, shifted, footer))


def test_two_files_of_one_path_are_refused() -> None:
    """A path names one file."""
    with pytest.raises(IntegrityError, match="same path"):
        encode_manifest(dataclasses.replace(SMALL, files=(SHARD, SHARD)))


def test_an_unreadable_manifest_is_never_written() -> None:
    """Encoding refuses what decoding would refuse."""
    with pytest.raises(IntegrityError, match="shards is -1"):
        encode_manifest(dataclasses.replace(SMALL, shards=-1))


def test_crc_form() -> None:
    """A CRC has eight digits however small it is."""
    assert format_crc32c(10) == "0000000a"
