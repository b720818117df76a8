"""What was set aside, as rows of a Parquet file: the bytes, where they come from, and why."""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from sealedbeam.pipeline.errors import IntegrityError, UsageError
from sealedbeam.pipeline.integrity.checksum import crc32c
from sealedbeam.pipeline.manifest import FILE_NAME, decode_manifest, format_crc32c
from sealedbeam.pipeline.parquet import read_checked

from .crawl.names import JOB as CRAWL_JOB
from .entry import decode_entry, entry_path
from .object_store import open_store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sealedbeam.pipeline.integrity.ladder import Casualty
    from sealedbeam.pipeline.integrity.lineage import Origin
    from sealedbeam.pipeline.manifest import FileEntry

    from .poison import Skip
    from .store import Store

RAW_BYTES_MAX = 16 << 20
"""Longer records keep their first bytes only; `raw_length` tells the whole length."""

INPUT_STAGE = "input"

_SCHEMA = pa.schema(
    [
        pa.field("task", pa.string(), nullable=False),
        pa.field("stage", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("source_file", pa.string(), nullable=False),
        pa.field("source_offset", pa.int64(), nullable=False),
        pa.field("source_length", pa.int64(), nullable=False),
        pa.field("identity", pa.string(), nullable=False),
        pa.field("cluster", pa.string(), nullable=False),
        pa.field("attempts", pa.int32(), nullable=False),
        pa.field("raw_length", pa.int64(), nullable=False),
        pa.field("raw", pa.binary(), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One thing that was set aside.

    Attributes:
        task: the task that met it.
        stage: the hop where it was dropped, "input" for what was damaged on arrival, or what was
            being done with it when it did harm: "read", "search", "parse", "segment".
        reason: why, in the vocabulary of the stage.
        source_file: the input that it comes from, empty for what a later task made.
        source_offset: byte offset there.
        source_length: length in bytes there.
        identity: the record's identity in hexadecimal, or a name.
        cluster: where it was when it was damaged.
        attempts: how often it was delivered, or tried.
        raw_length: length of its bytes.
        raw: its bytes as they arrived.
    """

    task: str
    stage: str
    reason: str
    source_file: str
    source_offset: int
    source_length: int
    identity: str
    cluster: str
    attempts: int
    raw_length: int
    raw: bytes


class Quarantine:
    """Collects what one task sets aside, in the order in which it meets it."""

    def __init__(self, task: str, paths: Sequence[str]) -> None:
        """Collect for `task`; `paths` names the inputs by their numbers."""
        self._task = task
        self._paths = paths
        self.rows: list[Quarantined] = []

    def add_range(self, source: int, offset: int, length: int, reason: str, raw: bytes) -> None:
        """Set aside a range of an input that arrived damaged."""
        self._add(INPUT_STAGE, reason, (source, offset, length), 1, raw)

    def add_poison(self, source: int, length: int, skip: Skip, raw: bytes) -> None:
        """Set aside a record of an input that cannot be worked on."""
        self._add(skip.stage, skip.reason, (source, skip.offset, length), skip.attempts, raw)

    def _add(
        self, stage: str, reason: str, extent: tuple[int, int, int], attempts: int, raw: bytes
    ) -> None:
        source, offset, length = extent
        place = self._paths[source], offset, length
        self.rows.append(
            Quarantined(self._task, stage, reason, *place, "", "", attempts, length, raw)
        )

    def add_record(self, hop: str, casualty: Casualty, origin: Origin | None) -> None:
        """Set aside a record that was dropped at a hop; `origin` where it comes from an input."""
        place = ("", 0, 0)
        if origin is not None:
            place = (self._paths[origin.source], origin.offset, origin.length)
        self.rows.append(
            Quarantined(
                self._task,
                hop,
                casualty.reason,
                *place,
                casualty.identity.hex(),
                casualty.place.cluster,
                casualty.attempts,
                len(casualty.raw),
                casualty.raw[:RAW_BYTES_MAX],
            )
        )


def encode_quarantine(rows: Sequence[Quarantined]) -> bytes:
    """Return the Parquet file of `rows`."""
    sink = io.BytesIO()
    table = pa.Table.from_pylist([asdict(row) for row in rows], schema=_SCHEMA)
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    return sink.getvalue()


def decode_quarantine(data: bytes) -> list[Quarantined]:
    """Return the rows of a quarantine file whose bytes were checked before."""
    table = read_checked(data)
    return [Quarantined(**row) for row in table.to_pylist()]


def read_quarantine(root: Path) -> list[Quarantined]:
    """Return all rows that the committed tasks of a job have set aside in `root`, also a URL.

    A finished job's files are those of its manifest; of one that failed or was stopped, those of
    the ledger entries that are there.

    Raises:
        UsageError: there is no job.
        IntegrityError: the manifest, an entry or a quarantine file is damaged.
    """
    store = open_store(root)
    rows = []
    for file in _committed_files(store):
        if file.path.startswith("quarantine/"):
            data = store.read(file.path)
            if format_crc32c(crc32c(data)) != file.crc32c:
                raise IntegrityError(f"{file.path} is damaged; audit tells what else is")
            rows += decode_quarantine(data)
    return rows


def _committed_files(store: Store) -> list[FileEntry]:
    if store.exists(FILE_NAME):
        return list(decode_manifest(store.read(FILE_NAME)).files)
    if not (store.exists(entry_path("job")) or store.exists(CRAWL_JOB)):
        raise UsageError(f"{store.name} holds no job of this program")
    paths = [path for path in store.names("ledger") if path.endswith(".json")]
    entries = [
        decode_entry(store.read(path), path.removeprefix("ledger/"))
        for path in paths
        if path != entry_path("job")
    ]
    return [file for entry in entries for file in entry.files]
