"""Makes damaged files of a group again from the others, and puts them in place once proven.

Each strip of the new file is proven by its XXH3-128, all of it by the CRC-32C of the manifest,
before anything is replaced. It is written to `lost+found/`, made durable, and renamed over the
damaged one, which gets a second name in `lost+found/` first: at each moment the file in its place
is the old one or the new one, and whoever is killed can be started again. What was damaged stays in
`lost+found/` until the repair is committed.
"""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Final

from sealedbeam.pipeline.integrity.checksum import active_provider, digest128
from sealedbeam.pipeline.jobs.store import naming, storage_error, sync_folder
from sealedbeam.pipeline.manifest import format_crc32c

from .erasure import combine, plan_recovery
from .strips import StripFile, count_strips, digest_of, strip_length
from .verify import ranges_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path
    from typing import BinaryIO

    from sealedbeam.pipeline.jobs.store import Store

    from .parity import Group, Member

LOST_AND_FOUND: Final = "lost+found"
_NEW_SUFFIX = ".new"
_RANGES_NAMED = 4


class _Stripes:
    """The strips of a group's files, each proven when it is read, or made from the others."""

    def __init__(self, root: Path, group: Group, files: ExitStack) -> None:
        self._group = group
        self._members = group.members
        self._files = [
            files.enter_context(StripFile(root / member.path)) for member in self._members
        ]
        # Stripes are filled up to the size of the parity files.
        self._size = group.parity[0].size_bytes

    def read(self, number: int, strip: int) -> bytes | None:
        """Return a strip of a file as it should be, None if the file has it damaged."""
        member = self._members[number]
        strip_bytes = self._group.strip_bytes
        length = strip_length(member.size_bytes, strip, strip_bytes)
        if not length:
            return b""
        digest = digest_of(member.digests, strip)
        return self._files[number].read_proven(strip * strip_bytes, length, digest)

    def recover(self, wanted: Collection[int], strip: int) -> dict[int, bytes]:
        """Return the strips of some files made from those of the others, none if too few are whole.

        Args:
            wanted: files whose strip is damaged.
            strip: its number.
        """
        missing, whole = set(wanted), dict[int, bytes]()
        while plan := plan_recovery(self._group.matrix, tuple(sorted(missing))):
            for source in plan.sources:
                if source not in whole:
                    data = self.read(source, strip)
                    if data is None:
                        missing.add(source)
                    else:
                        whole[source] = data
            if len(missing) > len(plan.missing):
                continue
            numbers = [number for number in plan.missing if number in wanted]
            rows = tuple(plan.coefficients[plan.missing.index(number)] for number in numbers)
            strips = [whole[source] for source in plan.sources]
            width = strip_length(self._size, strip, self._group.strip_bytes)
            made = zip(numbers, combine(rows, strips, width), strict=True)
            cut = {number: self._cut(number, strip, padded) for number, padded in made}
            return {number: data for number, data in cut.items() if data is not None}
        return {}

    def _cut(self, number: int, strip: int, padded: bytes) -> bytes | None:
        """Return a strip without what it was filled up with, None if its digest is another."""
        member = self._members[number]
        data = padded[: strip_length(member.size_bytes, strip, self._group.strip_bytes)]
        return data if digest128(data) == digest_of(member.digests, strip) else None


class _Made:
    """A file of a group while it is made again: what is wrong with it, and its CRC-32C so far."""

    def __init__(self, member: Member, file: BinaryIO) -> None:
        self.member = member
        self._file = file
        self._crc = 0
        self.beyond: list[int] = []

    def add(self, strip: int, data: bytes | None) -> None:
        """Take the next strip, None if it cannot be had."""
        if data is None:
            self.beyond.append(strip)
        elif not self.beyond:
            self._crc = active_provider().extend(self._crc, data)
            self._file.write(data)

    def finish(self, group: Group) -> str:
        """Make the file durable; return why it is not what it should be, empty if it is."""
        self._file.flush()
        os.fsync(self._file.fileno())
        if self.beyond:
            found = ranges_of(self.beyond, self.member.size_bytes, group.strip_bytes)
            ranges = [f"[{start}..{end})" for start, end in found]
            more = f" and {len(ranges) - _RANGES_NAMED} more" if ranges[_RANGES_NAMED:] else ""
            return (
                f"{', '.join(ranges[:_RANGES_NAMED])}{more}: more than {len(group.parity)} of the "
                f"group's {len(group.members)} files are damaged there"
            )
        if format_crc32c(self._crc) != self.member.crc32c:
            return "what was made again does not have the CRC-32C of the file"
        return ""


def repair_files(root: Path, group: Group, numbers: Collection[int]) -> dict[int, str]:
    """Make files of a group again and put them in place; return why not, empty where it was done.

    Args:
        root: the output folder, whose lock is held.
        group: what the files belong to.
        numbers: of the files in `group.members`.
    """
    reasons: dict[int, str] = {}
    members = {number: group.members[number] for number in numbers}
    try:
        with ExitStack() as stack:
            made = {
                number: _Made(member, stack.enter_context(_new_file(root, member)))
                for number, member in members.items()
            }
            _rebuild(_Stripes(root, group, stack), group, made)
            reasons = {number: file.finish(group) for number, file in made.items()}
    except OSError as error:
        return dict.fromkeys(numbers, str(storage_error(error)))
    for number, member in members.items():
        if not reasons[number]:
            try:
                _put_in_place(root, member.path)
            except OSError as error:
                reasons[number] = str(storage_error(error))
    return reasons


def _new_file(root: Path, member: Member) -> BinaryIO:
    new = root / LOST_AND_FOUND / (member.path + _NEW_SUFFIX)
    new.parent.mkdir(parents=True, exist_ok=True)
    return new.open("wb")


def _rebuild(stripes: _Stripes, group: Group, made: Mapping[int, _Made]) -> None:
    """Give each file all its strips: its own where they are whole, else made from the others."""
    counts = {
        number: count_strips(file.member.size_bytes, group.strip_bytes)
        for number, file in made.items()
    }
    for strip in range(max(counts.values())):
        found = {number: stripes.read(number, strip) for number in made if strip < counts[number]}
        wanted = [number for number, data in found.items() if data is None]
        recovered = stripes.recover(wanted, strip) if wanted else {}
        for number, data in found.items():
            made[number].add(strip, recovered.get(number) if data is None else data)


def _put_in_place(root: Path, path: str) -> None:
    """Replace a file by the one that was made, and keep it in `lost+found/`."""
    new, target = root / LOST_AND_FOUND / (path + _NEW_SUFFIX), root / path
    with naming(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        _keep(root, target, path)
        new.replace(target)
        sync_folder(new.parent)
        sync_folder(target.parent)


def replace_copy(store: Store, path: str, data: bytes) -> None:
    """Put good bytes in the place of a damaged copy of a file that lies there twice.

    Raises:
        OSError: the folder cannot be written.
    """
    with naming(store.root / path):
        _keep(store.root, store.root / path, path)
    store.write(path, data)


def _keep(root: Path, target: Path, path: str) -> None:
    """Give a file that is about to be replaced a second name in `lost+found/`."""
    if not target.exists():
        return
    number = 0
    while (kept := root / LOST_AND_FOUND / f"{path}.{number}").exists():
        if kept.samefile(target):
            return  # by a run that was killed before it replaced the file
        number += 1
    kept.parent.mkdir(parents=True, exist_ok=True)
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    try:
        os.link(target, kept)
    except OSError:  # a file system without second names: for a moment nothing is in its place
        target.replace(kept)
    sync_folder(kept.parent)


def drop_kept(root: Path, paths: set[str]) -> None:
    """Remove what `lost+found/` has of files that are whole again, and what was not finished."""
    folder = root / LOST_AND_FOUND
    for kept in sorted(folder.rglob("*"), reverse=True):  # what is in a folder before the folder
        path, _, suffix = kept.relative_to(folder).as_posix().rpartition(".")
        if kept.is_dir():
            _remove_empty(kept)
        elif f".{suffix}" == _NEW_SUFFIX or (suffix.isdigit() and path in paths):
            kept.unlink()
    _remove_empty(folder)


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):  # something is in it, or it is not there
        folder.rmdir()
