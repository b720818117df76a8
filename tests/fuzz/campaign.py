"""Fuzzes targets for a while, two at a time: `python -m tests.fuzz.campaign SECONDS [TARGET...]`.

The seconds are shared out evenly. What is found lies in `.fuzz/TARGET/`, beside the corpus that
grows there, and gives the exit code 1. A process that outlives its time is ended and is a finding.
"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fuzz.targets import NAMES

ROOT = Path(__file__).parents[2]
CORPUS = Path(__file__).parent / "corpus"
GROWN = ROOT / ".fuzz"
PROCESSES = 2
_HANG_SECONDS = 10
_MEMORY_MIB = 1024
_GRACE_SECONDS = 120  # to start, and to read the corpus
_TAIL_CHARACTERS = 4_000


def fuzz(target: str, seconds: int) -> str:
    """Fuzz one target; return what there is to say of it if something was found, else nothing."""
    grown = GROWN / target / "corpus"
    grown.mkdir(parents=True, exist_ok=True)
    committed = [str(folder) for folder in (CORPUS / target,) if folder.is_dir()]
    command = [
        *(sys.executable, "-m", "tests.fuzz.engine", target),
        f"-max_total_time={seconds}",
        f"-timeout={_HANG_SECONDS}",
        f"-rss_limit_mb={_MEMORY_MIB}",
        f"-artifact_prefix={GROWN / target}/",
        # In continuous integration a finding should be of the change, not of the day.
        *(["-seed=1"] if os.environ.get("CI") else []),
        *(str(grown), *committed),
    ]
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds + _GRACE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"{target}: did not end in time"
    said = done.stdout.decode(errors="backslashreplace")
    if not done.returncode:
        sys.stdout.write(f"{target}: {said.splitlines()[-1]}\n")
        return ""
    return f"{target}: exit code {done.returncode}\n{said[-_TAIL_CHARACTERS:]}"


def main() -> None:
    """Fuzz, and exit with 1 if anything was found."""
    total, *names = sys.argv[1:]
    targets = names or list(NAMES)
    if strangers := set(targets) - set(NAMES):
        sys.exit(f"no target {', '.join(sorted(strangers))}; there are {', '.join(NAMES)}")
    seconds = max(1, int(total) * min(PROCESSES, len(targets)) // len(targets))
    with ThreadPoolExecutor(PROCESSES) as pool:
        findings = list(filter(None, pool.map(fuzz, targets, [seconds] * len(targets))))
    sys.exit("\n".join(findings) or 0)


if __name__ == "__main__":
    main()
