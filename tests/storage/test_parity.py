"""Claims about parity.json: one value, one encoding, no flipped bit unseen, no bad field taken."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import google_crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.manifest import FileEntry
from sealedbeam.pipeline.storage.erasure import cauchy_matrix
from sealedbeam.pipeline.storage.parity import (
    Group,
    Member,
    Parity,
    Scheme,
    decode_parity_file,
    encode_parity_file,
    group_files,
    parity_bytes,
)

GROUP = Group(
    4096,
    cauchy_matrix(2, 1),
    (Member("a/b", 5000, "0000000a", bytes(32)), Member("manifest.json", 0, "00000000", b"")),
    (Member("parity/x.0.parity", 5056, "0000000b", bytes(range(32))),),
)
SMALL = Parity("ab" * 32, Scheme(10, 1), (GROUP,))


def canonical(content: dict[str, Any]) -> bytes:
    return json.dumps(content, indent=1, sort_keys=True).encode() + b"\n"


def resealed(change: Any) -> bytes:
    """Return SMALL with a change under correct seals, as a faulty writer would."""
    content = json.loads(encode_parity_file(SMALL))
    del content["crc32c"], content["sha256"]
    change(content)
    body = canonical(content)
    content["crc32c"] = f"{google_crc32c.value(body):08x}"
    content["sha256"] = hashlib.sha256(body).hexdigest()
    return canonical(content)


def test_round_trip() -> None:
    """Decoding gives back the value that was encoded."""
    assert decode_parity_file(encode_parity_file(SMALL)) == SMALL
    assert resealed(lambda _content: None) == encode_parity_file(SMALL)


def test_every_flipped_bit_is_found() -> None:
    """No single bit of the file can change unseen."""
    data = encode_parity_file(SMALL)
    for offset in range(len(data)):
        flipped = bytearray(data)
        flipped[offset] ^= 1 << offset % 8
        with pytest.raises(IntegrityError, match=r"parity\.json is damaged"):
            decode_parity_file(bytes(flipped))


def group_with(**changes: Any) -> Any:
    return lambda content: content["groups"][0].update(changes)


def member_with(**changes: Any) -> Any:
    return lambda content: content["groups"][0]["data"][0].update(changes)


@pytest.mark.parametrize(
    "change",
    [
        group_with(strip_bytes=0),
        group_with(strip_bytes=100),
        group_with(strip_bytes=1 << 17),
        group_with(strip_bytes=True),
        group_with(matrix=[]),
        group_with(matrix=["01"]),
        group_with(matrix=["01 2"]),
        group_with(matrix="0101"),
        group_with(data=[]),
        group_with(parity=[]),
        group_with(more=1),
        member_with(path="../b"),
        member_with(path="/b"),
        member_with(path="manifest.json"),
        member_with(bytes=-1),
        member_with(bytes=5060),
        member_with(bytes=1 << 60),
        member_with(crc32c="x" * 8),
        member_with(digests="!"),
        member_with(digests=base64.b64encode(bytes(16)).decode()),
        lambda content: content.update(manifest_sha256="ab"),
        lambda content: content.update(data=0),
        lambda content: content.update(parity=256),
        lambda content: content.update(version=2),
        lambda content: content.update(format="sealedbeam-manifest"),
        lambda content: content.pop("groups"),
    ],
)
def test_what_breaks_a_rule_is_refused(change: Any) -> None:
    """Each field is checked before anything is done with it, seals or not."""
    with pytest.raises(IntegrityError):
        decode_parity_file(resealed(change))


@given(st.lists(st.integers(0, 5)), st.integers(1, 4))
def test_groups_are_the_largest_first(sizes: list[int], data: int) -> None:
    """Each file is in one group, groups are full but for the last, the largest files first."""
    files = [FileEntry(str(i), size, "00000000", None, ()) for i, size in enumerate(sizes)]
    groups = group_files(files, data)
    assert sorted(file.path for group in groups for file in group) == sorted(f.path for f in files)
    assert all(len(group) == data for group in groups[:-1])
    found = [file.bytes for group in groups for file in group]
    assert found == sorted(sizes, reverse=True)


@pytest.mark.parametrize(("sizes", "expected"), [([], 0), ([0], 0), ([1], 64), ([64, 3], 64)])
def test_parity_is_as_long_as_the_longest_file(sizes: list[int], expected: int) -> None:
    """Its length is rounded up to what the code works on."""
    assert expected == parity_bytes(sizes)
