"""Small campaigns in memory: records over hops through a faulty transit, without a job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sealedbeam.faults.journal import decode_journal
from sealedbeam.faults.plan import make_plan as plan_scenario
from sealedbeam.faults.scenario import parse_scenario
from sealedbeam.faults.transit import FaultyTransit
from sealedbeam.pipeline.integrity.block import write_block
from sealedbeam.pipeline.integrity.ladder import OnDamage, Policy, carry
from sealedbeam.pipeline.integrity.ledger import HopAccount
from sealedbeam.pipeline.integrity.lineage import Origin
from sealedbeam.pipeline.integrity.protection import PROTECTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sealedbeam.faults.journal import Fault
    from sealedbeam.faults.plan import Plan
    from sealedbeam.faults.scenario import Scenario
    from sealedbeam.pipeline.integrity.ladder import Carried
    from sealedbeam.pipeline.integrity.protection import Protection

Records = list[tuple[bytes, bytes]]
MEBIBYTE = 1 << 20
CLUSTERS = [{"name": "dublin", "machines": 2}, {"name": "oregon", "machines": 3}]


def make_scenario(*faults: dict[str, Any], **changes: Any) -> Scenario:
    """Return a valid scenario of two clusters with these faults; `changes` replace its values."""
    values = {
        "name": "test",
        "description": "For tests.",
        "acceleration_note": "Accelerated.",
        "duration_seconds": 600,
        "clusters": CLUSTERS,
        "faults": list(faults),
    }
    return parse_scenario(values | changes, "test.yaml")


def make_plan(*faults: dict[str, Any], seed: int = 0, **changes: Any) -> Plan:
    """Return the plan of `make_scenario` for a seed."""
    return plan_scenario(make_scenario(*faults, **changes), seed)


def flips(kind: str, per_mebibyte: float, **more: Any) -> dict[str, Any]:
    """Return a fault of a scenario."""
    return {"kind": kind, "per_mebibyte": per_mebibyte, **more}


def make_records(count: int, length: int = 500) -> Records:
    """Return records of identities and payloads that are all different."""
    return [
        (Origin(0, n, 0, 1000 * n, 1000).encode(), n.to_bytes(4, "big") * (length // 4))
        for n in range(count)
    ]


class Campaign:
    """One task of a campaign: a transit, a policy, and the ledger of each hop."""

    def __init__(
        self, plan: Plan, protection: str, on_damage: str = "retry", max_attempts: int = 3
    ) -> None:
        self.transit = FaultyTransit(plan)
        self.protection: Protection = PROTECTIONS[protection]
        self.policy = Policy(self.protection, OnDamage(on_damage), max_attempts)
        self.accounts: dict[str, HopAccount] = {}

    def cross(self, hop: str, records: Records, block_records: int = 10) -> list[Carried]:
        """Take `records` over a hop in blocks of this many."""
        return [
            self.carry(hop, records[start : start + block_records], b"block-%d" % start)
            for start in range(0, len(records), block_records)
        ]

    def carry(self, hop: str, records: Records, block_id: bytes) -> Carried:
        """Take one block over a hop."""
        payloads = dict(records)
        account = self.accounts.setdefault(hop, HopAccount())
        block = write_block(block_id, records, self.protection)
        account.sealed.add(block.seals)

        def derive(identities: Sequence[bytes]) -> Records:
            return [(identity, payloads[identity]) for identity in identities]

        return carry(block, hop, self.transit, self.policy, derive=derive, account=account)

    def faults(self) -> list[Fault]:
        """Return the journal's rows."""
        return decode_journal(self.transit.journal())
