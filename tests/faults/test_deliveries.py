"""Claims about strikes on deliveries: as often as planned, alone where planned, the same again."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from sealedbeam.faults.deliveries import (
    BlockStrike,
    find_block_strikes,
    find_chances,
    head_bit,
    replace_delivery,
)
from sealedbeam.faults.kinds import BLOCK_KINDS, BlockKind, HeadKind
from sealedbeam.faults.outline import Outline, read_outline
from sealedbeam.pipeline.integrity.block import write_block
from sealedbeam.pipeline.integrity.protection import CORRECT, NONE, PARITY

from tests.support.campaigns import make_plan, make_records

BLOCKS, SEEDS = 500, 20


def sealed_outline(count: int = 5) -> Outline:
    outline = read_outline(write_block(b"block", make_records(count), CORRECT).data)
    assert outline is not None
    return outline


def test_each_kind_strikes_its_share() -> None:
    """Over seeds each kind strikes its share of the deliveries, within 3 sigma of a binomial."""
    shares = {kind: 0.02 * (1 + number) for number, kind in enumerate(BLOCK_KINDS)}
    found: Counter[str] = Counter()
    for seed in range(SEEDS):
        plan = make_plan(*({"kind": k, "per_block": s} for k, s in shares.items()), seed=seed)
        chances = find_chances(plan, "runs", 1)
        for number in range(BLOCKS):
            found.update(s.kind for s in find_block_strikes(b"%d" % number, chances, "dublin"))
    for kind, share in shares.items():
        mean = share * BLOCKS * SEEDS
        assert abs(found[kind] - mean) <= 3 * math.sqrt(mean * (1 - share))


def test_strikes_stay_in_their_clusters_and_hops() -> None:
    """A kind strikes only where it is planned; factors and repeated entries add up to 1 at most."""
    fault = {"kind": "lost_block", "per_block": 0.6, "clusters": {"oregon": 1}, "hops": ["runs"]}
    plan = make_plan(fault, fault)
    assert find_chances(plan, "pages", 1) == []
    chances = find_chances(plan, "runs", 1)
    names = [b"%d" % number for number in range(100)]
    assert all(find_block_strikes(name, chances, "dublin") == [] for name in names)
    assert all(len(find_block_strikes(name, chances, "oregon")) == 1 for name in names)


def test_strikes_are_a_function_of_block_hop_and_attempt() -> None:
    """The same delivery is struck alike each time; another attempt or hop is drawn anew."""
    plan = make_plan({"kind": "lost_block", "per_block": 0.5})
    names = [b"%d" % number for number in range(64)]

    def struck(hop: str, attempt: int) -> list[bool]:
        chances = find_chances(plan, hop, attempt)
        return [bool(find_block_strikes(name, chances, "dublin")) for name in names]

    assert struck("runs", 1) == struck("runs", 1)
    patterns = {tuple(struck(*at)) for at in (("runs", 1), ("runs", 2), ("pages", 1))}
    assert len(patterns) == 3


def test_head_bits_are_spread_over_all_they_may_hit() -> None:
    """Each byte of header, table, seals and parity is hit by some number, and nothing else is."""
    outline = read_outline(write_block(b"block", make_records(3), PARITY).data)
    assert outline is not None
    step = (1 << 64) // 4000
    hit: dict[HeadKind, set[int]] = {kind: set() for kind in HeadKind}
    for kind in HeadKind:
        for word in range(0, 1 << 64, step):
            found = head_bit(BlockStrike(kind, word, b"block"), outline)
            assert found is not None
            hit[kind].add(found[0] >> 3)
    assert hit[HeadKind.HEADER_BIT] == set(range(88))
    assert hit[HeadKind.TABLE_BIT] == set(range(*outline.table))
    assert hit[HeadKind.PARITY_BIT] == set(range(*outline.parity))
    assert hit[HeadKind.SEAL_BIT] == {b for number in range(3) for b in outline.seal_bytes(number)}


def test_block_without_records_or_seals_has_no_seal_to_hit() -> None:
    """A hit on a seal, or on parity, that is not there does not happen."""
    assert head_bit(BlockStrike(HeadKind.PARITY_BIT, 1, b"block"), sealed_outline(3)) is None
    strike = BlockStrike(HeadKind.SEAL_BIT, 1 << 63, b"block")
    assert head_bit(strike, sealed_outline(0)) is None
    unsealed = read_outline(write_block(b"block", make_records(3), NONE).data)
    assert unsealed is not None
    assert head_bit(strike, unsealed) is None


@pytest.mark.parametrize("word", [0, 1 << 63, (1 << 64) - 1])
def test_truncation_always_cuts(word: int) -> None:
    """A truncated block may lose all of its bytes and loses one at least."""
    strike = BlockStrike(BlockKind.TRUNCATED_BLOCK, word, b"block")
    data = bytes(range(10))
    arrived = replace_delivery(strike, data, None)
    assert arrived == data[: word * 10 >> 64]
