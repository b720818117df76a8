"""The ledger balances only if every quantity is what the others say it must be."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sealedbeam.pipeline.integrity.reconcile import Verdict
from sealedbeam.pipeline.jobs.totals import HOPS, POISON_FREE, summarise, total

from tests.support.archives import build_archive, flip_bit, pack, page_record, response_record
from tests.support.flipping import DOUBLE_FLIP, FLIP, Rule
from tests.support.jobs import Job

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sealedbeam.pipeline.jobs.context import JobContext
    from sealedbeam.pipeline.jobs.entry import Entry


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> tuple[JobContext, list[Entry]]:
    """Return a balanced ledger with something of everything in it."""
    archive = pack(
        [
            *(page_record(number, body_bytes=300) for number in range(8)),
            response_record("http://copy.example/", page_record(3, body_bytes=300).body),
            response_record("http://teapot.example/", b"x", head=b"HTTP/1.1 404 Gone\r\n"),
        ]
    )
    damaged = flip_bit(archive.data, archive.records[5].offset + 60)
    rules = [Rule("pages", FLIP), Rule("documents", DOUBLE_FLIP)]
    folder: Path = tmp_path_factory.mktemp("ledger")
    job = Job.make(folder, {"a.warc.gz": damaged}, rules, part_bytes=600)
    assert job.run_here().exit_code == 0
    return job.context, job.entries()


def verdict(
    ledger: tuple[JobContext, list[Entry]], disturb: Callable[[list[Entry]], None] | None = None
) -> tuple[Verdict, str]:
    context, entries = ledger
    entries = copy.deepcopy(entries)
    if disturb is not None:
        disturb(entries)
    found = total(context, entries).reconciliation
    return found.verdict, "; ".join(found.findings)


def test_ledger_of_a_good_job_balances(ledger: tuple[JobContext, list[Entry]]) -> None:
    """Duplicates, rejected and damaged pages, corrected and retried records all add up."""
    totals = total(*ledger)
    assert totals.reconciliation.verdict is Verdict.BALANCED
    assert totals.passes
    summary = summarise(ledger[0], totals, "complete")
    pages = summary["pages"]
    assert pages["duplicate"] == 1
    assert pages["rejected"] == {"http_status": 1}
    assert pages["read"] == pages["indexed"] + 1 + 1 + pages["quarantined"]
    assert summary["hops"]["pages"]["corrected"] > 0
    assert summary["hops"]["documents"]["retried"] > 0


QUANTITIES = [
    ("pages", "read", "pages read = parsed"),
    ("documents", "parsed", "rows stored"),
    ("rejected", "http_status", "pages read = parsed + rejected + quarantined"),
    ("pages", "quarantined", "pages read = parsed + rejected + quarantined"),
    ("pages", "arrived_damaged", "pages sealed + pages that arrived damaged"),
    ("documents", "tokens", "tokens of all documents"),
    ("documents", "tokens_duplicate", "tokens of duplicates"),
    ("shards", "tokens", "tokens of all documents"),
    ("shards", "tokens_duplicate", "tokens of duplicates"),
    ("runs", "tokens_dropped", "tokens of all documents"),
    ("shards", "tokens_dropped", "tokens of all documents"),
    ("poison", "crashes_worker", "records on the parts' skip lists"),
]


@pytest.mark.parametrize(("group", "name", "finding"), QUANTITIES)
@pytest.mark.parametrize("number", [1, -1])
def test_each_count_is_watched(
    ledger: tuple[JobContext, list[Entry]], group: str, name: str, finding: str, number: int
) -> None:
    """One more or one less of any quantity is found, and the equation that it breaks is named."""
    found, findings = verdict(ledger, lambda entries: entries[0].count(group, name, number))
    assert found is Verdict.IMBALANCED
    assert finding in findings


@pytest.mark.parametrize("hop", HOPS)
@pytest.mark.parametrize("side", ["sealed", "accounted"])
@pytest.mark.parametrize("quantity", ["records", "digest_sum"])
def test_each_side_of_each_hop_is_watched(
    ledger: tuple[JobContext, list[Entry]], hop: str, side: str, quantity: str
) -> None:
    """A record more, or another record, on either side of a hop is found, and the hop named."""

    def disturb(entries: list[Entry]) -> None:
        tally = getattr(next(e for e in entries if hop in e.hops).hops[hop], side)
        setattr(tally, quantity, getattr(tally, quantity) + 1)

    found, findings = verdict(ledger, disturb)
    assert found is Verdict.IMBALANCED
    assert f"hop {hop}" in findings


@pytest.mark.parametrize("hop", HOPS)
@pytest.mark.parametrize("outcome", ["intact", "corrected", "retried", "dropped", "records"])
def test_each_outcome_of_each_hop_is_watched(
    ledger: tuple[JobContext, list[Entry]], hop: str, outcome: str
) -> None:
    """An outcome without a record, or a record without one, is found."""

    def disturb(entries: list[Entry]) -> None:
        cells = next(e for e in entries if e.hops.get(hop) and e.hops[hop].cells).hops[hop].cells
        cell = next(iter(cells.values()))
        setattr(cell, outcome, getattr(cell, outcome) + 1)

    found, findings = verdict(ledger, disturb)
    assert found is Verdict.IMBALANCED
    assert f"hop {hop}" in findings


def test_each_entry_is_needed(ledger: tuple[JobContext, list[Entry]]) -> None:
    """A task that made or took runs can neither be left out of the sum nor be in it twice."""
    context, entries = ledger
    for entry in (entry for entry in entries if "runs" in entry.hops):
        others = [other for other in entries if other is not entry]
        for wrong in (others, [*entries, entry]):
            assert total(context, wrong).reconciliation.verdict is Verdict.IMBALANCED


def test_rows_that_are_not_stored_are_missed(ledger: tuple[JobContext, list[Entry]]) -> None:
    """A documents file with fewer rows than documents were parsed does not balance."""

    def disturb(entries: list[Entry]) -> None:
        files = entries[0].files
        number = next(n for n, file in enumerate(files) if file.path.startswith("documents/"))
        files[number] = replace(files[number], rows=(files[number].rows or 0) - 1)

    assert "rows stored" in verdict(ledger, disturb)[1]


@pytest.mark.parametrize(("limit", "over"), [(0.0, True), (0.24, True), (0.25, False), (1, False)])
def test_share_of_dropped_records_is_limited(tmp_path: Path, limit: float, *, over: bool) -> None:
    """A hop may drop just so large a share; the finding names the hop and both figures."""
    archive = build_archive(4, body_bytes=200)
    job = Job.make(tmp_path, {"a.warc.gz": archive.data}, part_bytes=1 << 20)
    job.run_here()
    (part,) = (entry for entry in job.entries() if entry.task.startswith("part-"))
    (cell,) = part.hops["pages"].cells.values()
    cell.intact, cell.dropped = cell.intact - 1, 1
    context = replace(
        job.context, config=job.context.config.model_copy(update={"max_dropped_ratio": limit})
    )
    expected = f"hop pages: 1 of 4 records were dropped, more than the allowed share of {limit:g}"
    assert total(context, [part]).too_many_dropped == ((expected,) if over else ())


@pytest.mark.parametrize(
    ("poison", "limit", "over"),
    [
        (POISON_FREE, 0.01, False),
        (POISON_FREE + 1, 0.01, True),
        (1, 0.0, True),
        (0, 0.0, False),
        (20, 0.02, False),
        (21, 0.02, True),
    ],
)
def test_poison_is_limited(
    ledger: tuple[JobContext, list[Entry]], poison: int, limit: float, *, over: bool
) -> None:
    """A few poison records fail no job; beyond them the limit for drops holds, and names them."""
    context, entries = ledger
    config = context.config.model_copy(update={"max_dropped_ratio": limit})
    disturbed = copy.deepcopy(entries)
    read = sum(entry.counts.get("pages", {}).get("read", 0) for entry in entries)
    disturbed[0].count("pages", "read", 1000 - read)
    disturbed[0].counts["poison"] = {"exceeds_time": poison - poison // 2}
    disturbed[1].counts["poison"] = {"crashes_worker": poison // 2}
    found = total(replace(context, config=config), disturbed).too_many_dropped
    expected = f"poison: {poison} records beside 1000 pages could not be worked on"
    assert [each.partition(", ")[0] for each in found if "hop" not in each] == [expected] * over


def test_unsealed_job_is_unknown(tmp_path: Path) -> None:
    """Without seals the counts may agree and prove nothing: that passes, and says so."""
    job = Job.make(tmp_path, {"a.warc.gz": build_archive(3).data}, protection="none")
    result = job.run_here()
    assert (result.summary["ledger"], result.exit_code) == ("unknown", 0)
