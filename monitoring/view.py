"""What all views of a job show, as one value: its ledger, its verdict, and what its folder says.

A finished job hands over its ledger and summary; of a folder whose job still runs, or was stopped,
the committed entries are summed instead. The rest is read from the folder's committed files, of
which this module knows the names and the columns it needs.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
from sealedbeam.pipeline.config import configuration_hash
from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.integrity.ledger import WINDOW_SECONDS, Cell, HopAccount
from sealedbeam.pipeline.parquet import read_checked

from .entries import SummedHops
from .fetches import Fetches, read_fetches
from .machine_errors import NO_ERRORS, MachineErrors, join, read_counters, read_journal_errors
from .timeline import Site

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from sealedbeam.pipeline.integrity.reconcile import Reconciliation

PENDING, COMMITTED = "pending", "committed"
PART_STATES = (PENDING, COMMITTED)
NO_FAULT = "none"  # the kind of a journal's row that tells of an alteration, not of a fault
OPEN = "open"
"""The verdict on a ledger that is not complete yet."""
JOB_FILE = "ledger/job.json"
CRAWL_FILE = "crawl.json"
PLAN_FILE = "faults/plan.json"
COUNTERS_FILE = "faults/counters.parquet"
_LISTED_MAX = 100
_FAULT_COLUMNS = ("cluster", "kind", "outcome")
UNREADABLE = (OSError, pa.ArrowException, KeyError, TypeError, ValueError, RecursionError)
"""What reading a file of a folder raises when it is damaged or gone."""


class LedgerTotals(Protocol):
    """The sum of a job's ledger, and what it says."""

    @property
    def hops(self) -> Mapping[str, HopAccount]:
        """The accounts by hop."""

    @property
    def counts(self) -> Mapping[str, Mapping[str, int]]:
        """What was counted besides, in named groups."""

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
class Failure:
    """Machines of a cluster that fail together, in simulated time; `scope` says what failed."""

    scope: str
    cluster: str
    machines: int
    start_seconds: int
    end_seconds: int


@dataclass(frozen=True, slots=True)
class Campaign:
    """What a fault scenario planned, and what the journals say.

    Attributes:
        name: the scenario's.
        acceleration_note: how far its rates are from real ones.
        duration_seconds: the simulated time that it spans.
        sites: all clusters of the scenario, and where they stand.
        kinds: all kinds of faults that it injects.
        failures: of machines.
        counter_bin_seconds: the grain of the machines' own counters, None without them.
        injected: faults by (cluster, kind).
        escaped: faults that escaped.
    """

    name: str
    acceleration_note: str
    duration_seconds: int
    sites: tuple[Site, ...]
    kinds: tuple[str, ...]
    failures: tuple[Failure, ...] = ()
    counter_bin_seconds: int | None = None
    injected: Mapping[tuple[str, str], int] = field(default_factory=dict)
    escaped: int = 0

    @property
    def clusters(self) -> tuple[str, ...]:
        """The names of all clusters."""
        return tuple(site.name for site in self.sites)


@dataclass(frozen=True)
class View:
    """A job as its views show it.

    Attributes:
        hops: the ledger, by hop.
        reconciliation: its verdict.
        findings: every reason why the job is not simply good.
        summary: as in summary.json; of an open job only status, ledger, protection and seed.
        command: the command line that ran it.
        configuration_hash: of all that decides the output.
        inputs: path and size in bytes of each input.
        parts: number of parts by state.
        set_aside: number of things in quarantine, by stage and reason.
        set_aside_listed: the first of them.
        campaign: the faults, None without a scenario.
        counters: what the machines' own counters show of all their memory.
        journal_errors: what the hardware of machines made of faults in records.
        audit: pages that were computed twice, by what came of it.
        success_seconds: the time of day at which the job was done; None if it is not, or unknown.
        fetches: the requests of a crawl, None of any other job.
        until_seconds: the simulated time at which a replay stands; None for the end.
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
    counters: MachineErrors = NO_ERRORS
    journal_errors: MachineErrors = NO_ERRORS
    audit: Mapping[str, int] = field(default_factory=dict)
    success_seconds: float | None = None
    fetches: Fetches | None = None
    until_seconds: float | None = None

    @property
    def status(self) -> str:
        """Running or stopped; or complete, incomplete or failed."""
        return str(self.summary.get("status", ""))

    @property
    def verdict(self) -> str:
        """What the ledger says; open as long as the job is not over."""
        return str(self.summary.get("ledger", self.reconciliation.verdict))

    @cached_property
    def sums(self) -> Mapping[tuple[str, str], Cell]:
        """The ledger by (cluster, hop) over all time, where there is anything in it."""
        if isinstance(self.hops, SummedHops):
            return self.hops.sums
        sums: dict[tuple[str, str], Cell] = {}
        for hop, account in self.hops.items():
            for (cluster, _), cell in account.cells.items():
                sums.setdefault((cluster, hop), Cell()).merge(cell)
        return sums

    @cached_property
    def affected(self) -> Mapping[str, int]:
        """How many machines of each cluster had anything of what affects one, in the whole job."""
        counted = self.counters.machines_by_cluster
        journals = self.journal_errors.machines_by_cluster
        others = {cluster: set(machines) for cluster, machines in journals.items()}
        for (cluster, _), cell in self.sums.items():
            others.setdefault(cluster, set()).update(cell.damaged_machines)
        return {
            cluster: len(counted.get(cluster, ()))
            + len(others.get(cluster, set()).difference(counted.get(cluster, ())))
            for cluster in counted.keys() | others.keys()
        }

    @cached_property
    def affected_lately(self) -> Mapping[str, int]:
        """The same in the newest window that is over, as a timeline has it at its finest grain.

        A window is a bin of the machines' counters, else a minute; a job without a scenario has
        one, in which all of it happened.
        """
        if self.campaign is None:
            return self.affected
        seconds = self.campaign.counter_bin_seconds or WINDOW_SECONDS
        duration = self.campaign.duration_seconds
        now = duration if self.until_seconds is None else self.until_seconds
        windows = -(-now // seconds) if now == duration else now // seconds
        start, end = (windows - 1) * seconds, windows * seconds
        minute = start // WINDOW_SECONDS
        is_fine = seconds < WINDOW_SECONDS  # then damaged deliveries have no time so exact
        accounts = () if is_fine or windows < 1 else self.hops.values()
        cells = [
            {key: cell for key, cell in account.cells.items() if key[1] == minute}
            for account in accounts
        ]
        lately = replace(
            self,
            hops={str(number): HopAccount(cells=each) for number, each in enumerate(cells)},
            counters=self.counters.between(start, end),
            journal_errors=self.journal_errors.between(start, end),
        )
        return lately.affected


@dataclass(frozen=True, slots=True)
class JournalSum:
    """What journals say: faults by (cluster, kind), those that escaped, the hardware's counts."""

    injected: Mapping[tuple[str, str], int]
    escaped: int
    errors: MachineErrors


def read_view(root: Path, totals: LedgerTotals, summary: Mapping[str, Any], command: str) -> View:
    """Return the view of the job whose committed files lie in `root`.

    Raises:
        IntegrityError: a file cannot be read.
    """
    try:
        job = read_job(root)
        quarantine = sorted((root / "quarantine").glob("*.parquet"))
        rows = [row for path in quarantine for row in read_set_aside(path.read_bytes())]
        journals = sorted((root / "faults").glob("journal-*.parquet"))
        faults = sum_journals(read_journal(path.read_bytes()) for path in journals)
        parts = len(list((root / "ledger").glob("part-*.json")))
        return View(
            totals.hops,
            totals.reconciliation,
            (*totals.reconciliation.findings, *totals.too_many_dropped),
            summary,
            command,
            parts={PENDING: 0, COMMITTED: parts},
            campaign=with_faults(read_plan(root), faults),
            counters=read_counters_file(root),
            journal_errors=faults.errors,
            audit=audit_of(summary),
            fetches=read_fetches(job["configuration"], totals.counts),
            **describe_job(job),
            **count_set_aside(rows),
        )
    except UNREADABLE as error:
        raise IntegrityError(f"{root} cannot be shown: {error}") from None


def read_job(root: Path) -> dict[str, Any]:
    """Return what a job's own file says; a crawl has no inputs, and one that is its configuration.

    Raises:
        OSError: there is none.
        ValueError: it is damaged.
    """
    crawl = root / CRAWL_FILE
    if crawl.is_file():
        return {"configuration": {**json.loads(crawl.read_bytes())}, "inputs": []}
    job: dict[str, Any] = json.loads((root / JOB_FILE).read_bytes())
    return job


def describe_job(job: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a view takes from a job's own file."""
    configuration = job["configuration"]
    sizes = (size for size, _ in configuration["inputs"]) if job["inputs"] else ()
    return {
        "configuration_hash": configuration_hash(configuration),
        "inputs": tuple(zip(job["inputs"], sizes, strict=True)),
    }


def count_set_aside(rows: Sequence[SetAside]) -> dict[str, Any]:
    """Return what a view takes from the rows in quarantine."""
    counted = Counter((row.stage, row.reason) for row in rows)
    return {
        "set_aside": dict(sorted(counted.items())),
        "set_aside_listed": tuple(rows[:_LISTED_MAX]),
    }


def read_set_aside(data: bytes) -> Iterator[SetAside]:
    """Yield the rows of a file in quarantine, without their raw bytes."""
    columns = list(SetAside.__dataclass_fields__)
    for row in read_checked(data, columns).to_pylist():
        yield SetAside(**row)


def audit_of(summary: Mapping[str, Any]) -> dict[str, int]:
    """Return the numbers of an audit, none where there was none."""
    audit = summary.get("audit", {})
    return {name: number for name, number in audit.items() if isinstance(number, int)}


def read_plan(root: Path) -> Campaign | None:
    """Return what the scenario of a folder planned, None without one."""
    path = root / PLAN_FILE
    if not path.is_file():
        return None
    plan = json.loads(path.read_bytes())
    counters = plan.get("counters")
    return Campaign(
        plan["name"],
        plan["acceleration_note"],
        plan["duration_seconds"],
        tuple(_site(*cluster) for cluster in plan["clusters"]),
        tuple(plan["kinds"]),
        tuple(_failure(*outage) for outage in plan["outages"]),
        counters and counters["bin_seconds"],
    )


def _site(name: str, machines: int, *more: Any) -> Site:
    latitude, longitude, altitude = (more[-1] or (None, None, None))[:3]
    return Site(name, latitude, longitude, altitude, machines)


def _failure(scope: str, cluster: str, _: int, machines: int, *more: Any) -> Failure:
    start_seconds, end_seconds, _ = more
    return Failure(scope, cluster, machines, start_seconds, end_seconds)


def with_faults(plan: Campaign | None, faults: JournalSum) -> Campaign | None:
    """Return a campaign together with what its journals say."""
    return plan and replace(plan, injected=faults.injected, escaped=faults.escaped)


def read_counters_file(root: Path) -> MachineErrors:
    """Return the machines' own counters, none where the scenario has none."""
    path = root / COUNTERS_FILE
    return read_counters(path.read_bytes()) if path.is_file() else NO_ERRORS


def read_journal(data: bytes) -> JournalSum:
    """Return the sums of one journal."""
    injected: Counter[tuple[str, str]] = Counter()
    escaped = 0
    for row in read_checked(data, _FAULT_COLUMNS).to_pylist():
        injected[row["cluster"], row["kind"]] += row["kind"] != NO_FAULT
        escaped += row["outcome"] == "escaped"
    return JournalSum(injected, escaped, read_journal_errors(data))


def sum_journals(journals: Iterable[JournalSum]) -> JournalSum:
    """Return the sum of journals."""
    injected: Counter[tuple[str, str]] = Counter()
    escaped = 0
    errors = []
    for journal in journals:
        injected.update(journal.injected)
        escaped += journal.escaped
        errors.append(journal.errors)
    found = {key: number for key, number in injected.items() if number}
    return JournalSum(found, escaped, join(errors))
