from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.integrity.block import LossReason, seal_record
from sealedbeam.pipeline.integrity.correction import Method
from sealedbeam.pipeline.integrity.protection import CORRECT, DETECT, NONE
from sealedbeam.pipeline.integrity.sealed_value import (
    VALUE_OVERHEAD_BYTES,
    open_value,
    seal_value,
    sealed_digest,
)

from tests.support.blocks import every_flip, flip

SHORT = st.binary(max_size=30)


@given(SHORT, SHORT)
def test_values_come_back(identity: bytes, payload: bytes) -> None:
    """What was sealed opens under its identity, with the overhead that is stated."""
    sealed = seal_value(identity, payload, CORRECT)
    assert len(sealed) == VALUE_OVERHEAD_BYTES + len(payload)
    assert sealed[:VALUE_OVERHEAD_BYTES] == struct.pack("<I16s", *seal_record(identity, payload))
    assert open_value(identity, sealed, CORRECT) == (payload, None)
    assert open_value(identity, seal_value(identity, payload, NONE), NONE) == (payload, None)


@given(SHORT, SHORT, SHORT)
def test_another_identity_does_not_open_it(one: bytes, other: bytes, payload: bytes) -> None:
    """A value that is found under another identity is damage."""
    opened = open_value(other, seal_value(one, payload, CORRECT), CORRECT)
    assert opened == ((payload, None) if one == other else LossReason.BAD_SEAL)


def test_identity_that_differs_in_one_bit_is_not_corrected() -> None:
    """One bit between two identities is no flip to be put back: the value would change owner."""
    sealed = seal_value(b"a", b"payload", CORRECT)
    for bit in range(8):
        assert open_value(flip(b"a", bit), sealed, CORRECT) is LossReason.BAD_SEAL


def test_every_flip_is_corrected() -> None:
    """Whichever bit of a sealed value flips, seal included, the payload comes back."""
    sealed = seal_value(b"key", b"payload", CORRECT)
    for bit, data in every_flip(sealed):
        method = Method.SEAL if bit < 8 * VALUE_OVERHEAD_BYTES else Method.SYNDROME
        assert open_value(b"key", data, CORRECT) == (b"payload", method)
        assert open_value(b"key", data, DETECT) is LossReason.BAD_SEAL


@given(SHORT, SHORT, st.data())
def test_no_wrong_value(identity: bytes, payload: bytes, data: st.DataObject) -> None:
    """However many bits flip, and wherever it is cut, it opens to the payload or not at all."""
    sealed = seal_value(identity, payload, CORRECT)
    bits = data.draw(st.lists(st.integers(0, 8 * len(sealed) - 1), max_size=6, unique=True))
    end = data.draw(st.integers(0, len(sealed)))
    opened = open_value(identity, flip(sealed, *bits)[:end], CORRECT)
    assert isinstance(opened, LossReason) or opened[0] == payload


@pytest.mark.parametrize("protection", [CORRECT, NONE], ids=lambda preset: preset.name)
def test_digest_of_a_stump(protection: object) -> None:
    """Where there is no seal there is no digest."""
    assert protection in {CORRECT, NONE}
    assert sealed_digest(b"short", CORRECT) == bytes(16)
    assert sealed_digest(seal_value(b"", b"", CORRECT), CORRECT) != bytes(16)
