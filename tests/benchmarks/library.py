"""Measures what the seals cost an element in somebody's Beam pipeline, on the local runner.

Every figure is processor time of the whole job less that of the same job without the step, divided
by the elements; both run alternately in this process, and the median over the rounds is printed
with the least. The job makes rows of random bytes, and drops them at its end. `pure` is the cost of
the codes and the bookkeeping alone, without Beam.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import sys
import time
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import apache_beam as beam
from sealedbeam.pipeline.integrity.protection import PROTECTIONS
from sealedbeam.pipeline.integrity.rows import open_rows, seal_rows
from sealedbeam.pipeline.integrity.sealed_value import open_value, seal_value
from sealedbeam.pipeline.integrity.transforms import (
    Guard,
    Open,
    Protect,
    Reconcile,
    Seal,
    SealedCoder,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

ROW_BYTES = 1024
DISTINCT_ROWS = 4096  # 4 MiB of 1 KiB rows: more than a core's own cache holds
BLOCK_BYTES = 1 << 20


class Figure(NamedTuple):
    """What a step costs an element: microseconds, the median over the rounds and the least."""

    name: str
    median: float
    least: float


def make_rows(count: int, row_bytes: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield pairs of key and row."""
    chance = Random(1)
    distinct = [chance.randbytes(row_bytes) for _ in range(min(count, DISTINCT_ROWS))]
    for number in range(count):
        yield b"%d" % (number % 1000), distinct[number % len(distinct)]


def run_job(step: Callable[[Any], Any], count: int, row_bytes: int, *, keyed: bool) -> float:
    """Return the processor time of a job with a step in it, in seconds."""
    pipeline = beam.Pipeline(runner="FnApiRunner")
    numbers = pipeline | beam.Create([count], reshuffle=False)
    if keyed:
        made = beam.FlatMap(make_rows, row_bytes).with_output_types(tuple[bytes, bytes])
    else:
        made = beam.FlatMap(lambda n: (row for _, row in make_rows(n, row_bytes)))
        made = made.with_output_types(bytes)
    _ = step(numbers | made) | "End" >> beam.Map(lambda _: None)
    started = time.process_time()
    pipeline.run().wait_until_finish()
    return time.process_time() - started


def time_pure(name: str, count: int, row_bytes: int) -> float:
    """Return the processor time of sealing and opening rows without Beam, in seconds."""
    protection = PROTECTIONS["correct"]
    pairs = list(make_rows(count, row_bytes))
    started = time.process_time()
    if name == "blocks":
        for block in seal_rows(((row, 0) for _, row in pairs), protection, BLOCK_BYTES):
            open_rows(block.data, protection)
    elif name == "values":
        for key, row in pairs:
            open_value(key, seal_value(key, row, protection), protection)
    else:
        coder = SealedCoder(beam.coders.BytesCoder())
        for _, row in pairs:
            coder.decode(coder.encode(row))
    return time.process_time() - started


def same(row: bytes) -> bytes:
    """Return a row."""
    return row


def steps() -> dict[str, tuple[bool, Callable[[Any], Any]]]:
    """Return the steps to be measured, by name: whether of pairs, and the step."""
    damage = partial(beam.Map, str)
    return {
        "one beam.Map, to compare": (False, lambda rows: rows | "Same" >> beam.Map(same)),
        "Seal | Open, blocks": (False, lambda rows: rows | Seal() | Open(damage=damage())),
        "Seal | Open, parity": (False, lambda rows: rows | Seal("parity") | Open(damage=damage())),
        "Seal | Guard(fn) | Open": (
            False,
            lambda rows: (
                rows
                | Seal()
                | Guard(same, result_type=bytes, damage=damage())
                | Open(damage=damage())
            ),
        ),
        "Protect(beam.Map)": (
            False,
            lambda rows: rows | Protect(beam.Map(same).with_output_types(bytes), damaged=damage()),
        ),
        "Seal | Open, keyed, single rows": (
            True,
            lambda rows: rows | Seal(keyed=True) | Open(damage=damage()),
        ),
        "Reconcile(beam.Map)": (
            False,
            lambda rows: rows | Reconcile(beam.Map(same).with_output_types(bytes)),
        ),
    }


def measure(
    count: int, rounds: int, row_bytes: int = ROW_BYTES, names: Collection[str] = ()
) -> list[Figure]:
    """Return the figures of all steps, or of those that are named."""
    chosen = {name: step for name, step in steps().items() if not names or name in names}
    costs: dict[str, list[float]] = {}
    for _ in range(rounds):
        bare = {
            keyed: run_job(lambda rows: rows, count, row_bytes, keyed=keyed)
            for keyed in (False, True)
        }
        for name, (keyed, step) in chosen.items():
            spent = run_job(step, count, row_bytes, keyed=keyed) - bare[keyed]
            costs.setdefault(name, []).append(spent)
        for name in ("blocks", "values", "SealedCoder"):
            costs.setdefault(f"pure: {name}", []).append(time_pure(name, count, row_bytes))
    return [
        Figure(name, statistics.median(each) / count * 1e6, min(each) / count * 1e6)
        for name, each in costs.items()
    ]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--row-bytes", type=int, default=ROW_BYTES)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    sys.stdout.write(f"{'microseconds an element':36}{'median':>8}{'least':>8}\n")
    for figure in measure(options.rows, options.rounds, options.row_bytes):
        sys.stdout.write(f"{figure.name:36}{figure.median:8.2f}{figure.least:8.2f}\n")


if __name__ == "__main__":
    main()
