"""Crawls a generated web: that all of it is found, how fast, and what it costs next to Scrapy.

    python -m tests.benchmarks.crawl --pages 100000            # exactly what can be reached
    python -m tests.benchmarks.crawl --pages 20000 --rival     # against Scrapy, alternately
    python -m tests.benchmarks.crawl --frontier 1000000        # a large frontier, its memory

The server runs in a process of its own. Each of our crawls is held against the oracle of the web,
state by state and request by request, each of Scrapy's by its pages; a wrong result ends the run.
Ratios are taken within a round and then their median. Nothing here asserts a time.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from tests.benchmarks import crawl_frontier
from tests.benchmarks.compare import MEGABYTE, folder_bytes, order_subjects
from tests.benchmarks.corpus import DEFAULT_CACHE
from tests.benchmarks.measure import run_measured
from tests.support.crawls import read_frontier
from tests.support.generated_web import LASTING, GeneratedWeb, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.benchmarks.measure import Cost

OURS = "crawl"
RIVALS = {"scrapy": 1, "scrapy, 8 to a host": 8}
WORKERS = 2
AGENT = "benchmark/1.0 (+mailto:nobody@example.org)"
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Run:
    """One crawl."""

    subject: str
    round_number: int
    pages: int
    cost: Cost
    server_cpu_seconds: float
    output_bytes: int

    @property
    def pages_per_second(self) -> float:
        """Addresses asked for, by the wall clock."""
        return self.pages / self.cost.wall_seconds

    @property
    def cpu_seconds_per_1000(self) -> float:
        """Of the whole process tree of the crawler."""
        return self.cost.cpu_seconds / self.pages * 1_000


class RemoteServer:
    """The server in its process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, line: str) -> Any:
        """Send a line, and return the value that comes back."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@contextmanager
def served(described: Mapping[str, Any]) -> Iterator[tuple[RemoteServer, GeneratedWeb]]:
    """Serve a web in another process."""
    command = [sys.executable, "-m", "tests.benchmarks.crawl_server"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=_ROOT) as process:
        try:
            server = RemoteServer(process)
            port = server.ask(json.dumps(described))["port"]
            yield server, GeneratedWeb(port=port, **described)
        finally:
            process.kill()


def make_command(
    subject: str, web: GeneratedWeb, output: Path, connections: int, python: Path
) -> list[str]:
    """Return the command line of a crawl of `web` into `output`."""
    if subject in RIVALS:
        limits = ["--connections", str(connections), "--per-host", str(RIVALS[subject])]
        script = str(Path(__file__).with_name("crawl_rival.py"))
        return [str(python), script, web.url(0), str(output), *limits]
    program = str(Path(sys.executable).parent / "sealedbeam")
    limits = ["--delay-seconds", "0", "--workers", str(WORKERS), "--quiet"]
    limits += ["--allow-network", "127.0.0.0/8"]
    return [program, "crawl", web.url(0), "--output", str(output), "--user-agent", AGENT, *limits]


def check_ours(web: GeneratedWeb, output: Path, asked: Mapping[str, int]) -> None:
    """End the run unless a crawl has found exactly what can be reached, and asked for no more."""
    expected = web.expected()
    states = {url: row.state.value for url, row in read_frontier(output).items()}
    _compare("states", expected.items(), states.items())
    pages = {web.url(page): page for page in range(web.pages)}
    may_ask = {url for url in expected if url not in pages or web.is_asked(pages[url])}
    robots = {f"{web.root(page)}/robots.txt" for page in range(web.hosts)}
    _compare("addresses asked for", may_ask, set(asked) - robots)
    again = [url for url in may_ask if asked[url] > 1 and web.kind(pages[url]) in LASTING]
    if again:
        raise SystemExit(f"asked for more than once: {again[:10]}")


def check_rival(web: GeneratedWeb, output: Path) -> None:
    """End the run unless Scrapy has stored every page that can be had, once."""
    lines = (output / "index.jsonl").read_text().splitlines()
    stored = [json.loads(line)[0] for line in lines]
    fetched = {url for url, state in web.expected().items() if state == "fetched"}
    fetched = {url for url in fetched if not url.endswith("/sitemap.xml")}
    _compare("pages", fetched, set(stored))
    if len(stored) != len(fetched):
        raise SystemExit("a page was stored twice")


def _compare(what: str, expected: Any, found: Any) -> None:
    missing, surplus = set(expected) - set(found), set(found) - set(expected)
    if missing or surplus:
        raise SystemExit(
            f"wrong {what}: {len(missing)} missing {sorted(missing)[:5]}, "
            f"{len(surplus)} not expected {sorted(surplus)[:5]}"
        )


def run_subject(
    subject: str, number: int, server: RemoteServer, web: GeneratedWeb, options: argparse.Namespace
) -> Run:
    """Crawl once and check what came of it."""
    with tempfile.TemporaryDirectory(dir=options.scratch) as folder:
        output = Path(folder)
        server.ask("begin")
        python = options.scrapy / "bin" / "python"
        cost = run_measured(make_command(subject, web, output, options.connections, python))
        said = server.ask("end")
        if cost.exit_code != 0:
            raise SystemExit(f"{subject} ended with exit code {cost.exit_code}")
        if subject in RIVALS:
            check_rival(web, output)
        else:
            check_ours(web, output, said["asked"])
        asked = [url for url in said["asked"] if not url.endswith("/robots.txt")]
        size = folder_bytes(output)
    run = Run(subject, number, len(asked), cost, said["cpu_seconds"], size)
    sys.stderr.write(
        f"{subject}: {cost.wall_seconds:.1f} s, {run.pages_per_second:.0f} pages/s, "
        f"{run.cpu_seconds_per_1000:.2f} CPU s per 1,000\n"
    )
    return run


def format_table(runs: Sequence[Run]) -> str:
    """Return medians as a Markdown table, with ratios: by how much better than the first rival."""
    head = (
        *("subject", "pages", "wall s", "pages/s", "CPU s / 1,000", "peak RSS MB", "stored MB"),
        *("server CPU s", "speed ratio", "CPU ratio"),
    )
    by_subject: dict[str, dict[int, Run]] = {}
    for run in runs:
        by_subject.setdefault(run.subject, {})[run.round_number] = run
    rival = by_subject.get(next(iter(RIVALS)), {})
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for subject, own in by_subject.items():
        several = list(own.values())
        pairs = [(run, rival[number]) for number, run in own.items() if number in rival]
        cells = (
            subject,
            f"{several[0].pages:,}",
            f"{median(run.cost.wall_seconds for run in several):.1f}",
            f"{median(run.pages_per_second for run in several):.0f}",
            f"{median(run.cpu_seconds_per_1000 for run in several):.2f}",
            f"{max(run.cost.peak_rss_bytes for run in several) / MEGABYTE:.0f}",
            f"{several[0].output_bytes / MEGABYTE:.0f}",
            f"{median(run.server_cpu_seconds / run.pages for run in several) * 1000:.2f}",
            _ratio([run.pages_per_second / other.pages_per_second for run, other in pairs]),
            _ratio([other.cpu_seconds_per_1000 / run.cpu_seconds_per_1000 for run, other in pairs]),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _ratio(values: Sequence[float]) -> str:
    return f"{median(values):.2f}" if values else ""


def build_scrapy(folder: Path) -> None:
    """Install Scrapy into an environment of its own, unless that was done before."""
    if not (folder / "bin" / "scrapy").exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = str(folder / "bin" / "python")
        subprocess.run([python, "-m", "pip", "install", "--quiet", "scrapy>=2.13"], check=True)


def _parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", type=int, default=20_000)
    parser.add_argument("--hosts", type=int, default=100)
    parser.add_argument("--words", type=int, default=200, help="in a page, in the mean")
    parser.add_argument("--broken-percent", type=int, default=10, help="of pages, without a rival")
    parser.add_argument("--rival", action="store_true", help="compare with Scrapy")
    parser.add_argument("--rounds", type=int, default=3, help="with a rival")
    parser.add_argument("--connections", type=int, default=100, help="of the rival")
    parser.add_argument("--frontier", type=int, help="addresses in a frontier; crawls nothing")
    parser.add_argument("--scrapy", type=Path, default=DEFAULT_CACHE / "scrapy")
    parser.add_argument("--scratch", type=Path, help="where outputs go while they are measured")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Crawl, check, and print the table."""
    options = _parse_arguments(arguments)
    if options.frontier:
        crawl_frontier.report(options.frontier, options.scratch)
        return
    subjects = [OURS]
    if options.rival:
        build_scrapy(options.scrapy)
        subjects += RIVALS
    described = {
        "hosts": options.hosts,
        "pages": options.pages,
        "words": options.words,
        "broken_percent": 0 if options.rival else options.broken_percent,
        "broken": (*LASTING, Kind.ERROR, Kind.FLAKY),
    }
    load = os.getloadavg()[0]
    with served(described) as (server, web):
        runs = [
            run_subject(subject, number, server, web, options)
            for number in range(options.rounds if options.rival else 1)
            for subject in order_subjects(subjects, number)
        ]
    heading = f"{options.hosts} hosts, {os.cpu_count()} cores, load {load:.2f} at the start"
    sys.stdout.write(f"{heading}\n\n{format_table(runs)}\n")


if __name__ == "__main__":
    main()
