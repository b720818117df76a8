"""Supervision: what deaths prove, and that innocent records are not blamed."""

from __future__ import annotations

import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.errors import SealedBeamError
from sealedbeam.pipeline.jobs.plan import Part
from sealedbeam.pipeline.jobs.poison import (
    CRASHES_WORKER,
    EXCEEDS_MEMORY,
    EXCEEDS_TIME,
    Skip,
)
from sealedbeam.pipeline.jobs.recorder import Note, Stage
from sealedbeam.pipeline.jobs.supervision import (
    CRASH,
    DEADLINE,
    DEATHS_MAX,
    MEMORY,
    OUT_OF_MEMORY,
    SKIPS_MAX,
    Death,
    StallClock,
    Supervision,
    allowed_seconds,
    cause_of_exit,
)
from sealedbeam.pipeline.jobs.tasks import Task, map_task, reduce_tasks

PART = Part(3, 0, 1000, 2000, exact_start=False)
UNNAMED = Death(CRASH, -11, Note(9, Stage.WORK, 0, 0))


def death(
    offset: int, stage: Stage = Stage.PARSE, cause: str = CRASH, code: int = -signal.SIGSEGV
) -> Death:
    return Death(cause, code, Note(9, stage, offset, 10))


def after(*deaths: Death, task: Task | None = None) -> Task:
    """Return the task as it is given out after these deaths."""
    task, supervision = task or map_task(PART), Supervision()
    for each in deaths:
        task = supervision.judge(task, each)
    return task


def test_one_death_proves_nothing() -> None:
    """The first death of a task changes nothing about it."""
    assert after(death(1100)) == map_task(PART)
    assert after(UNNAMED) == map_task(PART)


@pytest.mark.parametrize(
    ("cause", "code", "reason"),
    [
        (CRASH, -signal.SIGSEGV, CRASHES_WORKER),
        (DEADLINE, -signal.SIGKILL, EXCEEDS_TIME),
        (MEMORY, OUT_OF_MEMORY, EXCEEDS_MEMORY),
    ],
)
def test_second_death_with_the_same_record_convicts_it(cause: str, code: int, reason: str) -> None:
    """A record that was in hand at two deaths goes on the skip list, with what it did."""
    fatal = death(1100, cause=cause, code=code)
    assert after(fatal, fatal).skips == (Skip(1100, "parse", reason, 2),)


def test_death_by_sigkill_is_believed_the_third_time() -> None:
    """Who sends SIGKILL is not known: two of them blame nobody."""
    killed = death(1100, code=-signal.SIGKILL)
    assert after(killed, killed) == map_task(PART)
    assert after(killed, killed, killed).skips == (Skip(1100, "parse", CRASHES_WORKER, 3),)


def test_different_records_are_not_blamed_for_one_death_each() -> None:
    """Deaths with different records in hand convict none, and end the job in the end."""
    assert after(death(1100), death(1200), death(1300)) == map_task(PART)
    with pytest.raises(SealedBeamError, match="part-00003 killed its worker 6 times"):
        after(*(death(1100 + number) for number in range(6)))


def test_conviction_clears_the_others() -> None:
    """After a verdict counting begins anew, so that a part may hold many poison records."""
    records = [1100 + number for number in range(SKIPS_MAX)]
    task = after(*(death(offset) for offset in records for _ in range(2)))
    assert [skip.offset for skip in task.skips] == records


def test_more_poison_than_pages_can_be_ends_the_job() -> None:
    """Where ever more records kill, the installation is at fault, and the job says so."""
    records = [1100 + number for number in range(SKIPS_MAX + 1)]
    with pytest.raises(SealedBeamError, match=f"more than {SKIPS_MAX} records killed"):
        after(*(death(offset) for offset in records for _ in range(2)))


def test_deaths_without_a_record_make_the_task_careful() -> None:
    """The second death with nothing in hand is followed by a search, the third by the end."""
    assert after(UNNAMED, UNNAMED).careful
    named = death(1500, Stage.SEGMENT)
    found = after(UNNAMED, UNNAMED, named, named)
    assert (found.careful, found.skips) == (True, (Skip(1500, "segment", CRASHES_WORKER, 2),))
    with pytest.raises(SealedBeamError, match=f"part-00003 killed its worker {DEATHS_MAX} times"):
        after(*[UNNAMED] * DEATHS_MAX)


def test_careful_task_stays_careful() -> None:
    """A part with a second record that kills in a batch is searched again after the first."""
    named = [death(1500, Stage.SEGMENT)] * 2
    assert after(UNNAMED, UNNAMED, *named, UNNAMED).careful


def test_search_that_kills_leaves_the_start_to_the_neighbour() -> None:
    """A part that dies looking for its first record is emptied: its neighbour tells its start."""
    task = after(*[death(1000, Stage.SEARCH)] * 2)
    assert task.part == Part(3, 0, 2000, 2000, exact_start=True)
    assert task.skips == ()


def test_search_behind_a_convict_is_convicted_itself() -> None:
    """A search that kills behind a record that kills is on the skip list, too."""
    task = after(*[death(1100, Stage.READ)] * 2, *[death(1100, Stage.SEARCH)] * 2)
    assert [skip.stage for skip in task.skips] == ["read", "search"]


def test_what_was_found_out_holds_when_the_part_is_given_out_again() -> None:
    """A part that the stitch check sends back is still done without its poison records."""
    supervision = Supervision()
    supervision.judge(map_task(PART), death(1100))
    supervision.judge(map_task(PART), death(1100))
    moved = map_task(Part(3, 0, 1050, 2000, exact_start=True))
    assert [skip.offset for skip in supervision.instruct(moved).skips] == [1100]
    other = map_task(Part(4, 0, 2000, 3000, exact_start=False))
    assert supervision.instruct(other) == other


def test_task_without_a_part_blames_no_record() -> None:
    """A shard has no record to do without: it is ended by name."""
    (shard,) = reduce_tasks(1, 5)
    with pytest.raises(SealedBeamError, match="shard-00000 killed its worker 3 times"):
        after(*[death(1100)] * 3, task=shard)


def test_task_travels_with_its_skips() -> None:
    """What a worker is handed says the same as what the driver meant."""
    task = after(death(1100), death(1100), UNNAMED, UNNAMED)
    assert (task.careful, len(task.skips)) == (True, 1)
    assert Task.from_json(task.to_json()) == task


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1e6)), max_size=30))
def test_no_time_passes_while_nobody_looks(looks: list[tuple[bool, float]]) -> None:
    """However long ago the last look was, it counts as one glance; progress starts anew."""
    clock, number, glances = StallClock(), 0, 0
    clock.look(Note(0, Stage.PARSE, 1, 1), 1e6)
    for moved, since in looks:
        number += moved
        glances = 0 if moved else glances + 1
        assert clock.look(Note(number, Stage.PARSE, 1, 1), since) <= 2.0 * glances


def test_first_look_counts_no_time() -> None:
    """A clock that was just made knows of no standing still."""
    assert StallClock().look(Note(0, Stage.IDLE, 0, 0), 5.0) == 0.0


def test_work_that_waits_for_storage_has_more_time() -> None:
    """One document is given the limit itself; reading, searching and batches ten times as much."""
    allowed = {stage: allowed_seconds(stage, 30.0) for stage in Stage}
    alone = {Stage.IDLE: 30.0, Stage.PARSE: 30.0, Stage.SEGMENT: 30.0}
    assert allowed == dict.fromkeys((Stage.WORK, Stage.SEARCH, Stage.READ), 300.0) | alone


def test_exit_code_tells_memory_from_a_crash() -> None:
    """A worker that ran out of memory says so by its exit code."""
    assert cause_of_exit(OUT_OF_MEMORY) == MEMORY
    assert cause_of_exit(-signal.SIGSEGV) == CRASH
