"""What all views of a job show, as one value: its ledger, its verdict, and what its folder says.

The ledger and the summary come from the job itself. The rest is read from the committed files of
the output folder, of which this module knows the names and the columns it needs.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
from sealedbeam.pipeline.config import configuration_hash
from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.parquet import read_checked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from sealedbeam.pipeline.integrity.ledger import HopAccount
    from sealedbeam.pipeline.integrity.reconcile import Reconciliation

PENDING, COMMITTED = "pending", "committed"
PART_STATES = (PENDING, COMMITTED)
NO_FAULT = "none"  # the kind of a journal's row that tells of an alteration, not of a fault
_LISTED_MAX = 100
_FAULT_COLUMNS = ("cluster", "kind", "outcome")


class LedgerTotals(Protocol):
    """The sum of a job's ledger, and what it says."""

    @property
    def hops(self) -> Mapping[str, HopAccount]:
        """The accounts by hop."""

    @property
    def reconciliation(self) -> Reconciliation:
        """The verdict."""

    @property
    def too_many_dropped(self) -> Sequence[str]:
        """The hops at which too large a share was dropped, in words."""


@dataclass(frozen=True, slots=True)
class SetAside:
    """Something in quarantine: where it was met, why, and where it comes from."""

    stage: str
    reason: str
    source_file: str
    source_offset: int
    source_length: int
    task: str


@dataclass(frozen=True, slots=True)
class Campaign:
    """What a fault scenario planned, and what the journals say.

    Attributes:
        name: the scenario's.
        acceleration_note: how far its rates are from real ones.
        clusters: all clusters of the scenario.
        kinds: all kinds of faults that it injects.
        injected: faults by (cluster, kind).
        escaped: faults that escaped.
    """

    name: str
    acceleration_note: str
    clusters: tuple[str, ...]
    kinds: tuple[str, ...]
    injected: Mapping[tuple[str, str], int]
    escaped: int


@dataclass(frozen=True, slots=True)
class View:
    """A job as its views show it.

    Attributes:
        hops: the ledger, by hop.
        reconciliation: its verdict.
        findings: every reason why the job is not simply good.
        summary: as in summary.json.
        command: the command line that ran it.
        configuration_hash: of all that decides the output.
        inputs: path and size in bytes of each input.
        parts: number of parts by state.
        set_aside: number of things in quarantine, by stage and reason.
        set_aside_listed: the first of them.
        campaign: the faults, None without a scenario.
    """

    hops: Mapping[str, HopAccount]
    reconciliation: Reconciliation
    findings: tuple[str, ...]
    summary: Mapping[str, Any]
    command: str
    configuration_hash: str = ""
    inputs: tuple[tuple[str, int], ...] = ()
    parts: Mapping[str, int] = field(default_factory=dict)
    set_aside: Mapping[tuple[str, str], int] = field(default_factory=dict)
    set_aside_listed: tuple[SetAside, ...] = ()
    campaign: Campaign | None = None


def read_view(root: Path, totals: LedgerTotals, summary: Mapping[str, Any], command: str) -> View:
    """Return the view of the job whose committed files lie in `root`.

    Raises:
        IntegrityError: a file cannot be read.
    """
    try:
        job = json.loads((root / "ledger" / "job.json").read_bytes())
        configuration = job["configuration"]
        sizes = (size for size, _ in configuration["inputs"])
        rows = list(_read_set_aside(root))
        return View(
            totals.hops,
            totals.reconciliation,
            (*totals.reconciliation.findings, *totals.too_many_dropped),
            summary,
            command,
            configuration_hash(configuration),
            tuple(zip(job["inputs"], sizes, strict=True)),
            {PENDING: 0, COMMITTED: len(list((root / "ledger").glob("part-*.json")))},
            dict(sorted(Counter((row.stage, row.reason) for row in rows).items())),
            tuple(rows[:_LISTED_MAX]),
            _read_campaign(root),
        )
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise IntegrityError(f"{root} cannot be shown: {error}") from None


def _read_set_aside(root: Path) -> Iterator[SetAside]:
    columns = list(SetAside.__dataclass_fields__)
    for path in sorted((root / "quarantine").glob("*.parquet")):
        for row in read_checked(path.read_bytes(), columns).to_pylist():
            yield SetAside(**row)


def _read_campaign(root: Path) -> Campaign | None:
    path = root / "faults" / "plan.json"
    if not path.is_file():
        return None
    plan = json.loads(path.read_bytes())
    injected: Counter[tuple[str, str]] = Counter()
    escaped = 0
    for journal in sorted((root / "faults").glob("journal-*.parquet")):
        for row in read_checked(journal.read_bytes(), _FAULT_COLUMNS).to_pylist():
            injected[row["cluster"], row["kind"]] += row["kind"] != NO_FAULT
            escaped += row["outcome"] == "escaped"
    return Campaign(
        plan["name"],
        plan["acceleration_note"],
        tuple(name for name, *_ in plan["clusters"]),
        tuple(plan["kinds"]),
        {key: number for key, number in injected.items() if number},
        escaped,
    )
