"""The seam between sealing and opening: what carries a block, and where a record is meanwhile.

In production the channel is perfect and every record is in the worker's own cluster. A fault
campaign puts a channel in its place that alters the bytes it hands over, never the source. The
pipeline cannot tell which it was given.

A `Channel` is a frozen value; a worker makes it again from its `ChannelReference`. What one task
sends goes through one `Transit`, which may keep state for that task alone.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from .ladder import Carried

DEFAULT_CLUSTER = "local"


class Place(NamedTuple):
    """Where and when a record is delivered; `time_seconds` is simulated, 0 in production."""

    cluster: str
    machine: str
    time_seconds: int


class Transit(Protocol):
    """One task's use of a channel."""

    def deliver(self, data: bytes, hop: str, attempt: int) -> bytes | None:
        """Return what arrives of a block, None when nothing does; attempts count from 1."""

    def place(self, identity: bytes, hop: str, attempt: int) -> Place:
        """Return where the record is at this delivery; a pure function of its arguments."""

    def compute(self, identity: bytes, stage: str, attempt: int, result: bytes) -> bytes:
        """Return what the machine of an attempt makes of a computation, before it is sealed."""

    def settle(self, hop: str, carried: Carried) -> None:
        """Learn what the consumer made of a block: the channel's only look at results."""

    def journal(self) -> bytes | None:
        """Return a Parquet file to be committed with the task, None when there is none."""


@runtime_checkable
class Channel(Protocol):
    """Makes transits; equal channels behave alike in every process."""

    def begin(self, task: str) -> Transit:
        """Return the transit of the task with this name."""

    def reference(self) -> ChannelReference:
        """Return what another process needs to make this channel again."""


@dataclass(frozen=True, slots=True)
class ChannelReference:
    """A factory as "module:function" and the one string that it is called with."""

    factory: str
    argument: str

    def rebuild(self) -> Channel:
        """Return the channel; raises TypeError when the factory returns something else."""
        module, _, name = self.factory.partition(":")
        channel = getattr(importlib.import_module(module), name)(self.argument)
        if not isinstance(channel, Channel):
            raise TypeError(f"{self.factory} returned {type(channel).__name__}, not a Channel")
        return channel


@dataclass(frozen=True, slots=True)
class PerfectTransit:
    """Hands every block over as it is."""

    here: Place

    def deliver(
        self,
        data: bytes,
        hop: str,  # noqa: ARG002 - the protocol's
        attempt: int,  # noqa: ARG002 - the protocol's
    ) -> bytes | None:
        """Return the block itself."""
        return data

    def place(
        self,
        identity: bytes,  # noqa: ARG002 - the protocol's
        hop: str,  # noqa: ARG002 - the protocol's
        attempt: int,  # noqa: ARG002 - the protocol's
    ) -> Place:
        """Return the worker's own place."""
        return self.here

    def compute(
        self,
        identity: bytes,  # noqa: ARG002 - the protocol's
        stage: str,  # noqa: ARG002 - the protocol's
        attempt: int,  # noqa: ARG002 - the protocol's
        result: bytes,
    ) -> bytes:
        """Return the result itself."""
        return result

    def settle(self, hop: str, carried: Carried) -> None:
        """Nothing to learn."""

    def journal(self) -> bytes | None:
        """No journal."""
        return None


@dataclass(frozen=True, slots=True)
class PerfectChannel:
    """The production channel: nothing is altered, and every record is in `cluster`."""

    cluster: str = DEFAULT_CLUSTER

    def begin(self, task: str) -> Transit:  # noqa: ARG002 - the protocol's
        """Return a transit that hands everything over unaltered."""
        return PerfectTransit(Place(self.cluster, "", 0))

    def reference(self) -> ChannelReference:
        """Return this class and its cluster."""
        return ChannelReference(f"{__name__}:PerfectChannel", self.cluster)
