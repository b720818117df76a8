"""Claims about scenarios: what is shipped is valid, and mistakes are told with place and range."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sealedbeam.faults.plan import make_plan as plan_scenario
from sealedbeam.faults.plan import parse_plan, read_plan
from sealedbeam.faults.scenario import load_scenario, parse_scenario
from sealedbeam.pipeline.errors import IntegrityError, UsageError
from sealedbeam.pipeline.jobs.crawl.harvest import FETCH
from sealedbeam.pipeline.jobs.totals import HOPS

from tests.support.campaigns import CLUSTERS, flips, make_plan, make_scenario
from tests.support.jobs import SAMPLE, environment

TOWN = {"name": "madrid", "latitude": 40.42, "longitude": -3.7, "machines": 40}
OUTAGE = {"scope": "rack", "cluster": "dublin", "start_seconds": 5, "seconds": 60}
BURST = {"mode": "gle", "start_seconds": 60, "above": {"latitude": 60, "longitude": 10}}
SHIPPED = sorted((Path(__file__).parents[2] / "configs" / "scenarios").glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_scenario_is_valid(path: Path) -> None:
    """Each scenario of the repository loads, and says that it is accelerated."""
    assert "ccelerated" in load_scenario(path).acceleration_note


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"faults": [flips("gamma", 1)]},
            "faults[0].kind is 'gamma'; allowed: of memory: single_bit,",
        ),
        (
            {"faults": [flips("single_bit", -2.0)]},
            "faults[0].per_mebibyte is -2.0; allowed: a number from 0 to 100,000",
        ),
        ({"faults": [flips("single_bit", float("nan"))]}, "faults[0].per_mebibyte is nan"),
        ({"faults": [flips("single_bit", True)]}, "faults[0].per_mebibyte is True"),
        ({"faults": [{"kind": "single_bit"}]}, "faults[0].per_mebibyte is missing; allowed: a num"),
        ({"faults": [flips("single_bit", 1, rate=2)]}, "faults[0].rate is not known; allowed"),
        (
            {"faults": [flips("single_bit", 1, clusters=["mars"])]},
            "faults[0].clusters names 'mars'; allowed: dublin, oregon",
        ),
        (
            {"faults": [flips("single_bit", 1, clusters={"oregon": -1})]},
            "faults[0].clusters.oregon is -1; allowed: a list of clusters",
        ),
        ({"faults": [flips("single_bit", 1, clusters=[])]}, "faults[0].clusters is"),
        ({"faults": [flips("single_bit", 1, hops=["page"])]}, "faults[0].hops[0] is 'page'"),
        ({"clusters": []}, "clusters is []; allowed: 1 to 64 clusters"),
        ({"clusters": [{"name": "a", "machines": 0}]}, "clusters[0].machines is 0; allowed"),
        ({"clusters": [{"name": "a", "machines": 1}]}, "clusters have 1 machine in all"),
        ({"clusters": [*CLUSTERS, CLUSTERS[0]]}, "clusters[2].name is 'dublin'; allowed: a name"),
        ({"clusters": [{"name": 'a"b', "machines": 2}]}, "clusters[0].name is 'a\"b'; allowed"),
        (
            {"clusters": [TOWN | {"latitude": 100}]},
            "clusters[0].latitude is 100; allowed: a number",
        ),
        ({"clusters": [TOWN | {"longitude": -200}]}, "clusters[0].longitude is -200; allowed: a n"),
        (
            {"outages": [OUTAGE | {"start_seconds": 600}]},
            "outages[0].start_seconds is 600, outside the run; allowed: 0 to 599,",
        ),
        ({"outages": [OUTAGE | {"start_seconds": -1}]}, "outages[0].start_seconds is -1; allowed"),
        ({"outages": [OUTAGE | {"seconds": 0}]}, "outages[0].seconds is 0; allowed: "),
        ({"outages": [OUTAGE | {"scope": "moon"}]}, "outages[0].scope is 'moon'; allowed: machine"),
        (
            {"outages": [OUTAGE | {"cluster": "mars"}]},
            "outages[0].cluster is 'mars'; allowed: dublin, oregon",
        ),
        (
            {"outages": [OUTAGE | {"first_machine": 1, "machines": 2}]},
            "outages[0] goes past the last machine of dublin; allowed: machines 0 to 1",
        ),
        (
            {"clusters": [TOWN], "memory": {}, "bursts": [BURST | {"start_seconds": 600}]},
            "bursts[0].start_seconds is 600, outside the run; allowed: 0 to 599,",
        ),
        (
            {"memory": {}, "bursts": [BURST | {"above": {"latitude": 100, "longitude": 0}}]},
            "bursts[0].above.latitude is 100; allowed: a number",
        ),
        ({"memory": {}, "bursts": [BURST]}, "bursts need to know where dublin, oregon is; allowed"),
        ({"clusters": [TOWN], "bursts": [BURST]}, "memory is missing; bursts and sick_machines"),
        ({"memory": {"acceleration": 0}}, "memory.acceleration is 0; allowed: a number above 0"),
        ({"machines": {"per_rack_year": -1}}, "machines.per_rack_year is -1; allowed: a number"),
        ({"machines": {"raised": 1}}, "machines.raised is 1; allowed: "),
        ({"sick_machines": 1.5}, "sick_machines is 1.5; allowed: "),
        (
            {"mercurial_cores": {"share": -1, "share_of_results": 0}},
            "mercurial_cores.share is -1; allowed: a share of the machines, from 0 to 1",
        ),
        (
            {"faults": [{"kind": "lost_block", "per_block": 1.1}]},
            "faults[0].per_block is 1.1; allowed: ",
        ),
        (
            {"faults": [flips("single_bit", 1, per_block=0.1)]},
            "faults[0].per_block does not go with single_bit; allowed: per_mebibyte",
        ),
        ({"duration_seconds": 0}, "duration_seconds is 0; allowed: a whole number from 1 to"),
        ({"duration_seconds": 1.5}, "duration_seconds is 1.5"),
        ({"acceleration_note": " "}, "acceleration_note is ' '; allowed: a text that says"),
        ({"counters": {"acceleration": 0}}, "counters.acceleration is 0; allowed: a number above"),
        ({"counters": {"bin_seconds": 0}}, "counters.bin_seconds is 0; allowed: an equal part of"),
        ({"counters": {"bin_seconds": 7}}, "counters.bin_seconds is 7; allowed: an equal part of"),
        (
            {"counters": {"bin_second": 7}},
            "counters.bin_second is not known; did you mean bin_seconds?",
        ),
        ({"seed": 3}, "seed is not known; allowed: the keys name,"),
        ({"cluster": []}, "cluster is not known; did you mean clusters?"),
        (
            {"faults": [flips("single_bit", 1, hop=["runs"])]},
            "faults[0].hop is not known; did you mean hops?",
        ),
    ],
)
def test_mistake_is_told_with_its_place(changes: dict[str, Any], message: str) -> None:
    """A value that is not allowed is named by file, path and value, with what is allowed."""
    with pytest.raises(UsageError) as caught:
        make_scenario(**changes)
    assert str(caught.value).startswith(f"test.yaml: {message}")


@pytest.mark.parametrize("values", [None, [], "text", 5])
def test_what_is_no_mapping_is_refused(values: Any) -> None:
    """An empty file, a list or a word gets the list of keys."""
    with pytest.raises(UsageError, match=r"the scenario is .*allowed: the keys name"):
        parse_scenario(values, "x")


@pytest.mark.parametrize("content", [b"a: [", b"\xff\xfe\xff", None])
def test_unreadable_file_is_a_usage_error(tmp_path: Path, content: bytes | None) -> None:
    """A missing file and one that is no YAML are refused by name."""
    path = tmp_path / "bad.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"cannot read scenario .*bad\.yaml"):
        load_scenario(path)


def test_configuration_is_no_scenario(tmp_path: Path) -> None:
    """A file without a single key of a scenario was given with the wrong option."""
    path = tmp_path / "job.yaml"
    path.write_text("workers: 2\nquiet: true\n")
    with pytest.raises(
        UsageError, match=r"job\.yaml is no scenario.*give a configuration with --c"
    ):
        load_scenario(path)


def test_command_refuses_a_bad_scenario_before_anything_is_written(tmp_path: Path) -> None:
    """The command ends with 2 and one line: the file, each path in it, and what is allowed."""
    scenario, output = tmp_path / "bad.yaml", tmp_path / "index"
    scenario.write_text(
        "{name: a, description: b, acceleration_note: c, duration_seconds: 60, faults: "
        "[{kind: gamma, per_mebibyte: 1}, {kind: burst, per_mebibyte: -1}], "
        "clusters: [{name: a, machines: 0, latitude: 100, longitude: 0}]}"
    )
    command = [sys.executable, "-m", "sealedbeam.pipeline.cli", "index", str(SAMPLE)]
    command += ["--output", str(output), "--scenario", str(scenario)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment())
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    for told in (
        f"{scenario}: clusters[0].latitude is 100; allowed: a number of degrees from -90 to 90",
        "clusters[0].machines is 0; allowed: a whole number from 1 to",
        "faults[0].kind is 'gamma'; allowed: of memory: ",
        "faults[1].per_mebibyte is -1; allowed: a number from 0 to 100,000",
    ):
        assert told in line
    assert not output.exists()


def test_every_mistake_is_told_at_once() -> None:
    """Two mistakes give one message with both."""
    with pytest.raises(UsageError, match=r"duration_seconds is 0.*faults\[0\]\.kind is 'x'"):
        make_scenario(flips("x", 1), duration_seconds=0)


def test_hops_are_those_of_the_job() -> None:
    """Without a list a fault strikes at every hop that the job has."""
    assert sorted([FETCH, *HOPS]) == sorted(make_scenario(flips("single_bit", 1)).faults[0].hops)


def test_named_clusters_have_their_factor_and_the_rest_none() -> None:
    """A factor multiplies the rate; a cluster that is not named is spared."""
    planned = make_plan(flips("single_bit", 8.0, clusters={"oregon": 2}))
    assert planned.faults[0].rates == (("dublin", 0.0), ("oregon", 16.0))
    rates = planned.rates("pages")
    assert rates is not None
    assert rates.highest == 16 / (8 << 20)


def test_hops_that_are_not_named_have_no_rates() -> None:
    """Nothing happens at other hops, and nowhere at rate zero."""
    assert make_plan(flips("single_bit", 1.0, hops=["runs"])).rates("pages") is None
    assert make_plan(flips("single_bit", 0.0)).rates("pages") is None
    assert make_plan().rates("pages") is None


def test_plan_survives_its_file(tmp_path: Path) -> None:
    """A plan read back is the same plan, with the same hash; seed and rates change the hash."""
    planned = make_plan(flips("double_bit", 0.5, clusters=["oregon"]), seed=3)
    path = tmp_path / "plan.json"
    path.write_text(planned.to_json())
    assert planned == parse_plan(planned.to_json()) == read_plan(str(path), planned.sha256)
    others = [make_plan(flips("double_bit", 0.5, clusters=["oregon"]), seed=4), make_plan(seed=3)]
    assert planned.sha256 not in {other.sha256 for other in others}


def test_changed_plan_is_refused(tmp_path: Path) -> None:
    """A plan with one other byte, or none, is not what the job began with."""
    path = tmp_path / "plan.json"
    path.write_text(make_plan(seed=5).to_json())
    with pytest.raises(IntegrityError, match="changed"):
        read_plan(str(path), make_plan(seed=6).sha256)
    with pytest.raises(IntegrityError, match="cannot read"):
        read_plan(str(tmp_path / "gone"), make_plan(seed=6).sha256)


def test_description_is_no_part_of_the_plan() -> None:
    """Rewording a description does not turn a job into another one."""
    one, other = make_scenario(), make_scenario(description="Other words.")
    assert plan_scenario(one, 0) == plan_scenario(other, 0)
