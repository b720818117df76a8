from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.integrity.checksum import (
    CODES,
    CRC32C_XXH3,
    NO_CODE,
    Code,
    Crc32cProvider,
    active_provider,
    choose_provider,
    crc32c,
    crc32c_of_pieces,
    crcmod_provider,
    digest128,
    google_provider,
    register_code,
)

if TYPE_CHECKING:
    from sealedbeam.pipeline.errors import Buffer

PROVIDERS = (google_provider(), crcmod_provider())
each_provider = pytest.mark.parametrize("provider", PROVIDERS, ids=lambda value: value.name)


def crc32c_bit_by_bit(data: bytes) -> int:
    """The definition, one bit at a time."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def buffers_of(data: bytes, before: int, after: int) -> dict[str, Buffer]:
    """The same bytes as each kind of buffer, standing somewhere inside another one."""
    padded = bytes(before) + data + b"\xff" * after
    end = len(padded) - after
    array = np.frombuffer(padded, np.uint8)[before:end]
    return {
        "bytes": data,
        "bytearray": bytearray(data),
        "memoryview": memoryview(padded)[before:end],
        "memoryview of bytearray": memoryview(bytearray(padded))[before:end],
        "memoryview of ndarray": array.data,
        "ndarray": cast("Buffer", array),
    }


@each_provider
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", 0),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
        (b"123456789", 0xE3069283),
    ],
)
def test_known_vectors(provider: Crc32cProvider, data: bytes, expected: int) -> None:
    """Each provider gives the values that RFC 3720, B.4, and the CRC catalogue state."""
    assert expected == provider.compute(data)
    assert expected == provider.extend(0, data)
    assert expected == crc32c(data)


@given(st.binary(max_size=300), st.integers(0, 9), st.integers(0, 9))
def test_providers_agree_on_every_buffer(data: bytes, before: int, after: int) -> None:
    """Both providers agree with the definition on any bytes, at any offset, of any type."""
    expected = crc32c_bit_by_bit(data)
    for name, buffer in buffers_of(data, before, after).items():
        computed = {provider.name: provider.compute(buffer) for provider in PROVIDERS}
        assert dict.fromkeys(computed, expected) == computed, name
        assert xxhash.xxh3_128(data).digest() == digest128(buffer), name


def test_providers_agree_on_large_buffers() -> None:
    """Sizes around the block lengths of fast implementations agree as well."""
    data = np.random.default_rng(1).bytes((1 << 20) + 7)
    for size in (1023, 1024, 1025, 8191, 8192, 8193, 65_537, len(data)):
        first, second = (provider.compute(memoryview(data)[3:size]) for provider in PROVIDERS)
        assert first == second


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_pieces_extend_to_the_whole(pieces: list[bytes]) -> None:
    """The CRC of pieces end to end is the CRC of what they make together."""
    whole = b"".join(pieces)
    assert crc32c(whole) == crc32c_of_pieces(pieces)
    for provider in PROVIDERS:
        crc = 0
        for piece in pieces:
            crc = provider.extend(crc, piece)
        assert crc32c(whole) == crc


def test_digest_is_canonical() -> None:
    """XXH3-128 stands in its canonical big-endian form with seed 0."""
    assert bytes.fromhex("99aa06d3014798d86001c324468d497f") == digest128(b"")
    assert xxhash.xxh3_128_intdigest(b"abc") == int.from_bytes(digest128(b"abc"))


def test_native_provider_is_chosen_in_order() -> None:
    """The first native candidate is taken, without a warning, whatever else there is."""
    slow, fast = (dataclasses.replace(PROVIDERS[1], native=native) for native in (False, True))
    assert choose_provider((slow, fast)) is fast
    assert choose_provider((fast, slow)) is fast
    assert active_provider() in PROVIDERS


def test_fallback_warns_and_names_itself() -> None:
    """Where nothing is native the last candidate is used, and the warning names it."""
    slow = [dataclasses.replace(provider, native=False) for provider in PROVIDERS]
    with pytest.warns(RuntimeWarning, match=r"pure Python \(crcmod\)"):
        chosen = choose_provider(tuple(slow))
    assert chosen is slow[-1]


@pytest.mark.parametrize("code", [Code(1, "other", 8), Code(7, "none", 8), NO_CODE])
def test_registry_refuses_what_is_taken(code: Code) -> None:
    """Neither an id nor a name can be registered twice, and the refusal changes nothing."""
    before = dict(CODES)
    with pytest.raises(ValueError, match="already registered"):
        register_code(code)
    assert before == dict(CODES)


def test_registry_is_read_only() -> None:
    """Nothing can be put into the registry or into an entry from outside."""
    assert dict(CODES) == {0: NO_CODE, 1: CRC32C_XXH3}
    with pytest.raises(TypeError):
        CODES[1] = NO_CODE  # type: ignore[index] # the refusal is the claim
    with pytest.raises(dataclasses.FrozenInstanceError):
        CRC32C_XXH3.code_id = 2  # type: ignore[misc] # the refusal is the claim
