"""Writes finished outputs of arbitrary files, for tests of data at rest."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import google_crc32c
from sealedbeam.pipeline.manifest import FILE_NAME, FileEntry, Manifest, Totals, encode_manifest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

# What scrubs write about themselves.
OWN = ("scrubs.jsonl", "scrub.prom", "scrub.progress.jsonl")


def some_bytes(size: int, seed: int) -> bytes:
    """Return so many bytes that follow from the seed."""
    return random.Random(seed).randbytes(size)


def write_output(root: Path, files: Mapping[str, bytes]) -> Manifest:
    """Write files and the manifest that names them; summary.json stands beside it."""
    for path, data in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    entries = tuple(
        FileEntry(path, len(data), f"{google_crc32c.value(data):08x}", None, ())
        for path, data in sorted(files.items())
    )
    manifest = Manifest({}, "00", (), entries, Totals(0, 0, 0, 0, {}), 0)
    (root / FILE_NAME).write_bytes(encode_manifest(manifest))
    (root / "summary.json").write_bytes(b'{"status": "complete"}\n')
    return manifest


def small_output(root: Path, sizes: Iterable[int]) -> dict[str, bytes]:
    """Write an output of files of these sizes; return their bytes."""
    files = {
        f"documents/part-{number:05d}.parquet": some_bytes(size, number)
        for number, size in enumerate(sizes)
    }
    write_output(root, files)
    return files


def snapshot(root: Path) -> dict[str, bytes]:
    """Return all files but those that tell of scrubs."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name not in OWN
    }


def damage(path: Path, offset: int, length: int = 1) -> None:
    """Change every byte of a range of a file."""
    data = bytearray(path.read_bytes())
    for place in range(offset, min(offset + length, len(data))):
        data[place] ^= 0x5A
    path.write_bytes(data)
