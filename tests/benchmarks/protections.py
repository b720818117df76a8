"""What each code restores, and what it costs: `python -m tests.benchmarks.protections`.

Flips bits of what is stored, 1 to 64 anywhere or all within a burst, and asks each code for the
data. Three things can come: the data, the notice that it is lost, or something else. Speeds are
given as they are and as multiples of `memcpy` and CRC-32C on the same bytes in the same run.
With `--plots FOLDER` it draws what the documentation shows.
"""

from __future__ import annotations

import argparse
import sys
import timeit
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sealedbeam.pipeline.integrity.checksum import crc32c
from sealedbeam.pipeline.integrity.parity import correct_lanes, encode_parity

from tests.benchmarks.codes import CODES
from tests.benchmarks.line_plot import draw_lines
from tests.proof.strokes import burst, flip

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from tests.benchmarks.codes import Code

    Bytes2d = NDArray[np.uint8]
    Stroke = Callable[[Bytes2d, int, np.random.Generator], None]

FLIPS = (1, 2, 3, 4, 8, 16, 32, 64)
BURST_BITS = (1, 2, 8, 9, 32, 64, 65, 128, 256, 512)
SIZES_BYTES = (10_240, 1 << 20)
_SLOW = "Reed-Solomon(255,223)"  # in pure Python: a trial takes a second
_SLOW_SHARE = 10
_REPEATS = 5
_TIMED_SECONDS = 0.05


class Rates(NamedTuple):
    """Shares of the trials in which the data came back, was known to be lost, was wrong."""

    restored: float
    noticed: float
    wrong: float


def try_code(
    code: Code, data: bytes, strike: Callable[[np.ndarray, np.random.Generator], None], trials: int
) -> Rates:
    """Damage what a code stores, again and again; return what came of it."""
    random = np.random.default_rng(len(data))
    stored = np.frombuffer(code.protect(data), np.uint8)
    counts = [0, 0, 0]
    for _ in range(trials):
        damaged = stored[np.newaxis].copy()
        strike(damaged, random)
        recovered = code.recover(damaged.tobytes(), len(data))
        counts[0 if recovered == data else 1 if recovered is None else 2] += 1
    return Rates(*(count / trials for count in counts))


def measure_damage(sizes: Sequence[int], trials: int, *, bursts: bool) -> list[list[Rates]]:
    """Return for each code what it makes of so many flips, or of bursts of so many bits."""
    data = np.random.default_rng(1).bytes(SIZES_BYTES[0])
    stroke = burst if bursts else flip

    def trials_of(code: Code) -> int:
        return max(1, trials // (_SLOW_SHARE if code.name == _SLOW else 1))

    return [
        [try_code(code, data, partial(_strike, stroke, size), trials_of(code)) for size in sizes]
        for code in CODES
    ]


def _strike(stroke: Stroke, size: int, rows: Bytes2d, random: np.random.Generator) -> None:
    stroke(rows, size, random)


def seconds_of(call: Callable[[], object]) -> float:
    """Return the seconds of one call: the least of some repeats."""
    timer = timeit.Timer(call)
    once = max(timer.timeit(1), 1e-9)
    number = max(1, int(_TIMED_SECONDS / once))
    return min(timer.repeat(_REPEATS, number)) / number if once < 1 else once


def print_speeds(size_bytes: int) -> None:
    """Print space and speed of each code for data of one size."""
    data = np.random.default_rng(2).bytes(size_bytes)
    view = np.frombuffer(data, np.uint8)
    copy, check = seconds_of(view.copy), seconds_of(lambda: crc32c(data))
    gigabytes = size_bytes / 1e9
    write = sys.stdout.write
    write(f"\n{size_bytes:,} bytes: memcpy {gigabytes / copy:.1f} GB/s, CRC-32C")
    write(f" {gigabytes / check:.1f} GB/s\n{'':24}{'space':>9}{'protect':>12}{'verify':>12}")
    write(f"{'verify / memcpy':>18}{'verify / CRC-32C':>18}\n")
    for code in CODES:
        stored = code.protect(data)
        protect = seconds_of(partial(code.protect, data))
        verify = seconds_of(partial(code.recover, stored, size_bytes))
        space = len(stored) / size_bytes - 1
        write(f"{code.name:24}{space:9.3%}{gigabytes / protect:7.3f} GB/s")
        write(f"{gigabytes / verify:7.3f} GB/s{verify / copy:16.1f} x{verify / check:16.1f} x\n")


def print_parity_speeds(size_bytes: int) -> None:
    """Print what the parity words alone take: 64 lanes, without head and seals."""
    data = np.random.default_rng(3).bytes(size_bytes)
    parity = encode_parity(data)
    encode = seconds_of(lambda: encode_parity(data))
    check = seconds_of(lambda: correct_lanes(data, parity))
    space, gigabytes = len(parity) / size_bytes, size_bytes / 1e9
    sys.stdout.write(f"{'(its words alone)':24}{space:9.3%}{gigabytes / encode:7.3f} GB/s")
    sys.stdout.write(f"{gigabytes / check:7.3f} GB/s\n")


def print_rates(title: str, sizes: Sequence[int], rates: list[list[Rates]]) -> None:
    """Print the shares in percent: restored, and wrong where any was."""
    sys.stdout.write(f"\n{title:24}" + "".join(f"{size:>9}" for size in sizes) + "\n")
    for code, of_code in zip(CODES, rates, strict=True):
        cells = (
            f"{100 * one.restored:.0f}" + (f"/{100 * one.wrong:.0f}!" if one.wrong else "")
            for one in of_code
        )
        sys.stdout.write(f"{code.name:24}" + "".join(f"{cell:>9}" for cell in cells) + "\n")


def main() -> None:
    """Measure, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--plots", type=Path, help="folder for the two plots")
    options = parser.parse_args()
    sys.stdout.write("Percent of trials in which 10 KiB came back; n! of them wrong, unnoticed\n")
    for name, sizes, bursts in (
        ("flips anywhere", FLIPS, False),
        ("bits of a burst", BURST_BITS, True),
    ):
        rates = measure_damage(sizes, options.trials, bursts=bursts)
        print_rates(name, sizes, rates)
        if options.plots:
            lines = {
                code.name: [100 * one.restored for one in of_code]
                for code, of_code in zip(CODES, rates, strict=True)
            }
            file = options.plots / f"codes-{'bursts' if bursts else 'flips'}.svg"
            file.write_text(draw_lines(f"restored, percent, by {name}", sizes, lines))
    for size_bytes in SIZES_BYTES:
        print_speeds(size_bytes)
        print_parity_speeds(size_bytes)


if __name__ == "__main__":
    main()
