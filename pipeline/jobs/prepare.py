"""Prepares a job: looks at its inputs, claims its output folder, and refuses what cannot work."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sealedbeam.pipeline.errors import IntegrityError, SealedBeamError, UsageError
from sealedbeam.pipeline.filesystems import (
    FOLDER,
    expand_inputs,
    is_remote,
    name_of,
    name_other_kind,
    open_source,
)
from sealedbeam.pipeline.integrity.channel import PerfectChannel
from sealedbeam.pipeline.integrity.checksum import crc32c_of_pieces
from sealedbeam.pipeline.manifest import FILE_NAME, format_crc32c
from sealedbeam.pipeline.warc.detect import detect_container

from .context import JobContext
from .expect import read_listings
from .finish import JOB, PARTS, PLAN, job_json
from .lock import OPERATIONS, FolderLock
from .object_store import open_store
from .plan import InputFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from sealedbeam.pipeline.config import JobConfig
    from sealedbeam.pipeline.integrity.channel import ChannelReference
    from sealedbeam.pipeline.warc.source import ByteSource

    from .store import Store

_PIECE_BYTES = 1 << 20  # read and hashed while it is in the cache
_CHANGES_SHOWN = 8


def inspect_inputs(patterns: Sequence[str]) -> tuple[InputFile, ...]:
    """Return the inputs that `patterns` name, each read once for its CRC-32C.

    Raises:
        UsageError: a pattern matches nothing, or a file cannot be opened or read.
    """
    return _inspect(expand_inputs(patterns))


def _inspect(paths: Sequence[str]) -> tuple[InputFile, ...]:
    sources: dict[str, ByteSource] = {}
    for path in paths:  # all of them before the first is read through, which may take minutes
        _require_unicode(path)
        sources[path] = open_source(path)
    return tuple(_inspect_source(path, source) for path, source in sources.items())


def _inspect_source(path: str, source: ByteSource) -> InputFile:
    try:
        crc = crc32c_of_pieces(_pieces(path, source))
        container = detect_container(source)
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"cannot read input {path}: {reason}") from None
    return InputFile(path, source.size, format_crc32c(crc), container)


def _require_unicode(path: str) -> None:
    try:
        path.encode()
    except UnicodeEncodeError:
        raise UsageError(
            f"the name of input {path!r} is not UTF-8 and cannot be stored; rename it or link to it"
        ) from None


def _pieces(path: str, source: ByteSource) -> Iterator[bytes]:
    for offset in range(0, source.size, _PIECE_BYTES):
        length = min(_PIECE_BYTES, source.size - offset)
        piece = source.read(offset, length)
        if len(piece) < length:
            raise UsageError(
                f"input {path} became shorter while it was read; "
                "give it when nothing writes to it any more"
            )
        yield piece


def prepare(
    patterns: Sequence[str],
    output: Path,
    config: JobConfig,
    channel: ChannelReference | None = None,
    *,
    scenario: str = "",
    keep_runs: bool = False,
    expect: Sequence[Path] = (),
    attached: Mapping[str, bytes] | None = None,
) -> JobContext:
    """Return the job of indexing `patterns` into `output`; nothing is written yet.

    Args:
        patterns: files, globs and folders.
        output: the output folder, or the URL of one as a Path.
        config: the options that decide the output.
        channel: what carries the blocks; by default nothing happens to them.
        scenario: the JSON text of the fault plan, empty in production.
        keep_runs: whether the run files stay.
        expect: lists of what the inputs should hold.
        attached: files of the scenario, by their path in the output folder.

    Raises:
        UsageError: an input is missing or cannot be read, or the output cannot be a folder of this
            job alone.
    """
    name = name_of(output)
    if name != str(output.absolute()):
        _look_at_url(name, scenario)
    else:
        _look_at_output(output)
    paths = expand_inputs(patterns)
    _keep_apart(paths, name)
    lists = tuple(str(path.absolute()) for path in expect)
    _, listing_sha256 = read_listings(lists)  # refused before the inputs are read
    inputs = _inspect(paths)
    reference = channel or PerfectChannel().reference()
    return JobContext(
        name,
        inputs,
        config,
        reference,
        scenario,
        keep_runs=keep_runs,
        expect=lists,
        listing_sha256=listing_sha256,
        attached=attached or {},
    )


def _look_at_output(output: Path) -> None:
    """Refuse what can be told to be no folder for an output, before the inputs are read."""
    if not os.path.lexists(output):
        return
    try:
        kind = name_other_kind(output.stat().st_mode) or "a file"
    except FileNotFoundError:
        kind = "a link to nothing"
    except OSError as error:
        raise _unwritable(output, error) from None
    if kind != FOLDER:
        raise UsageError(f"cannot write to {output}: it is {kind}; give a folder, new or empty")
    store = open_store(output)
    if not store.exists(JOB) and not store.is_empty():
        raise _foreign(store)


def _look_at_url(url: str, scenario: str) -> None:
    """Refuse what can be told to be no place for an output, before the inputs are read."""
    if scenario:
        raise UsageError(f"--output {url}: a job under a scenario needs a folder of this machine")
    store = open_store(url)
    try:
        if not store.exists(JOB) and not store.is_empty():
            raise _foreign(store)
    except UsageError:
        raise
    except OSError as error:
        raise UsageError(f"--output {url}: {error.strerror}") from None
    except SealedBeamError as error:
        raise UsageError(f"--output {error}") from None


def _keep_apart(paths: Sequence[str], output: str) -> None:
    """Refuse inputs that lie in the output folder: they would be other ones at the next start."""
    local = not is_remote(output)
    root = f"{os.path.realpath(output)}{os.sep}" if local else f"{output}/"
    for path in paths:
        if is_remote(path) == local:
            continue
        if (os.path.realpath(path) if local else path).startswith(root):
            raise UsageError(
                f"input {path} lies in the output folder {output}; "
                "give inputs that leave it out, or another --output"
            )


def _foreign(store: Store) -> UsageError:
    return UsageError(
        f"{store.name} is not empty and holds no job of this program; "
        "give a new folder with --output"
    )


@contextmanager
def claimed(context: JobContext) -> Iterator[FolderLock]:
    """Hold the output folder for this job alone.

    Raises:
        UsageError: it cannot be written, another job holds it, or it is another job's.
    """
    store = context.store
    try:
        store.make_root()
        lock = FolderLock.take(store.root, store.name)
    except OSError as error:
        raise _unwritable(store.name, error) from None
    try:
        claim(context)
        store.fetch_log(OPERATIONS)
        try:
            yield lock
        finally:
            store.store_log(OPERATIONS)
    finally:
        lock.release()


def claim(context: JobContext) -> None:
    """Mark the output folder as this job's; raises UsageError when it is another's."""
    store = context.store
    try:
        store.make_root()
        if not store.exists(JOB):
            if not store.is_empty():
                raise _foreign(store)
            store.create(JOB, job_json(context))
        # What was just written too: where jobs are not kept apart, another may have been faster.
        _compare(_read_job(store), json.loads(job_json(context)), store.name)
        if context.scenario and not store.exists(PLAN):
            store.write(PLAN, context.scenario.encode())
        for path, data in context.attached.items():
            if not store.exists(path):
                store.write(path, data)
    except OSError as error:
        raise _unwritable(store.name, error) from None


def _unwritable(root: Path | str, error: OSError) -> UsageError:
    return UsageError(
        f"cannot write to {error.filename or root}: {error.strerror}; "
        "put that right, or give another folder with --output"
    )


def _read_job(store: Store) -> dict[str, Any]:
    try:
        job = json.loads(store.read(JOB))
    except (ValueError, RecursionError) as error:
        job = error
    if not isinstance(job, dict) or not isinstance(job.get("inputs"), list):
        raise IntegrityError(
            f"{store.place(JOB)} is damaged, so whose folder this is cannot be told; "
            "give a new folder with --output"
        )
    return job


def _compare(theirs: dict[str, Any], ours: dict[str, Any], root: str) -> None:
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
        f"{name} was {_value(before, name)}, is {_value(now, name)}"
        for name in sorted({*before, *now} - {PARTS})  # these follow from the others
        if before.get(name) != now.get(name)
    ]
    more = f"; and {len(changes) - _CHANGES_SHOWN} more" if len(changes) > _CHANGES_SHOWN else ""
    raise UsageError(
        f"{root} holds a job with another configuration "
        f"({'; '.join(changes[:_CHANGES_SHOWN])}{more}); "
        "give the same options to go on with it, or a new folder with --output"
    )


def _value(job: dict[str, Any], name: str) -> Any:
    value = job.get(name)
    return "none" if value == hashlib.sha256().hexdigest() else value  # of no scenario


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
