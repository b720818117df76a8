"""Prepares a job: looks at its inputs, claims its output folder, and refuses what cannot work."""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sealedbeam.pipeline.crawl.detect import detect_container
from sealedbeam.pipeline.errors import IntegrityError, UsageError
from sealedbeam.pipeline.filesystems import expand_inputs, open_source
from sealedbeam.pipeline.integrity.channel import PerfectChannel
from sealedbeam.pipeline.integrity.checksum import crc32c_of_pieces
from sealedbeam.pipeline.manifest import FILE_NAME, format_crc32c

from .context import JobContext
from .finish import JOB, PLAN, job_json
from .plan import InputFile
from .store import TEMPORARY_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sealedbeam.pipeline.config import JobConfig
    from sealedbeam.pipeline.crawl.source import ByteSource
    from sealedbeam.pipeline.integrity.channel import ChannelReference

    from .store import Store

_PIECE_BYTES = 1 << 20  # read and hashed while it is in the cache
_CHANGES_SHOWN = 8


def inspect_inputs(patterns: Sequence[str]) -> tuple[InputFile, ...]:
    """Return the inputs that `patterns` name, each read once for its CRC-32C.

    Raises:
        UsageError: a pattern matches nothing, or a file cannot be opened.
    """
    inputs = []
    for path in expand_inputs(patterns):
        _require_unicode(path)
        source = open_source(path)
        crc = crc32c_of_pieces(_pieces(source))
        inputs.append(InputFile(path, source.size, format_crc32c(crc), detect_container(source)))
    return tuple(inputs)


def _require_unicode(path: str) -> None:
    try:
        path.encode()
    except UnicodeEncodeError:
        raise UsageError(
            f"the name of input {path!r} is not UTF-8 and cannot be stored; rename it or link to it"
        ) from None


def _pieces(source: ByteSource) -> Iterator[bytes]:
    for offset in range(0, source.size, _PIECE_BYTES):
        yield source.read(offset, _PIECE_BYTES)


def prepare(
    patterns: Sequence[str],
    output: Path,
    config: JobConfig,
    channel: ChannelReference | None = None,
    *,
    scenario: str = "",
    keep_runs: bool = False,
) -> JobContext:
    """Return the job of indexing `patterns` into `output`; nothing is written yet.

    Args:
        patterns: files, globs and folders.
        output: the output folder.
        config: the options that decide the output.
        channel: what carries the blocks; by default nothing happens to them.
        scenario: the JSON text of the fault plan, empty in production.
        keep_runs: whether the run files stay.

    Raises:
        UsageError: an input is missing or cannot be opened, or a range has no inputs.
    """
    inputs = inspect_inputs(patterns)
    reference = channel or PerfectChannel().reference()
    return JobContext(
        str(output.absolute()), inputs, config, reference, scenario, keep_runs=keep_runs
    )


@contextmanager
def claimed(context: JobContext) -> Iterator[FolderLock]:
    """Hold the output folder for this job alone.

    Raises:
        UsageError: it cannot be written, another job holds it, or it is another job's.
    """
    try:
        context.store.root.mkdir(parents=True, exist_ok=True)
        lock = FolderLock.take(context.store.root)
    except OSError as error:
        raise UsageError(f"cannot write to {context.output}: {error.strerror}") from None
    try:
        claim(context)
        yield lock
    finally:
        lock.release()


def claim(context: JobContext) -> None:
    """Mark the output folder as this job's; raises UsageError when it is another's."""
    store = context.store
    try:
        store.root.mkdir(parents=True, exist_ok=True)
        if store.exists(JOB):
            _compare(_read_job(store), json.loads(job_json(context)), store.root)
        elif _is_foreign(store.root):
            raise UsageError(
                f"{store.root} is not empty and holds no job of this program; "
                "give a new folder with --output"
            )
        else:
            store.write(JOB, job_json(context))
        if context.scenario and not store.exists(PLAN):
            store.write(PLAN, context.scenario.encode())
    except OSError as error:
        raise UsageError(f"cannot write to {store.root}: {error}") from None


def _is_foreign(root: Path) -> bool:
    """Whether `root` holds anything but what a claim leaves that was killed before it was done."""
    return any(file.is_file() and file.suffix != TEMPORARY_SUFFIX for file in root.rglob("*"))


def _read_job(store: Store) -> dict[str, Any]:
    try:
        job = json.loads(store.read(JOB))
    except ValueError as error:
        job = error
    if not isinstance(job, dict):
        raise IntegrityError(
            f"{store.root / JOB} is damaged, so whose folder this is cannot be told; "
            "give a new folder with --output"
        )
    return job


def _compare(theirs: dict[str, Any], ours: dict[str, Any], root: Path) -> None:
    if theirs == ours:
        return
    if theirs.get("inputs") != ours["inputs"]:
        before_and_now = f"{_list_inputs(theirs)}; now {_list_inputs(ours)}"
        raise UsageError(
            f"{root} holds a job with other inputs: {before_and_now}. "
            "Give the same files in the same order to go on with it, or a new folder with --output"
        )
    before, now = _flat(theirs), _flat(ours)
    changes = [
        f"{name} was {before.get(name)}, is {now.get(name)}"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    ]
    more = f"; and {len(changes) - _CHANGES_SHOWN} more" if len(changes) > _CHANGES_SHOWN else ""
    raise UsageError(
        f"{root} holds a job with another configuration "
        f"({'; '.join(changes[:_CHANGES_SHOWN])}{more}); "
        "give the same options to go on with it, or a new folder with --output"
    )


def _list_inputs(job: dict[str, Any]) -> str:
    paths = [str(path) for path in job.get("inputs", ())]
    more = f" and {len(paths) - _CHANGES_SHOWN} more" if len(paths) > _CHANGES_SHOWN else ""
    return ", ".join(paths[:_CHANGES_SHOWN]) + more


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Return nested mappings and lists as one mapping, with dotted names."""
    if isinstance(value, list):
        value = dict(enumerate(value))
    if not isinstance(value, dict):
        return {prefix: value}
    flat: dict[str, Any] = {}
    for key, item in value.items():
        flat |= _flat(item, f"{prefix}.{key}" if prefix else str(key))
    return flat


def finished(context: JobContext) -> bool:
    """Whether the folder already holds this job's manifest."""
    return context.store.exists(FILE_NAME)


@dataclass(slots=True)
class FolderLock:
    """An exclusive lock on an output folder; child processes that inherit it keep it held."""

    descriptor: int

    @classmethod
    def take(cls, root: Path) -> FolderLock:
        """Lock `root`; raises UsageError while another job holds it."""
        descriptor = os.open(root, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise UsageError(
                f"another job is writing to {root}; wait until it ends, or give another --output"
            ) from None
        return cls(descriptor)

    def release(self) -> None:
        """Let go of the lock."""
        os.close(self.descriptor)
