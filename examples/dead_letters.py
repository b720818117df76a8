"""Dead letters to a file, and back: what was set aside is repaired by hand and fed in again.

    python examples/dead_letters.py readings.txt good damaged
    python examples/dead_letters.py --again damaged-00000-of-00001.jsonl good-again damaged-again

The first run seals readings, converts them under guard, and writes what cannot be converted to
`damaged-*.jsonl`: reason, exception, step, and the bytes in base64. The second one takes such a
file, lets `repair` have a look at the bytes, and sends them through the same steps once more.
"""

from __future__ import annotations

import base64
import json
import sys
from typing import NamedTuple

import apache_beam as beam
from sealedbeam.pipeline.integrity.transforms import Guard, Open, Seal, WriteDeadLetters


class Reading(NamedTuple):
    """What a sensor measured, in degrees Celsius."""

    sensor: str
    celsius: float


beam.coders.registry.register_coder(Reading, beam.coders.RowCoder)


def convert(line: str) -> Reading:
    """Return the reading of a line such as `roof 21.5`."""
    sensor, celsius = line.split()
    return Reading(sensor, float(celsius))


def repair(letter: str) -> str:
    """Return the line in a dead letter, mended: here somebody wrote decimal commas."""
    raw = base64.b64decode(json.loads(letter)["raw"])
    return raw.decode(errors="replace").replace(",", ".")


def main(source: str, target: str, damaged: str, *, again: bool = False) -> None:
    """Convert readings, or those of dead letters again."""
    with beam.Pipeline() as pipeline:
        lines = pipeline | beam.io.ReadFromText(source)
        if again:
            lines = lines | "Repair" >> beam.Map(repair).with_output_types(str)
        kept: list[beam.PCollection] = []  # damage of both steps goes into the same files
        readings = (
            lines
            | Seal()
            | beam.Reshuffle()
            | Guard(convert, result_type=Reading, damage=kept.append)
            | Open(damage=kept.append)
        )
        _ = kept | beam.Flatten() | WriteDeadLetters(damaged)
        text = readings | beam.Map(lambda reading: f"{reading.sensor}: {reading.celsius} °C")
        _ = text | beam.io.WriteToText(target, file_name_suffix=".txt")


if __name__ == "__main__":
    main(*[each for each in sys.argv[1:] if each != "--again"], again="--again" in sys.argv)
