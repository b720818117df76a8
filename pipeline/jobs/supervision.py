"""What the driver concludes from workers that die or stand still.

* A record that was in hand at two deaths of its task in a row is *convicted*: its part is done
  again without it. Death by SIGKILL can come from outside, from an operator or from the kernel
  that needs memory for others, so that it takes three of them.
* A task that dies with no record in hand is, at the second death, given out in *careful* mode: what
  is otherwise done with many documents at once is done with each of them alone before, so that the
  next death names one. That is one more run, however many documents there are; halving the part
  until one is left would take a death for each half.
* A task that dies with nothing to blame, or each time of something else, ends the job by name.
"""

from __future__ import annotations

import signal
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from sealedbeam.pipeline.errors import SealedBeamError

from .poison import CRASHES_WORKER, EXCEEDS_MEMORY, EXCEEDS_TIME, Skip
from .recorder import Note, Stage

if TYPE_CHECKING:
    from .tasks import Task

DEATHS_MAX = 3
"""A task that was in the hands of this many workers that died of nothing known ends the job."""
SKIPS_MAX = 100
"""So many poison records in one part are no hostile pages but a broken installation."""
OUT_OF_MEMORY = 12  # the exit code of a worker whose memory limit was reached
START_SECONDS = 300.0
"""A worker has to load its modules: a second's work, where nothing else wants the machine."""
STEP_FACTOR = 10
"""A step of work on many records may take so many times as long as one record."""
_CAREFUL_FROM = 2
_WANDERING_MAX = 2 * DEATHS_MAX
_GLANCE_SECONDS_MAX = 2.0

CRASH, DEADLINE, MEMORY = "crash", "deadline", "memory"
_REASONS = {CRASH: CRASHES_WORKER, DEADLINE: EXCEEDS_TIME, MEMORY: EXCEEDS_MEMORY}
_HINTS = {
    CRASH: "look for a signal or for memory in the system's log",
    DEADLINE: "it stood still; more time is given with --record-seconds",
    MEMORY: "it reached its memory limit; more is given with --worker-memory-bytes",
}


class Death(NamedTuple):
    """How a worker came to its end: of what, its exit code, and its recorder's last note."""

    cause: str
    code: int
    note: Note

    @property
    def names_record(self) -> bool:
        """Whether one place of the input was in hand."""
        return self.note.stage >= Stage.SEARCH

    @property
    def deaths_to_convict(self) -> int:
        """How many such deaths prove that it was the record."""
        from_outside = self.cause == CRASH and self.code == -signal.SIGKILL
        return 3 if from_outside else 2


def cause_of_exit(code: int) -> str:
    """Return what a worker died of that the driver did not kill."""
    return MEMORY if code == OUT_OF_MEMORY else CRASH


@dataclass(slots=True)
class StallClock:
    """How long a worker has not got on, in time during which the driver was looking.

    While the whole machine sleeps, or the driver itself is stopped, no time passes here.
    """

    number: int = -1
    seconds: float = 0.0

    def look(self, note: Note, since_seconds: float) -> float:
        """Return the seconds without progress, `since_seconds` after the last look."""
        if note.number != self.number:
            self.number, self.seconds = note.number, 0.0
        else:
            self.seconds += min(since_seconds, _GLANCE_SECONDS_MAX)
        return self.seconds


def allowed_seconds(stage: Stage, record_seconds: float) -> float:
    """Return how long a worker may stand still at a stage.

    Work on one document is the machine's alone; all else waits for storage too.
    """
    alone = stage in (Stage.PARSE, Stage.SEGMENT, Stage.IDLE)
    return record_seconds if alone else STEP_FACTOR * record_seconds


@dataclass(slots=True)
class _Case:
    """What is known of one task: its verdicts, and its deaths since the last of them."""

    skips: tuple[Skip, ...] = ()
    careful: bool = False
    unnamed: int = 0
    suspects: Counter[tuple[Stage, int]] = field(default_factory=Counter)


class Supervision:
    """Remembers how the tasks of a job died, and says how each is given out again."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._cases: dict[str, _Case] = {}

    def instruct(self, task: Task) -> Task:
        """Return `task` with all that was found out about its part."""
        case = self._cases.get(task.name)
        return task if case is None else replace(task, skips=case.skips, careful=case.careful)

    def judge(self, task: Task, death: Death) -> Task:
        """Return how a task that has lost its worker is given out again.

        Raises:
            SealedBeamError: it cannot be helped.
        """
        case = self._cases.setdefault(task.name, _Case())
        if task.part is not None and death.names_record:
            task = self._suspect(case, task, death)
        else:
            case.unnamed += 1
            case.careful = case.careful or case.unnamed >= _CAREFUL_FROM
        deaths = case.unnamed + case.suspects.total()
        if case.unnamed >= DEATHS_MAX or deaths >= _WANDERING_MAX:
            raise SealedBeamError(
                f"{task.name} killed its worker {deaths} times (last exit {death.code}); "
                f"{_HINTS[death.cause]}"
            )
        return self.instruct(task)

    def _suspect(self, case: _Case, task: Task, death: Death) -> Task:
        """Note a death with a place in hand; return the task, changed if that is a conviction."""
        _, stage, offset, _ = death.note
        case.suspects[stage, offset] += 1
        attempts = case.suspects[stage, offset]
        if attempts < death.deaths_to_convict:
            return task
        case.suspects.clear()
        case.unnamed = 0
        part = task.part
        assert part is not None, "only parts have places of an input in hand"
        if stage is Stage.SEARCH and offset == part.start and not part.exact_start:
            # The neighbour's end will tell where to begin: the stitch check sends the part back.
            return replace(task, part=replace(part, start=part.stop, exact_start=True))
        skip = Skip(offset, stage.name.lower(), _REASONS[death.cause], attempts)
        case.skips += (skip,)
        if len(case.skips) > SKIPS_MAX:
            raise SealedBeamError(
                f"{task.name}: more than {SKIPS_MAX} records killed their worker, the last one at "
                f"offset {offset}; {_HINTS[death.cause]}"
            )
        return task
