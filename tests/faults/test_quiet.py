"""Claims about plans under which nothing can happen: told apart, placed alike, loaded lightly."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any, get_args

import pytest
from sealedbeam.faults.channel import FaultyChannel
from sealedbeam.faults.kinds import BLOCK_KINDS
from sealedbeam.faults.quiet import QuietTransit
from sealedbeam.faults.scenario import Hop
from sealedbeam.faults.transit import FaultyTransit
from sealedbeam.faults.widths import Width
from sealedbeam.pipeline.integrity.block import write_block
from sealedbeam.pipeline.integrity.ladder import Carried
from sealedbeam.pipeline.integrity.protection import CORRECT

from tests.support.campaigns import CLUSTERS, flips, make_plan, make_records

if TYPE_CHECKING:
    from pathlib import Path

    from sealedbeam.faults.plan import Plan

RECORDS = make_records(50)
OUTAGE = {"cluster": "oregon", "start_seconds": 0, "seconds": 600}
ALL_ZERO: tuple[dict[str, Any], ...] = (
    *(flips(width, 0) for width in Width),
    *({"kind": kind, "per_block": 0} for kind in BLOCK_KINDS),
)
NO_CORES = {"share": 1, "share_of_results": 0}


def channel_of(plan: Plan, folder: Path) -> FaultyChannel:
    path = folder / "plan.json"
    path.write_text(plan.to_json())
    return FaultyChannel(str(path), plan.sha256)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"mercurial_cores": NO_CORES},
        {"machines": {"acceleration": 1e-9}},
        {"counters": {"acceleration": 1}},
    ],
)
def test_quiet_transit_is_the_faulty_one_at_rate_zero(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    """Places, results, blocks and journal are those of the transit that looks at everything."""
    plan = make_plan(*ALL_ZERO, **changes)
    assert plan.is_quiet
    quiet, faulty = channel_of(plan, tmp_path).begin("part-00000"), FaultyTransit(plan)
    assert isinstance(quiet, QuietTransit)
    block = write_block(b"block", RECORDS, CORRECT).data
    for hop in get_args(Hop):
        for attempt in (1, 2, 3):
            assert quiet.deliver(block, hop, attempt) is faulty.deliver(block, hop, attempt)
            for identity, _ in RECORDS:
                there = faulty.place(identity, hop, attempt)
                assert there == quiet.place(identity, hop, attempt)
        quiet.settle(hop, Carried())
        faulty.settle(hop, Carried())
    assert quiet.compute(b"name", "parse", 1, block) is faulty.compute(b"name", "parse", 1, block)
    assert quiet.journal() == faulty.journal()


@pytest.mark.parametrize(
    "changes",
    [
        {"faults": [flips("rank", 1e-6, clusters=["oregon"], hops=["shards"])]},
        {"faults": [{"kind": "stale_block", "per_block": 1e-6}]},
        {"memory": {}},
        {"outages": [OUTAGE | {"scope": "network"}]},
        {"outages": [OUTAGE | {"scope": "rack"}]},
        {"mercurial_cores": {"share": 1e-6, "share_of_results": 1e-6}},
    ],
)
def test_plan_with_any_rate_is_not_quiet(changes: dict[str, Any], tmp_path: Path) -> None:
    """Whatever can happen, however seldom, needs the transit that injects it."""
    plan = make_plan(**changes)
    assert not plan.is_quiet
    assert isinstance(channel_of(plan, tmp_path).begin("part-00000"), FaultyTransit)


def test_tasks_of_a_process_share_a_plan(tmp_path: Path) -> None:
    """A plan is made from its file once; each task has a transit of its own."""
    channel = channel_of(make_plan(flips("single_bit", 3), clusters=CLUSTERS), tmp_path)
    one, two = (channel.reference().rebuild().begin(task) for task in ("part-00000", "part-00001"))
    assert isinstance(one, FaultyTransit)
    assert isinstance(two, FaultyTransit)
    assert one is not two
    assert one._plan is two._plan


PROBE = """
import sys
from sealedbeam.faults.channel import FaultyChannel
transit = FaultyChannel(*sys.argv[1:]).begin("part-00000")
transit.place(b"name", "pages", 1), transit.journal()
print(*(name for name in sys.modules if name.startswith("sealedbeam.faults.")))
"""


@pytest.mark.parametrize("quiet", [True, False])
def test_quiet_worker_loads_little(*, quiet: bool, tmp_path: Path) -> None:
    """A worker never loads what reads scenarios, and under a quiet plan not what injects."""
    channel = channel_of(make_plan(flips("single_bit", 0 if quiet else 1)), tmp_path)
    probe = [sys.executable, "-c", PROBE, channel.path, channel.sha256]
    loaded = subprocess.run(probe, check=True, capture_output=True, text=True).stdout.split()
    names = {name.rpartition(".")[2] for name in loaded}
    assert not names & {"scenario", "sites", "vocabulary", "mistakes"}
    heavy = {"plan", "transit", "harm", "machines", "bursts"}
    assert names & heavy == (set() if quiet else heavy)
