"""The two codes of a seal: CRC-32C, which locates a flipped bit, and XXH3-128, which confirms.

Rules:
1. A code has a stable id that is written into stored bytes. Two implementations may share an id
   if and only if they agree on every input.
2. CRC-32C comes from google-crc32c where its native part is present, else from crcmod. Both are
   polynomial 0x1EDC6F41, reflected, initial value and final XOR 0xFFFFFFFF (RFC 3720, B.4).
3. XXH3-128 has seed 0 and its canonical, big-endian byte form.
"""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import xxhash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray
    from sealedbeam.pipeline.errors import Buffer

CRC_BYTES = 4
DIGEST_BYTES = 16
DIGEST_MODULUS = 1 << 128


@dataclass(frozen=True, slots=True)
class Crc32cProvider:
    """One implementation of CRC-32C.

    Attributes:
        name: the library's.
        native: whether it is compiled code.
        compute: the CRC of a buffer.
        extend: the CRC of some bytes, given the CRC of all that came before them.
        of_bytes: the CRC of a byte string: the library's own function, for very many small ones.
    """

    name: str
    native: bool
    compute: Callable[[Buffer], int]
    extend: Callable[[int, bytes], int]
    of_bytes: Callable[[bytes], int]


def _readable(buffer: Buffer) -> Buffer | NDArray[np.uint8]:
    # google-crc32c refuses these two types; a NumPy view of the same memory passes, uncopied.
    if type(buffer) is memoryview or type(buffer) is bytearray:
        return np.frombuffer(buffer, np.uint8)
    return buffer


@cache
def google_provider() -> Crc32cProvider:
    """Return google-crc32c (22-31 GB/s when native)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # its own fallback warning: ours names more
        library = importlib.import_module("google_crc32c")

    value = library.value
    return Crc32cProvider(
        "google-crc32c",
        library.implementation == "c",
        lambda buffer: int(value(_readable(buffer))),
        lambda crc, piece: int(library.extend(crc, piece)),
        value,
    )


@cache
def crcmod_provider() -> Crc32cProvider:
    """Return crcmod (0.5 GB/s when its extension was compiled, some 60 times slower otherwise)."""
    function = importlib.import_module("crcmod.predefined").mkPredefinedCrcFun("crc-32c")
    native = importlib.util.find_spec("crcmod._crcfunext") is not None
    return Crc32cProvider(
        "crcmod",
        native,
        lambda buffer: int(function(bytes(buffer))),
        lambda crc, piece: int(function(piece, crc)),
        function,
    )


def choose_provider(candidates: tuple[Crc32cProvider, ...]) -> Crc32cProvider:
    """Return the first native candidate, else the last one with a warning that names it."""
    for provider in candidates:
        if provider.native:
            return provider
    slow = candidates[-1]
    warnings.warn(
        f"CRC-32C runs in pure Python ({slow.name}), 60 and more times slower: "
        "install google-crc32c, or a C compiler and crcmod again",
        RuntimeWarning,
        stacklevel=2,
    )
    return slow


@cache
def active_provider() -> Crc32cProvider:
    """Return the CRC-32C implementation that this process uses."""
    return choose_provider((google_provider(), crcmod_provider()))


def crc32c(buffer: Buffer) -> int:
    """Return the CRC-32C of `buffer` as an unsigned 32-bit number."""
    return active_provider().compute(buffer)


def crc32c_of_pieces(pieces: Iterable[bytes]) -> int:
    """Return the CRC-32C of `pieces` end to end."""
    crc = 0
    extend = active_provider().extend
    for piece in pieces:
        crc = extend(crc, piece)
    return crc


def digest128(buffer: Buffer) -> bytes:
    """Return the XXH3-128 of `buffer` in its 16 canonical bytes."""
    return xxhash.xxh3_128_digest(buffer)


@dataclass(frozen=True, slots=True)
class Code:
    """An entry of the registry: what a stored id means."""

    code_id: int
    name: str
    length_bytes: int


_CODES: dict[int, Code] = {}
CODES: Mapping[int, Code] = MappingProxyType(_CODES)
"""Read-only view of the registered codes, by their stored id."""


def register_code(code: Code) -> Code:
    """Add `code` to the registry; raises ValueError when its id or name is taken."""
    for known in _CODES.values():
        if code.code_id == known.code_id or code.name == known.name:
            raise ValueError(f"code {code.code_id} {code.name!r} is already registered as {known}")
    _CODES[code.code_id] = code
    return code


NO_CODE = register_code(Code(0, "none", 0))
CRC32C_XXH3 = register_code(Code(1, "crc32c+xxh3-128", CRC_BYTES + DIGEST_BYTES))
