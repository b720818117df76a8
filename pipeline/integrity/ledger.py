"""The ledger: for each hop, cluster and time window, what was sealed and what became of it.

Rules:
1. Each record that a producer seals gets exactly one final outcome: intact, corrected, retried or
   dropped; `retried` wins over `corrected`.
2. What a producer sealed and what its consumer accounts for are summed apart, each as a count and
   as the sum of the records' XXH3-128 modulo 2^128. A sum, not an XOR: an XOR cancels duplicates.
3. Traffic of records that were derived again is entered apart (`again_records`, `again_bytes`).
4. Everything is a whole number and addition is all that is ever done, so entries can be summed
   over parts in any order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from .checksum import DIGEST_MODULUS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .block import Seal

WINDOW_SECONDS = 60
_DIGEST_SUM = re.compile("[0-9a-f]{32}")


class Outcome(StrEnum):
    """What finally became of a record at a hop."""

    INTACT = "intact"
    CORRECTED = "corrected"
    RETRIED = "retried"
    DROPPED = "dropped"


@dataclass(slots=True)
class Tally:
    """A count of records and the sum of their digests modulo 2^128."""

    records: int = 0
    digest_sum: int = 0

    def add(self, seals: Iterable[Seal]) -> None:
        """Count these seals."""
        for seal in seals:
            self.records += 1
            self.digest_sum += int.from_bytes(seal.digest)
        self.digest_sum %= DIGEST_MODULUS

    def merge(self, other: Tally) -> None:
        """Add another tally to this one."""
        self.records += other.records
        self.digest_sum = (self.digest_sum + other.digest_sum) % DIGEST_MODULUS

    def to_json(self) -> dict[str, Any]:
        """Return the tally as JSON values; the sum in 32 hexadecimal digits."""
        return {"records": self.records, "digest_sum": f"{self.digest_sum:032x}"}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Tally:
        """Return the tally that `to_json` wrote; raises ValueError or KeyError otherwise."""
        digest_sum = value["digest_sum"]
        if not isinstance(digest_sum, str) or not _DIGEST_SUM.fullmatch(digest_sum):
            raise ValueError(f"{digest_sum!r} is not a sum of digests")
        return cls(_count(value["records"]), int(digest_sum, 16))


@dataclass(slots=True)
class Cell:
    """The counts of one hop in one cluster and time window; a record is one with its outcome.

    `corrected_bits` is by method, `retry_attempts` and `dropped_reasons` are by reason.
    `damaged_machines` are the deliveries that did not arrive as they were sealed, corrected ones
    included, by machine, where machines have names; a block's own head is a delivery, too.
    """

    records: int = 0
    bytes: int = 0
    intact: int = 0
    corrected: int = 0
    retried: int = 0
    dropped: int = 0
    again_records: int = 0
    again_bytes: int = 0
    corrected_bits: dict[str, int] = field(default_factory=dict)
    retry_attempts: dict[str, int] = field(default_factory=dict)
    dropped_reasons: dict[str, int] = field(default_factory=dict)
    damaged_machines: dict[str, int] = field(default_factory=dict)

    def enter(self, outcome: Outcome, size_bytes: int) -> None:
        """Count one record with its final outcome."""
        self.records += 1
        self.bytes += size_bytes
        setattr(self, outcome, getattr(self, outcome) + 1)

    def note_damage(self, machine: str) -> None:
        """Count a delivery that did not arrive intact on a machine, if it has a name."""
        if machine:
            self.damaged_machines[machine] = self.damaged_machines.get(machine, 0) + 1

    def merge(self, other: Cell) -> None:
        """Add another cell to this one."""
        for name in self.__slots__:
            mine, theirs = getattr(self, name), getattr(other, name)
            if not theirs:
                continue
            if mine == {}:
                mine.update(theirs)
            elif isinstance(mine, dict):
                for key, number in theirs.items():
                    mine[key] = mine.get(key, 0) + number
            else:
                setattr(self, name, mine + theirs)

    def to_json(self) -> dict[str, Any]:
        """Return the fields that are not zero."""
        return {item.name: value for item in fields(self) if (value := getattr(self, item.name))}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Cell:
        """Return the cell that `to_json` wrote; raises ValueError or TypeError otherwise."""
        cell = cls()
        for name, entry in value.items():
            if name in _NUMBERS:
                setattr(cell, name, _count(entry))
            elif name in _BY_WORD and isinstance(entry, dict):
                setattr(cell, name, {str(key): _count(n) for key, n in entry.items()})
            else:
                raise TypeError(f"{name!r}: {entry!r} is not an entry of a cell")
        return cell


_BY_WORD = frozenset(item.name for item in fields(Cell) if item.default_factory is dict)
_NUMBERS = frozenset(item.name for item in fields(Cell)) - _BY_WORD


@dataclass(slots=True)
class HopAccount:
    """One hop's part of the ledger; `cells` is keyed by (cluster, window number)."""

    sealed: Tally = field(default_factory=Tally)
    accounted: Tally = field(default_factory=Tally)
    cells: dict[tuple[str, int], Cell] = field(default_factory=dict)

    def cell(self, cluster: str, time_seconds: int) -> Cell:
        """Return the cell of this cluster and time, made on first use."""
        key = cluster, time_seconds // WINDOW_SECONDS
        found = self.cells.get(key)
        if found is None:
            found = self.cells[key] = Cell()
        return found

    def total(self) -> Cell:
        """Return the sum of all cells."""
        total = Cell()
        for cell in self.cells.values():
            total.merge(cell)
        return total

    def merge(self, other: HopAccount) -> None:
        """Add another account to this one."""
        self.sealed.merge(other.sealed)
        self.accounted.merge(other.accounted)
        for key, cell in other.cells.items():
            self.cells.setdefault(key, Cell()).merge(cell)

    def to_json(self) -> dict[str, Any]:
        """Return the account as JSON values, cells in the order of cluster and window."""
        return {
            "sealed": self.sealed.to_json(),
            "accounted": self.accounted.to_json(),
            "cells": [
                {"cluster": cluster, "window": window, **cell.to_json()}
                for (cluster, window), cell in sorted(self.cells.items())
            ],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> HopAccount:
        """Return the account that `to_json` wrote; raises ValueError, KeyError or TypeError."""
        account = cls(Tally.from_json(value["sealed"]), Tally.from_json(value["accounted"]))
        for entry in value["cells"]:
            row = dict(entry)
            key = (str(row.pop("cluster")), _count(row.pop("window")))
            if key in account.cells:
                raise ValueError(f"two cells for {key}")
            account.cells[key] = Cell.from_json(row)
        return account


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is not a count")
    return value


def merge_accounts(accounts: Iterable[Mapping[str, HopAccount]]) -> dict[str, HopAccount]:
    """Return the sum of many ledgers, by hop."""
    merged: dict[str, HopAccount] = {}
    for ledger in accounts:
        for hop, account in ledger.items():
            merged.setdefault(hop, HopAccount()).merge(account)
    return merged
