"""A small job as the views get it: a ledger with every rung in it, and an output folder."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sealedbeam.faults.journal import Fault, FaultOutcome, encode_journal
from sealedbeam.faults.plan import make_plan
from sealedbeam.pipeline.integrity.ledger import HopAccount, Outcome
from sealedbeam.pipeline.integrity.reconcile import Reconciliation, Verdict
from sealedbeam.pipeline.jobs.quarantine import Quarantined, encode_quarantine

from tests.support.campaigns import flips, make_scenario

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = "sealedbeam index 'a <b>.warc.gz' --output index"
HOPS = ("pages", "documents", "runs", "shards")


def make_hops() -> dict[str, HopAccount]:
    """Return a ledger of four hops, two clusters and three windows."""
    hops = {hop: HopAccount() for hop in HOPS}
    for number, outcome in enumerate([*Outcome, Outcome.INTACT, Outcome.RETRIED]):
        cell = hops["pages"].cell("oregon" if number % 2 else "dublin", 60 * (number % 3))
        cell.enter(outcome, 100 + number)
    cell = hops["pages"].cell("oregon", 0)
    cell.corrected_bits = {"syndrome": 7, "seal": 1}
    cell.retry_attempts = {"bad_seal": 5}
    cell.dropped_reasons = {"bad_seal": 1}
    hops["runs"].cell("dublin", 0).enter(Outcome.INTACT, 5000)
    hops["runs"].cell("dublin", 0).dropped_reasons = {"a_new_reason": 2}
    return hops


@dataclass(frozen=True)
class Totals:
    """What a job hands to its views."""

    hops: dict[str, HopAccount] = field(default_factory=make_hops)
    reconciliation: Reconciliation = field(
        default_factory=lambda: Reconciliation(Verdict.BALANCED, (), 0)
    )
    too_many_dropped: tuple[str, ...] = ()
    counts: dict[str, dict[str, int]] = field(default_factory=dict)


def make_summary(**changes: Any) -> dict[str, Any]:
    """Return a summary; `changes` replace its values."""
    return {
        "status": "complete",
        "pages": {
            "read": 6,
            "indexed": 3,
            "duplicate": 1,
            "rejected": {"revisit": 1},
            "quarantined": 1,
        },
        "documents": 3,
        "tokens": 900,
        "terms": 321,
        "postings": 654,
        "inputs": {
            "bytes": 12345,
            "damaged_regions": 2,
            "unreadable": [],
            "digest_good": 4,
            "digest_absent": 1,
            "digest_bad": 1,
        },
        "ledger": "balanced",
        "seed": 0,
        "protection": "correct",
        "seconds": 1.5,
    } | changes


def make_folder(root: Path, input_path: str = "a.warc.gz") -> None:
    """Write the committed files of a job with one input, two parts and one thing set aside."""
    ledger, quarantine = root / "ledger", root / "quarantine"
    ledger.mkdir(parents=True)
    quarantine.mkdir()
    job = {
        "configuration": {"inputs": [[12345, "0a0b0c0d"]], "options": {}},
        "inputs": [input_path],
    }
    (ledger / "job.json").write_text(json.dumps(job))
    for number in range(2):
        (ledger / f"part-{number:05d}.json").write_text("{}")
    path = input_path.encode(errors="replace").decode()
    row = Quarantined("part-00000", "input", "bad_gzip", path, 1000, 234, "", "", 1, 234, b"raw")
    (quarantine / "part-00000.parquet").write_bytes(encode_quarantine([row]))


def add_campaign(root: Path, outcomes: tuple[FaultOutcome, ...]) -> None:
    """Add a plan, and a journal of single flips in Oregon with these outcomes."""
    folder = root / "faults"
    folder.mkdir()
    scenario = make_scenario(flips("single_bit", 1), flips("double_bit", 1), name="a <scenario>")
    (folder / "plan.json").write_text(make_plan(scenario, 0).to_json())
    faults = [
        Fault(str(n), "single_bit", "pages", "00", "0", (n,), "oregon", "m", 0, 1, outcome=outcome)
        for n, outcome in enumerate(outcomes)
    ]
    (folder / "journal-00000.parquet").write_bytes(encode_journal(faults))
