"""The crawl from its options to its result: claim the folder, commit the seeds, do the rounds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealedbeam.pipeline.config import canonical_json
from sealedbeam.pipeline.crawl.urls import canonical
from sealedbeam.pipeline.errors import UsageError
from sealedbeam.pipeline.jobs.driver import Workers
from sealedbeam.pipeline.jobs.lock import FolderLock, Operations

from .rounds import Crawl, commit_seeds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .context import CrawlContext

JOB = "crawl.json"
_SEEDS_MAX = 10_000_000


def read_seeds(texts: Iterable[str]) -> list[str]:
    """Return the canonical addresses that lines name, each once; # begins a comment.

    Raises:
        UsageError: a line is no web address, or there is none.
    """
    seeds: dict[str, None] = {}
    for number, line in enumerate(texts, 1):
        text = line.partition("#")[0].strip() if line.lstrip().startswith("#") else line.strip()
        if not text:
            continue
        url = canonical(text if "://" in text else f"https://{text}")
        if url is None:
            raise UsageError(
                f"seed {number}, {text[:200]!r}, is no address of the web; "
                "write one such as https://example.org/"
            )
        seeds[url] = None
        if len(seeds) > _SEEDS_MAX:
            raise UsageError(f"there are more than {_SEEDS_MAX:,} seeds; crawl them in parts")
    if not seeds:
        raise UsageError("there is no seed to begin with; give addresses, or a file of them")
    return list(seeds)


def run_crawl(
    context: CrawlContext, seeds: Sequence[str], workers: int, show: Callable[[str, int], None]
) -> dict[str, Any]:
    """Crawl, or go on with it; return the summary.

    Args:
        context: the crawl.
        seeds: canonical addresses.
        workers: processes, each of which fetches a share of the hosts.
        show: told of each phase and its number of tasks.

    Raises:
        SealedBeamError: the crawl cannot go on.
    """
    root = Path(context.output)
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = FolderLock.take(root)
    except OSError as error:
        raise UsageError(
            f"cannot write to {root}: {error.strerror}; put that right, or give another --output"
        ) from None
    try:
        _claim(context, root)
        with Operations(root) as operations, Workers() as pool:
            operations.note(started=context.configuration_hash, work="crawl")
            commit_seeds(context, seeds)
            pool.grow(workers)
            pool.begin(
                context.to_json(),
                lambda event: operations.note(**event),
                lock.descriptor,
                record_seconds=context.config.record_seconds,
            )
            summary = Crawl(context, pool, workers, show).run()
            operations.note(ended=summary["status"])
            return summary
    finally:
        lock.release()


def _claim(context: CrawlContext, root: Path) -> None:
    """Mark the folder as this crawl's; raises UsageError when it is something else's."""
    ours = canonical_json(context.configuration).encode() + b"\n"
    if not (root / JOB).exists():
        if any(path.is_file() and path.suffix != ".attempt" for path in root.rglob("*")):
            raise UsageError(
                f"{root} is not empty and holds no crawl; give a new folder with --output"
            )
        context.store.write(JOB, ours)
        return
    theirs = (root / JOB).read_bytes()
    if theirs != ours:
        raise UsageError(
            f"{root} holds a crawl with another configuration ({_difference(theirs, ours)}); "
            "give the same options to go on with it, or a new folder with --output"
        )


def _difference(theirs: bytes, ours: bytes) -> str:
    try:
        before, now = json.loads(theirs)["options"], json.loads(ours)["options"]
    except (ValueError, KeyError, TypeError):
        return f"its {JOB} cannot be read"
    changed = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
    return "; ".join(f"{name} was {before.get(name)}, is {now.get(name)}" for name in changed)
