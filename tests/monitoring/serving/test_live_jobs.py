from __future__ import annotations

import os
import threading
from functools import partial
from typing import TYPE_CHECKING

from sealedbeam.monitoring.serving.live_jobs import LiveJobs
from sealedbeam.monitoring.serving.metrics_cache import MetricsCache
from sealedbeam.pipeline.integrity.ledger import Outcome

from tests.support.serving import Client, FixedReader, client_of, live_jobs, make_marker, make_view

if TYPE_CHECKING:
    from pathlib import Path


def test_what_a_link_leads_to_is_not_shown(tmp_path: Path) -> None:
    """Folders, ledgers and files that are links are no jobs, or damaged ones."""
    outside, root = tmp_path / "outside", tmp_path / "root"
    make_marker(outside)
    root.mkdir()
    (root / "folder").symlink_to(outside)
    (root / "half").mkdir()
    (root / "half" / "ledger").symlink_to(outside / "ledger")
    (root / "file" / "ledger").mkdir(parents=True)
    (root / "file" / "ledger" / "job.json").symlink_to(outside / "ledger" / "job.json")
    make_marker(root / "inside")
    (root / "inside" / "quarantine").symlink_to(outside)
    with client_of(root, lambda _: FixedReader()) as client:
        assert [job["name"] for job in client.json("/api/jobs")["jobs"]] == ["inside"]
        found = client.error("/api/job", "name=inside")
    assert found == (409, "quarantine is a link: a job's own files are none")


def test_search_for_jobs_is_bounded(tmp_path: Path) -> None:
    """Hidden folders, what cannot be printed and what lies too deep is left out."""
    hidden = (".hidden", "line\nfeed", "turned\u202eround", "a/b/c2/d", "job/inner")
    for name in ("a/b/c", "job", *hidden):
        make_marker(tmp_path / name)
    with live_jobs(tmp_path, lambda _: FixedReader()) as found:
        assert found.names() == ["a/b/c", "job"]


def test_error_of_the_program_tells_no_details(tmp_path: Path) -> None:
    """What no reader should do is told to the user in one line, and to the client as damage."""
    make_marker(tmp_path)
    complaints: list[str] = []
    reader = FixedReader(error=ZeroDivisionError("in secret.py"))
    found = LiveJobs(tmp_path, lambda _: reader, lambda _: (), complaints.append)
    client = Client(found)
    status, error = client.error("/api/job")
    client.api.close()
    found.close()
    assert (status, "secret" in error, str(tmp_path) in error) == (409, False, False)
    assert len(complaints) == 1
    assert "in secret.py" in complaints[0]


def test_finished_job_must_add_up(tmp_path: Path) -> None:
    """Entries that are not those of the summary are damage, and no smaller numbers."""
    make_marker(tmp_path)
    view = make_view()
    good = {
        hop: {"records": cell.records} | {str(o): getattr(cell, o) for o in Outcome}
        for hop, cell in ((hop, account.total()) for hop, account in view.hops.items())
    }
    bad = good | {"pages": good["pages"] | {"records": 1}}
    statuses = []
    for hops in (good, bad):
        reader = FixedReader(make_view(summary={**view.summary, "hops": hops}))
        with client_of(tmp_path, partial(lambda reader, _: reader, reader)) as client:
            statuses.append(client.get("/api/job").status)
    assert statuses == [200, 409]


def test_change_is_seen_and_rest_is_not_read_again(tmp_path: Path) -> None:
    """A folder that stays as it is, is read once; one that changes, again."""
    make_marker(tmp_path)
    old = 1_000_000_000
    os.utime(tmp_path / "ledger", (old, old))
    os.utime(tmp_path, (old, old))
    reader = FixedReader()
    with live_jobs(tmp_path, lambda _: reader) as found:
        for _ in range(5):
            found.get(".", 60)
        assert reader.asked == 1
        (tmp_path / "ledger" / "part-00000.json").write_text("{}")
        reader.view = make_view(command="changed")
        while (view := found.get(".", 60).view) is not None and view.command != "changed":
            pass
        assert reader.asked >= 2


def test_reading_that_takes_long_holds_nobody_up(tmp_path: Path) -> None:
    """Before the first reading a job is just named; later ones leave the old one standing."""
    make_marker(tmp_path)
    reader = FixedReader()
    with live_jobs(tmp_path, lambda _: reader) as found:
        client = Client(found)
        reader.gate.clear()
        found.warm()
        listed = client.json("/api/jobs")["jobs"]
        assert [(job["name"], job["status"]) for job in listed] == [(".", None)]
        reader.gate.set()
        before = found.get(".", 60)
        reader.gate.clear()
        (tmp_path / "summary.json").write_text("{}")
        assert [found.get(".", 60).view for _ in range(3)] == [before.view] * 3
        reader.gate.set()
        client.api.close()


def test_metrics_wait_for_no_text() -> None:
    """A text that takes long to make is left for the next scrape; the one before is sent."""
    gate, cache = threading.Event(), MetricsCache()
    first, second = make_view(), make_view()

    def make_slowly() -> bytes:
        assert gate.wait(60)
        return b"new"

    assert cache.get({".": first}, as_openmetrics=False, render=lambda: b"old") == b"old"
    assert cache.get({".": second}, as_openmetrics=False, render=make_slowly) == b"old"
    gate.set()
    said = {b"old"}
    while said != {b"new"}:
        said = {cache.get({".": second}, as_openmetrics=False, render=make_slowly)}
    cache.close()
