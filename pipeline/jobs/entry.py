"""A task's entry in the ledger: what it counted, and the bytes that it committed.

An entry is written last of all that a task commits; a task without an entry did not happen, a task
with one is never done twice. Its file is canonical JSON with a CRC-32C and a SHA-256 of its own.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from sealedbeam.pipeline.config import canonical_json
from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.integrity.checksum import crc32c
from sealedbeam.pipeline.integrity.ledger import HopAccount
from sealedbeam.pipeline.manifest import FileEntry, decode_file_entry, format_crc32c
from sealedbeam.pipeline.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

FORMAT = "sealedbeam-ledger"
VERSION = 1
INPUTS = "inputs"  # in the details of a task that reads what others committed: `inputs_digest`
_RUN_TYPES = (str, int, int, str, int, int, int, str, int)

Counts = dict[str, dict[str, int]]
"""Named groups of named counts; two of them are added group by group."""


@dataclass(frozen=True, slots=True)
class RunEntry:
    """Where the block of one run lies, and the seal that its producer gave the run.

    `kind` is "postings" or "digests"; `tokens` is what the run holds of them.
    """

    kind: str
    segment: int
    shard: int
    path: str
    offset: int
    length: int
    crc: int
    digest: str
    tokens: int


@dataclass(slots=True)
class Entry:
    """One task's entry.

    Attributes:
        task: name of the task, such as part-00003.
        configuration_hash: of the job that it belongs to.
        hops: the accounts of the hops that the task sent or received on.
        counts: quantities that reconciliation and summary need.
        files: every file that the task committed, runs included.
        runs: the directory of its run files (map tasks only).
        details: what later tasks must know (a part's range and extent), or what this one has read.
    """

    task: str
    configuration_hash: str
    hops: dict[str, HopAccount] = field(default_factory=dict)
    counts: Counts = field(default_factory=dict)
    files: list[FileEntry] = field(default_factory=list)
    runs: list[RunEntry] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)

    def hop(self, name: str) -> HopAccount:
        """Return the account of hop `name`, made on first use."""
        return self.hops.setdefault(name, HopAccount())

    def count(self, group: str, name: str, number: int = 1) -> None:
        """Add to a count."""
        counts = self.counts.setdefault(group, {})
        counts[name] = counts.get(name, 0) + number


def entry_path(task: str) -> str:
    """Return where a task's entry lies."""
    return f"ledger/{task}.json"


def encode_entry(entry: Entry) -> bytes:
    """Return the bytes of an entry's file."""
    content = {
        "format": FORMAT,
        "version": VERSION,
        "task": entry.task,
        "configuration_hash": entry.configuration_hash,
        "hops": {hop: account.to_json() for hop, account in entry.hops.items()},
        "counts": entry.counts,
        "files": [asdict(file) for file in entry.files],
        "runs": [list(asdict(run).values()) for run in entry.runs],
        "details": entry.details,
    }
    return _sealed(content)


def _sealed(content: Mapping[str, Any]) -> bytes:
    body = canonical_json(content).encode()
    seals = {"crc32c": format_crc32c(crc32c(body)), "sha256": hashlib.sha256(body).hexdigest()}
    return canonical_json({**content, **seals}).encode() + b"\n"


def decode_entry(data: bytes, name: str) -> Entry:
    """Return the entry that `data` encodes.

    Raises:
        IntegrityError: a bit is not as it was written; `name` tells the reader which file.
    """
    try:
        content = _proven(data)
        entry = Entry(
            task=_text(content["task"]),
            configuration_hash=_text(content["configuration_hash"]),
            hops={hop: HopAccount.from_json(value) for hop, value in content["hops"].items()},
            counts=_counts(content["counts"]),
            files=[decode_file_entry(value) for value in content["files"]],
            runs=[_run_entry(value) for value in content["runs"]],
            details=dict(content["details"]),
        )
        fault = "" if encode_entry(entry) == data else "it is not as an entry is written"
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        fault = str(error) or type(error).__name__
    if fault:
        raise IntegrityError(one_line(f"ledger entry {name} is damaged: {fault}"))
    return entry


def _proven(data: bytes) -> dict[str, Any]:
    """Return the content of an entry whose own checksums agree with its canonical bytes."""
    content: dict[str, Any] = json.loads(data)
    body = {key: value for key, value in content.items() if key not in {"crc32c", "sha256"}}
    if _sealed(body) != data:
        raise ValueError("its own checksums do not agree")
    if content["format"] != FORMAT or content["version"] != VERSION:
        raise ValueError(f"format {content['format']!r} {content['version']!r} is not known")
    return content


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not text")  # noqa: TRY004 - a wrong value, not a wrong call
    return value


def _counts(value: Mapping[str, Mapping[str, int]]) -> Counts:
    if {type(number) for group in value.values() for number in group.values()} - {int}:
        raise ValueError("a count is not a whole number")
    return {group: dict(counts) for group, counts in value.items()}


def _run_entry(value: Sequence[Any]) -> RunEntry:
    if tuple(map(type, value)) != _RUN_TYPES:
        raise ValueError("a run does not have the types of its fields")
    return RunEntry(*value)


def inputs_digest(entries: Iterable[Entry]) -> str:
    """Return a digest of all files that tasks committed: what a task has read that needs them all.

    A task's own entry keeps it, so that the task does not count as done once its inputs are others.
    """
    names = [f"{file.path} {file.crc32c}" for entry in entries for file in entry.files]
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def merge_counts(entries: Iterable[Counts]) -> Counts:
    """Return the sum of counts, group by group."""
    merged: Counts = {}
    for counts in entries:
        for group, values in counts.items():
            into = merged.setdefault(group, {})
            for name, number in values.items():
                into[name] = into.get(name, 0) + number
    return merged
