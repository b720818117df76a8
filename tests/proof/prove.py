"""Tries to get one wrong record past the reader, for as long as it is told.

    python -m tests.proof.prove MINUTES [--processes N] [--seed N]

Prints what was planted, what became of it, and what that proves. Exit code 1 when something wrong
was accepted; the example that is printed suffices to make it again.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from itertools import count

import numpy as np

from tests.proof import blocks, records
from tests.proof.tally import Tally, miss_rate_bound

_FRAMES = 4096
_PAYLOAD_BYTES = (1, 8, 24, 64, 200, 1000)
_ROUNDS = 40  # of damage to the same clean frames
_BLOCKS = 200  # of each kind in a turn
_REPORT_SECONDS = 10.0


def take_turn(seed: int) -> Tally:
    """Return what one turn came to: some seconds of attacks, a pure function of the seed."""
    random = np.random.default_rng(seed)
    tally = Tally()
    payload_bytes = int(random.choice(_PAYLOAD_BYTES))
    clean = records.make_frames(_FRAMES, payload_bytes, random)
    found = Tally()
    for _ in range(_ROUNDS):
        for kind in records.ATTACKS:
            records.attack(clean, kind, random, found)
    tally.merge(_under("record", found))
    found = Tally()
    for kind in blocks.ATTACKS:
        for _ in range(_BLOCKS):
            blocks.attack(kind, random, found)
    tally.merge(_under("block", found))
    tally.examples = [f"seed {seed}, {example}" for example in tally.examples]
    return tally


def _under(name: str, found: Tally) -> Tally:
    """Return a tally whose kinds say what was attacked."""
    renamed = Tally(examples=found.examples)
    for theirs, ours in (
        (found.refused, renamed.refused),
        (found.restored, renamed.restored),
        (found.wrong, renamed.wrong),
    ):
        for kind, faults in theirs.items():
            ours[f"{name}: {kind}"] = faults
    return renamed


def prove(minutes: float, processes: int, first_seed: int) -> tuple[Tally, float]:
    """Attack for so long; return the sum of all turns, and the seconds."""
    begun = reported = time.monotonic()
    end = begun + 60 * minutes
    tally, seeds = Tally(), count(first_seed)
    with ProcessPoolExecutor(processes) as pool:
        turns = {pool.submit(take_turn, next(seeds)) for _ in range(processes)}
        while turns:
            done, turns = wait(turns, return_when=FIRST_COMPLETED)
            for turn in done:
                tally.merge(turn.result())
            now = time.monotonic()
            if now < end and not tally.wrong.total():
                turns |= {pool.submit(take_turn, next(seeds)) for _ in done}
            if now - reported > _REPORT_SECONDS:
                reported = now
                sys.stderr.write(f"{tally.total():,} faults in {now - begun:.0f} s\n")
    return tally, time.monotonic() - begun


def describe(tally: Tally, seconds: float) -> str:
    """Return the table, and what it proves."""
    lines = [f"{'':26}{'faults':>16}{'restored':>16}{'refused':>16}{'wrong':>8}"]
    for kind in tally.kinds():
        numbers = tally.faults(kind), tally.restored[kind], tally.refused[kind]
        cells = "".join(f"{number:16,}" for number in numbers)
        lines.append(f"{kind:26}{cells}{tally.wrong[kind]:8,}")
    total, wrong = tally.total(), tally.wrong.total()
    rate = total / seconds if seconds else 0.0
    lines.append(f"{total:,} faults in {seconds:.0f} s ({rate:,.0f} a second), {wrong} wrong")
    if wrong:
        lines += ["Accepted, and not what was written:", *tally.examples]
    else:
        bound = miss_rate_bound(total)
        lines.append(f"With 95 % confidence fewer than {bound:.1e} of such faults get through.")
    return "\n".join(lines)


def main() -> None:
    """Attack, print, and exit with 1 if anything got through."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("minutes", type=float)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=1, help="of the first turn; others follow")
    options = parser.parse_args()
    if not options.minutes > 0 or options.processes < 1 or options.seed < 0:
        parser.error("minutes and processes must be positive, the seed not negative")
    tally, seconds = prove(options.minutes, options.processes, options.seed)
    sys.stdout.write(describe(tally, seconds) + "\n")
    sys.exit(1 if tally.wrong.total() else 0)


if __name__ == "__main__":
    main()
