"""What the simulated machines' own error counters show, as columns: one row for each bin of each.

A machine's memory counts what it corrected and what it could only report. Rows come from the file
of counters that a scenario may have, and from the journals of the records' own memory.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from sealedbeam.pipeline.parquet import read_checked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Wholes = NDArray[np.int64]

_COLUMNS = ("cluster", "time_seconds", "machine", "corrected", "uncorrected")
_JOURNAL_COLUMNS = ("cluster", "time_seconds", "machine", "hardware")


@dataclass(frozen=True)
class MachineErrors:
    """Rows of equal length, one for each bin of a machine in which it counted anything.

    Attributes:
        clusters: names by code.
        machines: names by code; a name is one machine in each cluster.
        cluster: codes.
        machine: codes.
        time_seconds: simulated; the start of the bin.
        corrected: errors that hardware put right.
        uncorrected: errors that hardware reported and could not mend.
    """

    clusters: tuple[str, ...]
    machines: tuple[str, ...]
    cluster: Wholes
    machine: Wholes
    time_seconds: Wholes
    corrected: Wholes
    uncorrected: Wholes

    def __len__(self) -> int:
        return len(self.time_seconds)

    def between(self, start_seconds: float, end_seconds: float) -> MachineErrors:
        """Return the rows of the bins that begin at the start or later, and before the end."""
        chosen = (self.time_seconds >= start_seconds) & (self.time_seconds < end_seconds)
        return replace(self, **{name: getattr(self, name)[chosen] for name in _COLUMNS})

    @cached_property
    def corrected_by_cluster(self) -> dict[str, int]:
        """The errors put right, of each cluster that has rows."""
        return self._sum(self.corrected)

    @cached_property
    def uncorrected_by_cluster(self) -> dict[str, int]:
        """The errors reported, of each cluster that has rows."""
        return self._sum(self.uncorrected)

    def _sum(self, counts: Wholes) -> dict[str, int]:
        totals = np.zeros(len(self.clusters), dtype=np.int64)
        np.add.at(totals, self.cluster, counts)
        return dict(zip(self.clusters, totals.tolist(), strict=True))

    @cached_property
    def machines_by_cluster(self) -> dict[str, frozenset[str]]:
        """The machines that have a row, of each cluster that has one."""
        count = max(1, len(self.machines))
        found: dict[str, list[str]] = {name: [] for name in self.clusters}
        for code in distinct(self.cluster * count + self.machine).tolist():
            found[self.clusters[code // count]].append(self.machines[code % count])
        return {name: frozenset(machines) for name, machines in found.items()}


def distinct(numbers: Wholes) -> Wholes:
    """Return each number once, ascending: by sorting, which beats NumPy's hashing many times."""
    ordered = np.sort(numbers)
    first = np.ones(len(ordered), dtype=np.bool_)
    first[1:] = ordered[1:] != ordered[:-1]
    return ordered[first]


def read_counters(data: bytes) -> MachineErrors:
    """Return the rows of a file of counters; raises what Arrow does when it is damaged."""
    return _from_table(read_checked(data, _COLUMNS))


def read_journal_errors(data: bytes) -> MachineErrors:
    """Return what hardware corrected and reported by a journal; raises what Arrow does."""
    table = read_checked(data, _JOURNAL_COLUMNS)
    words, word = _encode(table.column("hardware"))
    corrected, reported = (_is_word(name, words, word) for name in ("corrected", "reported"))
    counted = pa.table(
        {
            **{name: table.column(name) for name in _COLUMNS[:3]},
            "corrected": pa.array(corrected.astype(np.int64)),
            "uncorrected": pa.array(reported.astype(np.int64)),
        }
    )
    return _from_table(counted.filter(pa.array(corrected | reported)))


def _from_table(table: pa.Table) -> MachineErrors:
    clusters, cluster = _encode(table.column("cluster"))
    machines, machine = _encode(table.column("machine"))
    names = ("time_seconds", *_COLUMNS[3:])
    numbers = (table.column(name).combine_chunks().to_numpy() for name in names)
    columns = (column.astype(np.int64) for column in numbers)
    return MachineErrors(clusters, machines, cluster, machine, *columns)


def _encode(column: pa.ChunkedArray) -> tuple[tuple[str, ...], Wholes]:
    """Return the distinct values, and for each row the number of its value."""
    encoded = column.combine_chunks().dictionary_encode()
    codes: Wholes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return tuple(encoded.dictionary.to_pylist()), codes


def _is_word(name: str, words: tuple[str, ...], word: Wholes) -> NDArray[np.bool_]:
    is_word: NDArray[np.bool_] = word == (words.index(name) if name in words else len(words))
    return is_word


def join(many: Sequence[MachineErrors]) -> MachineErrors:
    """Return the rows of all of them."""
    clusters: dict[str, int] = {}
    machines: dict[str, int] = {}
    recoded = [(_recode(e.clusters, clusters), _recode(e.machines, machines)) for e in many]
    columns = zip(
        *(
            (c[e.cluster], m[e.machine], e.time_seconds, e.corrected, e.uncorrected)
            for (c, m), e in zip(recoded, many, strict=True)
        ),
        strict=True,
    )
    joined = [np.concatenate(column) for column in columns]
    if not joined:
        return NO_ERRORS
    return MachineErrors(tuple(clusters), tuple(machines), *joined)


def _recode(names: Sequence[str], known: dict[str, int]) -> Wholes:
    """Return the codes that names have among `known`, to which new ones are added."""
    return np.array([known.setdefault(name, len(known)) for name in names], dtype=np.int64)


_NONE = np.zeros(0, dtype=np.int64)
NO_ERRORS = MachineErrors((), (), _NONE, _NONE, _NONE, _NONE, _NONE)
