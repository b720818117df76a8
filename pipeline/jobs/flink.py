"""What Flink's JobManager tells of a job: the failures that it has recovered from.

Flink restarts a job without a word to whoever submitted it. Its REST interface keeps the newest
sixteen failures of each job (`web.exception-history-size`); they are asked for once, when the job
is over, so that the log of operations has them. An answer is a courtesy: without one nothing is
noted, and a job is none the worse.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PATIENCE_SECONDS = 10.0
_ANSWER_BYTES_MAX = 1 << 24
_TEXT_CHARACTERS_MAX = 200
_MASTER = re.compile(r"(?:(https?)://)?([\w.-]+:\d+)/?")


def ask_failures(master: str, job_name: str) -> list[dict[str, Any]]:
    """Return the failures that the newest job of this name has had, as events; oldest first.

    Args:
        master: address of the JobManager, as Beam's option has it.
        job_name: the job's.
    """
    found = _MASTER.fullmatch(master)
    if found is None:
        return []  # a cluster inside the runner, gone with the job
    url = f"{found[1] or 'http'}://{found[2]}"
    try:
        jobs = [job for job in _ask(f"{url}/jobs/overview")["jobs"] if job["name"] == job_name]
        newest = max(jobs, key=lambda job: int(job["start-time"]))
        history = _ask(f"{url}/jobs/{newest['jid']}/exceptions")["exceptionHistory"]["entries"]
        return sorted(describe_failures(history), key=lambda event: float(event["failed_at"]))
    except (OSError, ValueError, LookupError, TypeError):
        return []


def describe_failures(history: list[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield an event for each failure in a job's exception history."""
    for failure in history:
        yield {
            "engine_failure": _shorten(failure["exceptionName"]),
            "failed_at": float(failure["timestamp"]) / 1000,
            "step": _shorten(failure.get("taskName")),
            "at": _shorten(failure.get("endpoint") or failure.get("location")),
        }


def _shorten(value: object) -> str:
    return str(value or "")[:_TEXT_CHARACTERS_MAX]


def _ask(url: str) -> Any:
    with urlopen(url, timeout=_PATIENCE_SECONDS) as answer:  # noqa: S310 - http(s) only, see above
        return json.loads(answer.read(_ANSWER_BYTES_MAX))
