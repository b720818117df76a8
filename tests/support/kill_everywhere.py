"""Kills a small job everywhere, gives the command again, and compares what comes out.

    python -m tests.support.kill_everywhere                    # all of it: hours
    python -m tests.support.kill_everywhere alone              # every step, in one process
    python -m tests.support.kill_everywhere processes          # every kind of step
    python -m tests.support.kill_everywhere instants --count 50 --seed 1

`alone` does everything in one process, which is killed before, half-way through and after each
step. `processes` runs driver and workers, and kills by turns the worker that takes the step, the
driver, and the whole group; at a step of the driver also all of its workers: for one part and one
shard, or with `--every` for all of them. `instants` sends signals at times drawn at random.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import select
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tests.support.crash_points import AFTER, BEFORE, HALF, Strike
from tests.support.processes import await_end, children_of, group_of
from tests.support.trials import Trial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

Way = TypeVar("Way")
KILLED = -signal.SIGKILL
_NUMBERED = re.compile(r"\d+")
_EXITS = {"KILL": KILLED, "TERM": 143, "INT": 130}
SHOTS = [("KILL", "driver"), ("KILL", "child"), ("KILL", "group"), ("TERM", "driver")]
SHOTS += [("TERM", "group"), ("INT", "driver"), ("INT", "group")]


@dataclass(frozen=True, slots=True)
class Blow:
    """One way to strike: at which step of which role, when, and whom."""

    role: str
    step: str
    when: str
    victim: str

    def __str__(self) -> str:
        return f"{self.step}, {self.when}, {self.victim} of {self.role}"

    @property
    def kind(self) -> str:
        """What the step is, whichever part or shard it is about."""
        return f"{self.role} {_NUMBERED.sub('N', self.step)} {self.when} {self.victim}"


@dataclass(frozen=True, slots=True)
class Shot:
    """A signal, by its name, to the driver, a child or the group, some time after the start."""

    name: str
    target: str
    seconds: float

    def __str__(self) -> str:
        return f"SIG{self.name} to the {self.target} after {self.seconds:.3f} s"


def blows(steps: Iterable[tuple[str, str]], *, alone: bool) -> list[Blow]:
    """Return every way to strike a job that takes these steps."""
    found = []
    for role, step in dict.fromkeys(steps):
        victims = ["self"]
        if not alone:
            victims = ["self", "group", "driver" if role == "worker" else "children"]
        moments = [BEFORE, HALF, AFTER] if step.startswith("rename") else [BEFORE, AFTER]
        found += [
            Blow(role, step, when, victim)
            for when in moments
            for victim in victims
            if (when, victim) != (HALF, "children")  # the driver would go on and write it whole
        ]
    return found


def one_of_each(ways: Sequence[Blow]) -> list[Blow]:
    """Return for each kind of blow the one that falls in the middle of its occurrences."""
    kinds: dict[str, list[Blow]] = {}
    for way in ways:
        kinds.setdefault(way.kind, []).append(way)
    return [same[len(same) // 2] for same in kinds.values()]


def strike_alone(trial: Trial, blow: Blow, expected: Mapping[str, bytes]) -> list[str]:
    """Kill a job that is one process; return what is wrong once the command was given again."""
    code = trial.run(_strike(trial, blow))
    wrong = [] if code == KILLED else [f"exit code {code} instead of a kill"]
    code = trial.run()
    wrong += [] if code == 0 else [f"exit code {code} of the second run"]
    return wrong + differences(trial, expected)


def strike_processes(trial: Trial, blow: Blow, expected: Mapping[str, bytes]) -> list[str]:
    """Kill processes of a job; return what is wrong once the command was given again."""
    with trial.popen(_strike(trial, blow)) as process:
        process.wait()
    wrong = [] if trial.struck else ["the step was not met"]
    goes_on = blow.victim == "children" or (blow.victim == "self" and blow.role == "worker")
    if process.returncode != (0 if goes_on else KILLED):
        wrong.append(f"exit code {process.returncode}: {trial.told}")
    code = trial.command()  # at once: what is left of the first may still be dying
    wrong += [] if code == 0 else [f"exit code {code} of the second run: {trial.told}"]
    return wrong + _orphans(process.pid) + differences(trial, expected)


def shoot_at(trial: Trial, shot: Shot, expected: Mapping[str, bytes]) -> tuple[list[str], bool]:
    """Signal a job at some time; return what is wrong in the end, and whether it was hit."""
    number = signal.Signals[f"SIG{shot.name}"]
    with trial.popen() as process:
        _pause(process.pid, shot.seconds)
        with suppress(ProcessLookupError):
            if shot.target == "group":
                os.killpg(process.pid, number)
            else:
                os.kill(_target(process.pid, shot.target), number)
        ended = process.wait()
    wrong = []
    # Before its handlers are there a process is ended by the signal itself.
    if ended not in {0, _EXITS[shot.name], -number} or "Traceback" in trial.told:
        wrong.append(f"exit code {ended}: {trial.told}")
    code = trial.command()
    wrong += [] if code == 0 else [f"exit code {code} of the second run: {trial.told}"]
    return wrong + _orphans(process.pid) + differences(trial, expected), ended != 0


def differences(trial: Trial, expected: Mapping[str, bytes]) -> list[str]:
    """Return what a finished output has more, less, or other than an undisturbed one."""
    found = trial.snapshot()
    wrong = [f"left over: {path}" for path in sorted(found.keys() - expected.keys())]
    wrong += [f"missing: {path}" for path in sorted(expected.keys() - found.keys())]
    both = sorted(found.keys() & expected.keys())
    return wrong + [f"other bytes: {path}" for path in both if found[path] != expected[path]]


def _strike(trial: Trial, blow: Blow) -> Strike:
    return trial.strike(blow.step, blow.when, blow.victim, blow.role)


def _orphans(leader: int) -> list[str]:
    left = group_of(leader)
    await_end(left)
    return [f"{len(left)} processes of the first run outlived the second"] if left else []


def _target(pid: int, target: str) -> int:
    workers = children_of(pid) if target == "child" else []
    return workers[0] if workers else pid


def _pause(pid: int, seconds: float) -> None:
    """Wait for some time, or for the end of a process."""
    with suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        select.select([descriptor], [], [], seconds)
        os.close(descriptor)


# The command.


def main() -> int:
    """Do what the command line asks for; return 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    modes = {"alone": _all_alone, "processes": _all_processes, "instants": _all_instants}
    parser.add_argument("modes", nargs="*", metavar="|".join(modes), default=list(modes))
    parser.add_argument("--count", type=int, default=50, help="instants for each target")
    parser.add_argument("--seed", type=int, default=1, help="of the instants")
    parser.add_argument("--every", action="store_true", help="every step of processes")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="kill-everywhere-"))
    failed = 0
    for mode in options.modes:
        count = 0
        for what, wrong in modes[mode](folder, options):
            count += 1
            failed += bool(wrong)
            for line in wrong:
                _say(f"{what}: {line}")
        _say(f"{mode}: {count} kills")
    shutil.rmtree(folder)
    _say(f"{failed} of them changed something" if failed else "none of them changed anything")
    return min(failed, 1)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _all_alone(folder: Path, _options: argparse.Namespace) -> Iterator[tuple[str, list[str]]]:
    undisturbed = Trial.make(folder / "undisturbed")
    undisturbed.run()
    expected = undisturbed.snapshot()
    ways = blows(undisturbed.steps(), alone=True)
    return _each(folder, ways, lambda trial, blow: strike_alone(trial, blow, expected))


def _all_processes(folder: Path, options: argparse.Namespace) -> Iterator[tuple[str, list[str]]]:
    undisturbed = Trial.make(folder / "undisturbed")
    undisturbed.command()
    expected = undisturbed.snapshot()
    ways = blows(undisturbed.steps(), alone=False)
    if not options.every:
        ways = one_of_each(ways)
    return _each(folder, ways, lambda trial, blow: strike_processes(trial, blow, expected))


def _each(
    folder: Path, ways: Sequence[Way], strike: Callable[[Trial, Way], list[str]]
) -> Iterator[tuple[str, list[str]]]:
    """Try all ways, some at the same time, each in a place of its own."""

    def outcome(way: Way) -> list[str]:
        place = Path(tempfile.mkdtemp(dir=folder))
        try:
            return strike(Trial.make(place), way)
        finally:
            shutil.rmtree(place)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for way, wrong in zip(ways, pool.map(outcome, ways), strict=True):
            yield str(way), wrong


def _all_instants(folder: Path, options: argparse.Namespace) -> Iterator[tuple[str, list[str]]]:
    undisturbed = Trial.make(folder / "instants")
    started = time.monotonic()
    undisturbed.command()
    duration = time.monotonic() - started
    expected, numbers, hits = undisturbed.snapshot(), random.Random(options.seed), Counter[str]()
    shots = [
        Shot(name, target, numbers.uniform(0, duration))
        for name, target in SHOTS
        for _ in range(options.count)
    ]

    def shoot(trial: Trial, shot: Shot) -> list[str]:
        wrong, hit = shoot_at(trial, shot, expected)
        hits[f"SIG{shot.name} to the {shot.target}"] += hit
        return wrong

    yield from _each(folder, shots, shoot)
    _say(f"of a job of {duration:.1f} s; ended by their signal: {dict(hits)}")


if __name__ == "__main__":
    sys.exit(main())
