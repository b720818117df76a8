"""The journal: one row for each fault, in a canonical order, as a Parquet file.

A row says what was done and what became of it. `outcome` is null as long as nobody has decided it,
and `kind` is "none" where a record came out altered although nothing had been done to it: both turn
the conservation check red.
"""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.integrity.lineage import Origin
from sealedbeam.pipeline.parquet import read_checked

if TYPE_CHECKING:
    from collections.abc import Iterable

NO_FAULT = "none"
BITS_STORED_MAX = 64
"""A row names so many of its bits; one fault may flip tens of thousands."""

_SCHEMA = pa.schema(
    [
        pa.field("fault_id", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("hop", pa.string(), nullable=False),
        pa.field("identity", pa.string(), nullable=False),
        pa.field("record", pa.string(), nullable=False),
        pa.field("bits", pa.list_(pa.field("element", pa.int64(), nullable=False)), nullable=False),
        pa.field("flipped_bits", pa.int64(), nullable=False),
        pa.field("cluster", pa.string(), nullable=False),
        pa.field("machine", pa.string(), nullable=False),
        pa.field("time_seconds", pa.int64(), nullable=False),
        pa.field("attempt", pa.int32(), nullable=False),
        pa.field("cause", pa.string(), nullable=False),
        pa.field("hardware", pa.string(), nullable=False),
        pa.field("outcome", pa.string(), nullable=True),
    ]
)


class FaultOutcome(StrEnum):
    """What became of a fault, worst last."""

    MASKED = "masked"
    CORRECTED = "corrected"
    RETRIED = "retried"
    DROPPED = "dropped"
    ESCAPED = "escaped"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Attributes:
        fault_id: 16 hexadecimal digits, the same in every run of the same plan.
        kind: the kind of the fault; "none" where nothing had been injected.
        hop: the hop at which it struck.
        identity: the struck record's identity, or the struck block's id, in hexadecimal.
        record: the same to read: a document number, or the name of a run, row group or block.
        bits: that software saw flipped, the first 64 of them: positions in the record's frame
            (lengths, identity, payload), or in the block where its head was struck.
        cluster: where the record was.
        machine: its machine there.
        time_seconds: simulated.
        attempt: the delivery that was struck; counts from 1.
        cause: the outage that it is part of, else empty.
        hardware: what the machine's memory protection made of it: corrected, reported (the record
            was lost with notice) or missed; empty where it had no say.
        outcome: what became of it; None while undecided.
        flipped_bits: how many bits software saw flipped.
    """

    fault_id: str
    kind: str
    hop: str
    identity: str
    record: str
    bits: tuple[int, ...]
    cluster: str
    machine: str
    time_seconds: int
    attempt: int
    cause: str = ""
    hardware: str = ""
    outcome: FaultOutcome | None = None
    flipped_bits: int = 0


def describe_record(identity: bytes) -> str:
    """Return a record's identity to read: its document number, or its name."""
    if identity.isascii() and (text := identity.decode()).isprintable():
        return text
    try:
        return str(Origin.decode(identity).doc_id)
    except ValueError:
        return identity.hex()


def encode_journal(faults: Iterable[Fault]) -> bytes:
    """Return the Parquet file of `faults`, ordered by hop, record and attempt."""
    rows = sorted(faults, key=lambda fault: (fault.hop, fault.identity, fault.attempt, fault.bits))
    table = pa.Table.from_pylist([asdict(row) for row in rows], schema=_SCHEMA)
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    return sink.getvalue()


def decode_journal(data: bytes) -> list[Fault]:
    """Return the rows of a journal.

    Raises:
        IntegrityError: it is damaged, or no journal.
    """
    try:
        table = read_checked(data)
        return [_to_fault(row) for row in table.to_pylist()]
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        raise IntegrityError(f"a fault journal cannot be read: {error}") from None


def _to_fault(row: dict[str, Any]) -> Fault:
    outcome = None if row["outcome"] is None else FaultOutcome(row["outcome"])
    return Fault(**(row | {"bits": tuple(row["bits"]), "outcome": outcome}))
