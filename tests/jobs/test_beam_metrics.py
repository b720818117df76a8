from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import apache_beam as beam
from apache_beam.metrics import MetricsFilter
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from sealedbeam.pipeline.config import JobConfig
from sealedbeam.pipeline.integrity.ledger import HopAccount, Outcome
from sealedbeam.pipeline.jobs.beam_metrics import NAMESPACE, name_counts
from sealedbeam.pipeline.jobs.prepare import prepare
from sealedbeam.pipeline.jobs.totals import total
from sealedbeam.pipeline.jobs.transforms import BuildIndex

if TYPE_CHECKING:
    from sealedbeam.pipeline.jobs.context import JobContext

SAMPLE = Path(__file__).parents[2] / "seeds" / "sample.warc.gz"


def build(context: JobContext) -> dict[str, int]:
    """Build an index in a pipeline; return the counters that its runner reports, over all steps."""
    pipeline = beam.Pipeline(runner=FnApiRunner())
    _ = pipeline | BuildIndex(context)
    result: Any = pipeline.run()
    result.wait_until_finish()
    counters: dict[str, int] = {}
    for found in result.metrics().query(MetricsFilter().with_namespace(NAMESPACE))["counters"]:
        name = found.key.metric.name
        counters[name] = counters.get(name, 0) + found.attempted
    return counters


def test_runner_reports_the_ledgers_totals(tmp_path: Path) -> None:
    """Where nothing is done twice, a runner's counters are the ledger's totals, zeros included."""
    config = JobConfig(part_bytes=20_000)
    context = prepare([str(SAMPLE)], tmp_path / "index", config)
    counters = build(context)
    ledger = total(context, [entry_of(context, path) for path in tasks_of(context)])
    assert name_counts(ledger.hops) == counters
    assert counters["records_total_pages_intact"] == 66
    assert counters["records_total_pages_dropped"] == 0


def tasks_of(context: JobContext) -> list[str]:
    folder = context.store.root / "ledger"
    return sorted(path.stem for path in folder.glob("*.json") if path.stem != "job")


def entry_of(context: JobContext, task: str) -> Any:
    entry = context.committed(task)
    assert entry is not None
    return entry


def test_names_carry_what_labels_would() -> None:
    """Hop and outcome stand in the name; clusters, methods and reasons are added up."""
    account = HopAccount()
    for number, outcome in enumerate(Outcome):
        account.cell("dublin" if number % 2 else "oregon", 0).enter(outcome, 100)
    account.cell("dublin", 0).corrected_bits = {"seal": 2, "syndrome": 3}
    account.cell("oregon", 60).retry_attempts = {"bad_seal": 7}
    assert name_counts({"pages": account}) == {
        "records_total_pages_intact": 1,
        "records_total_pages_corrected": 1,
        "records_total_pages_retried": 1,
        "records_total_pages_dropped": 1,
        "record_bytes_total_pages": 400,
        "corrected_bits_total_pages": 5,
        "retry_attempts_total_pages": 7,
    }
