from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.integrity.lineage import Origin

U32, U64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
ORIGINS = st.builds(Origin, U32, U32, U32, U64, U64)


@given(ORIGINS)
def test_origin_round_trip(origin: Origin) -> None:
    """An origin comes back from its 28 bytes."""
    identity = origin.encode()
    assert len(identity) == 28
    assert origin == Origin.decode(identity)


@given(ORIGINS, ORIGINS)
def test_identities_differ_as_origins_do(first: Origin, second: Origin) -> None:
    """Two origins have the same identity only if they are the same."""
    assert (first == second) == (first.encode() == second.encode())


@given(U32, U32)
def test_document_number_names_part_and_ordinal(part: int, ordinal: int) -> None:
    """A document's number is part x 2^32 + ordinal, so that it is unique and sorts by both."""
    assert divmod(Origin(part, ordinal, 0, 0, 0).doc_id, 2**32) == (part, ordinal)


@pytest.mark.parametrize("size", [0, 27, 29])
def test_other_sizes_are_no_origin(size: int) -> None:
    """Bytes of another size are refused."""
    with pytest.raises(ValueError, match="28 bytes"):
        Origin.decode(bytes(size))


def test_pinned_bytes() -> None:
    """The fields stand in this order, little-endian: stored identities depend on it."""
    expected = "01000000020000000300000004000000000000000500000000000000"
    assert expected == Origin(1, 2, 3, 4, 5).encode().hex()
