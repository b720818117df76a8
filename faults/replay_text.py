"""A replayed fault as text for a terminal: what it was, what each delivery saw, how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .explain import Change
    from .journal import Fault
    from .replay import Delivery, Replay

_BITS_SHOWN = 16
_SPACE, _TILDE = 0x20, 0x7E  # between them lies what ASCII prints


def describe_replay(replay: Replay) -> str:
    """Return a replay in words and hexadecimal digits."""
    return "\n".join(_lines(replay))


def _lines(replay: Replay) -> Iterator[str]:
    yield from _describe_fault(replay.fault)
    how = "its record alone, derived again from the input" if replay.alone else "its whole task"
    yield f"journal of: {replay.cell}; delivered again: {how}"
    for cell, outcome in replay.elsewhere:
        yield f"in {cell} the same fault was {outcome}"
    for delivery in replay.deliveries:
        yield ""
        yield from _describe_delivery(delivery)
    yield ""
    if replay.reason:
        yield f"the record was set aside: {replay.reason}"
    verdict = (
        "as the journal says" if replay.agrees else (f"but the journal says {replay.fault.outcome}")
    )
    yield f"outcome: {replay.outcome or 'it did not happen'}, {verdict}"


def _describe_fault(fault: Fault) -> Iterator[str]:
    yield f"fault {fault.fault_id}: {fault.kind} at hop {fault.hop}, attempt {fault.attempt}"
    yield f"record: {fault.record}"
    yield f"place: {fault.machine} of {fault.cluster}, second {fault.time_seconds:,} of the run"
    if fault.cause:
        yield f"cause: {fault.cause}"
    if fault.hardware:
        meaning = {
            "corrected": "put it right before software saw anything",
            "reported": "saw that it could not put it right: the record was lost with notice",
            "missed": "did not see it",
        }[fault.hardware]
        yield f"the machine's own memory protection {meaning}"
    if fault.bits:
        shown = ", ".join(f"{bit:,}" for bit in fault.bits[:_BITS_SHOWN])
        more = f" and {len(fault.bits) - _BITS_SHOWN:,} more" if fault.bits[_BITS_SHOWN:] else ""
        yield f"bits that software saw flipped: {shown}{more}"


def _describe_delivery(delivery: Delivery) -> Iterator[str]:
    cluster, machine, seconds = delivery.place
    what = "computation" if delivery.of == "result" else "delivery"
    yield f"{what} {delivery.attempt}, {machine} of {cluster}, second {seconds:,}"
    changes = delivery.changes
    if delivery.after is None:
        yield f"  {delivery.of} of {delivery.before:,} bytes: nothing arrived"
    else:
        size = f"{delivery.before:,} bytes"
        if delivery.after != delivery.before:
            size += f", {delivery.after:,} arrived"
        yield f"  {delivery.of} of {size}: {changes.bits:,} bits differ"
    for row in changes.rows:
        yield f"    {row.offset:08x}  {_hex(row.before)}  {_text(row.before)}"
        yield f"         ->  {_hex(row.after)}  {_text(row.after)}"
        yield f"             {_mark(row)}"
    if changes.rows_in_all > len(changes.rows):
        yield f"    ... and {changes.rows_in_all - len(changes.rows):,} more rows"
    yield from (f"  {check}" for check in delivery.checks)


def _hex(data: bytes) -> str:
    return data.hex(" ").ljust(47)


def _text(data: bytes) -> str:
    return "".join(chr(byte) if _SPACE <= byte <= _TILDE else "." for byte in data)


def _mark(row: Change) -> str:
    """Return carets below the bytes that differ."""
    pairs = zip(row.before, row.after, strict=False)
    return " ".join("^^" if one != other else "  " for one, other in pairs).rstrip()
