"""Watches the deliveries of one record or block on a faulty channel, and changes nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from sealedbeam.pipeline.jobs.context import JobContext

from .journal import Fault, decode_journal
from .outline import read_outline
from .transit import FaultyTransit

if TYPE_CHECKING:
    from sealedbeam.pipeline.integrity.channel import Channel, ChannelReference, Place, Transit
    from sealedbeam.pipeline.integrity.ladder import Carried, Casualty

    from .ids import FaultIds
    from .plan import Plan

_AGAIN = b"#"
"""Stands in the id of a block of records that were derived again, before the attempt."""


class Seen(NamedTuple):
    """One delivery: what was handed over, and what arrived."""

    attempt: int
    before: bytes
    after: bytes | None


class Computed(NamedTuple):
    """One computation: where it was done, its right result, and what the machine made of it."""

    attempt: int
    before: bytes
    after: bytes


@dataclass(slots=True)
class Watch:
    """What to look for, and what was seen of it.

    Attributes:
        hop: the hop, or the stage of a computation.
        target: the record's identity, or the block's id without an attempt.
        seen: its deliveries.
        computed: its computations.
        set_aside: it, if the consumer gave it up.
        transits: all that carried anything.
    """

    hop: str
    target: bytes
    seen: list[Seen] = field(default_factory=list)
    computed: list[Computed] = field(default_factory=list)
    set_aside: list[Casualty] = field(default_factory=list)
    transits: list[FaultyTransit] = field(default_factory=list)

    def is_in(self, data: bytes) -> bool:
        """Whether the target is this block, or one of its records."""
        outline = read_outline(data)
        if outline is None:
            return False
        if outline.block_id.partition(_AGAIN)[0] == self.target:
            return True
        return any(frame.identity == self.target for frame in outline.frames)

    def find(self, fault_id: str) -> Fault | None:
        """Return the fault with this id as these transits saw it, None if it did not happen."""
        for transit in self.transits:
            for fault in decode_journal(transit.journal()):
                if fault.fault_id == fault_id:
                    return fault
        return None


class Witness:
    """A faulty transit, watched."""

    def __init__(self, plan: Plan, watch: Watch, ids: FaultIds | None = None) -> None:
        """Carry blocks under `plan` and note what concerns the target of `watch`.

        `ids` are those of a larger plan that it is a part of.
        """
        self._inner = FaultyTransit(plan, ids)
        self._watch = watch
        self._watching = False
        watch.transits.append(self._inner)

    def deliver(self, data: bytes, hop: str, attempt: int) -> bytes | None:
        """Return what arrives of a block."""
        after = self._inner.deliver(data, hop, attempt)
        if hop == self._watch.hop:
            is_in = self._watch.is_in(data)
            if attempt == 1:
                self._watching = is_in
            if self._watching and is_in:  # what cannot be made again is not delivered again
                self._watch.seen.append(Seen(attempt, data, after))
        return after

    def place(self, identity: bytes, hop: str, attempt: int) -> Place:
        """Return where and when the record is at this delivery."""
        return self._inner.place(identity, hop, attempt)

    def compute(self, identity: bytes, stage: str, attempt: int, result: bytes) -> bytes:
        """Return what the machine of an attempt makes of a computation."""
        after = self._inner.compute(identity, stage, attempt, result)
        if (stage, identity) == (self._watch.hop, self._watch.target):
            self._watch.computed.append(Computed(attempt, result, after))
        return after

    def settle(self, hop: str, carried: Carried) -> None:
        """Let the faulty transit learn what the consumer made of a block."""
        self._inner.settle(hop, carried)
        if hop == self._watch.hop and self._watching:
            self._watch.set_aside += [
                casualty
                for casualty in carried.casualties
                if casualty.identity == self._watch.target
            ]

    def journal(self) -> bytes:
        """Return the journal of all that was injected."""
        return self._inner.journal()


@dataclass(frozen=True, slots=True)
class WatchedChannel:
    """A plan's channel with a witness on each transit; it lives in this process alone."""

    plan: Plan
    watch: Watch

    def begin(self, task: str) -> Transit:  # noqa: ARG002 - faults follow records, not tasks
        """Return a watched transit."""
        return Witness(self.plan, self.watch)

    def reference(self) -> ChannelReference:
        """Raise TypeError: another process could not tell what it saw."""
        raise TypeError("a watched channel cannot be made again elsewhere")


@dataclass(frozen=True)
class WatchedContext(JobContext):
    """A job whose channel is watched."""

    watched: WatchedChannel | None = None

    @cached_property
    def transit_source(self) -> Channel:
        """The watched channel."""
        assert self.watched is not None, "given by whoever watches"
        return self.watched
