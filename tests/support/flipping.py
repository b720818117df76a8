"""A channel for tests: damages blocks on chosen hops, a pure function of what is delivered.

A rule names a hop, what happens there, and up to which attempt. Every block of that hop is hit:

    Rule("documents", FLIP)                   one bit of one record, at the first delivery
    Rule("pages", DOUBLE_FLIP, attempts=2)    two bits of one record, at the first two deliveries
    Rule("runs", LOSS, attempts=99)           the block never arrives
    Rule("pages", DEATH, task="part-00003")   the worker that does this task is killed

The middle byte of a sealed block always lies in a record: header and table stand at both ends.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from sealedbeam.pipeline.integrity.channel import Channel, ChannelReference, Place, Transit

if TYPE_CHECKING:
    from sealedbeam.pipeline.integrity.ladder import Carried

FLIP, DOUBLE_FLIP, LOSS, STORM, DEATH = "flip", "double flip", "loss", "storm", "death"
CLUSTER = "north"
_STORM_FLIPS = 4


@dataclass(frozen=True)
class Rule:
    """What happens to each block of a hop, up to and with delivery number `attempts`.

    With a `task`, only what this task delivers is hit.
    """

    hop: str
    kind: str
    attempts: int = 1
    seed: int = 0
    task: str = ""


@dataclass(frozen=True)
class FlippingTransit:
    """One task's use of the channel."""

    rules: tuple[Rule, ...]

    def deliver(self, data: bytes, hop: str, attempt: int) -> bytes | None:
        """Return what the rules leave of a block."""
        for rule in self.rules:
            if rule.hop == hop and attempt <= rule.attempts:
                damaged = _damage(data, rule)
                if damaged is None:
                    return None
                data = damaged
        return data

    def place(self, identity: bytes, hop: str, attempt: int) -> Place:
        """Return one and the same place."""
        del identity, hop, attempt
        return Place(CLUSTER, "", 0)

    def compute(
        self,
        identity: bytes,  # noqa: ARG002 - the protocol's
        stage: str,  # noqa: ARG002 - the protocol's
        attempt: int,  # noqa: ARG002 - the protocol's
        result: bytes,
    ) -> bytes:
        """Compute rightly."""
        return result

    def settle(self, hop: str, carried: Carried) -> None:
        """Nothing to learn."""

    def journal(self) -> bytes | None:
        """No journal."""
        return None


@dataclass(frozen=True)
class FlippingChannel:
    """Damages blocks by rules."""

    rules: tuple[Rule, ...]

    def begin(self, task: str) -> Transit:
        """Return the transit of a task."""
        return FlippingTransit(tuple(rule for rule in self.rules if rule.task in ("", task)))

    def reference(self) -> ChannelReference:
        """Return what another process needs."""
        return ChannelReference(f"{__name__}:rebuild", json.dumps([asdict(r) for r in self.rules]))


def rebuild(argument: str) -> Channel:
    """Return the channel that a reference describes."""
    return FlippingChannel(tuple(Rule(**rule) for rule in json.loads(argument)))


def _damage(data: bytes, rule: Rule) -> bytes | None:
    if rule.kind == LOSS:
        return None
    if rule.kind == DEATH:
        os.kill(os.getpid(), signal.SIGKILL)
    damaged = bytearray(data)
    if rule.kind == STORM:
        key = hashlib.sha256(f"{rule.seed}".encode() + data).digest()
        chance = random.Random(key)
        for _ in range(chance.randrange(_STORM_FLIPS)):
            damaged[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    else:
        damaged[len(data) // 2] ^= 0b1 if rule.kind == FLIP else 0b11
    return bytes(damaged)
