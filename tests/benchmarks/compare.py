"""Measures the job against the rival, alternately, in one run on one machine.

Every round runs every subject once, each round beginning with another one, so that a slow moment
of the machine meets all of them alike. Ratios are taken within a round and then their median: they
carry over to other machines, seconds do not. Nothing here asserts a time.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from tests.benchmarks.corpus import DEFAULT_CACHE, build_corpus
from tests.benchmarks.measure import Cost, run_measured

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.corpus import Corpus

WORKERS = 2
PROTECTIONS = ("none", "detect", "correct", "parity")
RIVAL = "rival"
LINKING_RIVAL = "rival+links"  # a rival that stores what the job stores of a page
MEGABYTE = 10**6


@dataclass(frozen=True, slots=True)
class Run:
    """One subject's run in one round."""

    subject: str
    round_number: int
    wall_seconds: float
    cpu_seconds: float
    peak_rss_bytes: int
    output_bytes: int


@dataclass(frozen=True, slots=True)
class Row:
    """One subject's medians; ratios are within rounds, absent where the other was not run."""

    subject: str
    wall_seconds: float
    cpu_seconds: float
    peak_rss_bytes: int
    output_bytes: int
    pages_per_second: float
    html_bytes_per_second: float
    throughput_to_rival: float | None
    cpu_to_none: float | None


def make_command(subject: str, archives: Sequence[Path], output: Path) -> list[str]:
    """Return the command line that indexes `archives` into `output`."""
    paths = [str(path) for path in archives]
    if subject in (RIVAL, LINKING_RIVAL):
        links = ["--links"] if subject == LINKING_RIVAL else []
        script = [sys.executable, "-m", "tests.benchmarks.rival", *links]
        return [*script, "--output", str(output), *paths]
    command = str(Path(sys.executable).parent / "sealedbeam")
    options = ["--workers", str(WORKERS), "--protection", subject, "--quiet"]
    return [command, "index", *paths, "--output", str(output), *options]


def pages_read(subject: str, cost: Cost, output: Path) -> int:
    """Return how many pages the subject says it read."""
    if subject in (RIVAL, LINKING_RIVAL):
        return int(json.loads(cost.output)["pages"])
    return int(json.loads((output / "summary.json").read_text())["pages"]["read"])


def run_subject(subject: str, archives: Sequence[Path], pages: int, scratch: Path) -> Cost:
    """Run one subject into the empty folder `scratch`; a wrong result ends the benchmark."""
    cost = run_measured(make_command(subject, archives, scratch))
    if cost.exit_code != 0:
        raise SystemExit(f"{subject} ended with exit code {cost.exit_code}: {cost.output[-2000:]}")
    found = pages_read(subject, cost, scratch)
    if found != pages:
        raise SystemExit(f"{subject} read {found} pages of {pages}: its time means nothing")
    return cost


def folder_bytes(folder: Path) -> int:
    """Return the size of all files below `folder`."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def order_subjects(subjects: Sequence[str], round_number: int) -> list[str]:
    """Return `subjects` rotated by `round_number`."""
    shift = round_number % len(subjects)
    return [*subjects[shift:], *subjects[:shift]]


def run_rounds(
    subjects: Sequence[str], archives: Sequence[Path], pages: int, rounds: int, scratch: Path
) -> list[Run]:
    """Run every subject `rounds` times, alternately, after one reading of the archives."""
    for path in archives:
        path.read_bytes()  # so that the first subject does not pay for the disk
    runs = []
    for number in range(rounds):
        for subject in order_subjects(subjects, number):
            folder = scratch / f"{subject}-{number}"
            cost = run_subject(subject, archives, pages, folder)
            size = folder_bytes(folder)
            shutil.rmtree(folder)
            runs.append(
                Run(subject, number, cost.wall_seconds, cost.cpu_seconds, cost.peak_rss_bytes, size)
            )
            sys.stderr.write(f"round {number + 1}/{rounds}: {subject} {cost.wall_seconds:.2f} s\n")
    return runs


def summarise(runs: Sequence[Run], pages: int, html_bytes: int) -> list[Row]:
    """Return one row of medians per subject, in the order in which they first ran."""
    by_subject: dict[str, dict[int, Run]] = {}
    for run in runs:
        by_subject.setdefault(run.subject, {})[run.round_number] = run
    return [
        _row(subject, own, by_subject, pages, html_bytes) for subject, own in by_subject.items()
    ]


def _row(
    subject: str,
    own: dict[int, Run],
    by_subject: dict[str, dict[int, Run]],
    pages: int,
    html_bytes: int,
) -> Row:
    rival, bare = by_subject.get(RIVAL), by_subject.get("none")
    wall_seconds = median(run.wall_seconds for run in own.values())
    return Row(
        subject,
        wall_seconds,
        median(run.cpu_seconds for run in own.values()),
        max(run.peak_rss_bytes for run in own.values()),
        int(median(run.output_bytes for run in own.values())),
        pages / wall_seconds,
        html_bytes / wall_seconds,
        median(rival[n].wall_seconds / run.wall_seconds for n, run in own.items())
        if rival
        else None,
        median(run.cpu_seconds / bare[n].cpu_seconds for n, run in own.items()) if bare else None,
    )


def format_table(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table."""
    head = (
        "subject",
        "wall s",
        "pages/s",
        "HTML MB/s",
        "CPU s",
        "peak RSS MB",
        "output MB",
        "throughput / rival",
        "CPU / none",
    )
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for row in rows:
        cells = (
            row.subject,
            f"{row.wall_seconds:.2f}",
            f"{row.pages_per_second:.0f}",
            f"{row.html_bytes_per_second / MEGABYTE:.1f}",
            f"{row.cpu_seconds:.2f}",
            f"{row.peak_rss_bytes / MEGABYTE:.0f}",
            f"{row.output_bytes / MEGABYTE:.1f}",
            _ratio(row.throughput_to_rival),
            _ratio(row.cpu_to_none),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def describe(corpus: Corpus, rounds: int, load: float) -> str:
    """Return one line that says what was measured, and where."""
    return (
        f"{corpus.pages} pages, {corpus.html_bytes / MEGABYTE:.0f} MB of HTML "
        f"({corpus.stored_bytes / MEGABYTE:.0f} MB stored), digest {corpus.digest[:12]}; "
        f"{rounds} rounds; {os.cpu_count()} cores, load {load:.2f} at the start, "
        f"Python {platform.python_version()}"
    )


def _parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="100MB", help="HTML in all: 100MB, 1GB")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--subjects", default=",".join((RIVAL, LINKING_RIVAL, *PROTECTIONS)))
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE)
    parser.add_argument("--html", type=Path, help="a folder of HTML to use instead of packages")
    parser.add_argument("--scratch", type=Path, help="where the outputs go while they are measured")
    parser.add_argument("--json", type=Path, help="also write every run and row to this file")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Build the corpus, run the rounds, print the table."""
    options = _parse_arguments(arguments)
    load = os.getloadavg()[0]
    archives, corpus = build_corpus(options.size, options.cache, options.html)
    with tempfile.TemporaryDirectory(dir=options.scratch) as scratch:
        runs = run_rounds(
            options.subjects.split(","), archives, corpus.pages, options.rounds, Path(scratch)
        )
    rows = summarise(runs, corpus.pages, corpus.html_bytes)
    heading = describe(corpus, options.rounds, load)
    sys.stdout.write(f"{heading}\n\n{format_table(rows)}\n")
    if options.json:
        result = {
            "corpus": asdict(corpus),
            "measured": heading,
            "runs": [asdict(run) for run in runs],
            "rows": [asdict(row) for row in rows],
        }
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
