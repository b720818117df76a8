"""The flight recorder: what a worker has in hand, in memory that outlives the worker.

The driver makes a small anonymous file for each worker and both map it. Before a worker begins on
a record it notes its place and what it does with it; a note is one copy of 40 bytes, so that a
worker can afford one for every record. When the worker dies, by whatever signal, the note is still
there; while it lives, the number of the note tells whether it gets on.

A note carries its number at both ends. One that was torn by death has two different ones: the
worker was between two records, and had none in hand.
"""

from __future__ import annotations

import mmap
import os
import struct
import tempfile
from enum import IntEnum
from typing import NamedTuple

_NOTE = struct.Struct("<QQQQQ")
_FILE_BYTES = mmap.PAGESIZE


class Stage(IntEnum):
    """What a worker does; from `READ` on it does it with one record, whose place is noted."""

    IDLE = 0
    WORK = 1  # with many records at once
    SEARCH = 2  # for the first record after an offset
    READ = 3
    PARSE = 4
    SEGMENT = 5  # the work of a batch, with one document alone


class Note(NamedTuple):
    """What a recorder says: number of the note, what is being done, and with what."""

    number: int
    stage: Stage
    offset: int
    length: int


class Recorder:
    """Notes what this process has in hand; without a shared memory nobody reads it."""

    def __init__(self, memory: mmap.mmap | bytearray | None = None) -> None:
        """Write to `memory`, which the driver reads."""
        self._memory = bytearray(_NOTE.size) if memory is None else memory
        self._number = 0

    def begin(self, stage: Stage, offset: int, length: int) -> None:
        """Say that work begins on a record of the input: `length` is 0 where it is not known."""
        self._number = number = self._number + 1
        _NOTE.pack_into(self._memory, 0, number, stage, offset, length, number)

    def tick(self) -> None:
        """Say that a step of work on many records begins."""
        self.begin(Stage.WORK, 0, 0)

    def rest(self) -> None:
        """Say that there is no task in hand."""
        self.begin(Stage.IDLE, 0, 0)


def make_file() -> int:
    """Return the descriptor of an anonymous file for one recorder."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("recorder")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.truncate(descriptor, _FILE_BYTES)
    return descriptor


def map_file(descriptor: int) -> mmap.mmap:
    """Return the memory of a recorder's file."""
    return mmap.mmap(descriptor, _FILE_BYTES)


def read_note(memory: mmap.mmap | bytearray) -> Note:
    """Return what the recorder says; a note that is torn or senseless names no record."""
    number, stage, offset, length, again = _NOTE.unpack_from(memory)
    if number != again or stage not in Stage.__members__.values():
        return Note(number, Stage.WORK, 0, 0)
    return Note(number, Stage(stage), offset, length)
