from __future__ import annotations

import pickle

import apache_beam as beam
import pytest
from apache_beam import coders
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.integrity.transforms import SealedCoder

from tests.support.beam_orders import HIT, Gather
from tests.support.blocks import every_flip, flip

TEXT = SealedCoder(coders.StrUtf8Coder())


class Parcel:
    """A type of a user's own."""

    def __init__(self, name: str) -> None:
        self.name = name


class ParcelCoder(coders.Coder):  # type: ignore[misc]  # Beam is untyped
    """Encodes parcels by their name."""

    def encode(self, value: Parcel) -> bytes:
        return value.name.encode()

    def decode(self, encoded: bytes) -> Parcel:
        return Parcel(encoded.decode())

    def is_deterministic(self) -> bool:
        return True


class SealedParcelCoder(SealedCoder):
    """The same under seal."""

    def __init__(self) -> None:
        super().__init__(ParcelCoder())


@given(st.text())
def test_values_come_back(value: str) -> None:
    """What is encoded is decoded, also by a copy of the coder that was pickled."""
    copied = pickle.loads(pickle.dumps(TEXT))
    assert copied.decode(TEXT.encode(value)) == value
    assert copied == TEXT
    assert hash(copied) == hash(TEXT)


def test_flips_are_corrected_or_refused() -> None:
    """One flip anywhere is put back; two raise, and never give another value."""
    encoded = TEXT.encode("payload")
    assert {TEXT.decode(data) for _, data in every_flip(encoded)} == {"payload"}
    with pytest.raises(IntegrityError, match=r"27 bytes of StrUtf8Coder\(\) cannot be proven"):
        TEXT.decode(flip(encoded, 170, 180))
    with pytest.raises(IntegrityError, match="truncated"):
        TEXT.decode(encoded[:10])


def test_another_coder_does_not_open_it() -> None:
    """Bytes of one type are not taken for another one."""
    with pytest.raises(IntegrityError):
        SealedCoder(coders.BytesCoder()).decode(TEXT.encode("payload"))


def test_keys_may_be_sealed() -> None:
    """A sealed coder is as deterministic as the one in it, and can be made so."""
    loose = SealedCoder(coders.FastPrimitivesCoder())
    assert TEXT.is_deterministic()
    assert not loose.is_deterministic()
    assert loose.as_deterministic_coder("step").is_deterministic()


def test_registered_type_crosses_a_shuffle() -> None:
    """Registered for a type, it seals that type wherever Beam writes it down, keys included."""
    coders.registry.register_coder(Parcel, SealedParcelCoder)
    found = Gather()
    with beam.Pipeline(runner="FnApiRunner") as pipeline:
        parcels = pipeline | beam.Create([1, 2]) | beam.Map(str) | beam.Map(Parcel)
        typed = parcels | "Type" >> beam.Map(lambda p: (p, HIT.price)).with_output_types(
            tuple[Parcel, int]
        )
        _ = typed | beam.GroupByKey() | beam.MapTuple(lambda p, v: (p.name, list(v))) | found
    assert sorted(found.found) == [("1", [HIT.price]), ("2", [HIT.price])]
    assert coders.registry.get_coder(Parcel).encode(Parcel("x"))[20:] == b"x"
