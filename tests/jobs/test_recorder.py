"""The flight recorder: what was in hand outlives the process that had it in hand."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.jobs.recorder import (
    Note,
    Recorder,
    Stage,
    make_file,
    map_file,
    read_note,
)

_NOTE = struct.Struct("<QQQQQ")
_PLACES = st.integers(0, 2**64 - 1)

# Notes two records and dies of the signal.
_DYING = """
import os, sys
from sealedbeam.pipeline.jobs.recorder import Recorder, Stage, map_file

recorder = Recorder(map_file(int(sys.argv[1])))
recorder.begin(Stage.READ, 7, 0)
recorder.begin(Stage.PARSE, 1 << 40, 99)
os.kill(os.getpid(), int(sys.argv[2]))
"""


def test_unused_recorder_has_nothing_in_hand() -> None:
    """Before the first note nothing is in hand."""
    descriptor = make_file()
    with map_file(descriptor) as memory:
        assert read_note(memory) == Note(0, Stage.IDLE, 0, 0)
    os.close(descriptor)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_note_outlives_its_process(number: int) -> None:
    """The last note can be read after the process died, whatever it died of."""
    descriptor = make_file()
    with map_file(descriptor) as memory:
        command = [sys.executable, "-c", _DYING, str(descriptor), str(int(number))]
        ended = subprocess.run(command, pass_fds=[descriptor], check=False)
        assert ended.returncode == -number
        assert read_note(memory) == Note(2, Stage.PARSE, 1 << 40, 99)
    os.close(descriptor)


@given(st.lists(st.tuples(st.sampled_from(Stage), _PLACES, _PLACES), max_size=5))
def test_notes_are_numbered_and_read_as_written(notes: list[tuple[Stage, int, int]]) -> None:
    """Each note reads as it was written, under a number that no earlier one had."""
    memory = bytearray(64)
    recorder = Recorder(memory)
    for number, note in enumerate(notes, 1):
        recorder.begin(*note)
        assert read_note(memory) == Note(number, *note)
    recorder.tick()
    assert read_note(memory) == Note(len(notes) + 1, Stage.WORK, 0, 0)
    recorder.rest()
    assert read_note(memory) == Note(len(notes) + 2, Stage.IDLE, 0, 0)


@given(st.integers(1, _NOTE.size - 1))
def test_torn_note_names_no_record(written: int) -> None:
    """A note that was written in part is never taken for a record that nobody had in hand."""
    before, after = (5, Stage.PARSE, 1000, 2000), (6, Stage.READ, 3001, 4001)
    old, new = (_NOTE.pack(*note, note[0]) for note in (before, after))
    torn = read_note(bytearray(new[:written] + old[written:]))
    assert torn == Note(6, Stage.WORK, 0, 0) or torn == Note(*after)


@given(st.binary(min_size=_NOTE.size, max_size=_NOTE.size))
def test_overwritten_memory_is_read_without_harm(data: bytes) -> None:
    """Whatever a dying process left in the memory, reading it gives a note."""
    assert read_note(bytearray(data)).stage in Stage
