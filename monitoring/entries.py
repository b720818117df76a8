"""The committed entries of a ledger, read as they appear and summed: each counts once.

An entry appears whole, by a rename, and is proven by its own checksum; what is being written has a
name of its own. A part that is done again replaces its entry. A file that is gone when it is read,
or cannot be proven, did not happen: the job that owns the folder thinks the same.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from sealedbeam.pipeline.integrity.checksum import crc32c
from sealedbeam.pipeline.integrity.ledger import Cell, HopAccount
from sealedbeam.pipeline.manifest import format_crc32c

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

HOPS = ("pages", "documents", "runs", "shards")
"""Every hop, in the order of a job."""
CRAWL_HOPS = ("fetch",)
"""Those of a crawl."""
JOB = "job.json"
PART = "part-"
_SUFFIX = ".json"
CRC = "crc32c"
_SEALS = (CRC, "sha256")
Counts = dict[str, dict[str, int]]
Place = tuple[str, str]
Key = TypeVar("Key")


class CommittedFile(NamedTuple):
    """A file that a task committed: its path in the folder, and the CRC-32C of its bytes."""

    path: str
    crc32c: str


@dataclass(frozen=True, slots=True)
class CommittedEntry:
    """What the views need of one task's entry."""

    hops: Mapping[str, HopAccount]
    counts: Mapping[str, Mapping[str, int]]
    files: tuple[CommittedFile, ...]


class SummedHops(dict[str, HopAccount]):
    """The accounts of hops, and beside them their sums by (cluster, hop) over all time."""

    def __init__(self, accounts: Mapping[str, HopAccount], sums: Mapping[Place, Cell]) -> None:
        """Keep `accounts` with what they add up to."""
        super().__init__(accounts)
        self.sums = sums


@dataclass(frozen=True, slots=True)
class LedgerSum:
    """The sum of the entries so far; never changed once it was handed out.

    Attributes:
        hops: the accounts of all hops.
        counts: named groups of named counts.
        files: what the tasks committed in the folders that the views read, by path.
        entries: by task.
    """

    hops: SummedHops = field(
        default_factory=lambda: SummedHops({hop: HopAccount() for hop in HOPS}, {})
    )
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    files: tuple[CommittedFile, ...] = ()
    entries: Mapping[str, CommittedEntry] = field(default_factory=dict)

    @property
    def parts(self) -> int:
        """How many parts have committed."""
        return sum(task.startswith(PART) for task in self.entries)

    def plus(self, more: Mapping[str, CommittedEntry]) -> LedgerSum:
        """Return the sum with more entries; what they do not touch is shared."""
        adder = _Adder(self)
        counts: Counts = {group: dict(values) for group, values in self.counts.items()}
        for entry in more.values():
            for hop, account in entry.hops.items():
                adder.add(hop, account)
            for group, values in entry.counts.items():
                into = counts.setdefault(group, {})
                for name, number in values.items():
                    into[name] = into.get(name, 0) + number
        files = [*self.files, *(file for entry in more.values() for file in entry.files)]
        hops = SummedHops(adder.hops, adder.sums)
        return LedgerSum(hops, counts, tuple(sorted(files)), {**self.entries, **more})


class _Adder:
    """Adds accounts to a sum of which others hold the cells: one is copied before it changes."""

    def __init__(self, before: LedgerSum) -> None:
        self.hops: dict[str, HopAccount] = {}
        for hop, account in before.hops.items():
            self.hops[hop] = into = HopAccount(cells=dict(account.cells))
            into.sealed.merge(account.sealed)
            into.accounted.merge(account.accounted)
        self.sums: dict[Place, Cell] = dict(before.hops.sums)
        self._own: set[int] = set()

    def add(self, hop: str, account: HopAccount) -> None:
        """Add one account."""
        into = self.hops.setdefault(hop, HopAccount())
        into.sealed.merge(account.sealed)
        into.accounted.merge(account.accounted)
        for key, cell in account.cells.items():
            self._merge(into.cells, key, cell)
            self._merge(self.sums, (key[0], hop), cell)

    def _merge(self, cells: dict[Key, Cell], key: Key, cell: Cell) -> None:
        total = cells.get(key)
        if total is None or id(total) not in self._own:
            cells[key] = own = Cell()
            self._own.add(id(own))
            if total is not None:
                own.merge(total)
            total = own
        total.merge(cell)


class EntryReader:
    """Reads the entries of one job's folder; what was read is read again only when it changed.

    A version of an entry is told by its inode: an entry that replaces another one was written while
    that was there. One that was taken back and is committed again says the same.
    """

    def __init__(self, root: Path, configuration_hash: str, hops: Sequence[str] = HOPS) -> None:
        """Read the folder of the job with this configuration, which has these hops."""
        self._folder = root / "ledger"
        self._hash = configuration_hash
        self._inodes: dict[str, int] = {}
        self._none = LedgerSum(SummedHops({hop: HopAccount() for hop in hops}, {}))
        self._sum = self._none

    def read(self) -> LedgerSum:
        """Return the sum of what has committed by now."""
        inodes = _list_entries(self._folder)
        if inodes == self._inodes:
            return self._sum
        new = inodes.items() - self._inodes.items()
        found = {task: e for task, _ in sorted(new) if (e := self._load(task)) is not None}
        gone = self._inodes.items() - inodes.items()
        if not gone:
            self._sum = self._sum.plus(found) if found else self._sum
        else:  # something was taken back or replaced
            left = {task: e for task, e in self._sum.entries.items() if task not in dict(gone)}
            self._sum = self._none.plus({**left, **found})
        self._inodes = {task: inode for task, inode in inodes.items() if task in self._sum.entries}
        return self._sum

    def _load(self, task: str) -> CommittedEntry | None:
        try:
            return decode_committed((self._folder / f"{task}{_SUFFIX}").read_bytes(), self._hash)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None


def _list_entries(folder: Path) -> dict[str, int]:
    """Return the inode of each entry by its task."""
    try:
        with os.scandir(folder) as found:
            return {
                file.name.removesuffix(_SUFFIX): file.inode()
                for file in found
                if file.name.endswith(_SUFFIX) and file.name != JOB
            }
    except OSError:
        return {}  # no folder yet


def decode_committed(data: bytes, configuration_hash: str) -> CommittedEntry:
    """Return what an entry's file says, once its own checksum has proven it.

    The checksum is that of the file without its two seals, which is taken from the bytes as they
    are: to make canonical JSON of a large entry again takes longer than all the rest.

    Raises:
        ValueError: it is damaged, or of another job; KeyError and TypeError: it is no entry.
    """
    content = json.loads(data)
    for name in _SEALS:
        seal = b'"%s":"%s",' % (name.encode(), content[name].encode())
        before, found, behind = data.partition(seal) if name == CRC else data.rpartition(seal)
        data = before + behind if found else b""
    if format_crc32c(crc32c(data.removesuffix(b"\n"))) != content[CRC]:
        raise ValueError("its own checksum does not agree")
    if content["configuration_hash"] != configuration_hash:
        raise ValueError("it is of another job")
    return CommittedEntry(
        {hop: HopAccount.from_json(account) for hop, account in content["hops"].items()},
        content["counts"],
        tuple(_files(content["files"])),
    )


def _files(files: Iterable[Mapping[str, Any]]) -> Iterable[CommittedFile]:
    for file in files:
        if file["path"].startswith(("faults/", "quarantine/")):
            yield CommittedFile(file["path"], file["crc32c"])
