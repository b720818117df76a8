"""Claims about the fleet of a file of clusters: groups add up, scale in proportion, and answer."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from sealedbeam.faults.ecc import Hardware
from sealedbeam.faults.fleet_command import fleet
from sealedbeam.faults.fleet_model import FleetModel
from sealedbeam.faults.fleet_report import FleetSummary, summarise_fleet
from sealedbeam.faults.fleet_text import describe_fleet
from sealedbeam.faults.sites import Site, load_sites
from sealedbeam.pipeline.errors import UsageError

from tests.support.jobs import ROOT, command

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

WORLD = ROOT / "configs" / "clusters" / "world.yaml"
MODEL = FleetModel(days=30)


def site(name: str, machines: int, hardware: Hardware, memory_gib: float = 64) -> Site:
    return Site(name=name, machines=machines, hardware=hardware, memory_gib=memory_gib)


def summarise(*sites: Site, machines: int | None = None) -> FleetSummary:
    return summarise_fleet(sites, MODEL, 1, machines)


def test_groups_add_up() -> None:
    """Faults, losses and wrong computations of two groups are those of each by itself together."""
    one, two = site("one", 3000, Hardware.SECDED), site("two", 2000, Hardware.NONE, 32)
    both, first, second = summarise(one, two), summarise(one), summarise(two)
    for name in ("faults_per_day", "missed", "wrong_computations", "machines_lost"):
        apart = getattr(first.expected, name) + getattr(second.expected, name)
        assert getattr(both.expected, name) == pytest.approx(apart)
    for code, number in both.expected.undetected.items():
        apart = first.expected.undetected[code] + second.expected.undetected[code]
        assert number == pytest.approx(apart)
    assert both.machines_by_hardware == {"secded": 3000, "none": 2000}
    assert both.model.machines == 5000


@pytest.mark.parametrize("machines", [4, 100, 99_999])
def test_machines_are_shared_out_in_proportion(machines: int) -> None:
    """A fleet of another size has all its machines, and each group its part, rounded."""
    sites = [site(str(n), 1000 * (1 + n), hardware) for n, hardware in enumerate(Hardware)]
    shares = summarise(*sites, machines=machines).machines_by_hardware
    assert sum(shares.values()) == machines
    for number, hardware in enumerate(Hardware):
        assert abs(shares[hardware] - machines * (1 + number) / 10) <= len(sites)


def test_fewer_machines_than_groups_are_refused() -> None:
    """Each kind of memory protection needs a machine."""
    with pytest.raises(UsageError, match="2 at least"):
        summarise(site("a", 9, Hardware.NONE), site("b", 9, Hardware.PARITY), machines=1)


def test_answer_follows_from_the_memory() -> None:
    """Chipkill that corrects each fault of the pool would need none; no protection, correction."""
    bare = summarise(site("bare", 100_000, Hardware.NONE))
    assert bare.advice.protection == "correct"
    assert "--protection correct" in describe_fleet(bare)
    assert bare.audit_needed
    honest = replace(MODEL, mercurial_share=0.0)
    quiet = summarise_fleet([site("a", 100, Hardware.SECDED)], honest, 1)
    assert not quiet.audit_needed
    assert "--redundancy" not in describe_fleet(quiet)


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(fleet, [*arguments])
    return result.exit_code, result.output


def test_command_tells_units_sources_and_the_answer() -> None:
    """The table has a unit in each row, says what is verified and recalled, and what is needed."""
    code, text = run(str(WORLD), "--machines", "100000", "--days", "30")
    assert code == 0
    assert "100,000 machines of 64 GiB as in 12 clusters, 30 days" in text
    for part in ("a day", "in the run", "TB in the run", "verified", "recalled", "ours"):
        assert part in text
    assert "Which protection do I need at my scale?" in text
    assert all(len(line) <= 100 for line in text.splitlines())


def test_json_holds_all_figures() -> None:
    """With --json the output is what `to_dict` returns, the same in each run."""
    arguments = (str(WORLD), "--days", "2", "--json")
    code, text = run(*arguments)
    assert code == 0
    sites = load_sites(WORLD).clusters
    assert summarise_fleet(sites, FleetModel(days=2), 0).to_dict() == json.loads(text)
    assert run(*arguments) == (code, text)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--days", "0"), "--days is 0; allowed: a number from 1 to 3,660"),
        (("--seed", "-5"), "--seed is -5; allowed: a number from 0 to 18,446,744,073,709,551,615"),
        (("--machines", "0"), "--machines is 0; allowed: a number from 1 to 10,000,000"),
        (("--acceleration", "-1"), "--acceleration is -1; allowed: a number from 0 to 1,000,000"),
        (("--acceleration", "nan"), "--acceleration is nan; allowed"),
        (("--audit-share", "2"), "--audit-share is 2; allowed: a number from 0 to 1"),
    ],
)
def test_options_that_are_not_allowed(arguments: Sequence[str], message: str) -> None:
    """An option outside its range is named with the range."""
    result = CliRunner().invoke(fleet, [str(WORLD), *arguments])
    assert isinstance(result.exception, UsageError)
    assert message in str(result.exception)


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    """The program ends with exit code 2 and one line that names the place in the file."""
    path = tmp_path / "clusters.yaml"
    path.write_text("description: x\nclusters: [{name: a, machines: 0}]\n")
    done = subprocess.run(command("fleet", str(path)), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "clusters[0].machines is 0" in done.stderr
