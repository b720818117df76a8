from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.index.invert import Inverted
from sealedbeam.pipeline.index.runs import decode_run, encode_run

from tests.support.inverted_oracle import as_dict, corpora, inverted_from, inverted_of, postings_of

GOOD = {b"a": {1: [0, 2], 300: [70_000]}, b"b": {1: [1]}}


@given(corpora)
def test_a_run_comes_back_as_it_was(corpus: dict[int, str]) -> None:
    """Decoding gives what was encoded, and encoding that again the same bytes."""
    payload = encode_run(inverted_of(corpus))
    decoded = decode_run(memoryview(payload))
    assert postings_of(corpus) == as_dict(decoded)
    assert payload == encode_run(decoded)


def test_the_bytes_are_pinned() -> None:
    """The layout at the head of the module, spelt out byte by byte."""
    expected = struct.pack(
        "<IIQQ5B3x2B2B3H3B4I2s",
        *(2, 3, 4, 2),
        *(1, 1, 2, 1, 4),
        *(1, 1),
        *(2, 1),
        *(1, 300, 1),
        *(2, 1, 1),
        *(0, 2, 70_000, 1),
        b"ab",
    )
    assert expected == encode_run(inverted_from(GOOD))


@pytest.mark.parametrize(
    ("postings", "message"),
    [
        ({b"b": {1: [0]}, b"a": {1: [1]}}, "terms do not ascend"),
        ({b"\xff": {1: [0]}}, "UTF"),
        ({b"a": {2: [0], 1: [1]}}, "documents of a term"),
        ({b"a": {1: [2, 2]}}, "positions in a document"),
        ({b"a": {1: []}}, "a tf is 0"),
        ({b"a": {}}, "a df is 0"),
        ({b"a": {1: [2**31]}}, "more than 2"),
    ],
)
def test_what_is_out_of_order_is_refused(
    postings: dict[bytes, dict[int, list[int]]], message: str
) -> None:
    """A payload whose sizes fit but whose content contradicts itself is no run."""
    with pytest.raises(ValueError, match=message):
        decode_run(encode_run(inverted_from(postings)))


def test_equal_terms_are_refused() -> None:
    """A term that stands twice is out of order too."""
    good = inverted_from({b"a": {1: [0]}, b"b": {1: [1]}})
    twice = inverted_from({b"a": {1: [0]}}).terms.take([0, 0])
    with pytest.raises(ValueError, match="ascend"):
        decode_run(encode_run(Inverted(twice, good.df, good.documents, good.tfs, good.positions)))


def test_every_truncation_and_extension_is_refused() -> None:
    """No payload of another length is a run."""
    payload = encode_run(inverted_from(GOOD))
    for size in range(len(payload)):
        with pytest.raises(ValueError, match="run"):
            decode_run(payload[:size])
    with pytest.raises(ValueError, match="should have"):
        decode_run(payload + b"\0")


def test_each_changed_byte_is_refused_or_another_run() -> None:
    """Any byte may take any value: the answer is ValueError or a run with just these bytes."""
    payload = encode_run(inverted_from(GOOD))
    for place in range(len(payload)):
        for value in range(256):
            changed = bytearray(payload)
            changed[place] = value
            try:
                decoded = decode_run(changed)
            except ValueError:
                continue
            assert changed == encode_run(decoded)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused(noise: bytes) -> None:
    """Lengths read from noise allocate nothing and crash nothing."""
    with pytest.raises(ValueError, match=r"."):
        decode_run(noise + b"\xff" * 32)


def test_widths_follow_the_largest_value() -> None:
    """Each array takes one, two or four bytes a value, as its largest value needs."""
    for largest, width in ((255, 1), (256, 2), (65_535, 2), (65_536, 4)):
        payload = encode_run(inverted_from({b"a": {largest: [0]}}))
        assert width == payload[26]
        assert np.uint32 == decode_run(payload).documents.dtype
