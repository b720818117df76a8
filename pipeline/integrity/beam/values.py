"""The DoFns for keyed elements: each value under its own seal, which binds it to its key.

The key stays as it is, so that elements can be grouped. A value that arrives under another key than
it was sealed under does not open, whether the key was damaged or the values were swapped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import apache_beam as beam
from apache_beam import coders
from apache_beam.pvalue import TaggedOutput
from sealedbeam.pipeline.integrity.block import LossReason
from sealedbeam.pipeline.integrity.checksum import digest128
from sealedbeam.pipeline.integrity.damaged import UNREADABLE_ROW, describe_error, set_aside
from sealedbeam.pipeline.integrity.protection import PROTECTIONS
from sealedbeam.pipeline.integrity.sealed_value import open_value, seal_value, sealed_digest

from .blocks import DAMAGE
from .counters import count
from .kinds import Kind, SealingFn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sealedbeam.pipeline.integrity.damaged import Damaged


def key_and_value(step: str, kind: Kind) -> tuple[Kind, Kind]:
    """Return the kinds of the keys and of the values of keyed elements.

    Raises:
        TypeError: the elements are not known to be pairs.
    """
    parts = kind.coder.coders() if isinstance(kind.coder, coders.TupleCoder) else ()
    if len(parts) != 2:  # noqa: PLR2004 - a pair
        raise TypeError(
            f"{step}: keyed elements are pairs of a declared type, got {kind.element_type}: add "
            ".with_output_types(tuple[KeyType, ValueType]) to the step before"
        )
    types = getattr(kind.element_type, "tuple_types", (Any, Any))
    key, value = (Kind(*pair) for pair in zip(types, parts, strict=True))
    return key, value


class SealValues(SealingFn):
    """Seals one value after another."""

    keyed = True

    def __init__(self, kind: Kind, protection: str) -> None:
        """Seal the values of pairs of `kind` with a preset."""
        self.kind = kind
        self.protection = protection
        self._parts = key_and_value("Seal", kind)

    def setup(self) -> None:
        """Get the coders ready."""
        self._encode_key, self._encode = (part.encoder() for part in self._parts)

    def start_bundle(self) -> None:
        """Count from zero."""
        self._rows = 0

    def process(self, element: tuple[Any, Any]) -> Iterator[tuple[Any, bytes]]:
        """Yield the pair with its value sealed."""
        key, value = element
        self._rows += 1
        protection = PROTECTIONS[self.protection]
        yield key, seal_value(self._encode_key(key), self._encode(value), protection)

    def finish_bundle(self) -> None:
        """Count."""
        count({"rows_sealed": self._rows})


class OpenValues(beam.DoFn):  # type: ignore[misc]  # Beam is untyped
    """Opens one value after another; the values of a group become a list."""

    def __init__(self, kind: Kind, protection: str, step: str) -> None:
        """Open the values of pairs of `kind`."""
        self._parts = key_and_value("Open", kind)
        self._protection = protection
        self._step = step

    def setup(self) -> None:
        """Get the coders ready."""
        self._encode_key = self._parts[0].encoder()
        self._decode = self._parts[1].decoder()

    def start_bundle(self) -> None:
        """Count from zero."""
        self._counts = {"rows_in": 0, "rows_intact": 0, "rows_corrected": 0, "rows_dropped": 0}

    def process(self, element: tuple[Any, Any]) -> Iterator[Any]:
        """Yield the pair with its value opened; of a group, the values that could be."""
        key, sealed = element
        identity = self._encode_key(key)
        if isinstance(sealed, bytes):
            for value, damaged in self._open(identity, sealed):
                yield TaggedOutput(DAMAGE, damaged) if damaged else (key, value)
            return
        values = []
        for each in sealed:
            for value, damaged in self._open(identity, each):
                if damaged:
                    yield TaggedOutput(DAMAGE, damaged)
                else:
                    values.append(value)
        if values:
            yield key, values

    def _open(self, identity: bytes, sealed: bytes) -> Iterator[tuple[Any, Damaged | None]]:
        """Yield one value, or what it became."""
        protection = PROTECTIONS[self._protection]
        opened = open_value(identity, sealed, protection)
        message, error, reason = "", "", UNREADABLE_ROW
        if isinstance(opened, LossReason):
            raw, digest, reason, outcome = sealed, sealed_digest(sealed, protection), opened, ""
        else:
            raw, digest = opened[0], digest128(opened[0])
            outcome = "rows_corrected" if opened[1] else "rows_intact"
            try:
                value = self._decode(raw)
            except Exception as failure:  # noqa: BLE001 - whatever a coder raises concerns this row
                error, message = describe_error(failure)
                outcome = ""
        self._counts["rows_in"] += 1
        self._counts[outcome or "rows_dropped"] += 1
        if outcome:
            yield value, None
            return
        yield (
            None,
            set_aside(
                reason,
                raw,
                message=message,
                error=error,
                step=self._step,
                digest=digest,
                key=identity,
            ),
        )

    def finish_bundle(self) -> None:
        """Count."""
        count(self._counts)
