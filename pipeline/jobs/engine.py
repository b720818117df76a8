"""Runs the index job as one pipeline on a runner of Beam, instead of the local driver.

The runner does the tasks; the ledger is judged here, where the job was started. What a task raises
comes back as the runner tells it, as an exception or as the text of one, and is named again here.
"""

from __future__ import annotations

import re
import time
import uuid
from typing import TYPE_CHECKING, Any

import apache_beam as beam
from apache_beam.options.pipeline_options import (
    FlinkRunnerOptions,
    GoogleCloudOptions,
    PipelineOptions,
)
from sealedbeam.pipeline.config import FLINK_RUNNERS
from sealedbeam.pipeline.errors import IntegrityError, SealedBeamError, UsageError

from .flink import ask_failures
from .lock import Operations
from .prepare import claimed, finished
from .settle import (
    REPAIRS_MAX,
    abandon,
    conclude,
    damaged_too_often,
    phases,
    planned_parts,
    take_back_damaged,
)
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
    _make_pipeline(runner, options)
    with claimed(context):
        if finished(context):
            return None
        with Operations(context.store.root) as operations:
            begun = {"started": context.configuration_hash, "command": observer.command}
            operations.note(**begun, runner=runner)
            try:
                _do_tasks(context, runner, options, operations)
                seconds = time.monotonic() - started
                result = conclude(context, planned_parts(context), observer, seconds)
            except IntegrityError as error:
                abandon(context, planned_parts(context), str(error))
                raise
            operations.note(ended=result.summary["status"])
            return result


def _do_tasks(
    context: JobContext, runner: str, options: Sequence[str], operations: Operations
) -> None:
    """Do all tasks, and those again whose files were damaged in storage meanwhile.

    A pipeline finds what has committed, so the second one does only what was taken back.
    """
    for _ in range(REPAIRS_MAX):
        pipeline = _make_pipeline(runner, options)
        _ = pipeline | "BuildShards" >> BuildShards(context)
        try:
            pipeline.run().wait_until_finish()
        except Exception as error:
            raise name_error(error, runner) from error
        finally:
            for failure in _failures(pipeline, runner):
                operations.note(**failure)
        tasks = [task for phase in phases(context, planned_parts(context)) for task in phase]
        again = take_back_damaged(context, tasks)
        if not again:
            return
        operations.note(damaged_in_storage=[task.name for task in again])
    raise damaged_too_often(context)


def _failures(pipeline: beam.Pipeline, runner: str) -> list[dict[str, Any]]:
    """Return what the engine has recovered from, as events."""
    if runner.lower() not in FLINK_RUNNERS:
        return []
    master = pipeline.options.view_as(FlinkRunnerOptions).flink_master
    return ask_failures(master, pipeline.options.view_as(GoogleCloudOptions).job_name)


def _make_pipeline(runner: str, options: Sequence[str]) -> beam.Pipeline:
    named = f"--job_name=sealedbeam-{uuid.uuid4().hex[:12]}"  # by which an engine knows it
    parsed = PipelineOptions([named, *options])
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
