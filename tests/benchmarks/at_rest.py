"""Measures data at rest: scrub against `cat`, making parity, repair, and the code against zfec.

    python -m tests.benchmarks.at_rest --files 24 --megabytes 50 --rounds 3 --folder /var/tmp

The output that is scrubbed consists of random files of the given size. Before each reading the
system's cached pages of them are dropped, so that `cat` reads the disk as `scrub` does. zfec is
measured if it is installed. Medians over rounds.
"""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sealedbeam.pipeline.storage.erasure import cauchy_matrix, combine, plan_recovery
from sealedbeam.pipeline.storage.parity import DEFAULT_SCHEME, PARITY_FILE, decode_parity_file
from sealedbeam.pipeline.storage.scrub import Options, scrub
from sealedbeam.pipeline.storage.strips import STRIP_BYTES_MAX

from tests.support.stored_output import some_bytes, write_output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

MEGABYTE = 1_000_000
REPAIR = "repair of two"


class Cost(NamedTuple):
    """What some work took, its processes together."""

    wall_seconds: float
    cpu_seconds: float


def cost_of(work: Callable[[], object]) -> Cost:
    """Do some work; return what it took."""
    before = os.times()
    work()
    after = os.times()
    return Cost(after.elapsed - before.elapsed, sum(after[:4]) - sum(before[:4]))


def drop_cached(paths: Iterable[Path]) -> None:
    """Let the system forget what it has in memory of these files."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def cat(paths: Sequence[Path]) -> None:
    """Read files as `cat` does."""
    subprocess.run(["cat", *map(str, paths)], stdout=subprocess.DEVNULL, check=True)


def measure_files(
    root: Path, *, files: int, megabytes: int, rounds: int
) -> dict[str, tuple[int, list[Cost]]]:
    """Return for each operation how many megabytes of data it was for, and what each round cost."""
    names = [f"documents/part-{number:05d}.parquet" for number in range(files)]
    write_output(root, {name: some_bytes(megabytes * MEGABYTE, 1) for name in names})
    paths, size = [root / name for name in names], files * megabytes
    taken: dict[str, list[Cost]] = {}
    workers = os.cpu_count() or 1
    readers: dict[str, Callable[[], object]] = {
        "cat": lambda: cat(paths),
        "scrub": lambda: scrub(root, Options(workers=workers)),
        "scrub, 1 worker": lambda: scrub(root, Options()),
    }
    cat(paths)  # once beforehand: the machine below a virtual disk remembers, too
    for number in range(rounds):
        order = list(readers)
        for name in order[number % len(order) :] + order[: number % len(order)]:
            drop_cached(paths)
            taken.setdefault(name, []).append(cost_of(readers[name]))
    protect = Options(workers=workers, protect=DEFAULT_SCHEME)
    for _ in range(rounds):
        drop_cached(paths)
        taken.setdefault("scrub --protect", []).append(cost_of(lambda: scrub(root, protect)))
        taken.setdefault(REPAIR, []).append(_repair_two(root))
        shutil.rmtree(root / "parity")
        (root / "manifest.copy.json").unlink()
    return {
        name: (2 * megabytes if name == REPAIR else size, costs) for name, costs in taken.items()
    }


def _repair_two(root: Path) -> Cost:
    """Remove two files of a group; return what making them again cost, the rest unverified."""
    group = decode_parity_file((root / PARITY_FILE).read_bytes()).groups[0]
    lost = {member.path for member in group.data[:2]}
    for path in lost:
        (root / path).unlink()
    return cost_of(lambda: scrub(root, Options(repair=True, only=lost)))


def measure_code(rounds: int) -> dict[str, float]:
    """Return the rate of the code alone in MB/s of data: encoding, and two lost strips back."""
    data, parity = DEFAULT_SCHEME.data, DEFAULT_SCHEME.parity
    width = STRIP_BYTES_MAX
    strips = [some_bytes(width, number) for number in range(data)]
    matrix = cauchy_matrix(data, parity)
    everything = [*strips, *combine(matrix, strips, width)]
    plan = plan_recovery(matrix, tuple(range(parity)))
    assert plan is not None, "two of twelve can be lost"
    sources = [everything[number] for number in plan.sources]
    works: dict[str, Callable[[], object]] = {
        "encode": lambda: combine(matrix, strips, width),
        "recover": lambda: combine(plan.coefficients, sources, width),
    }
    if (library := _zfec()) is not None:
        encoder = library.Encoder(data, data + parity)
        decoder = library.Decoder(data, data + parity)
        made = list(encoder.encode(strips))
        numbers = [*range(data, data + parity), *range(parity, data)]
        works["zfec encode"] = lambda: encoder.encode(strips, list(range(data, data + parity)))
        works["zfec recover"] = lambda: decoder.decode([made[n] for n in numbers], numbers)
    return {
        name: data * width / MEGABYTE / min(_seconds_of(work) for _ in range(20 * rounds))
        for name, work in works.items()
    }


def _seconds_of(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _zfec() -> Any:
    try:
        return importlib.import_module("zfec")
    except ImportError:
        return None


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--files", type=int, default=24)
    parser.add_argument("--megabytes", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where to write, on the disk to measure")
    options = parser.parse_args(arguments)
    root = Path(tempfile.mkdtemp(prefix="at-rest-", dir=options.folder))
    try:
        rates = measure_files(
            root, files=options.files, megabytes=options.megabytes, rounds=options.rounds
        )
    finally:
        shutil.rmtree(root)
    walls = {
        name: megabytes / statistics.median(max(cost.wall_seconds, 1e-2) for cost in costs)
        for name, (megabytes, costs) in rates.items()
    }
    for name, (megabytes, costs) in rates.items():
        wall, cat_rate = walls[name], walls["cat"]
        cpu = megabytes / statistics.median(max(cost.cpu_seconds, 1e-2) for cost in costs)
        _say(f"{name:<16}{wall:>8,.0f} MB/s{wall / cat_rate:>6.2f} of cat{cpu:>8,.0f} MB/CPU s")
    for name, rate in measure_code(options.rounds).items():
        _say(f"{name:<16}{rate:>8,.0f} MB/s")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
