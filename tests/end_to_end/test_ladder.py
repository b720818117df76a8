"""Whatever happens between two stages, the index is the same, or says what is missing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.index.search import Index
from sealedbeam.pipeline.jobs.totals import HOPS

from tests.support.archives import pack, page_record, response_record
from tests.support.flipping import CLUSTER, DOUBLE_FLIP, FLIP, LOSS, Rule
from tests.support.jobs import ROOT, Job, found_urls, index_bytes, quarantined

if TYPE_CHECKING:
    from pathlib import Path

RECORDS = [page_record(number, body_bytes=300) for number in range(16)]
RECORDS += [response_record(f"http://copy.example/{n}", RECORDS[n].body) for n in (1, 9)]
ARCHIVES = {"a.warc.gz": pack(RECORDS).data}
PART_BYTES = 600
FOREVER = 99


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """Return the job that nothing happened to."""
    job = Job.make(tmp_path_factory.mktemp("clean"), ARCHIVES, part_bytes=PART_BYTES)
    job.run_here()
    return job


def blocks_of(clean: Job, hop: str) -> int:
    """Return how many blocks cross a hop: each has one record that is hit."""
    if hop in ("pages", "documents"):
        return sum(hop in entry.hops for entry in clean.entries())
    return sum(entry.hops[hop].total().records for entry in clean.entries() if hop in entry.hops)


def damaged(tmp_path: Path, clean: Job, *rules: Rule, **options: Any) -> Job:
    # The same input paths: stored documents name their file.
    options = {"part_bytes": PART_BYTES, "max_dropped_ratio": 1.0} | options
    return Job.make(tmp_path, clean.context.paths, rules, **options)


def outcomes(job: Job, hop: str) -> dict[str, int]:
    """Return a hop's figures that are not zero, summed over the ledger."""
    totals: dict[str, int] = {}
    for entry in job.entries():
        if hop in entry.hops:
            assert {cluster for cluster, _ in entry.hops[hop].cells} <= {CLUSTER}
            cell = entry.hops[hop].total()
            for name in ("intact", "corrected", "retried", "dropped"):
                totals[name] = totals.get(name, 0) + getattr(cell, name)
    return {name: number for name, number in totals.items() if number}


@pytest.mark.parametrize("hop", HOPS)
@pytest.mark.parametrize("protection", ["correct", "detect"])
@pytest.mark.parametrize("kind", [FLIP, DOUBLE_FLIP, LOSS])
def test_damage_at_one_hop_is_counted_there_and_nowhere_else(
    tmp_path: Path, clean: Job, hop: str, kind: str, protection: str
) -> None:
    """Single flips are corrected, all else is made again; the index is byte for byte the same."""
    outcome = "corrected" if (kind, protection) == (FLIP, "correct") else "retried"
    job = damaged(tmp_path, clean, Rule(hop, kind), protection=protection)
    result = job.run_here()
    assert (result.exit_code, result.summary["ledger"]) == (0, "balanced")
    hops = {name: set(outcomes(job, name)) - {"intact"} for name in HOPS}
    assert hops == {name: ({outcome} if name == hop else set()) for name in HOPS}
    hit = blocks_of(clean, hop)
    if kind == LOSS:
        hit = result.summary["hops"][hop]["records"]
    assert outcomes(job, hop)[outcome] == hit
    assert index_bytes(clean.output) == index_bytes(job.output)
    assert quarantined(job.output) == []


def test_damage_at_every_hop_at_once(tmp_path: Path, clean: Job) -> None:
    """Each hop stands on its own ladder: two bad deliveries at each, and all is well."""
    job = damaged(tmp_path, clean, *(Rule(hop, DOUBLE_FLIP, attempts=2) for hop in HOPS))
    result = job.run_here()
    assert (result.exit_code, result.summary["ledger"]) == (0, "balanced")
    assert all(outcomes(job, hop).get("retried", 0) > 0 for hop in HOPS)
    assert index_bytes(clean.output) == index_bytes(job.output)


@pytest.mark.parametrize("hop", HOPS)
@pytest.mark.parametrize("kind", [DOUBLE_FLIP, LOSS])
def test_permanent_damage_is_set_aside(tmp_path: Path, clean: Job, hop: str, kind: str) -> None:
    """After three deliveries a record is dropped, kept with its bytes, and the ledger balances."""
    rule = Rule(hop, kind, attempts=FOREVER)
    if hop in ("pages", "documents"):
        rule = Rule(hop, kind, attempts=FOREVER, task="part-00002")
    job = damaged(tmp_path, clean, rule)
    result = job.run_here()
    assert (result.exit_code, result.summary["ledger"]) == (0, "balanced")
    dropped = outcomes(job, hop)["dropped"]
    rows = [row for row in quarantined(job.output) if row.stage == hop]
    assert len(rows) == dropped > 0
    for row in rows:
        assert row.reason == ("lost_block" if kind == LOSS else "bad_seal")
        assert (row.attempts, row.cluster) == (3, CLUSTER)
        assert bool(row.raw) == (kind != LOSS)
    pages = result.summary["pages"]
    assert pages["read"] == pages["indexed"] + pages["duplicate"] + pages["quarantined"]
    if hop in ("pages", "documents"):
        assert pages["quarantined"] == dropped
        assert {row.source_file for row in rows} == set(job.context.paths)
        assert len(found_urls(job.output, "page")) == pages["indexed"]
    else:
        assert result.summary["tokens"] == 0
        assert found_urls(job.output, "page") == []


@pytest.mark.parametrize(("limit", "code"), [(0.05, 3), (0.2, 0)])
def test_too_many_dropped_records_fail_the_job(
    tmp_path: Path, clean: Job, limit: float, code: int
) -> None:
    """Over the allowed share there is no manifest, the status is failed, and search refuses."""
    rule = Rule("pages", LOSS, attempts=FOREVER, task="part-00002")
    job = damaged(tmp_path, clean, rule, max_dropped_ratio=limit)
    result = job.run_here()
    assert result.exit_code == code
    assert result.summary["status"] == ("failed" if code else "complete")
    assert (job.output / "manifest.json").exists() == (code == 0)
    if code:
        assert re.search(r"hop pages: \d+ of 18 records were dropped", result.findings[0])
        with pytest.raises(Exception, match=r"manifest\.json"):
            Index.open(job.output)
        again = job.run_here()
        assert (again.exit_code, again.findings) == (3, result.findings)


@pytest.mark.parametrize("hop", HOPS)
def test_drop_policy_makes_nothing_again(tmp_path: Path, clean: Job, hop: str) -> None:
    """With the policy to drop, what cannot be corrected is set aside at its first delivery."""
    job = damaged(tmp_path, clean, Rule(hop, DOUBLE_FLIP), on_damage="drop")
    result = job.run_here()
    assert (result.exit_code, result.summary["ledger"]) == (0, "balanced")
    assert set(outcomes(job, hop)) <= {"intact", "dropped"}
    rows = [row for row in quarantined(job.output) if row.stage == hop]
    assert len(rows) == outcomes(job, hop)["dropped"]
    assert {row.attempts for row in rows} == {1}


@pytest.mark.parametrize("hop", HOPS)
def test_fail_policy_ends_the_job(tmp_path: Path, clean: Job, hop: str) -> None:
    """With the policy to fail, the first record that cannot be corrected ends the job."""
    job = damaged(tmp_path, clean, Rule(hop, DOUBLE_FLIP), on_damage="fail")
    with pytest.raises(IntegrityError, match=f"hop {hop}: .* the policy is to fail"):
        job.run_here()
    assert not (job.output / "manifest.json").exists()
    with pytest.raises(Exception, match=r"manifest\.json"):
        Index.open(job.output)


@pytest.mark.parametrize("policy", ["drop", "fail"])
def test_corrected_records_are_no_damage(tmp_path: Path, clean: Job, policy: str) -> None:
    """Neither dropping nor failing concerns what could be corrected."""
    job = damaged(tmp_path, clean, *(Rule(hop, FLIP) for hop in HOPS), on_damage=policy)
    assert job.run_here().exit_code == 0
    assert index_bytes(clean.output) == index_bytes(job.output)


def test_workers_meet_the_same_faults(
    tmp_path: Path, clean: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The channel is made again in worker processes, and they count what this process counts."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    rules = [Rule("pages", FLIP), Rule("documents", DOUBLE_FLIP), Rule("runs", LOSS)]
    job = damaged(tmp_path, clean, *rules)
    result = job.run(2)
    assert result is not None
    assert result.exit_code == 0
    assert outcomes(job, "pages")["corrected"] == blocks_of(clean, "pages")
    assert outcomes(job, "documents")["retried"] == blocks_of(clean, "documents")
    assert set(outcomes(job, "runs")) == {"retried"}
    assert index_bytes(clean.output) == index_bytes(job.output)
