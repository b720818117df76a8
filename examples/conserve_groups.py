"""A conservation check around a GroupByKey: every visit that goes in comes out, in its group.

    python examples/conserve_groups.py visits.csv groups ledger

Groups visits by hour and page. The values travel sealed through the shuffle. For each hour and
letter of the alphabet the ledger has one line: visits in, out and set aside, with the sums of their
digests; if one does not add up, the job fails and names the hour.
"""

from __future__ import annotations

import json
import sys

import apache_beam as beam
from apache_beam.transforms import window
from sealedbeam.pipeline.integrity.transforms import (
    LedgerEntry,
    Open,
    Reconcile,
    Seal,
    WriteDeadLetters,
)

HOUR_SECONDS = 3600


def parse(line: str) -> window.TimestampedValue:
    """Return a visit, page and visitor, at its time."""
    time, page, visitor = line.split(",")
    return window.TimestampedValue((page, visitor), int(time))


def to_json(entry: LedgerEntry) -> str:
    """Return one line of the ledger."""
    return json.dumps(entry._asdict())


def main(source: str, target: str, ledger: str) -> None:
    """Group the visits of a file."""
    with beam.Pipeline() as pipeline:
        _ = (
            pipeline
            | beam.io.ReadFromText(source)
            | beam.Map(parse).with_output_types(tuple[str, str])
            | beam.WindowInto(window.FixedWindows(HOUR_SECONDS))
            | Seal(keyed=True)
            | Reconcile(
                beam.GroupByKey(),
                name="visits by page",
                by=lambda visit: visit[0][:1],
                ledger=beam.Map(to_json) | "Ledger" >> beam.io.WriteToText(ledger),
            )
            | Open(damage=WriteDeadLetters(f"{target}-damaged"))
            | beam.MapTuple(lambda page, visitors: f"{page},{len(visitors)}")
            | "Groups" >> beam.io.WriteToText(target, file_name_suffix=".csv")
        )


if __name__ == "__main__":
    main(*sys.argv[1:4])
