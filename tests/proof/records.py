"""Attacks the judgement of one record: `mend`, on a great many damaged frames at once.

Both codes of every damaged frame are computed by the functions that the reader uses. `mend` can
accept a frame only on one of its four hypotheses, and each needs a relation that NumPy can look for
in all frames at once: the digests agree; or the CRCs agree and the digests differ in one bit; or
the difference of the CRCs is the syndrome of a single flip. Frames with none of these are refused
by the definition of `mend` (the tests hold that against `mend` itself), and all others are given to
`mend`, whose answer is compared with what was written.
"""

from __future__ import annotations

import struct
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sealedbeam.pipeline.integrity.checksum import active_provider, digest128
from sealedbeam.pipeline.integrity.correction import mend
from sealedbeam.pipeline.integrity.layout import frame_prefix
from sealedbeam.pipeline.integrity.syndrome import POLYNOMIAL_REFLECTED, power_of_x

from tests.proof.strokes import flip, strike

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from tests.proof.tally import Tally

    Bytes2d = NDArray[np.uint8]

IDENTITY_BYTES = 8
DIGEST_BYTES = 16
SEAL_BYTES = 4 + DIGEST_BYTES
_PREFIX_BYTES = 8 + IDENTITY_BYTES


class Frames(NamedTuple):
    """Frames of one size and the seals over them; shapes (n, frame bytes) and (n, 20)."""

    rows: Bytes2d
    seals: Bytes2d


def make_frames(count: int, payload_bytes: int, random: np.random.Generator) -> Frames:
    """Return sealed frames with random identities and payloads."""
    prefix = frame_prefix(bytes(IDENTITY_BYTES), payload_bytes)
    rows = np.empty((count, len(prefix) + payload_bytes), np.uint8)
    rows[:] = np.frombuffer(prefix + bytes(payload_bytes), np.uint8)
    rows[:, 4 : 4 + IDENTITY_BYTES] = random.integers(0, 256, (count, IDENTITY_BYTES))
    rows[:, _PREFIX_BYTES:] = random.integers(0, 256, (count, payload_bytes))
    return Frames(rows, compute_seals(rows))


def compute_seals(rows: Bytes2d) -> Bytes2d:
    """Return CRC-32C (little-endian) and XXH3-128 of each row, by the reader's own functions."""
    frames = struct.unpack(f"{rows.shape[1]}s" * len(rows), rows.tobytes())
    seals = np.empty((len(rows), SEAL_BYTES), np.uint8)
    crcs = np.fromiter(map(active_provider().of_bytes, frames), "<u4", len(rows))
    seals[:, :4] = crcs.view(np.uint8).reshape(-1, 4)
    digests = b"".join(map(digest128, frames))
    seals[:, 4:] = np.frombuffer(digests, np.uint8).reshape(-1, DIGEST_BYTES)
    return seals


def attack(clean: Frames, kind: str, random: np.random.Generator, tally: Tally) -> None:
    """Damage every frame by one fault of a kind, and enter what became of them."""
    rows, seals = clean.rows.copy(), clean.seals.copy()
    stroke = ATTACKS[kind](rows, seals, random)
    changed = (rows != clean.rows).any(axis=1) | (seals != clean.seals).any(axis=1)
    suspects = np.flatnonzero(changed & find_suspects(rows, seals))
    tally.enter(kind, refused=int(changed.sum()) - len(suspects))
    for number in suspects.tolist():
        frame, seal = rows[number].tobytes(), seals[number].tobytes()
        crc = int.from_bytes(seal[:4], "little")
        mended = mend(frame, crc, seal[4:], correct=True)
        strict = mend(frame, crc, seal[4:], correct=False)
        written = clean.rows[number].tobytes()
        if any(answer and bytes(answer.data) != written for answer in (mended, strict)):
            tally.accuse(kind, f"{stroke}; {written.hex()} became {frame.hex()}, seal {seal.hex()}")
        else:
            tally.enter(kind, restored=mended is not None, refused=mended is None)


def find_suspects(rows: Bytes2d, seals: Bytes2d) -> NDArray[np.bool_]:
    """Return which frames `mend` could accept as they are or corrected."""
    differences = compute_seals(rows) ^ seals
    syndromes = np.ascontiguousarray(differences[:, :4]).view("<u4")[:, 0]
    bits = np.bitwise_count(differences[:, 4:]).sum(axis=1)
    known = _single_flip_syndromes(rows.shape[1])
    places = np.minimum(np.searchsorted(known, syndromes), len(known) - 1)
    suspects: NDArray[np.bool_] = (
        (bits == 0) | ((syndromes == 0) & (bits == 1)) | (known[places] == syndromes)
    )
    return suspects


@cache
def _single_flip_syndromes(region_bytes: int) -> NDArray[np.uint32]:
    """Return the syndromes of all single flips of a region, sorted."""
    syndromes, word = [], power_of_x(32)
    for _ in range(8 * region_bytes):
        syndromes.append(word)
        word = (word >> 1) ^ (POLYNOMIAL_REFLECTED if word & 1 else 0)
    return np.sort(np.array(syndromes, np.uint32))


def _damage_payload(rows: Bytes2d, _: Bytes2d, random: np.random.Generator) -> str:
    return strike(rows[:, _PREFIX_BYTES:], random)


def _damage_length(rows: Bytes2d, _: Bytes2d, random: np.random.Generator) -> str:
    """Damage one of the two lengths: what comes behind would be read at another place."""
    of_identity = random.random() < 0.5
    return strike(rows[:, :4] if of_identity else rows[:, 4 + IDENTITY_BYTES :][:, :4], random)


def _damage_key(rows: Bytes2d, _: Bytes2d, random: np.random.Generator) -> str:
    return strike(rows[:, 4 : 4 + IDENTITY_BYTES], random)


def _damage_seal(_: Bytes2d, seals: Bytes2d, random: np.random.Generator) -> str:
    return strike(seals, random)


def _damage_both(rows: Bytes2d, seals: Bytes2d, random: np.random.Generator) -> str:
    """Damage a frame and the seal that should tell: a few bits of each."""
    in_frame, in_seal = (int(random.integers(1, 4)) for _ in range(2))
    flip(rows, in_frame, random)
    flip(seals, in_seal, random)
    return f"{in_frame} flips in the frame and {in_seal} in its seal"


def _swap(rows: Bytes2d, _: Bytes2d, __: np.random.Generator) -> str:
    """Move each frame to its neighbour's place, under the neighbour's seal."""
    rows[:] = np.roll(rows, 1, axis=0)
    return "the frame of the record before"


def _make_stale(rows: Bytes2d, _: Bytes2d, random: np.random.Generator) -> str:
    """Put an earlier payload of the same record under the seal of the present one."""
    size = rows.shape[1] - _PREFIX_BYTES
    rows[:, _PREFIX_BYTES:] = random.integers(0, 256, (len(rows), size))
    return "an earlier payload"


ATTACKS: dict[str, Callable[[Bytes2d, Bytes2d, np.random.Generator], str]] = {
    "payload": _damage_payload,
    "length": _damage_length,
    "key": _damage_key,
    "seal": _damage_seal,
    "payload and seal": _damage_both,
    "swap": _swap,
    "stale": _make_stale,
}
"""What is done to frames and seals, by kind; returns what it was in words."""
