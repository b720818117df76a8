"""A crawl under simulated faults: balanced, reconciled to the unit, only true bytes archived."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from typing import TYPE_CHECKING, Any

from fastwarc.warc import ArchiveIterator, WarcRecordType
from sealedbeam.faults.journal import decode_journal
from sealedbeam.pipeline.jobs.quarantine import read_quarantine

from tests.support.jobs import command, environment
from tests.support.local_web import LocalWeb

if TYPE_CHECKING:
    from pathlib import Path

HOSTS, PAGES = 4, 15
SCENARIO = """name: flips
description: Single flips, which are put back, and double ones, which cost the answer.
acceleration_note: Far from real.
duration_seconds: 60
clusters: [{name: north, machines: 5}, {name: south, machines: 5}]
faults:
  - {kind: single_bit, per_mebibyte: 200, hops: [fetch]}
  - {kind: double_bit, per_mebibyte: 80, hops: [fetch]}
"""


def crawl(folder: Path, web: LocalWeb) -> dict[str, Any]:
    """Crawl the web under the scenario; return the summary."""
    (folder / "flips.yaml").write_text(SCENARIO)
    (folder / "crawl.yaml").write_text(
        "user_agent: test/1.0 (+mailto:nobody@example.org)\ndelay_seconds: 0\nshards: 2\n"
        "allow_networks: [127.0.0.0/8]\nscenario: flips.yaml\nmax_attempts: 20\nworkers: 2\n"
    )
    line = command(
        *("crawl", web.url(0, 0), "--output", str(folder / "crawl"), "--json"),
        *("--config", str(folder / "crawl.yaml")),
    )
    done = subprocess.run(
        line, capture_output=True, text=True, check=False, env=environment(), timeout=300
    )
    assert done.returncode == 0, done.stderr
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def archived(folder: Path) -> list[tuple[str, bytes]]:
    """Return addresses and bodies of all responses in a crawl's archives."""
    found: list[tuple[str, bytes]] = []
    for archive in sorted((folder / "warc").glob("*.warc.gz")):
        with archive.open("rb") as stream:
            records = ArchiveIterator(
                stream, record_types=WarcRecordType.response, verify_digests=True
            )
            found += [(each.headers["WARC-Target-URI"], each.reader.read()) for each in records]
    return found


def test_only_true_bytes_are_archived_under_bit_flips(tmp_path: Path) -> None:
    """Archives hold what the web served, each page once; each fault and answer has its end."""
    with LocalWeb(HOSTS, PAGES) as web:
        summary = crawl(tmp_path, web)
        asked = Counter(web.asked)
        pages = {web.url(host, n): web.page(host, n) for host in range(HOSTS) for n in range(PAGES)}
    output = tmp_path / "crawl"
    hop, faults = summary["hops"]["fetch"], summary["faults"]
    assert (summary["ledger"], summary["status"]) == ("balanced", "complete")
    assert summary["states"] == {"fetched": HOSTS * PAGES}
    bodies = archived(output)
    expected = {url: page.encode() for url, page in pages.items()}
    assert sorted(item for item in bodies if item[0] in expected) == sorted(expected.items())
    # Each answer crossed the hop once; those that were dropped were asked for again.
    assert hop["records"] == asked.total()
    assert hop["corrected"] > 0
    assert hop["dropped"] == summary["refetched"] == asked.total() - len(bodies) > 0
    rows = read_quarantine(output)
    assert len(rows) == hop["dropped"]
    journals = [path.read_bytes() for path in (output / "faults").glob("journal-*.parquet")]
    rows_of_faults = [fault for journal in journals for fault in decode_journal(journal)]
    assert len({fault.fault_id for fault in rows_of_faults}) == faults["injected"]
    outcomes = Counter(str(fault.outcome) for fault in rows_of_faults)
    assert outcomes == {name: n for name, n in faults.items() if n and name != "injected"}
    assert faults["escaped"] == 0
    told = (output / "faults.prom").read_text()
    assert "sealedbeam_faults_escaped_total 0" in told
    assert "sealedbeam_faults_injected_total" in told
