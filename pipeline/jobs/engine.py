"""Runs the index job as one pipeline on a runner of Beam, instead of the local driver.

The runner does the tasks; the ledger is judged here, where the job was started. What a task raises
comes back as the runner tells it, as an exception or as the text of one, and is named again here.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from sealedbeam.pipeline.errors import IntegrityError, SealedBeamError, UsageError

from .lock import Operations
from .prepare import claimed, finished
from .settle import finish_job
from .transforms import BuildShards

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .context import JobContext
    from .finish import Finished, Observer

_ERRORS = {error.__name__: error for error in (SealedBeamError, UsageError, IntegrityError)}
_RAISED = re.compile(rf"^sealedbeam\.pipeline\.errors\.({'|'.join(_ERRORS)}): (.+)$", re.MULTILINE)
_STEP = re.compile(r" \[while running .*\]$")
_MESSAGE_CHARACTERS_MAX = 1000


def run_on_engine(
    context: JobContext, observer: Observer, runner: str, options: Sequence[str]
) -> Finished | None:
    """Run a prepared job on `runner`; None when its folder was finished before.

    Raises:
        UsageError: there is no such runner, or it refuses the options; nothing was done.
        SealedBeamError: the job cannot go on.
    """
    started = time.monotonic()
    pipeline = _make_pipeline(runner, options)
    with claimed(context):
        if finished(context):
            return None
        with Operations(context.store.root) as operations:
            begun = {"started": context.configuration_hash, "command": observer.command}
            operations.note(**begun, runner=runner)
            _ = pipeline | "BuildShards" >> BuildShards(context)
            try:
                pipeline.run().wait_until_finish()
            except Exception as error:
                raise name_error(error, runner) from error
            result = finish_job(context, observer, time.monotonic() - started)
            operations.note(ended=result.summary["status"])
            return result


def _make_pipeline(runner: str, options: Sequence[str]) -> beam.Pipeline:
    parsed = PipelineOptions(list(options))
    try:
        parsed.get_all_options()  # the runner would parse them only when work has begun
        return beam.Pipeline(runner=runner, options=parsed)
    except (ValueError, ImportError) as error:
        raise UsageError(f"--runner {runner}: {error}") from None
    except SystemExit:  # Beam's argument parser has said why
        raise UsageError(f"--runner {runner} refuses these options: {' '.join(options)}") from None


def name_error(error: Exception, runner: str) -> SealedBeamError:
    """Return what a task raised, given what its runner made of it."""
    if isinstance(error, SealedBeamError):
        return type(error)(_STEP.sub("", str(error)))
    raised = _RAISED.findall(str(error))
    if raised:
        name, message = raised[-1]
        return _ERRORS[name](_STEP.sub("", message))
    text = " ".join(str(error).split())[-_MESSAGE_CHARACTERS_MAX:]
    return SealedBeamError(f"{runner} gave up ({type(error).__name__}): {text}")
