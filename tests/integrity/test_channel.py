from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.integrity.channel import (
    DEFAULT_CLUSTER,
    Channel,
    ChannelReference,
    PerfectChannel,
    Place,
)
from sealedbeam.pipeline.integrity.ladder import Carried


@given(st.binary(max_size=99), st.text(max_size=9), st.integers(1, 9))
def test_perfect_channel_alters_nothing(data: bytes, cluster: str, attempt: int) -> None:
    """In production a block arrives as it is, in the worker's cluster, and leaves no journal."""
    transit = PerfectChannel(cluster).begin("part-00000")
    assert transit.deliver(data, "pages", attempt) is data
    assert transit.place(b"id", "pages", attempt) == Place(cluster, "", 0)
    transit.settle("pages", Carried())
    assert transit.journal() is None


def test_channel_is_made_again_from_its_reference() -> None:
    """Another process that has only the reference makes an equal channel."""
    channel = PerfectChannel("oslo")
    assert isinstance(channel, Channel)
    assert channel == channel.reference().rebuild()
    assert channel == pickle.loads(pickle.dumps(channel)).reference().rebuild()
    assert PerfectChannel().cluster == DEFAULT_CLUSTER


@pytest.mark.parametrize("factory", ["builtins:str", "pathlib:PurePath"])
def test_reference_to_something_else_is_refused(factory: str) -> None:
    """A factory that does not make a channel is refused by name."""
    with pytest.raises(TypeError, match=f"{factory} returned"):
        ChannelReference(factory, "x").rebuild()
