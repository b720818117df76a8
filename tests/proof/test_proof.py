"""The prover itself: it attacks what it says, and it sees each defence that is taken away."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sealedbeam.pipeline.integrity import block as block_module
from sealedbeam.pipeline.integrity import correction, ladder
from sealedbeam.pipeline.integrity.block import seal_frame, seal_record, write_block
from sealedbeam.pipeline.integrity.correction import mend
from sealedbeam.pipeline.integrity.layout import frame_prefix
from sealedbeam.pipeline.integrity.ledger import Outcome

from tests.proof import blocks, records
from tests.proof.prove import describe
from tests.proof.strokes import burst, flip
from tests.proof.tally import Tally, miss_rate_bound


def attack_records(kind: str, rounds: int = 4, payload_bytes: int = 8) -> Tally:
    random, tally = np.random.default_rng(7), Tally()
    clean = records.make_frames(512, payload_bytes, random)
    for _ in range(rounds):
        records.attack(clean, kind, random, tally)
    return tally


def attack_blocks(kind: str, rounds: int = 60) -> Tally:
    random, tally = np.random.default_rng(7), Tally()
    for _ in range(rounds):
        blocks.attack(kind, random, tally)
    return tally


@pytest.mark.parametrize("kind", sorted(records.ATTACKS))
def test_no_record_gets_through(kind: str) -> None:
    """Frames and seals under every kind of damage: nothing wrong is accepted."""
    tally = attack_records(kind)
    assert tally.total() > 1000
    assert not tally.wrong.total(), tally.examples


@pytest.mark.parametrize("kind", sorted(blocks.ATTACKS))
def test_no_block_gets_through(kind: str) -> None:
    """Blocks under every kind of damage: a record is as written or set aside, and it adds up."""
    tally = attack_blocks(kind)
    assert tally.total() >= 50
    assert not tally.wrong.total(), tally.examples


def test_frames_are_those_of_the_format() -> None:
    """The frames that are made many at a time, and their seals, are what the writer makes."""
    clean = records.make_frames(5, 9, np.random.default_rng(1))
    for row, seal in zip(clean.rows, clean.seals, strict=True):
        frame = row.tobytes()
        identity, payload = frame[4:12], frame[16:]
        assert frame == frame_prefix(identity, len(payload)) + payload
        expected = seal_record(identity, payload)
        assert expected == seal_frame(frame)
        assert (expected.crc, expected.digest) == (
            int.from_bytes(seal[:4].tobytes(), "little"),
            seal[4:].tobytes(),
        )


def test_frames_that_are_no_suspects_are_refused_by_the_reader() -> None:
    """Whatever is sifted out by comparing columns, `mend` refuses; what it accepts is kept."""
    random = np.random.default_rng(3)
    kept = 0
    for kind in sorted(records.ATTACKS):
        clean = records.make_frames(200, 8, random)
        rows, seals = clean.rows.copy(), clean.seals.copy()
        records.ATTACKS[kind](rows, seals, random)
        rows[:60] = clean.rows[:60]
        flip(rows[20:60], 1, random)  # some to be corrected, and some that nothing happened to
        suspects = records.find_suspects(rows, seals)
        for row, seal, suspect in zip(rows, seals, suspects.tolist(), strict=True):
            crc, digest = int.from_bytes(seal[:4].tobytes(), "little"), seal[4:].tobytes()
            mended = mend(row.tobytes(), crc, digest, correct=True)
            assert suspect or mended is None
            kept += mended is not None
    assert kept > 20


@pytest.mark.parametrize("width", [2, 8, 9, 64, 65])
def test_bursts_lie_within_their_width(width: int) -> None:
    """The first and the last flipped bit of a row are as far apart as the burst is wide."""
    rows = np.zeros((300, 20), np.uint8)
    burst(rows, width, np.random.default_rng(5))
    for row in rows:
        hit = np.flatnonzero(np.unpackbits(row, bitorder="little"))
        assert width == hit[-1] - hit[0] + 1


def test_believing_a_correction_without_the_digest_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that takes what CRC-32C proposes accepts wrong records, and the prover says so."""

    def gullible(buffer: bytes) -> bytes:  # noqa: ARG001 - a digest that says yes to everything
        return bytes(16)

    monkeypatch.setattr(correction, "digest128", gullible)
    monkeypatch.setattr(records, "digest128", gullible)
    assert attack_records("payload").wrong.total()


def test_accepting_what_nobody_sent_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A consumer that trusts any good seal accepts stale and swapped records."""

    def trusting(crossing: Any, opened: Any, _: object, attempt: int) -> set[int]:
        for found in opened.found:
            accepted = ladder.Accepted(found, Outcome.INTACT, attempt)
            crossing.accepted[found.identity] = accepted
        return set()

    monkeypatch.setattr(ladder, "_accept", trusting)
    assert attack_blocks("stale").wrong.total()


def test_a_table_without_its_seal_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader whose frames prove themselves against anything accepts damaged ones."""

    def credulous(region: bytes, *_: object, correct: bool) -> correction.Mended:
        del correct
        return correction.Mended(region)

    monkeypatch.setattr(block_module, "mend", credulous)
    assert attack_blocks("anywhere").wrong.total()


def test_silence_is_seen() -> None:
    """A block whose books do not balance, or whose records vanish, is a fault that got through."""
    random = np.random.default_rng(1)
    written = blocks.make_records(random)
    block = write_block(blocks.BLOCK_ID, written, blocks.PROTECTIONS[1])
    assert blocks.judge(block, written, block.data) == ("", len(written))
    fault, _ = blocks.judge(block, [*written, (b"one more", b"")], block.data)
    assert fault == "a record is neither accepted, once, nor set aside"


def test_what_is_proven_is_said() -> None:
    """No miss in n faults bounds the rate by 3 / n; a miss is told with its example."""
    assert miss_rate_bound(3_000) == pytest.approx(1e-3)
    tally = Tally()
    tally.enter("payload", refused=1_000_000)
    assert "fewer than 3.0e-06" in describe(tally, 2.0)
    assert "500,000 a second" in describe(tally, 2.0)
    tally.accuse("payload", "this one")
    assert "payload: this one" in describe(tally, 2.0)
