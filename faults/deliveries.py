"""What happens to deliveries as a whole, and to the heads of blocks.

Each kind of fault is decided for each delivery by a number of its own, drawn for the block's id:
how records are grouped into blocks matters here, other than for upsets. A
delivery suffers at most one fault of the kinds that replace it, the first that is drawn, in the
order of `BlockKind`.

* `lost_block`: nothing arrives.
* `truncated_block`: it ends anywhere, the first byte included.
* `duplicated_block`: it arrives twice, end to end.
* `misdirected_block`: what arrives is the latest block of another hop of the same task.
* `stale_block`: what arrives is the block that was delivered before at the same hop and task.

The last two need an earlier block: where there is none, they do not happen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sealedbeam.pipeline.integrity.layout import HEADER_BYTES

from .draws import draw, stream_key, to_index, to_unit
from .kinds import BlockKind, HeadKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .outline import Outline
    from .plan import Plan

    Kind = HeadKind | BlockKind


class BlockStrike(NamedTuple):
    """A fault of one delivery: its kind, a number to draw its details by, the block's id."""

    kind: Kind
    word: int
    block_id: bytes


class Chance(NamedTuple):
    """How likely a kind strikes the deliveries at one hop and attempt, and the key to draw by."""

    kind: Kind
    by_cluster: Mapping[str, float]
    key: int


def find_chances(plan: Plan, hop: str, attempt: int) -> list[Chance]:
    """Return the chances of all kinds that can strike deliveries there."""
    return [
        Chance(kind, by_cluster, stream_key(plan.seed, "blocks", kind, hop, attempt))
        for kind, by_cluster in plan.block_shares(hop)
    ]


def find_block_strikes(
    block_id: bytes, chances: Sequence[Chance], cluster: str
) -> list[BlockStrike]:
    """Return what strikes the delivery of a block that is in `cluster`."""
    return [
        BlockStrike(kind, draw(block_id, key, 1), block_id)
        for kind, by_cluster, key in chances
        if to_unit(draw(block_id, key)) <= by_cluster.get(cluster, 0.0)
    ]


def head_bit(strike: BlockStrike, outline: Outline) -> tuple[int, int | None] | None:
    """Return the bit of the block that a hit on its head flips, and the record whose seal it is.

    None where there is nothing to hit: a block without records or seals has no seal, and most
    blocks have no parity.
    """
    start, stop = outline.table
    if strike.kind is HeadKind.PARITY_BIT:
        start, stop = outline.parity
        bits = 8 * (stop - start)
        return (8 * start + to_index(strike.word, bits), None) if bits else None
    if strike.kind is HeadKind.HEADER_BIT:
        return to_index(strike.word, 8 * HEADER_BYTES), None
    if strike.kind is HeadKind.TABLE_BIT:
        return 8 * start + to_index(strike.word, 8 * (stop - start)), None
    if not outline.frames or outline.crcs is None:
        return None
    number = to_index(strike.word, len(outline.frames))
    seal = outline.seal_bytes(number)
    bit = to_index(draw(outline.frames[number].identity, strike.word), 8 * len(seal))
    return 8 * seal[bit >> 3] + (bit & 7), number


def replace_delivery(strike: BlockStrike, data: bytes, earlier: bytes | None) -> bytes | None:
    """Return what arrives of a delivery in place of `data`.

    Args:
        strike: of a `BlockKind`.
        data: what was to arrive.
        earlier: the other block that a misdirected or stale delivery consists of.
    """
    if strike.kind is BlockKind.LOST_BLOCK:
        return None
    if strike.kind is BlockKind.TRUNCATED_BLOCK:
        return data[: to_index(strike.word, len(data))]
    if strike.kind is BlockKind.DUPLICATED_BLOCK:
        return data + data
    return earlier
