"""Claims about what happens to one record: copies, losses, packets, and floods that end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.faults.harm import FrameHarm, Harm, Hit
from sealedbeam.faults.outages import Scope
from sealedbeam.faults.outline import Frame

from tests.support.campaigns import flips, make_plan

if TYPE_CHECKING:
    from sealedbeam.faults.plan import Plan

FRAME = Frame(b"identity", 10, 500)


def outage(scope: str, **more: Any) -> dict[str, Any]:
    return {"scope": scope, "cluster": "oregon", "start_seconds": 0, "seconds": 600} | more


def strike(plan: Plan, frame: Frame = FRAME, attempt: int = 1) -> tuple[Harm, list[Hit]]:
    frames = FrameHarm.of(plan, "pages", attempt)
    assert frames is not None
    harm = Harm(b"\xff" * (frame.start + frame.length))
    return harm, list(frames.strike(harm, frame))


def test_untouched_block_is_the_very_object() -> None:
    """Only what alters a byte makes a copy; flipping no bits does not."""
    block = b"block"
    harm = Harm(block)
    harm.flip(0, ())
    assert harm.result() is block
    assert harm.data is block
    harm.flip(1, (0,))
    assert harm.result() == b"bmock"
    assert harm.pristine is block


@given(st.lists(st.integers(0, 79), max_size=20))
def test_flips_undo_themselves(bits: list[int]) -> None:
    """The same flips twice give the block again."""
    block = bytes(range(12))
    harm = Harm(block)
    harm.flip(2, bits)
    harm.flip(2, bits)
    assert harm.result() == block


def test_erasing_takes_one_frame_only() -> None:
    """Of a lost record nothing is left; its neighbours stay."""
    harm = Harm(b"aaabbbccc")
    assert not harm.lost
    harm.erase(Frame(b"b", 3, 3))
    assert harm.result() == b"aaa\0\0\0ccc"
    assert harm.lost


@pytest.mark.parametrize(
    ("scope", "kinds"),
    [
        (Scope.MACHINE, {"machine_down"}),
        (Scope.RACK, {"machine_down"}),
        (Scope.POWER, {"machine_down"}),
        (Scope.OVERHEATING, {"machine_down"}),
        (Scope.NETWORK, {"packet_lost"}),
        (Scope.WONKY_RACK, {"packet_lost"}),
        (Scope.SLOW_MACHINE, {"timed_out"}),
    ],
)
def test_what_each_outage_does(scope: Scope, kinds: set[str]) -> None:
    """Machines that are down lose all records, lossy and slow ones some."""
    clusters = [{"name": "oregon", "machines": 4}]
    plan = make_plan(outages=[outage(scope)], clusters=clusters)
    frames = [Frame(b"record %d" % number, 0, 100) for number in range(50)]
    hits = [hit for frame in frames for hit in strike(plan, frame)[1]]
    assert {hit.fault.kind for hit in hits} == kinds
    assert all(hit.felt and hit.fault.cause.startswith(f"oregon/{scope}") for hit in hits)
    if kinds == {"machine_down"}:
        assert len(hits) == len(frames)


def test_lost_record_suffers_nothing_else() -> None:
    """A record that never arrives has no flipped bits: one fault, all zeros."""
    plan = make_plan(
        flips("single_bit", 100_000),
        outages=[outage("power")],
        clusters=[{"name": "oregon", "machines": 4}],
    )
    harm, hits = strike(plan)
    assert [hit.fault.kind for hit in hits] == ["machine_down"]
    assert harm.result() == b"\xff" * 10 + bytes(500)


def test_nothing_can_happen_without_rates_and_outages() -> None:
    """Where neither is planned there is nothing to ask."""
    assert FrameHarm.of(make_plan(), "pages", 1) is None
    assert FrameHarm.of(make_plan(flips("burst", 9, hops=["runs"])), "pages", 1) is None


def test_sickest_machine_does_not_flood() -> None:
    """However sick a machine is, a frame is struck about once in each word and no more."""
    memory = {"acceleration": 1e18, "widths": "sram_k20"}
    plan = make_plan(memory=memory, sick_machines=1.0, duration_seconds=60 * 86_400)
    frames = [Frame(b"record %d" % number, 0, 1000) for number in range(60)]
    most = max(len(strike(plan, frame)[1]) for frame in frames)
    assert 50 < most < 400


def test_attempts_are_struck_apart() -> None:
    """Each delivery of a record meets faults of its own, the same ones in each run."""
    plan = make_plan(flips("single_bit", 5000))
    struck = [[hit.fault.bits for hit in strike(plan, attempt=n)[1]] for n in (1, 2, 1)]
    assert struck[0] == struck[2] != struck[1]
