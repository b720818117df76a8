"""Attacks whole blocks: what is damaged, forged, replayed or left out goes through the ladder.

A round writes a block, does one thing to it on its way, and lets `carry` judge under the policy
`drop`, so that nothing is made again. Then each record must have come out as it was written or have
been set aside, and the books must balance. Forged heads carry true seals of their own: they stand
for accidents before sealing, such as a block that was put together from the wrong buffers.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from sealedbeam.pipeline.integrity.block import write_block
from sealedbeam.pipeline.integrity.channel import PerfectTransit, Place
from sealedbeam.pipeline.integrity.ladder import OnDamage, Policy, carry
from sealedbeam.pipeline.integrity.layout import HEADER_BYTES, Table, build_head
from sealedbeam.pipeline.integrity.ledger import HopAccount
from sealedbeam.pipeline.integrity.parity import encode_parity
from sealedbeam.pipeline.integrity.protection import CORRECT, DETECT, PARITY
from sealedbeam.pipeline.integrity.reconcile import Verdict, reconcile

from tests.proof.strokes import strike

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sealedbeam.pipeline.integrity.block import Block, Seal
    from sealedbeam.pipeline.integrity.protection import Protection

    from tests.proof.tally import Tally

    Records = Sequence[tuple[bytes, bytes]]

BLOCK_ID = b"part-00000/pages/000000"
PROTECTIONS = (DETECT, CORRECT, PARITY)
_RECORDS_MAX = 24
_PAYLOAD_BYTES_MAX = 96


@dataclass(frozen=True, slots=True)
class Struck:
    """What arrives instead of the block, how many faults that is, and what was done, in words."""

    data: bytes | None
    faults: int
    stroke: str


@dataclass(frozen=True, slots=True)
class _Tampering(PerfectTransit):
    """Hands something else over."""

    instead: bytes | None

    def deliver(self, data: bytes, hop: str, attempt: int) -> bytes | None:  # noqa: ARG002
        """Return what stands instead of the block."""
        return self.instead


def make_records(random: np.random.Generator) -> Records:
    """Return records of various sizes; now and then two with the same payload."""
    count = int(random.integers(2, _RECORDS_MAX + 1))
    sizes = random.integers(0, _PAYLOAD_BYTES_MAX, count).tolist()
    return [(b"id-%d" % number, random.bytes(size)) for number, size in enumerate(sizes)]


def attack(kind: str, random: np.random.Generator, tally: Tally) -> None:
    """Write a block, do one thing of a kind to it, and enter what became of its records."""
    protection = PARITY if kind == "parity" else PROTECTIONS[int(random.integers(3))]
    records = make_records(random)
    block = write_block(BLOCK_ID, records, protection)
    struck = ATTACKS[kind](block, records, random)
    if struck.data == block.data:
        return
    fault, accepted = judge(block, records, struck.data)
    if fault:
        example = f"{protection.name}, {struck.stroke}: {fault}; records {records!r}"
        tally.accuse(kind, f"{example}, arrived {(struck.data or b'').hex()}", struck.faults)
    else:
        whole = accepted == len(records)
        restored, refused = (struck.faults, 0) if whole else (0, struck.faults)
        tally.enter(kind, restored=restored, refused=refused)


def judge(block: Block, records: Records, arrived: bytes | None) -> tuple[str, int]:
    """Return what is wrong with the outcome, empty when nothing is, and the records accepted."""
    account = HopAccount()
    account.sealed.add(block.seals)
    transit = _Tampering(Place("local", "", 0), arrived)
    policy = Policy(block.protection, OnDamage.DROP)
    carried = carry(block, "pages", transit, policy, derive=lambda _: (), account=account)
    written = dict(records)
    accepted = [(one.identity, bytes(one.payload)) for one in carried.accepted]
    others = [casualty.identity for casualty in carried.casualties]
    if wrong := [one for one in accepted if written.get(one[0]) != one[1]]:
        return f"accepted {wrong[0]!r}", len(accepted)
    if sorted([*(identity for identity, _ in accepted), *others]) != sorted(written):
        return "a record is neither accepted, once, nor set aside", len(accepted)
    verdict = reconcile({"pages": account}, (), sealed=True).verdict
    return "" if verdict is Verdict.BALANCED else f"the ledger is {verdict}", len(accepted)


def _strike_span(
    block: Block, spans: Sequence[tuple[int, int]], random: np.random.Generator
) -> Struck:
    data = np.frombuffer(block.data, np.uint8).copy()
    strokes = []
    for begin, end in spans:
        strokes.append(f"{strike(data[np.newaxis, begin:end], random)} in [{begin}, {end})")
    return Struck(data.tobytes(), len(spans), " and ".join(strokes))


def _damage_head(block: Block, _: Records, random: np.random.Generator) -> Struck:
    """Hit the head, its mirror, or both."""
    size, end = block.bounds[0], len(block.data)
    head, mirror = (0, size), (end - size, end)
    spans = ((head,), (mirror,), (head, mirror))[int(random.integers(3))]
    return _strike_span(block, spans, random)


def _damage_table(block: Block, _: Records, random: np.random.Generator) -> Struck:
    """Hit the table, its mirror, or both: lengths, ids, seals."""
    size, end = block.bounds[0], len(block.data)
    table, mirror = (HEADER_BYTES, size), (end - size, end - HEADER_BYTES)
    spans = ((table,), (mirror,), (table, mirror))[int(random.integers(3))]
    return _strike_span(block, spans, random)


def _damage_parity(block: Block, _: Records, random: np.random.Generator) -> Struck:
    """Hit the frames and the parity that should bring them back."""
    frames = (block.bounds[0], block.bounds[-1])
    parity = (block.bounds[-1], len(block.data) - block.bounds[0])
    return _strike_span(block, (frames, parity), random)


def _damage_anything(block: Block, _: Records, random: np.random.Generator) -> Struck:
    return _strike_span(block, ((0, len(block.data)),), random)


def _drop(block: Block, records: Records, random: np.random.Generator) -> Struck:
    """Leave out the block, its end, a record's bytes, or a record and its line of the table."""
    way = int(random.integers(4))
    if way == 0:
        return Struck(None, len(records), "lost")
    if way == 1:
        cut = int(random.integers(len(block.data)))
        return Struck(block.data[:cut], 1, f"cut at {cut}")
    gone = int(random.integers(len(records)))
    if way == 2:
        begin, end = block.frame_extent(gone)
        return Struck(block.data[:begin] + block.data[end:], 1, f"bytes of record {gone} gone")
    kept = [number for number in range(len(records)) if number != gone]
    return Struck(_forge(block, records, kept), 1, f"record {gone} left out")


def _duplicate(block: Block, records: Records, random: np.random.Generator) -> Struck:
    """Put one record's frame over another's, or a record in twice, or the block behind itself."""
    way = int(random.integers(3))
    if way == 0:
        return Struck(block.data * 2, len(records), "twice")
    first, second = random.permutation(len(records))[:2].tolist()
    order = list(range(len(records)))
    order[second] = first
    if way == 1:
        return Struck(_forge(block, records, order), 1, f"record {first} for {second}")
    order = sorted([*range(len(records)), first])
    return Struck(_forge(block, records, order), 1, f"record {first} twice")


def _swap(block: Block, records: Records, random: np.random.Generator) -> Struck:
    """Let records change places, with their seals or without."""
    order = random.permutation(len(records)).tolist()
    moved = sum(number != place for place, number in enumerate(order))
    if random.random() < 0.5:
        return Struck(_forge(block, records, order), moved, f"order {order}")
    frames = [block.data[begin:end] for begin, end in pairwise(block.bounds)]
    data = bytearray(block.data)
    data[block.bounds[0] : block.bounds[-1]] = b"".join(frames[number] for number in order)
    return Struck(bytes(data), moved, f"frames in the order {order}")


def _make_stale(block: Block, records: Records, random: np.random.Generator) -> Struck:
    """Replay what these identities held before, some of them or all, under this id or another."""
    chosen = random.random(len(records)) < random.choice([0.1, 0.5, 1.0])
    earlier = [
        (identity, random.bytes(len(payload)) if old else payload)
        for (identity, payload), old in zip(records, chosen.tolist(), strict=True)
    ]
    block_id = BLOCK_ID if random.random() < 0.8 else b"part-00000/pages/000001"
    other = write_block(block_id, earlier, block.protection)
    changed = sum(one != two for one, two in zip(records, earlier, strict=True))
    return Struck(other.data, max(changed, 1), f"earlier payloads under {block_id!r}")


def _seal_wrongly(block: Block, records: Records, random: np.random.Generator) -> Struck:
    """Let seals be hit before the head is sealed over them."""
    rows = np.frombuffer(b"".join(map(_pack, block.seals)), np.uint8).reshape(-1, 20).copy()
    stroke = strike(rows, random)
    seals = [replace_seal(seal, row.tobytes()) for seal, row in zip(block.seals, rows, strict=True)]
    changed = sum(one != two for one, two in zip(seals, block.seals, strict=True))
    return Struck(write_block(BLOCK_ID, records, block.protection, seals).data, changed, stroke)


def _pack(seal: Seal) -> bytes:
    return seal.crc.to_bytes(4, "little") + seal.digest


def replace_seal(seal: Seal, packed: bytes) -> Seal:
    """Return a seal with the bytes that `_pack` wrote."""
    return seal._replace(crc=int.from_bytes(packed[:4], "little"), digest=packed[4:])


def _forge(block: Block, records: Records, order: Sequence[int]) -> bytes:
    """Return a well-formed block of these records, in any order, also repeated."""
    chosen = [records[number] for number in order]
    seals = [block.seals[number] for number in order]
    table = Table(
        BLOCK_ID,
        tuple(len(identity) for identity, _ in chosen),
        tuple(len(payload) for _, payload in chosen),
        tuple(seal.crc for seal in seals),
        b"".join(seal.digest for seal in seals),
    )
    frames = b"".join(block.data[slice(*block.frame_extent(number))] for number in order)
    protection: Protection = block.protection
    header, encoded = build_head(protection, table, len(frames))
    body = header + encoded + frames
    parity = encode_parity(body) if protection.parity else b""
    return body + parity + encoded + header


ATTACKS: dict[str, Callable[[Block, Records, np.random.Generator], Struck]] = {
    "header": _damage_head,
    "table": _damage_table,
    "parity": _damage_parity,
    "anywhere": _damage_anything,
    "drop": _drop,
    "duplicate": _duplicate,
    "swap": _swap,
    "stale": _make_stale,
    "seal before head": _seal_wrongly,
}
"""What is done to a block, by kind."""
