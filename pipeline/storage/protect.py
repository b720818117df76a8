"""Makes parity over the files of a finished output.

Every byte is verified on its way into the parity: what was damaged before would else be protected
as it is. A parity file's name follows from what it protects, so that two attempts make the same
files; parity.json, which alone gives them a meaning, appears last, and what it does not name goes.
"""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from typing import TYPE_CHECKING

import xxhash
from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.integrity.checksum import active_provider, crc32c, digest128
from sealedbeam.pipeline.manifest import COPY_NAME, FILE_NAME, FileEntry, format_crc32c

from .erasure import cauchy_matrix, combine
from .parity import (
    FOLDER,
    PARITY_COPY,
    PARITY_FILE,
    Group,
    Member,
    Parity,
    encode_parity_file,
    group_files,
    parity_bytes,
)
from .strips import StripFile, choose_strip_bytes, count_strips, strip_length
from .threads import each_in_threads

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sealedbeam.pipeline.jobs.store import Store
    from sealedbeam.pipeline.manifest import Manifest

    from .gf256 import Matrix
    from .pace import Pace
    from .parity import Scheme

_BESIDE = "summary.json"  # what the job made and its manifest does not name


class _Running:
    """Size, CRC-32C and strip digests of a file that goes by."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._size = self._crc = 0
        self._digests: list[bytes] = []
        self._extend = active_provider().extend

    def add(self, strip: bytes) -> None:
        self._size += len(strip)
        self._crc = self._extend(self._crc, strip)
        self._digests.append(digest128(strip))

    def member(self) -> Member:
        crc = format_crc32c(self._crc)
        return Member(self._path, self._size, crc, b"".join(self._digests))


def protect(store: Store, manifest: Manifest, scheme: Scheme, workers: int, pace: Pace) -> Parity:
    """Make the parity of an output whose lock is held, replacing one that is there.

    Raises:
        IntegrityError: a file is not what the manifest says.
        OSError: a file cannot be read or written.
    """
    stored = store.read(FILE_NAME)
    beside = [(FILE_NAME, stored)]
    if store.exists(_BESIDE):
        beside.append((_BESIDE, store.read(_BESIDE)))
    files = {file.path: file for file in manifest.files}
    for path, data in beside:
        files.setdefault(path, FileEntry(path, len(data), format_crc32c(crc32c(data)), None, ()))
    groups = list(enumerate(group_files(files.values(), scheme.data)))
    made = dict(
        each_in_threads(
            lambda group: (group[0], _protect_group(store, *group, scheme.parity, pace)),
            groups,
            workers,
            pace,
        )
    )
    digest = hashlib.sha256(stored).hexdigest()
    parity = Parity(digest, scheme, tuple(made[number] for number, _ in groups))
    encoded = encode_parity_file(parity)
    store.write(COPY_NAME, stored)
    store.write(PARITY_COPY, encoded)
    store.write(PARITY_FILE, encoded)
    store.sweep({PARITY_COPY, PARITY_FILE, *parity.members}, (FOLDER,))
    return parity


def _protect_group(
    store: Store, number: int, entries: Sequence[FileEntry], count: int, pace: Pace
) -> Group:
    """Write the parity files of one group."""
    matrix = cauchy_matrix(len(entries), count)
    size = parity_bytes(entry.bytes for entry in entries)
    strip_bytes = choose_strip_bytes(size)
    name = _name(number, entries, matrix)
    paths = [f"{FOLDER}/{name}.{place}.parity" for place in range(count)]
    data = [_Running(entry.path) for entry in entries]
    parity = [_Running(path) for path in paths]
    with ExitStack() as stack:
        files = [stack.enter_context(StripFile(store.root / entry.path)) for entry in entries]
        targets = [stack.enter_context(store.writing(path)) for path in paths]
        for strip in range(count_strips(size, strip_bytes)):
            strips = []
            for entry, file, running in zip(entries, files, data, strict=True):
                length = strip_length(entry.bytes, strip, strip_bytes)
                content = file.read(strip * strip_bytes, length)
                strips.append(content)
                if content:
                    running.add(content)
            pace.take(sum(map(len, strips)))
            made = combine(matrix, strips, strip_length(size, strip, strip_bytes))
            for content, target, running in zip(made, targets, parity, strict=True):
                target.write(content)
                running.add(content)
        members = tuple(running.member() for running in data)
        for entry, file, member in zip(entries, files, members, strict=True):
            _require_intact(entry, file, member)
    return Group(strip_bytes, matrix, members, tuple(running.member() for running in parity))


def _require_intact(entry: FileEntry, file: StripFile, member: Member) -> None:
    if file.size != entry.bytes or (member.size_bytes, member.crc32c) != (
        entry.bytes,
        entry.crc32c,
    ):
        raise IntegrityError(
            f"{entry.path} is not what the manifest says, so no parity was made; repair it first"
        )


def _name(number: int, entries: Sequence[FileEntry], matrix: Matrix) -> str:
    """Return a name for a group: the same for the same files and code, and for no others."""
    content = repr((matrix, [(file.path, file.bytes, file.crc32c) for file in entries]))
    return f"group-{number:05d}.{xxhash.xxh3_64_hexdigest(content.encode())}"
