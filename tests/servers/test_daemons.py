from __future__ import annotations

from typing import TYPE_CHECKING

from tests.servers.daemons import await_true, fetch, node_exporter, prometheus

if TYPE_CHECKING:
    from pathlib import Path


def test_servers_answer(tmp_path: Path) -> None:
    """A node_exporter serves a textfile, and Prometheus scrapes it."""
    (tmp_path / "a.prom").write_text("# HELP a_b Help.\n# TYPE a_b gauge\na_b 7\n")
    with node_exporter(tmp_path) as exporter:
        assert b"\na_b 7\n" in fetch(f"{exporter}/metrics")
        config = tmp_path / "prometheus.yml"
        target = exporter.removeprefix("http://")
        config.write_text(
            "global: {scrape_interval: 1s}\nscrape_configs:\n"
            f"- {{job_name: node, static_configs: [{{targets: ['{target}']}}]}}\n"
        )
        with prometheus(config, tmp_path / "data") as server:
            await_true(lambda: bool(server.query("a_b")), "a scrape")
            assert list(server.query("a_b").values()) == [7]
