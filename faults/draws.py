"""Random numbers without a generator: each is a hash of a stream's key and a record's identity.

Rules:
1. A stream is named once and gets a key of its own (BLAKE2b of the seed and the names), so that
   no two uses of one identity share a number.
2. A number depends on (key, identity, n) alone: never on what was drawn before, on which worker
   asks, or on how records were grouped into blocks.
3. The key is the seed of XXH3-64; the n-th number of a stream uses the n-th step of an odd
   constant from it. This is statistics, not secrecy.
"""

from __future__ import annotations

import hashlib

import xxhash

_GOLDEN = 0x9E37_79B9_7F4A_7C15
_WORD = 1 << 64
_UNIT = 2.0**-64


def stream_key(seed: int, *names: str | int) -> int:
    """Return the 64-bit key of the stream with these names."""
    text = "\0".join(map(str, (seed, *names)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())


def draw(identity: bytes, key: int, number: int = 0) -> int:
    """Return the n-th 64-bit number that a stream has for `identity`."""
    return xxhash.xxh3_64_intdigest(identity, (key + number * _GOLDEN) % _WORD)


def to_unit(word: int) -> float:
    """Return a 64-bit number as a fraction above 0, at most 1."""
    return (word + 0.5) * _UNIT


def to_index(word: int, count: int) -> int:
    """Return a 64-bit number as one of 0 .. count - 1."""
    return word * count >> 64
