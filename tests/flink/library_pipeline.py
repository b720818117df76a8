"""A pipeline of one's own under seal: python -m tests.flink.library_pipeline FOLDER [OPTION...].

Readings go through a protected parser, and sealed through a GroupByKey that is held to its books.
One reading in ten cannot be parsed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from sealedbeam.pipeline.integrity.transforms import (
    Open,
    Protect,
    Reconcile,
    Seal,
    WriteDeadLetters,
)

READINGS = 500
BAD = 10  # each tenth


def parse(line: str) -> tuple[str, int]:
    """Return place and value; raises ValueError for what is no number."""
    place, value = line.split(",")
    return place, int(value)


def main(folder: Path, options: list[str]) -> None:
    """Run the pipeline; with these options of Beam."""
    lines = [
        f"place-{number % 7},{'x' if number % BAD == 0 else number}" for number in range(READINGS)
    ]
    with beam.Pipeline(options=PipelineOptions(options)) as pipeline:
        _ = (
            pipeline
            | beam.Create(lines)
            | Protect(
                beam.Map(parse).with_output_types(tuple[str, int]),
                damaged=WriteDeadLetters(str(folder / "damaged")),
                hop=beam.Reshuffle(),
            )
            | Seal(keyed=True)
            | Reconcile(
                beam.GroupByKey(),
                name="readings by place",
                ledger=beam.Map(lambda entry: json.dumps(entry._asdict()))
                | "Ledger" >> beam.io.WriteToText(str(folder / "ledger")),
            )
            | Open(damage=WriteDeadLetters(str(folder / "lost")))
            | beam.MapTuple(lambda place, values: f"{place},{len(list(values))},{sum(values)}")
            | "Sums" >> beam.io.WriteToText(str(folder / "sums"))
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
