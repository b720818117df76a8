"""Compares the inputs of a job with lists of what they should hold, when such were given.

The archives that a list names are read once more for it, without their digests, and files with a
listed checksum are hashed: a job without lists pays nothing.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sealedbeam.pipeline.errors import IntegrityError, UsageError
from sealedbeam.pipeline.warc.listing import (
    MAX_LISTING_BYTES,
    Capture,
    Listing,
    compare_captures,
    parse_listing,
    timestamp_of,
)
from sealedbeam.pipeline.warc.parts import PartReader
from sealedbeam.pipeline.warc.values import WarcRecord

from .object_store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .context import JobContext

LISTING: Final = "listing.json"
_PIECE_BYTES: Final = 1 << 20


def read_listings(paths: Sequence[str]) -> tuple[Listing, str]:
    """Return what the lists at `paths` say together, and the SHA-256 of their bytes.

    Raises:
        UsageError: one cannot be read, is too large, or is no list.
    """
    together, seen = Listing(), hashlib.sha256()
    for path in paths:
        try:
            size = Path(path).stat().st_size
            data = Path(path).read_bytes() if size <= MAX_LISTING_BYTES else b""
        except OSError as error:
            raise UsageError(f"cannot read --expect {path}: {error.strerror}") from None
        if size > MAX_LISTING_BYTES:
            raise UsageError(f"--expect {path} is over {MAX_LISTING_BYTES:,} bytes; split it")
        seen.update(len(data).to_bytes(8, "little") + data)
        listing = parse_listing(path, data)
        together.captures += listing.captures
        together.digests += listing.digests
    return together, seen.hexdigest() if paths else ""


def compare_inputs(context: JobContext) -> dict[str, Any]:
    """Return how the inputs of a job differ from its lists, as JSON values.

    Raises:
        UsageError: a list is not what it was when the job began.
    """
    listing, sha256 = read_listings(context.expect)
    if sha256 != context.listing_sha256:
        raise UsageError(
            f"{', '.join(context.expect)} changed since the job began; give it as it was, "
            "or a new folder with --output"
        )
    numbers = _by_name(context)
    listed = {capture.file for capture in listing.captures}
    found = (
        capture
        for name in sorted(listed & numbers.keys())
        for number in numbers[name]
        for capture in _captures(context, name, number)
    )
    here = (capture for capture in listing.captures if capture.file in numbers)
    missing, unlisted = compare_captures(here, found)
    named = listed | {digest.file for digest in listing.digests}
    return {
        "missing_files": sorted(named - numbers.keys()),
        "missing_records": [asdict(capture) for capture in missing],
        "unlisted_records": [asdict(capture) for capture in unlisted],
        "wrong_checksums": _wrong_checksums(context, listing, numbers),
    }


def counts_of(differences: dict[str, Any]) -> dict[str, int]:
    """Return how many differences of each kind there are."""
    return {kind: len(rows) for kind, rows in differences.items()}


def encode_differences(differences: dict[str, Any]) -> bytes:
    """Return the bytes of listing.json."""
    return json.dumps(differences, indent=1).encode() + b"\n"


def read_differences(root: Path) -> dict[str, list[Any]] | None:
    """Return what the job in `root`, a folder or a URL, found against its lists; None without any.

    Raises:
        IntegrityError: the file is damaged.
    """
    store = open_store(root)
    if not store.exists(LISTING):
        return None
    try:
        differences = json.loads(store.read(LISTING))
    except ValueError:
        differences = None
    if not isinstance(differences, dict):
        raise IntegrityError(f"{store.place(LISTING)} is damaged; audit tells what else is")
    return differences


def _by_name(context: JobContext) -> dict[str, list[int]]:
    numbers: dict[str, list[int]] = {}
    for number, file in enumerate(context.inputs):
        numbers.setdefault(file.path.rpartition("/")[2], []).append(number)
    return numbers


def _captures(context: JobContext, name: str, number: int) -> Iterator[Capture]:
    """Yield the pages of one input as lists name them."""
    file = context.inputs[number]
    if not file.container.is_readable:
        return
    source = context.source(number)
    reader = PartReader(
        source, file.container, 0, source.size, exact_start=True, check_digests=False
    )
    for item in reader:
        if isinstance(item, WarcRecord) and item.page is not None:
            yield Capture(name, item.page.url, timestamp_of(item.page.fetched_at), item.offset)


def _wrong_checksums(
    context: JobContext, listing: Listing, numbers: dict[str, list[int]]
) -> list[dict[str, str]]:
    wrong = []
    for expected in listing.digests:
        for number in numbers.get(expected.file, ()):
            actual = _digest(context, number, expected.algorithm)
            if actual != expected.digest:
                path = context.inputs[number].path
                wrong.append({**asdict(expected), "file": path, "actual": actual})
    return wrong


def _digest(context: JobContext, number: int, algorithm: str) -> str:
    source, hasher = context.source(number), hashlib.new(algorithm, usedforsecurity=False)
    for offset in range(0, source.size, _PIECE_BYTES):
        hasher.update(source.read(offset, _PIECE_BYTES))
    return hasher.hexdigest()
