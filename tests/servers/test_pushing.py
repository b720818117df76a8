"""The outcome of batches in a real Pushgateway."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from tests.servers.conftest import run_command
from tests.servers.daemons import fetch, run_promtool
from tests.support.jobs import SAMPLE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.daemons import Labels


def read(url: str, batch: str) -> dict[tuple[str, Labels], float]:
    """Return the samples of a batch's group, its own labels taken away."""
    own = {("job", "sealedbeam_batch"), ("batch", batch), ("instance", "")}
    return {
        (sample.name, frozenset(sample.labels.items()) - own): sample.value
        for family in text_string_to_metric_families(fetch(f"{url}/metrics").decode())
        for sample in family.samples
        if sample.labels.get("batch") == batch
    }


def value(found: dict[tuple[str, Labels], float], name: str, **labels: str) -> float | None:
    return found.get((f"sealedbeam_batch_{name}", frozenset(labels.items())))


def test_success_and_later_failure_stand_side_by_side(tmp_path: Path, pushgateway: str) -> None:
    """A job pushes how it ended; when it fails the next time, its last success is still there."""
    output = tmp_path / "crawl-by-night"
    push = ("--push-gateway", pushgateway, "--quiet")
    done = run_command("index", SAMPLE, "--output", output, *push)
    assert done.returncode == 0, done.stderr
    first = read(pushgateway, "crawl-by-night")
    success = value(first, "last_success_timestamp_seconds")
    assert success is not None
    assert success > 1_700_000_000
    assert value(first, "verdict", ledger="balanced") == 1
    assert value(first, "records", hop="pages", outcome="intact") == 66
    assert value(first, "last_failure_timestamp_seconds") is None

    done = run_command("index", SAMPLE, "--output", output, "--shards", "2", *push)
    assert done.returncode == 2, "misuse: the folder is another job's"
    assert first == read(pushgateway, "crawl-by-night")

    (output / "manifest.json").unlink()
    (output / "ledger" / "shard-00000.json").unlink()
    (output / "summary.json").unlink()
    (output / "summary.json").mkdir()  # it cannot be written
    done = run_command("index", SAMPLE, "--output", output, *push)
    assert done.returncode not in {0, 2}
    second = read(pushgateway, "crawl-by-night")
    assert value(second, "last_success_timestamp_seconds") == success
    failure = value(second, "last_failure_timestamp_seconds")
    assert failure is not None
    assert failure >= success
    assert value(second, "verdict", ledger="balanced") == 0


def test_promtool_likes_what_is_pushed(tmp_path: Path, pushgateway: str) -> None:
    """Names, types and help of the batch's metrics pass its checks."""
    output = tmp_path / "linted"
    run_command("index", SAMPLE, "--output", output, "--push-gateway", pushgateway, "--quiet")
    lines = fetch(f"{pushgateway}/metrics").decode().splitlines(keepends=True)
    ours = "".join(line for line in lines if "sealedbeam_batch_" in line)
    assert ours.count("# HELP") >= 4
    assert run_promtool("check", "metrics", data=ours.encode()) == ""


def test_gateway_that_is_gone_fails_no_job(tmp_path: Path) -> None:
    """The job ends well, with one line of warning."""
    nobody = "http://127.0.0.1:9"
    done = run_command(
        "index", SAMPLE, "--output", tmp_path / "index", "--push-gateway", nobody, "--quiet"
    )
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"sealedbeam: warning: the outcome was not pushed to {nobody}: ")
