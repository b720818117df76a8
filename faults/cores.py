"""Mercurial cores: computations that give a wrong result before it is sealed.

No checksum sees one. The right result is hashed here, so that the consumer's word is not needed to
know whether a wrong one was accepted.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import xxhash

from .journal import Fault, describe_record
from .kinds import MISCOMPUTED
from .sick import find_mercurial, miscompute

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .ids import FaultIds
    from .plan import Plan

STAGE_OF_HOP = {"documents": "parse"}
"""The stage whose results travel over a hop."""
_CORES_CACHED = 1 << 16


def flip(result: bytes, fault: Fault) -> bytes:
    """Return what a wrong computation makes of its right result."""
    wrong = bytearray(result)
    for bit in fault.bits:
        wrong[bit >> 3] ^= 1 << (bit & 7)
    return bytes(wrong)


class Cores:
    """The cores of a plan's machines, for one task."""

    def __init__(self, plan: Plan, truth_key: int, ids: FaultIds) -> None:
        """Compute under `plan`.

        Args:
            plan: says which cores err.
            truth_key: that of the hashes of right results.
            ids: of the faults.
        """
        self._plan = plan
        self._ids = ids
        self._truth_key = truth_key
        self._right: dict[str, dict[bytes, int]] = {}
        self._faults: dict[str, list[tuple[bytes, Fault]]] = {}
        self._core = lru_cache(maxsize=_CORES_CACHED)(self._core_of)

    def feed(self, hop: str) -> bool:
        """Return whether results that may be wrong travel over `hop`."""
        mercurial = self._plan.mercurial
        errs = mercurial is not None and mercurial.share > 0 and mercurial.share_of_results > 0
        return errs and hop in STAGE_OF_HOP

    def compute(self, identity: bytes, stage: str, attempt: int, result: bytes) -> bytes:
        """Return what the machine of this attempt makes of a computation."""
        fault = self.find(identity, stage, attempt, result)
        if fault is None:
            return result
        right = xxhash.xxh3_64_intdigest(result, self._truth_key)
        self._right.setdefault(stage, {})[identity] = right
        self._faults.setdefault(stage, []).append((identity, fault))
        return flip(result, fault)

    def find(self, identity: bytes, stage: str, attempt: int, result: bytes) -> Fault | None:
        """Return what the machine of this attempt gets wrong in a result, None if nothing."""
        mercurial = self._plan.mercurial
        if mercurial is None or not result:
            return None
        spot = self._plan.fleet.spot(identity, stage, attempt)
        core = self._core(spot.cluster.name, spot.machine)
        bit = core and miscompute(core, result, mercurial.share_of_results, 8 * len(result))
        if bit is None:
            return None
        return Fault(
            self._ids.name(identity, MISCOMPUTED, stage, attempt),
            MISCOMPUTED,
            stage,
            identity.hex(),
            describe_record(identity),
            (bit,),
            *spot.place,
            attempt,
            flipped_bits=1,
        )

    def right(self, hop: str) -> Mapping[bytes, int]:
        """Return the hashes of the right results behind wrong ones that travel over `hop`."""
        return self._right.get(STAGE_OF_HOP.get(hop, ""), {})

    def take(self, hop: str, identities: Iterable[bytes]) -> list[tuple[bytes, Fault]]:
        """Return, once, the wrong computations of records that have crossed `hop`."""
        stage = STAGE_OF_HOP.get(hop, "")
        crossed = set(identities)
        known = self._faults.get(stage, [])
        taken = [(identity, fault) for identity, fault in known if identity in crossed]
        if taken:
            self._faults[stage] = [pair for pair in known if pair[0] not in crossed]
            for identity, _ in taken:
                self._right[stage].pop(identity, None)
        return taken

    def unsettled(self) -> Iterator[Fault]:
        """Yield the wrong computations whose results have not crossed their hop."""
        for pairs in self._faults.values():
            yield from (fault for _, fault in pairs)

    def _core_of(self, cluster: str, machine: int) -> int | None:
        mercurial = self._plan.mercurial
        assert mercurial is not None, "asked for only where there are any"
        return find_mercurial(self._plan.seed, cluster, machine, mercurial.share)
