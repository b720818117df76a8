"""The names of a crawl's tasks and objects: round, then bucket or shard, in digits that sort."""

from __future__ import annotations

from sealedbeam.pipeline.jobs.store import content_name

JOB = "crawl.json"
FRONTIER = "frontier"
HOSTS = "hosts"
DIGESTS = "digests"
LISTS = "lists"
EVENTS = "events"
WARC = "warc"
LOG = "log"
QUARANTINE = "quarantine"
FAULTS = "faults"
FOLDERS = (FRONTIER, HOSTS, DIGESTS, LISTS, EVENTS, WARC, LOG, QUARANTINE)
STAYING = tuple(f"{folder}/" for folder in (WARC, QUARANTINE))
"""How the paths of those objects begin that stay when later rounds have been done."""
SEEDS = "seeds"


def select_task(number: int) -> str:
    """Return the name of the task that selects for a round."""
    return f"select-{number:04d}"


def fetch_task(number: int, bucket: int) -> str:
    """Return the name of the task that fetches one bucket of a round."""
    return f"fetch-{number:04d}-{bucket:03d}"


def compare_task(number: int) -> str:
    """Return the name of the task that compares the payloads of a round."""
    return f"compare-{number:04d}"


def fold_task(number: int, shard: int) -> str:
    """Return the name of the task that folds a round into one shard."""
    return f"fold-{number:04d}-{shard:04d}"


def object_name(folder: str, task: str, data: bytes, *, suffix: str = "parquet") -> str:
    """Return the path of an object that a task makes."""
    return content_name(folder, task, suffix, data)


def shard_object(folder: str, task: str, shard: int, data: bytes) -> str:
    """Return the path of what a task has for one shard."""
    return content_name(folder, f"{task}-shard-{shard:04d}", "parquet", data)
