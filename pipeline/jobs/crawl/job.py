"""The crawl from its options to its result: claim the folder, commit the seeds, do the rounds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealedbeam.pipeline.config import canonical_json
from sealedbeam.pipeline.errors import UsageError
from sealedbeam.pipeline.jobs.driver import Workers
from sealedbeam.pipeline.jobs.finish import COMPLETE, PLAN, SUMMARY
from sealedbeam.pipeline.jobs.lock import FolderLock, Operations

from .names import JOB
from .rounds import Crawl, commit_seeds
from .summary import limits_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .context import CrawlContext
    from .watching import Progress, Watcher


def run_crawl(
    context: CrawlContext,
    seeds: Sequence[str],
    workers: int,
    progress: Progress,
    watcher: Watcher,
) -> dict[str, Any]:
    """Crawl, or go on with it; return the summary.

    Args:
        context: the crawl.
        seeds: canonical addresses.
        workers: processes, each of which fetches a share of the hosts.
        progress: told how far it is.
        watcher: told of the results; brings what lies in the folder before any work.

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
        plan = {PLAN: context.scenario.encode()} if context.scenario else {}
        for path, data in (plan | dict(watcher.attached)).items():
            if not context.store.exists(path):
                context.store.write(path, data)
        with Operations(root) as operations, Workers() as pool:
            operations.note(started=context.configuration_hash, work="crawl")
            commit_seeds(context, seeds)

            def listen(event: dict[str, Any]) -> None:
                if "progress" not in event:
                    operations.note(**event)
                progress.note(event)

            pool.grow(workers)
            pool.begin(
                context.to_json(),
                listen,
                lock.descriptor,
                record_seconds=context.config.record_seconds,
            )
            summary = Crawl(context, pool, workers, progress.begin, watcher).run()
            operations.note(ended=summary["status"])
            return summary
    finally:
        lock.release()


def finished(context: CrawlContext) -> dict[str, Any] | None:
    """Return the summary of this very crawl if it went as far as its limits say, None otherwise."""
    store = context.store
    try:
        ours = store.read(JOB) == _job_json(context)
        summary: dict[str, Any] = json.loads(store.read(SUMMARY))
        done = summary["status"] == COMPLETE and summary["limits"] == limits_of(context)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return summary if ours and done else None


def _job_json(context: CrawlContext) -> bytes:
    return canonical_json(context.configuration).encode() + b"\n"


def _claim(context: CrawlContext, root: Path) -> None:
    """Mark the folder as this crawl's; raises UsageError when it is something else's."""
    ours = _job_json(context)
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
