"""Protect an existing ETL: the transform stays as it is, and one line stands around it.

    python examples/protect_etl.py orders.csv totals damaged

Reads orders, adds up what each customer owes, writes the totals. A line that makes the parser raise
goes to the dead letters, with the line and the exception's name; the others go on.
"""

from __future__ import annotations

import sys

import apache_beam as beam
from sealedbeam.pipeline.integrity.transforms import Protect, WriteDeadLetters


def parse(line: str) -> tuple[str, int]:
    """Return customer and price of a line of CSV."""
    customer, price = line.split(",")
    return customer.strip(), int(price)


class TotalByCustomer(beam.PTransform):  # type: ignore[misc]  # Beam is untyped
    """The ETL that was there before."""

    def expand(self, lines: beam.PCollection) -> beam.PCollection:
        """Return pairs of customer and total."""
        parsed = lines | "Parse" >> beam.Map(parse).with_output_types(tuple[str, int])
        return parsed | "Total" >> beam.CombinePerKey(sum)


def main(source: str, target: str, damaged: str) -> None:
    """Run the ETL, protected."""
    with beam.Pipeline() as pipeline:
        _ = (
            pipeline
            | beam.io.ReadFromText(source)
            | Protect(TotalByCustomer(), damaged=WriteDeadLetters(damaged), hop=beam.Reshuffle())
            | beam.MapTuple(lambda customer, total: f"{customer},{total}")
            | beam.io.WriteToText(target, file_name_suffix=".csv")
        )


if __name__ == "__main__":
    main(*sys.argv[1:4])
