"""The transit of a plan under which nothing can happen: it places records, and that is all.

It is apart from `transit.py` so that a job whose rates are all zero loads no more than this.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from sealedbeam.pipeline.integrity.channel import PerfectTransit, Place

from .journal import encode_journal
from .topology import Cluster, Fleet

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


@dataclass(frozen=True, slots=True)
class QuietTransit(PerfectTransit):
    """Hands every block over as it is, at the places of a fleet."""

    fleet: Fleet

    @classmethod
    def of(cls, plan: Mapping[str, Any]) -> QuietTransit:
        """Return the transit under a plan, given as the values of its file."""
        clusters = [Cluster(name, machines) for name, machines, *_ in plan["clusters"]]
        return cls(Place("", "", 0), Fleet(clusters, plan["duration_seconds"], plan["seed"]))

    def place(self, identity: bytes, hop: str, attempt: int) -> Place:
        """Return where and when the record is at this delivery."""
        return self.fleet.place(identity, hop, attempt)

    def journal(self) -> bytes:
        """Return the journal: it exists, and is empty."""
        return _empty_journal()


@cache
def _empty_journal() -> bytes:
    return encode_journal(())
