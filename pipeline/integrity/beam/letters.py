"""`WriteDeadLetters`: damage to files, one line of JSON for each, with the raw bytes."""

from __future__ import annotations

from typing import Any

import apache_beam as beam
from sealedbeam.pipeline.integrity.damaged import Damaged


class WriteDeadLetters(beam.PTransform):  # type: ignore[misc]  # Beam is untyped
    """Writes a bounded PCollection of `Damaged` to text files: `PREFIX-00000-of-00001.jsonl`.

    The raw bytes are in base64, so that what can be read can be fed in again. An unbounded
    PCollection needs a sink that writes by windows, behind `beam.Map(Damaged.to_json)`.

    Example:
        orders = blocks | Open(damage=WriteDeadLetters("damaged/orders"))
    """

    def __init__(self, prefix: str) -> None:
        """Write to files whose names begin with `prefix`."""
        super().__init__()
        self._prefix = prefix

    def expand(self, damaged: beam.PCollection) -> Any:
        """Write all that is in `damaged`."""
        lines = damaged | "ToJson" >> beam.Map(Damaged.to_json).with_output_types(str)
        return lines | beam.io.WriteToText(self._prefix, file_name_suffix=".jsonl")
