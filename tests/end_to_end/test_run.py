"""The command `run` as its user runs it: a crawl and its index from one file, gone on with."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

from sealedbeam.pipeline.index.search import Index

from tests.support.jobs import command, environment
from tests.support.local_web import LocalWeb

if TYPE_CHECKING:
    from pathlib import Path

HOSTS, PAGES = 2, 7
FILE = """crawl:
  seeds: [seeds.txt]
  output: crawl
  user_agent: test/1.0 (+mailto:nobody@example.org)
  allow_networks: 127.0.0.0/8
  delay_seconds: 0
  shards: 2
index:
  output: index
  workers: 2
"""


def run(file: Path, code: int = 0, **options: Any) -> Any:
    """Give the command; return what it prints as JSON, or its error."""
    line = command("run", str(file), "--json")
    done = subprocess.run(
        line, capture_output=True, text=True, check=False, env=environment(), timeout=300, **options
    )
    assert done.returncode == code, done.stderr
    return done.stderr if code else json.loads(done.stdout)


def test_a_crawl_and_its_index_come_from_one_file(tmp_path: Path) -> None:
    """Every page is found by its own word; given again the command asks for nothing."""
    file = tmp_path / "run.yaml"
    file.write_text(FILE)
    with LocalWeb(HOSTS, PAGES) as web:
        (tmp_path / "seeds.txt").write_text(f"# the first page\n{web.url(0, 0)}\n")
        first = run(file, cwd="/")
        found = Index.open(tmp_path / "index")
        for host in range(HOSTS):
            (hit,) = found.search(f"only{host}x3", 10).hits
            assert hit.url == web.url(host, 3)
        assert first["crawl"]["states"] == {"fetched": HOSTS * PAGES}
        assert first["index"]["pages"]["indexed"] == HOSTS * PAGES
        asked = len(web.asked)
        assert run(file) == first
        assert len(web.asked) == asked
        (tmp_path / "seeds.txt").write_text(web.url(1, 0))
        file.write_text(FILE.replace("delay_seconds: 0", "delay_seconds: 0\n  pages: 20"))
        assert "began with other seeds" in run(file, 2)


def test_a_crawl_that_brings_nothing_is_told(tmp_path: Path) -> None:
    """Where no page could be had there is no index, one line says so, and the exit code is 4."""
    file = tmp_path / "run.yaml"
    with LocalWeb() as web:
        (tmp_path / "seeds.txt").write_text(web.url(0, 0))
        file.write_text(FILE.replace("127.0.0.0/8", "10.0.0.0/8"))
        said = run(file, 4)
        assert "brought nothing to index" in said
        assert web.asked == []
    assert not (tmp_path / "index").exists()
