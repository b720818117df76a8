"""The verdict on a ledger: a pure function of its numbers, apart from all that produced them.

Only `balanced` passes. `unknown` is the verdict where nothing was sealed, so that the counts may
agree and still prove nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .ledger import HopAccount


class Verdict(StrEnum):
    """What the numbers of a ledger say."""

    BALANCED = "balanced"
    IMBALANCED = "imbalanced"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Equation:
    """A quantity that must be conserved: `name` says in words what equals what."""

    name: str
    left: int
    right: int


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The verdict, each finding in one line, and by how many records the hops are out."""

    verdict: Verdict
    findings: tuple[str, ...]
    imbalance_records: int


def reconcile(
    hops: Mapping[str, HopAccount], equations: Iterable[Equation], *, sealed: bool
) -> Reconciliation:
    """Return the verdict over all hops and equations.

    Args:
        hops: the ledger, summed over all parts.
        equations: quantities conserved across transforms.
        sealed: whether records carried seals; without them the best verdict is `unknown`.
    """
    findings: list[str] = []
    imbalance = 0
    for hop, account in hops.items():
        total = account.total()
        outcomes = total.intact + total.corrected + total.retried + total.dropped
        numbers = {
            "accounted for": account.accounted.records,
            "entered": total.records,
            "ended": outcomes,
        }
        for name, number in numbers.items():
            if number != account.sealed.records:
                findings.append(f"hop {hop}: {account.sealed.records} sealed, {number} {name}")
                imbalance = max(imbalance, abs(number - account.sealed.records))
        reasons = sum(total.dropped_reasons.values())
        if reasons != total.dropped:
            findings.append(f"hop {hop}: {total.dropped} dropped, {reasons} with a reason")
            imbalance = max(imbalance, abs(reasons - total.dropped))
        if account.accounted.digest_sum != account.sealed.digest_sum:
            findings.append(f"hop {hop}: the digests sealed and accounted for differ in their sum")
            imbalance = max(imbalance, 1)
    findings += [
        f"{equation.name}: {equation.left} against {equation.right}"
        for equation in equations
        if equation.left != equation.right
    ]
    if findings:
        return Reconciliation(Verdict.IMBALANCED, tuple(findings), imbalance)
    return Reconciliation(Verdict.BALANCED if sealed else Verdict.UNKNOWN, (), 0)
