"""Delivers one fault of a campaign again, from the input archive and the plan alone.

A fault of a record is delivered alone: its record is derived again from the byte range of the input
that its identity names, sealed, and carried over its hop under the same plan, with no other record
and without faults of blocks. What strikes blocks or computations, and what a neighbour decided (a
record that was in a lost block), needs more: then the whole task is done again in a scratch folder,
and only this fault is looked at. Either way the outcome must be that of the journal.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, replace
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

from sealedbeam.pipeline.config import JobConfig
from sealedbeam.pipeline.errors import IntegrityError, UsageError
from sealedbeam.pipeline.integrity.block import write_block
from sealedbeam.pipeline.integrity.channel import PerfectChannel
from sealedbeam.pipeline.integrity.ladder import carry
from sealedbeam.pipeline.integrity.ledger import HopAccount
from sealedbeam.pipeline.integrity.lineage import Origin
from sealedbeam.pipeline.integrity.protection import PROTECTIONS
from sealedbeam.pipeline.jobs.context import JobContext
from sealedbeam.pipeline.jobs.derive import derive_documents, derive_pages
from sealedbeam.pipeline.jobs.finish import JOB, PLAN
from sealedbeam.pipeline.jobs.map_job import derive_runs
from sealedbeam.pipeline.jobs.plan import InputFile, Part
from sealedbeam.pipeline.jobs.poison import Skip
from sealedbeam.pipeline.jobs.prepare import inspect_inputs
from sealedbeam.pipeline.jobs.tasks import (
    Task,
    duplicates_task,
    execute,
    reduce_tasks,
    required_entry,
)
from sealedbeam.pipeline.warc.values import Container

from .campaign_cells import CELLS, Cell, Chosen
from .explain import compare_bytes, list_checks
from .ids import FaultIds
from .kinds import BLOCK_KINDS, MISCOMPUTED
from .outcome import read_faults
from .outline import read_outline
from .plan import read_plan
from .witness import Watch, WatchedChannel, WatchedContext, Witness

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sealedbeam.pipeline.integrity.channel import Place
    from sealedbeam.pipeline.integrity.ladder import Derive

    from .explain import Changes
    from .journal import Fault, FaultOutcome
    from .plan import Plan
    from .witness import Seen

_FAULT_ID = re.compile("[0-9a-f]{16}")
_PAGES, _DOCUMENTS, _RUNS = "pages", "documents", "runs"
_STRONGEST = tuple(PROTECTIONS)
_ANY = Chosen()


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery, or one computation, as the replay saw it.

    Attributes:
        attempt: counts from 1.
        place: where and when it was.
        of: what its bytes are: a record's frame, a block, or a result.
        before: how many bytes were handed over.
        after: how many arrived, None for nothing.
        changes: which of them differ.
        checks: what each check said.
    """

    attempt: int
    place: Place
    of: str
    before: int
    after: int | None
    changes: Changes
    checks: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the delivery as values."""
        return {
            "attempt": self.attempt,
            **self.place._asdict(),
            "of": self.of,
            "bytes_before": self.before,
            "bytes_after": self.after,
            "changes": self.changes.to_json(),
            "checks": list(self.checks),
        }


@dataclass(frozen=True, slots=True)
class Replay:
    """A fault that was delivered again.

    Attributes:
        fault: as the journal has it.
        cell: whose journal.
        elsewhere: what became of the same fault in other cells.
        alone: whether its record was delivered alone, not with its whole task.
        deliveries: of its record or block.
        outcome: what became of it this time, None if it did not happen.
        reason: why its record was set aside, empty if it was not.
    """

    fault: Fault
    cell: str
    elsewhere: tuple[tuple[str, str], ...]
    alone: bool
    deliveries: tuple[Delivery, ...]
    outcome: FaultOutcome | None
    reason: str

    @property
    def agrees(self) -> bool:
        """Whether it ended as the journal says."""
        return self.outcome == self.fault.outcome

    def to_json(self) -> dict[str, Any]:
        """Return the replay as values."""
        return {
            "fault": asdict(self.fault),
            "cell": self.cell,
            "elsewhere": dict(self.elsewhere),
            "alone": self.alone,
            "deliveries": [delivery.to_json() for delivery in self.deliveries],
            "outcome": self.outcome,
            "reason": self.reason,
            "agrees": self.agrees,
        }


class _Cell(NamedTuple):
    """A cell whose journal has the fault; `scenario` is the SHA-256 of its plan."""

    root: Path
    inputs: tuple[InputFile, ...]
    config: JobConfig
    scenario: str
    fault: Fault

    @property
    def rank(self) -> tuple[int, str]:
        """The strongest protection first."""
        return -_STRONGEST.index(self.config.protection), self.root.name


def replay_fault(output: Path, fault_id: str, chosen: Chosen = _ANY) -> Replay:
    """Deliver a fault of the campaign in `output` again.

    It is taken from the cell with the strongest protection of those that had it.

    Args:
        output: the campaign's folder.
        fault_id: as the journals have it.
        chosen: the cells to look in.

    Raises:
        UsageError: there is no such campaign or fault, or the inputs are not what they were.
        IntegrityError: a file of the campaign is damaged.
    """
    if not _FAULT_ID.fullmatch(fault_id):
        raise UsageError(f"--replay {fault_id!r}: a fault's id has 16 hexadecimal digits")
    if not (output / CELLS).is_dir():
        raise UsageError(f"{output} holds no campaign; run one with sealedbeam campaign")
    cells = sorted(_find(output, fault_id, chosen), key=lambda cell: cell.rank)
    if not cells:
        where = output if chosen == _ANY else f"{output}, of the cells that were asked for,"
        raise UsageError(f"no journal of the campaign in {where} has a fault {fault_id}")
    cell = cells[0]
    others = cells[1:]
    plan = read_plan(str(cell.root / PLAN), cell.scenario)
    context = _open(cell, plan)
    watch = Watch(cell.fault.hop, _target(cell.fault))
    alone = _deliver_alone(context, plan, cell.fault, watch)
    found = watch.find(fault_id)
    if not alone or found is None or found.outcome != cell.fault.outcome:
        alone = False
        watch = Watch(cell.fault.hop, _target(cell.fault))
        _do_task_again(context, plan, cell.fault, watch)
        found = watch.find(fault_id)
    return Replay(
        cell.fault,
        cell.root.name,
        tuple((other.root.name, str(other.fault.outcome)) for other in others),
        alone,
        tuple(_describe(context, plan, cell.fault, watch)),
        None if found is None else found.outcome,
        watch.set_aside[0].reason if watch.set_aside else "",
    )


def _find(output: Path, fault_id: str, chosen: Chosen) -> Iterator[_Cell]:
    for root in sorted((output / CELLS).iterdir()):
        cell = Cell.named(root.name)
        if cell is None or not chosen.has(cell):
            continue
        fault = next((each for each in read_faults(root) if each.fault_id == fault_id), None)
        if fault is not None:
            yield _read_cell(root, fault)


def _read_cell(root: Path, fault: Fault) -> _Cell:
    try:
        job = json.loads((root / JOB).read_bytes())
        configuration = job["configuration"]
        inputs = tuple(
            InputFile(path, size, crc, Container(container))
            for path, (size, crc), container in zip(
                job["inputs"], configuration["inputs"], job["containers"], strict=True
            )
        )
        config = JobConfig.model_validate(configuration["options"])
        return _Cell(root, inputs, config, str(configuration["scenario"]), fault)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f"{root / JOB} cannot be read: {error!r:.200}") from None


def _open(cell: _Cell, plan: Plan) -> JobContext:
    """Return the job of a cell, whose inputs must be what they were."""
    try:
        now = inspect_inputs([file.path for file in cell.inputs])
    except UsageError as error:
        raise UsageError(f"{error}; replay in the folder in which the campaign was run") from None
    for before, after in zip_longest(cell.inputs, now):
        if before != after:
            path = (before or after).path
            raise UsageError(f"{path} has changed since the campaign; restore it")
    channel = PerfectChannel().reference()
    return JobContext(str(cell.root), cell.inputs, cell.config, channel, plan.to_json())


def _target(fault: Fault) -> bytes:
    """Return the identity of the struck record, or the struck block's id as first delivered."""
    identity = bytes.fromhex(fault.identity)
    return identity.partition(b"#")[0] if _is_of_block(fault) else identity


def _is_of_block(fault: Fault) -> bool:
    """Whether the journal names a block; a hit on a record's seal names the record."""
    try:
        Origin.decode(bytes.fromhex(fault.identity))
    except ValueError:
        return fault.kind in BLOCK_KINDS
    return False


# Alone.


def _deliver_alone(context: JobContext, plan: Plan, fault: Fault, watch: Watch) -> bool:
    """Derive the struck record and deliver it; return False where that cannot be done."""
    if fault.kind in BLOCK_KINDS or fault.kind == MISCOMPUTED:
        return False
    identity = bytes.fromhex(fault.identity)
    derives: dict[str, Derive] = {
        _PAGES: lambda ids: derive_pages(context, ids),
        _DOCUMENTS: lambda ids: derive_documents(context, ids),
        _RUNS: lambda ids: _derive_runs(context, ids),
    }
    derive = derives.get(fault.hop)
    records = derive([identity]) if derive is not None else []
    if derive is None or not records:
        return False
    of_records = replace(plan, faults=tuple(f for f in plan.faults if f.kind not in BLOCK_KINDS))
    block_id = identity if fault.hop == _RUNS else b"replay"
    block = write_block(block_id, records, context.policy.protection)
    transit = Witness(of_records, watch, FaultIds(plan.sha256))
    carry(block, fault.hop, transit, context.policy, derive=derive, account=HopAccount())
    return True


def _derive_runs(context: JobContext, names: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    runs: dict[bytes, bytes] = {}
    for task in {name.partition(b"/")[0].decode() for name in names}:
        runs |= derive_runs(context, required_entry(context, task))
    return [(name, runs[name]) for name in names if name in runs]


# With the whole task.


def _do_task_again(context: JobContext, plan: Plan, fault: Fault, watch: Watch) -> None:
    """Do the task of a fault again in a scratch folder, and all that it needs before."""
    with TemporaryDirectory(prefix="sealedbeam-replay-") as folder:
        watched = WatchedContext(
            folder,
            context.inputs,
            context.config,
            context.channel,
            context.scenario,
            watched=WatchedChannel(plan, watch),
        )
        parts = sorted(path.stem for path in (Path(context.output) / "ledger").glob("part-*.json"))
        of_part = fault.hop not in (_RUNS, "shards")
        chosen = [_part_of(fault)] if of_part else parts
        for name in chosen:
            execute(watched, _map_task(context, name))
        if not of_part:
            execute(watched, duplicates_task(len(parts)))
            for task in reduce_tasks(context.shards, len(parts)):
                execute(watched, task)


def _part_of(fault: Fault) -> str:
    identity = bytes.fromhex(fault.identity)
    try:
        return f"part-{Origin.decode(identity).part:05d}"
    except ValueError:
        return identity.partition(b"/")[0].decode()


def _map_task(context: JobContext, name: str) -> Task:
    """Return a part's task as it was done, from its ledger entry."""
    details = required_entry(context, name).details
    start, exact_start = details["start"]
    number = int(name.rpartition("-")[2])
    part = Part(number, details["source"], start, details["stop"], exact_start=exact_start)
    skips = tuple(Skip(*skip) for skip in details["skipped"])
    return Task(name, part=part, skips=skips, evicted=tuple(details.get("evicted", ())))


# What was seen.


def _describe(context: JobContext, plan: Plan, fault: Fault, watch: Watch) -> Iterator[Delivery]:
    for computed in watch.computed:
        yield Delivery(
            computed.attempt,
            plan.fleet.place(watch.target, watch.hop, computed.attempt),
            "result",
            len(computed.before),
            len(computed.after),
            compare_bytes(computed.before, computed.after),
            ("no seal is there yet: a wrong result is sealed like a right one",),
        )
    for seen in watch.seen:
        yield _describe_delivery(context, plan, fault, seen)


def _describe_delivery(context: JobContext, plan: Plan, fault: Fault, seen: Seen) -> Delivery:
    outline = read_outline(seen.before)
    assert outline is not None, "it was read to find the target in it"
    identity = None if _is_of_block(fault) else bytes.fromhex(fault.identity)
    start, stop, of = 0, len(seen.before), "block"
    if identity is not None and fault.kind not in BLOCK_KINDS:
        frame = next(frame for frame in outline.frames if frame.identity == identity)
        start, stop, of = frame.start, frame.start + frame.length, "record"
    before = seen.before[start:stop]
    after = b"" if seen.after is None else seen.after[start : stop if of == "record" else None]
    checks = list_checks(seen.before, seen.after, identity, context.policy.protection)
    return Delivery(
        seen.attempt,
        plan.fleet.place(identity or outline.block_id, fault.hop, seen.attempt),
        of,
        len(before),
        None if seen.after is None else len(after),
        compare_bytes(before, after),
        tuple(checks),
    )
