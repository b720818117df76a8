"""What killed workers cost: a job of 200 parts, undisturbed and with workers killed, in one run.

    python -m tests.benchmarks.kills --size 1GB --workers 8 --rounds 3
    python -m tests.benchmarks.kills --size 1GB --engine flink

Each round runs the job undisturbed, then kills a share of its workers, each when a random number of
parts has committed. Nothing is asserted but that both make the same bytes. What a kill must cost is
told beside it: the work that dies with the worker, as long as its task had been in hand.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from tests.benchmarks.corpus import DEFAULT_CACHE, build_corpus
from tests.flink.cluster import CONFIG, TASK_MANAGERS, Cluster
from tests.support.jobs import command

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PARTS = 200
SHARE = 0.12
LOCAL, FLINK = "local", "flink"
_GLANCE_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Round:
    """One undisturbed job and one with kills, in seconds; `lost` is the work that died."""

    undisturbed: float
    killed: float
    kills: int
    lost: float

    @property
    def overhead(self) -> float:
        """The time that the kills took, as a share of the undisturbed job."""
        return self.killed / self.undisturbed - 1


def children_of(pid: int) -> list[int]:
    """Return the processes that `pid` has started."""
    found = subprocess.run(
        ["ps", "--ppid", str(pid), "-o", "pid="], capture_output=True, check=False
    )
    return [int(word) for word in found.stdout.split()]


def plan_kills(count: int, chance: random.Random) -> list[int]:
    """Return `count` moments of a job, ascending: how many parts have committed by then."""
    return sorted(chance.randrange(PARTS // 10, PARTS * 9 // 10) for _ in range(count))


def run_job(
    words: Sequence[str],
    output: Path,
    moments: Sequence[int],
    workers_of: Callable[[int], list[int]],
    chance: random.Random,
) -> tuple[float, int]:
    """Run a job to its end; return how long it took and how many workers were killed.

    Args:
        words: the command line.
        output: the folder that it writes to.
        moments: when to kill one, in parts that have committed.
        workers_of: the ids of its workers, by the id of the command.
        chance: chooses among them.
    """
    started, left, kills = time.monotonic(), list(moments), 0
    with subprocess.Popen(words, stdin=subprocess.DEVNULL) as process:
        while process.poll() is None:
            if left and len(list(output.glob("ledger/part-*.json"))) >= left[0]:
                if workers := workers_of(process.pid):
                    with suppress(ProcessLookupError):
                        os.kill(chance.choice(workers), signal.SIGKILL)
                        kills += 1
                left.pop(0)
            time.sleep(_GLANCE_SECONDS)
    if process.returncode != 0:
        raise SystemExit(f"the job ended with exit code {process.returncode}")
    return time.monotonic() - started, kills


def lost_seconds(events: Sequence[dict[str, object]]) -> float:
    """Return for how long the tasks of killed local workers had been in hand, all together.

    A worker takes its next task when it has told of the one before.
    """
    since: dict[object, float] = {}
    lost = 0.0
    for event in events:
        moment = float(str(event["time"]))
        if "done" in event:
            since[event["worker"]] = moment
        elif event.get("lost_worker") in since:
            lost += moment - since[event["lost_worker"]]
    return lost


def run_round(
    prefix: Sequence[str],
    suffix: Sequence[str],
    kills: int,
    workers_of: Callable[[int], list[int]],
    chance: random.Random,
) -> Round:
    """Run a job undisturbed and with kills; `prefix` and `suffix` enclose its output folder."""
    with tempfile.TemporaryDirectory() as scratch:
        calm, torn = Path(scratch) / "calm", Path(scratch) / "torn"
        words = [*prefix, str(calm), *suffix]
        undisturbed, _ = run_job(words, calm, (), workers_of, chance)
        words, moments = [*prefix, str(torn), *suffix], plan_kills(kills, chance)
        killed, done = run_job(words, torn, moments, workers_of, chance)
        if (calm / "manifest.json").read_bytes() != (torn / "manifest.json").read_bytes():
            raise SystemExit("the killed job has made another index")
        lines = (torn / "operations.jsonl").read_text().splitlines()
        return Round(undisturbed, killed, done, lost_seconds([json.loads(x) for x in lines]))


def run_rounds(options: argparse.Namespace) -> list[Round]:
    """Run all rounds on one engine, telling of each."""
    archives, _ = build_corpus(options.size, options.cache)
    part_bytes = -(-sum(path.stat().st_size for path in archives) // PARTS)
    chance = random.Random(options.seed)
    words = command("index", *map(str, archives), "--part-bytes", str(part_bytes), "--quiet")
    workers, suffix = options.workers, ["--workers", str(options.workers)]
    workers_of: Callable[[int], list[int]] = children_of
    rounds: list[Round] = []
    with ExitStack() as stack:
        if options.engine == FLINK:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            cluster = stack.enter_context(Cluster.start(Path(folder)))
            workers, suffix = TASK_MANAGERS, ["--config", str(CONFIG), "--"]
            suffix += cluster.beam_options()

            def workers_of_pools(_pid: int) -> list[int]:
                return [pid for number in range(TASK_MANAGERS) for pid in cluster.workers(number)]

            workers_of = workers_of_pools

        kills = options.kills or max(1, round(SHARE * workers))
        for number in range(options.rounds):
            rounds.append(run_round([*words, "--output"], suffix, kills, workers_of, chance))
            sys.stderr.write(f"round {number + 1}/{options.rounds}: {asdict(rounds[-1])}\n")
    return rounds


def main(arguments: list[str] | None = None) -> None:
    """Run the rounds; print each, and their median as JSON."""
    parser = argparse.ArgumentParser(description="What killed workers cost.")
    parser.add_argument("--engine", choices=[LOCAL, FLINK], default=LOCAL)
    parser.add_argument("--size", default="1GB", help="HTML in all: 100MB, 1GB")
    parser.add_argument("--workers", type=int, default=8, help="local ones; Flink has two")
    parser.add_argument("--kills", type=int, help="instead of 12 %% of the workers")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE)
    options = parser.parse_args(arguments)
    rounds = run_rounds(options)
    overhead = round(median(found.overhead for found in rounds), 4)
    result = {"engine": options.engine, "overhead": overhead, "rounds": list(map(asdict, rounds))}
    sys.stdout.write(f"{json.dumps(result)}\n")


if __name__ == "__main__":
    main()
