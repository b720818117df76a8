"""What became of one cell of a campaign: its faults by outcome, its index, its verdict.

Verdicts:
* `identical`: documents, shards and duplicates are byte for byte those without faults;
* `loss named`: something is missing, and all of it is in the quarantine;
* `refused`: the job failed by itself, and search refuses its output;
* `silently wrong`: the index was given out, and differs in a way that nothing names.

The verdict is about what was given out. What the injector knows beyond that, such as escapes, is
beside it, and decides nothing: a real pipeline has nobody to tell it.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.integrity.checksum import crc32c
from sealedbeam.pipeline.jobs.entry import decode_entry
from sealedbeam.pipeline.jobs.finish import SUMMARY
from sealedbeam.pipeline.jobs.quarantine import read_quarantine
from sealedbeam.pipeline.manifest import FILE_NAME, format_crc32c

from .answers import ask, count_changed
from .checkers import check_cells, check_escapes, count_faults, count_unseen, sum_figures
from .comparison import compare_indexes
from .ecc import Verdict as HardwareVerdict
from .journal import NO_FAULT, decode_journal
from .losses import name_losses

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from sealedbeam.pipeline.jobs.entry import Entry
    from sealedbeam.pipeline.jobs.quarantine import Quarantined
    from sealedbeam.pipeline.manifest import FileEntry

    from .answers import Answer
    from .checkers import Cells
    from .comparison import Difference
    from .journal import Fault
    from .plan import Plan

BINS = 30
"""Columns of the timeline, at most."""
_MOST_TELLING = ("escaped", "corrected", "retried", "dropped", "masked")
_FIELDS_OF_CELL = ("again_records", "again_bytes", "bytes")
_JOB_FILE = "job"
_JOURNALS = "faults/journal-"


class Verdict(StrEnum):
    """What to think of an index; best first."""

    IDENTICAL = "identical"
    LOSS_NAMED = "loss named"
    REFUSED = "refused"
    SILENTLY_WRONG = "silently wrong"


def describe_outcome(
    root: Path,
    reference: Path,
    plan: Plan,
    queries: Sequence[str],
    expected: Sequence[Answer],
    *,
    sealed: bool,
) -> dict[str, Any]:
    """Return what became of the cell in `root`, as values for campaign.json.

    Args:
        root: the cell's output folder, whose job has ended, well or not.
        reference: the folder of the fault-free job with the same protection.
        plan: the cell's faults.
        queries: to ask.
        expected: what the fault-free index answers.
        sealed: whether records had seals, so that nothing but wrong computations may escape.

    Raises:
        IntegrityError: a file of either folder cannot be read.
    """
    summary = json.loads((root / SUMMARY).read_bytes())
    faults = read_faults(root)
    counts = count_faults(faults)
    rows = read_quarantine(root)
    difference = compare_indexes(reference, root, name_losses(rows))
    answers = ask(root, queries)
    changed = None if answers is None else count_changed(expected, answers)
    finished = (root / FILE_NAME).exists()
    verdict = _judge(difference) if finished else Verdict.REFUSED
    return {
        "verdict": str(verdict),
        "status": summary["status"],
        "ledger": summary["ledger"],
        "faults": sum_figures(counts),
        "by_cluster_and_kind": [
            {"cluster": cluster, "kind": kind, **figures}
            for (cluster, kind), figures in counts.items()
        ],
        "law": check_cells(counts) + (_check_seals(counts) if sealed else []),
        "examples": _choose_examples(faults),
        "hardware": _count_hardware(faults),
        "pages": summary["pages"],
        "hops": summary["hops"],
        "set_aside": _count_set_aside(rows),
        "difference": asdict(difference) | {"queries": len(queries), "queries_changed": changed},
        "traffic": count_traffic(root),
        "timeline": _bin(faults, plan),
    }


def read_faults(root: Path) -> list[Fault]:
    """Return every row of the journals that the tasks of a job have committed.

    Raises:
        IntegrityError: an entry of the ledger or a journal is damaged or gone.
    """
    return [
        fault
        for entry in _read_entries(root)
        for file in entry.files
        if file.path.startswith(_JOURNALS)
        for fault in decode_journal(_read_file(root, file))
    ]


def _read_entries(root: Path) -> Iterator[Entry]:
    """Yield what each task of a job has committed."""
    for path in sorted((root / "ledger").glob("*.json")):
        if path.stem != _JOB_FILE:
            yield decode_entry(path.read_bytes(), path.name)


def _read_file(root: Path, file: FileEntry) -> bytes:
    """Return a file as its task committed it."""
    try:
        data = (root / file.path).read_bytes()
    except OSError as error:
        raise IntegrityError(f"{root / file.path} cannot be read: {error.strerror}") from None
    if format_crc32c(crc32c(data)) != file.crc32c:
        raise IntegrityError(f"{root / file.path} is damaged; audit tells what else is")
    return data


def _check_seals(counts: Cells) -> list[str]:
    return check_escapes(sum_figures(counts), count_unseen(counts))


def _judge(difference: Difference) -> Verdict:
    if difference.byte_identical:
        return Verdict.IDENTICAL
    return Verdict.SILENTLY_WRONG if difference.silent else Verdict.LOSS_NAMED


def count_traffic(root: Path) -> dict[str, int]:
    """Return what the ledger of a job says was delivered, and what was derived again."""
    totals = dict.fromkeys(_FIELDS_OF_CELL, 0)
    for entry in _read_entries(root):
        for account in entry.hops.values():
            cell = account.total()
            for name in _FIELDS_OF_CELL:
                totals[name] += getattr(cell, name)
    return {
        "accepted_bytes": totals["bytes"],
        "derived_again_bytes": totals["again_bytes"],
        "derived_again_records": totals["again_records"],
    }


def _choose_examples(faults: Iterable[Fault]) -> dict[str, str]:
    """Return the id of the first fault of each outcome: something to replay."""
    examples: dict[str, str] = {}
    for fault in faults:
        if fault.outcome is not None:
            examples.setdefault(str(fault.outcome), fault.fault_id)
    return dict(sorted(examples.items(), key=lambda pair: _MOST_TELLING.index(pair[0])))


def _count_hardware(faults: Iterable[Fault]) -> dict[str, int]:
    counts = Counter(fault.hardware for fault in faults if fault.hardware)
    return {str(verdict): counts.get(verdict, 0) for verdict in HardwareVerdict}


def _count_set_aside(rows: Sequence[Quarantined]) -> dict[str, Any]:
    reasons = Counter((row.stage, row.reason) for row in rows)
    return {
        "records": len(rows),
        "by_reason": [
            {"stage": stage, "reason": reason, "records": number}
            for (stage, reason), number in sorted(reasons.items())
        ],
    }


def _bin(faults: Iterable[Fault], plan: Plan) -> dict[str, Any]:
    """Return the faults of each cluster over simulated time."""
    seconds = -(-plan.duration_seconds // BINS)
    length = -(-plan.duration_seconds // seconds)
    rows = {cluster.name: [0] * length for cluster in plan.clusters}
    for fault in faults:
        if fault.kind != NO_FAULT:
            rows[fault.cluster][fault.time_seconds // seconds] += 1
    return {"bin_seconds": seconds, "clusters": rows}
