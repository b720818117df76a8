"""A host has one address at a time, the same for every worker, and only one that is allowed."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

import pytest
from sealedbeam.pipeline.crawl import resolver
from sealedbeam.pipeline.crawl.addresses import parse_networks
from sealedbeam.pipeline.crawl.resolver import (
    PinnedResolver,
    RefusedAddressError,
    UnknownHostError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

PUBLIC = ["93.184.216.34", "93.184.216.4", "8.8.8.8"]


def pin(addresses: Sequence[str], networks: Sequence[str] = ()) -> str:
    """Return the address of a host that has these."""

    async def resolve(_host: str, _port: int) -> list[str]:
        return list(addresses)

    async def run() -> str:
        pinned = PinnedResolver(parse_networks(networks), resolve)
        try:
            found = await pinned.pin("a.example", 80)
            answer = (await pinned.resolve("a.example", 80))[0]
            assert (answer["host"], answer["hostname"]) == (found, "a.example")
        finally:
            await pinned.close()
        return found

    return asyncio.run(run())


def test_order_does_not_matter() -> None:
    """In whatever order the addresses come, every worker takes the same one."""
    assert {pin(order) for order in itertools.permutations(PUBLIC)} == {"8.8.8.8"}
    assert pin(["2001:4860:4860::8888", "8.8.8.8", "2001:4860:4860::8844"]) == (
        "2001:4860:4860::8844"
    )
    assert pin(["8.8.8.8", "2001:4860:4860::8844"]) == "8.8.8.8"


def test_only_what_is_allowed() -> None:
    """Private addresses are passed over, and a host that has no other is refused."""
    assert pin(["10.0.0.1", "8.8.8.8"]) == "8.8.8.8"
    assert pin(["127.0.0.1"], ["127.0.0.0/8"]) == "127.0.0.1"
    with pytest.raises(RefusedAddressError):
        pin(["10.0.0.1", "::1", "169.254.169.254"])


def test_a_name_that_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no address, and nobody waits for it any longer."""
    monkeypatch.setattr(resolver, "_LOOK_UP_SECONDS", 0.01)

    async def resolve(_host: str, _port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    async def run() -> None:
        pinned = PinnedResolver((), resolve)
        with pytest.raises(UnknownHostError):
            await pinned.pin("a.example", 80)
        await pinned.close()

    asyncio.run(run())


def test_the_system_is_asked() -> None:
    """Names that it knows have addresses, others have none, and addresses stand for themselves."""

    async def run() -> None:
        pinned = PinnedResolver(parse_networks(["127.0.0.0/8", "::1/128"]))
        assert await pinned.pin("localhost", 80) in {"127.0.0.1", "::1"}
        assert await pinned.pin("127.0.0.9", 80) == "127.0.0.9"
        with pytest.raises(UnknownHostError):
            await pinned.pin("x" * 70 + ".invalid", 80)
        await pinned.close()

    asyncio.run(run())
