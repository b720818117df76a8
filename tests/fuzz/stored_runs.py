"""Reader of stored runs: what it accepts is the run that its producer sealed, else it is set aside.

The input is a byte that chooses the preset and whether the run can be derived again, and edits to
the stored block.
"""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from unittest import mock

from sealedbeam.pipeline.integrity.block import Block, write_block
from sealedbeam.pipeline.integrity.channel import PerfectChannel
from sealedbeam.pipeline.integrity.ladder import Policy
from sealedbeam.pipeline.integrity.protection import CORRECT, DETECT
from sealedbeam.pipeline.jobs import runs
from sealedbeam.pipeline.jobs.entry import Entry, RunEntry
from sealedbeam.pipeline.jobs.map_job import RUNS
from sealedbeam.pipeline.jobs.quarantine import Quarantine
from sealedbeam.pipeline.jobs.segment import POSTINGS, run_name

from tests.fuzz.cursor import Cursor, edited
from tests.fuzz.runs import seeds as run_seeds
from tests.fuzz.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sealedbeam.pipeline.integrity.protection import Protection
    from sealedbeam.pipeline.jobs.context import JobContext

_TASK = "part-00000"


@cache
def _written(protection: Protection) -> tuple[bytes, Block]:
    """Return a run's payload and its block."""
    payload = list(run_seeds())[-1][1:]
    name = run_name(_TASK, POSTINGS, 0, 0)
    return payload, write_block(name, [(name, payload)], protection)


def check(data: bytes) -> None:
    """Damage the block where it is stored, and read the run."""
    cursor = Cursor(data)
    choice = cursor.number()
    protection = CORRECT if choice & 1 else DETECT
    payload, block = _written(protection)
    stored = edited(block.data, cursor)
    seal = block.seals[0]
    run = RunEntry(POSTINGS, 0, 0, "r", 0, len(stored), seal.crc, seal.digest.hex(), 1)
    producer = Entry(_TASK, "00", runs=[run])
    derived = {block.block_id: payload if choice & 2 else payload + b"x"}
    with mock.patch.object(runs, "derive_runs", return_value=derived):
        accepted, consumer, quarantine = _read(stored, producer, protection)
    assert all(bytes(found) == payload for found in accepted)
    assert len(accepted) + len(quarantine.rows) == 1
    assert accepted or not choice & 2
    account = consumer.hop(RUNS)
    assert account.accounted.digest_sum == block.digest_sum()
    assert account.total().records == 1


def _read(
    stored: bytes, producer: Entry, protection: Protection
) -> tuple[list[memoryview], Entry, Quarantine]:
    store = SimpleNamespace(read=lambda _, offset, length: stored[offset : offset + length])
    context: Any = SimpleNamespace(policy=Policy(protection), store=store)
    consumer = Entry("shard-00000", "00")
    quarantine = Quarantine("shard-00000", ())
    transit = PerfectChannel().begin("shard-00000")
    reader = runs.RunReader(cast("JobContext", context), transit, consumer, quarantine)
    accepted = [found.payload for _, _, found in reader.read([producer], POSTINGS, 0)]
    return accepted, consumer, quarantine


def seeds() -> Iterator[bytes]:
    """Yield no damage, one flipped bit and several, with and without a way to derive again."""
    for choice in range(4):
        for edits in (b"", b"\0\xf0\0\3", b"\0\xf0\0\3\0\xf1\0\1", b"\2\0\0\4", b"\2\x90\0\xff"):
            yield bytes([choice]) + edits


TARGET = Target(
    check,
    seeds,
    ("sealedbeam.pipeline.integrity", "sealedbeam.pipeline.jobs.runs"),
    max_bytes=256,
)
