from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sealedbeam.monitoring.serving.replay import ReplayClock

from tests.support.serving import RECORDS, Client, FixedReader, client_of, make_marker, make_view

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def single(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Return a client of a folder that is a job itself."""
    folder = tmp_path_factory.mktemp("single")
    make_marker(folder)
    with client_of(folder, lambda _: FixedReader()) as found:
        yield found


def whole_timeline(client: Client) -> Any:
    return client.json("/api/timeline")


def test_timeline_is_that_of_the_ledger(single: Client) -> None:
    """Each window of each cluster has its records; the sum is the ledger's."""
    told = whole_timeline(single)
    assert (told["windows"], told["window_seconds"], told["now_seconds"]) == (10, 60, 600)
    assert told["replay"] is None
    intact = sum(account.total().intact for account in make_view().hops.values())
    assert sum(sum(row) for row in told["series"]["intact"]) == intact
    assert [cluster["name"] for cluster in told["clusters"]] == ["dublin", "oregon"]


@pytest.mark.parametrize(
    ("until", "windows"), [("0", 0), ("59.9", 0), ("60", 1), ("125", 2), ("600", 10), ("1e9", None)]
)
def test_until_leaves_the_future_out(single: Client, until: str, windows: int | None) -> None:
    """Only windows that are over by then are told, and they are those of the whole timeline."""
    if windows is None:
        assert single.error("/api/timeline", f"until={until}")[0] == 400
        return
    told, whole = single.json("/api/timeline", f"until={until}"), whole_timeline(single)
    assert told["windows"] == windows
    for name, rows in whole["series"].items():
        assert told["series"][name] == [row[:windows] for row in rows]
    assert single.json("/api/timeline", "until=99999")["windows"] == 10


def test_replay_follows_its_clock(tmp_path: Path) -> None:
    """At each instant the metrics and the timeline are those of the windows that are over."""
    make_marker(tmp_path)
    now = [0.0]
    clock = ReplayClock(60.0, lambda: now[0])
    with client_of(tmp_path, lambda _: FixedReader(), replay=clock) as client:
        follow(client, now)


def follow(client: Client, now: list[float]) -> None:
    view = make_view()
    for seconds in (0.0, 0.5, 1.0, 2.5, 10.0, 1000.0):
        now[0] = seconds
        told = client.json("/api/timeline")
        assert told["replay"] == {"pace": 60.0}
        assert told["now_seconds"] == min(600.0, 60 * seconds)
        windows = min(10, int(seconds))
        expected = sum(
            cell.records
            for account in view.hops.values()
            for (_, window), cell in account.cells.items()
            if window < windows
        )
        told_records = sum(
            number
            for name in ("intact", "corrected", "retried", "dropped")
            for row in told["series"][name]
            for number in row
        )
        assert told_records == expected
        await_records(client, expected)


def await_records(client: Client, expected: int) -> None:
    """Scrape until a scrape has these records: a slow machine may send the text before."""
    while True:
        samples = client.samples()
        records = [n for key, n in samples.items() if key[0] == RECORDS]
        if sum(records) == expected:
            return


def test_running_job_is_not_replayed(tmp_path: Path) -> None:
    """A replay is of what is over; what still runs is shown as it is."""
    make_marker(tmp_path)
    view = make_view(summary={"status": "running"})
    clock = ReplayClock(60.0, lambda: 0.0)
    with client_of(tmp_path, lambda _: FixedReader(view), replay=clock) as client:
        told = client.json("/api/timeline")
    assert (told["replay"], told["windows"]) == (None, 10)
