"""The identity of a record: its number, and the byte range of the input that it comes from.

An identity is all that is needed to make a record again in a process that has nothing but the
input files: which input, which stored bytes, and which number it was given.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

_ORIGIN = struct.Struct("<IIIQQ")
_ORDINAL_BITS = 32


class Origin(NamedTuple):
    """Where a record comes from.

    Attributes:
        part: number of the part that read it, in input order.
        ordinal: number of the page within its part.
        source: number of the input file.
        offset: byte offset of the record in the input, as stored (as inflated where the whole
            input is one compressed stream).
        length: its length there in bytes.
    """

    part: int
    ordinal: int
    source: int
    offset: int
    length: int

    @property
    def doc_id(self) -> int:
        """The stable document number: part x 2^32 + ordinal."""
        return self.part << _ORDINAL_BITS | self.ordinal

    def encode(self) -> bytes:
        """Return the identity's 28 bytes."""
        return _ORIGIN.pack(*self)

    @classmethod
    def decode(cls, identity: bytes) -> Origin:
        """Return the origin that `identity` encodes; raises ValueError for another size."""
        if len(identity) != _ORIGIN.size:
            raise ValueError(f"an origin has {_ORIGIN.size} bytes, not {len(identity)}")
        return cls(*_ORIGIN.unpack(identity))
