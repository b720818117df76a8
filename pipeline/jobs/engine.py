"""Runs the index job as one pipeline on a runner of Beam, instead of the local driver."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from .finish import COMPLETE, FAILED, SUMMARY, Finished, Observer
from .prepare import claimed, finished
from .transforms import BuildIndex

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .context import JobContext

_EXIT_CODES = {COMPLETE: 0, FAILED: 3}
_EXIT_INCOMPLETE = 4


def run_on_engine(
    context: JobContext, observer: Observer, runner: str, options: Sequence[str]
) -> Finished | None:
    """Run a prepared job on `runner`; None when its folder was finished before."""
    with claimed(context):
        if finished(context):
            return None
        with beam.Pipeline(runner=runner, options=PipelineOptions(list(options))) as pipeline:
            _ = pipeline | "BuildIndex" >> BuildIndex(context, observer)
    summary = json.loads(context.store.read(SUMMARY))
    return Finished(summary, (), _EXIT_CODES.get(summary["status"], _EXIT_INCOMPLETE))
