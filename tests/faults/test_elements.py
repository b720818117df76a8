"""Claims about faults of single elements: named, deterministic, and never of a block."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.faults.elements import ElementHarm, identify
from sealedbeam.faults.journal import FaultOutcome
from sealedbeam.faults.kinds import MISCOMPUTED, BlockKind, MachineKind
from sealedbeam.faults.widths import Width
from sealedbeam.pipeline.errors import UsageError

from tests.support.campaigns import flips, make_plan


def harm(*faults: dict[str, Any], **changes: Any) -> ElementHarm:
    return ElementHarm(make_plan(*faults, **changes), "pages")


@given(st.binary(max_size=300), st.sampled_from(sorted(Width)))
def test_journal_names_the_very_bits_of_any_element(payload: bytes, width: Width) -> None:
    """However short an element is, its faults lie within it, and flipped back give it again."""
    struck = harm(flips(width, 100_000)).strike(identify(payload), payload)
    (arrived,) = struck.arrived
    undone = bytearray(arrived)
    for fault in struck.faults:
        assert fault.kind == width
        assert fault.flipped_bits <= 8 * len(payload)
        for bit in fault.bits:
            undone[bit >> 3] ^= 1 << (bit & 7)
    if all(fault.flipped_bits == len(fault.bits) for fault in struck.faults):
        assert bytes(undone) == payload


def test_element_that_nothing_strikes_is_the_very_object() -> None:
    """Without a fault the element itself arrives."""
    payload = b"an element"
    struck = harm(flips("single_bit", 0)).strike(identify(payload), payload)
    assert struck.arrived[0] is payload
    assert struck.faults == []


@pytest.mark.parametrize(
    ("kind", "expected"),
    [(BlockKind.LOST_BLOCK, []), (BlockKind.DUPLICATED_BLOCK, [b"element"] * 2)],
)
def test_deliveries_of_elements(kind: BlockKind, expected: list[bytes]) -> None:
    """A lost element is absent, a duplicated one is there twice."""
    struck = harm({"kind": kind, "per_block": 1}).strike(identify(b"element"), b"element")
    assert struck.arrived == expected
    assert [fault.kind for fault in struck.faults] == [kind]
    assert struck.faults[0].outcome is None


@given(st.binary(max_size=50))
def test_truncated_element_ends_early(payload: bytes) -> None:
    """What arrives is a proper beginning, or the same nothing."""
    fault = {"kind": "truncated_block", "per_block": 1}
    (arrived,) = harm(fault).strike(identify(payload), payload).arrived
    assert payload.startswith(arrived)
    assert len(arrived) < len(payload) or not payload


def test_machines_and_cores_strike_elements_too() -> None:
    """An element on a machine that is down is absent; a mercurial core alters one bit."""
    outage = {"scope": "power", "cluster": "oregon", "start_seconds": 0, "seconds": 600}
    dead = harm(outages=[outage], clusters=[{"name": "oregon", "machines": 2}])
    struck = dead.strike(identify(b"element"), b"element")
    assert struck.arrived == []
    assert [fault.kind for fault in struck.faults] == [MachineKind.MACHINE_DOWN]
    mercurial = harm(mercurial_cores={"share": 1.0, "share_of_results": 1.0})
    struck = mercurial.strike(identify(b"element"), b"element")
    assert struck.arrived[0] != b"element"
    assert [(fault.kind, len(fault.bits)) for fault in struck.faults] == [(MISCOMPUTED, 1)]


def test_what_memory_corrects_is_masked() -> None:
    """A fault that the machine's memory corrects is in the journal, masked, and alters nothing."""
    payload = bytes(1000)
    clusters = [{"name": "oregon", "machines": 2, "hardware": "secded"}]
    protected = harm(memory={"acceleration": 1e14, "widths": "sram_k20"}, clusters=clusters)
    struck = [protected.strike(identify(payload, b"%d" % n), payload) for n in range(300)]
    corrected = [f for each in struck for f in each.faults if f.hardware == "corrected"]
    assert corrected
    assert {fault.outcome for fault in corrected} == {FaultOutcome.MASKED}


@pytest.mark.parametrize("kind", ["header_bit", "table_bit", "seal_bit", "stale_block"])
def test_faults_that_need_blocks_are_refused(kind: str) -> None:
    """Elements have no heads, and no other block can arrive instead of one."""
    with pytest.raises(UsageError, match=kind):
        harm({"kind": kind, "per_block": 0.1})


def test_identity_tells_key_from_bytes() -> None:
    """Where the key ends matters, and so does the number; nothing else does."""
    names = [
        identify(b"bc", b"a"),
        identify(b"c", b"ab"),
        identify(b"bc", b"a", 1),
        identify(b"bc"),
    ]
    assert len(set(names)) == len(names)
    assert identify(b"bc", b"a", 0) == identify(b"bc", b"a")
