"""A ledger entry comes back as it was written, or is refused."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.integrity.block import Seal
from sealedbeam.pipeline.integrity.checksum import crc32c
from sealedbeam.pipeline.integrity.ledger import Outcome
from sealedbeam.pipeline.jobs.entry import (
    Counts,
    Entry,
    RunEntry,
    decode_entry,
    encode_entry,
    merge_counts,
)
from sealedbeam.pipeline.manifest import Extent, FileEntry

from tests.support.blocks import every_flip

COUNTS = st.dictionaries(
    st.sampled_from("abc"), st.dictionaries(st.sampled_from("xyz"), st.integers(0, 9))
)


def sample() -> Entry:
    """Return an entry that has something in every field."""
    entry = Entry("part-00001", "0f" * 32)
    account = entry.hop("pages")
    account.sealed.add([Seal(7, b"\x01" * 16)])
    account.accounted.add([Seal(7, b"\x01" * 16)])
    account.cell("north", 61).enter(Outcome.CORRECTED, 99)
    account.cell("north", 61).corrected_bits["syndrome"] = 1
    entry.count("pages", "read", 3)
    entry.count("pages", "read")
    parts = (
        Extent("head", 0, 4, "00000001", 0, None, None),
        Extent("row_group", 4, 6, "00000002", 2, "a", "b"),
        Extent("footer", 10, 2, "00000003", 0, None, None),
    )
    entry.files.append(FileEntry("documents/part-00001.aa.parquet", 12, "deadbeef", 2, parts))
    entry.files.append(FileEntry("runs/part-00001.bb.runs", 5, "deadbeef", None, ()))
    entry.runs.append(RunEntry("postings", 0, 1, "runs/x.runs", 4, 9, 77, "ab" * 16, 12))
    entry.details = {"source": 0, "start": [0, True], "first": None, "lost": [2, 5]}
    return entry


def test_entry_comes_back() -> None:
    """Every field survives the file."""
    entry = sample()
    assert decode_entry(encode_entry(entry), "x") == entry
    assert entry.counts == {"pages": {"read": 4}}


def test_equal_entries_have_equal_bytes() -> None:
    """The order in which a task met its hops does not show."""
    first, second = Entry("t", "00"), Entry("t", "00")
    for hop in ("a", "b"):
        first.hop(hop)
    for hop in ("b", "a"):
        second.hop(hop)
    assert encode_entry(first) == encode_entry(second)


def test_every_flipped_bit_is_found() -> None:
    """No single bit of an entry's file can change unseen; the message names the file."""
    data = encode_entry(sample())
    for bit, damaged in every_flip(data):
        with pytest.raises(IntegrityError, match=r"ledger/part-00001\.json is damaged"):
            decode_entry(damaged, "ledger/part-00001.json")
        assert bit >= 0


def test_every_cut_is_found() -> None:
    """No beginning of an entry's file passes for an entry, and nothing may follow it."""
    data = encode_entry(sample())
    for damaged in [data[:length] for length in range(len(data))] + [data + b" ", data * 2]:
        with pytest.raises(IntegrityError):
            decode_entry(damaged, "x")


@pytest.mark.parametrize("data", [b"[]", b"3", b'{"format":1}', b"\xff", b"[" * 100_000])
def test_other_json_is_refused(data: bytes) -> None:
    """What is JSON and no entry, or no JSON at all, is an error with a message."""
    with pytest.raises(IntegrityError):
        decode_entry(data, "x")


def test_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A good entry of another version is not read as if it were of this one."""
    monkeypatch.setattr("sealedbeam.pipeline.jobs.entry.VERSION", 2)
    data = encode_entry(sample())
    assert json.loads(data)["version"] == 2
    monkeypatch.undo()
    with pytest.raises(IntegrityError, match="not known"):
        decode_entry(data, "x")


@pytest.mark.parametrize(
    "change",
    [
        {"more": 1},
        {"counts": {"pages": {"read": True}}},
        {"runs": [["postings", 0, 1, "r", "4", 9, 77, "ab", 12]]},
        {"files": [{"path": "../x", "bytes": 1, "crc32c": "deadbeef", "rows": None, "parts": []}]},
        {"details": []},
        {"task": 1},
        {"configuration_hash": None},
    ],
)
def test_sealed_nonsense_is_refused(change: dict[str, Any]) -> None:
    """Checksums that agree do not make an entry of what no entry says."""
    content = json.loads(encode_entry(sample())) | change
    del content["crc32c"], content["sha256"]
    body = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    seals = {"crc32c": f"{crc32c(body):08x}", "sha256": hashlib.sha256(body).hexdigest()}
    data = json.dumps(content | seals, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    with pytest.raises(IntegrityError, match="x is damaged"):
        decode_entry(data, "x")


@given(st.lists(COUNTS, max_size=5))
def test_merged_counts_are_sums(entries: list[Counts]) -> None:
    """Counts add up name by name, in any order."""
    merged = merge_counts(entries)
    names = {(group, name) for counts in entries for group in counts for name in counts[group]}
    assert {(group, name): merged[group][name] for group in merged for name in merged[group]} == {
        (group, name): sum(counts.get(group, {}).get(name, 0) for counts in entries)
        for group, name in names
    }
    assert merge_counts(reversed(entries)) == merged
