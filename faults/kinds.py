"""The kinds of faults, by what they strike; the values stand in scenarios, journals and metrics.

* Memory: bits of one record while it is handed over, in one of the patterns of `widths.py`.
* Heads: one bit of what a block says of its records: its header, its table, the seal of one record,
  its parity.
* Blocks: what happens to a delivery as a whole.
* Machines: a record was on a machine that failed, whose packets got lost, or that was so slow that
  it was given up.
* Computations: a result was wrong before it was sealed.
"""

from __future__ import annotations

from enum import StrEnum

from .widths import Width


class HeadKind(StrEnum):
    """Hits on a block's head: one flipped bit each."""

    HEADER_BIT = "header_bit"
    TABLE_BIT = "table_bit"
    SEAL_BIT = "seal_bit"
    PARITY_BIT = "parity_bit"


class BlockKind(StrEnum):
    """What happens to whole deliveries."""

    LOST_BLOCK = "lost_block"
    TRUNCATED_BLOCK = "truncated_block"
    DUPLICATED_BLOCK = "duplicated_block"
    MISDIRECTED_BLOCK = "misdirected_block"
    STALE_BLOCK = "stale_block"


OF_OTHER_BLOCKS = (BlockKind.MISDIRECTED_BLOCK, BlockKind.STALE_BLOCK)
"""What arrives in these is a block that was sent before."""


class MachineKind(StrEnum):
    """What a failing machine does to a record that is on it."""

    MACHINE_DOWN = "machine_down"
    PACKET_LOST = "packet_lost"
    TIMED_OUT = "timed_out"


MISCOMPUTED = "miscomputed"
"""A mercurial core gave a wrong result."""

MEMORY_KINDS = tuple(Width)
BLOCK_KINDS = (*HeadKind, *BlockKind)
ALL_KINDS = (*map(str, MEMORY_KINDS), *map(str, BLOCK_KINDS), *map(str, MachineKind), MISCOMPUTED)
"""Every kind that a journal can name, in the order of reports."""
