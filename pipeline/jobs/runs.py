"""Takes runs out of storage over hop "runs": the reading end of the shuffle.

The seal that a run must have stands in its producer's ledger entry, not in the run file, so that a
stale, foreign or swapped run shows. A run that cannot be corrected is read again; if its stored
bytes themselves are damaged, its part is done again in memory, and only a run with the very same
digest is taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sealedbeam.pipeline.integrity.block import Block, Seal, open_block
from sealedbeam.pipeline.integrity.ladder import Casualty, carry

from .map_job import RUNS, UNDECODABLE, derive_runs
from .segment import run_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sealedbeam.pipeline.integrity.channel import Transit
    from sealedbeam.pipeline.integrity.ladder import Accepted

    from .context import JobContext
    from .entry import Entry, RunEntry
    from .quarantine import Quarantine


class RunReader:
    """Reads the runs of one shard for one task, entering what it meets in the task's entry."""

    def __init__(
        self, context: JobContext, transit: Transit, entry: Entry, quarantine: Quarantine
    ) -> None:
        """Read for the task of `entry`."""
        self._context = context
        self._transit = transit
        self._entry = entry
        self._quarantine = quarantine
        self._derived: dict[str, dict[bytes, bytes]] = {}

    def read(
        self, entries: Sequence[Entry], kind: str, shard: int
    ) -> Iterator[tuple[Entry, RunEntry, Accepted]]:
        """Yield the accepted runs of a kind and shard with where they come from, in part order."""
        for entry in entries:
            for run in entry.runs:
                if run.kind != kind or run.shard != shard:
                    continue
                accepted = self._cross(entry, run)
                if accepted is not None:
                    yield entry, run, accepted

    def _cross(self, entry: Entry, run: RunEntry) -> Accepted | None:
        name = run_name(entry.task, run.kind, run.segment, run.shard)
        policy = self._context.policy
        seal = Seal(run.crc, bytes.fromhex(run.digest))
        block = Block(self._stored(run), name, (name,), (seal,), policy.protection)
        carried = carry(
            block,
            RUNS,
            self._transit,
            policy,
            derive=lambda _: self._derive(entry, run, name),
            account=self._entry.hop(RUNS),
        )
        for casualty in carried.casualties:
            self._entry.count("runs", "tokens_dropped", run.tokens)
            self._quarantine.add_record(RUNS, casualty, None)
        return carried.accepted[0] if carried.accepted else None

    def set_undecodable_aside(self, accepted: Accepted) -> None:
        """Set aside what only an unsealed hop can let through: bytes that are no run."""
        place = self._transit.place(accepted.identity, RUNS, accepted.attempt)
        raw = bytes(accepted.payload)
        casualty = Casualty(accepted.identity, UNDECODABLE, accepted.attempt, place, raw)
        self._quarantine.add_record(RUNS, casualty, None)

    def _stored(self, run: RunEntry) -> bytes:
        try:
            return self._context.store.read(run.path, run.offset, run.length)
        except OSError:
            return b""  # a file that is gone is a lost block: the ladder derives its runs again

    def _derive(self, entry: Entry, run: RunEntry, name: bytes) -> list[tuple[bytes, bytes]]:
        opened = open_block(self._stored(run), name, self._context.policy.protection)
        if opened.found:
            return [(name, bytes(opened.found[0].payload))]
        if entry.task not in self._derived:
            self._derived = {entry.task: derive_runs(self._context, entry)}
        payload = self._derived[entry.task].get(name)
        return [] if payload is None else [(name, payload)]
