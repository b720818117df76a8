"""Claims about `InjectFaults` in Beam: the pure functions' results, whatever the bundles."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to
from sealedbeam.faults import transforms
from sealedbeam.faults.elements import ElementHarm, identify
from sealedbeam.faults.plan import make_plan
from sealedbeam.faults.transforms import InjectFaults
from sealedbeam.pipeline.errors import UsageError

from tests.support.campaigns import flips, make_scenario
from tests.support.jobs import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SCENARIO = make_scenario(flips("single_bit", 2000), {"kind": "lost_block", "per_block": 0.05})
ELEMENTS = [b"element %06d " % number * 10 for number in range(100)]


def expected(
    elements: list[bytes], keys: list[bytes], numbers: list[int]
) -> tuple[list[bytes], list[Any]]:
    harm = ElementHarm(make_plan(SCENARIO, 3), "pages")
    struck = [
        harm.strike(identify(element, key, number), element, key.decode())
        for element, key, number in zip(elements, keys, numbers, strict=True)
    ]
    return (
        [arrived for each in struck for arrived in each.arrived],
        [fault.fault_id for each in struck for fault in each.faults],
    )


def test_elements_and_journal_are_those_of_the_pure_functions() -> None:
    """However the runner orders and bundles elements, each one's fate is its own."""
    none, zeros = [b""] * len(ELEMENTS), [0] * len(ELEMENTS)
    arrived, faults = expected(ELEMENTS, none, zeros)
    assert len(arrived) < len(ELEMENTS)
    assert len(faults) > 10
    with beam.Pipeline() as pipeline:
        got, journal = (
            pipeline
            | beam.Create(ELEMENTS[::-1])
            | beam.Reshuffle()
            | InjectFaults(SCENARIO, seed=3)
        )
        assert_that(got, equal_to(arrived), "arrived")
        assert_that(journal | beam.Map(lambda fault: fault.fault_id), equal_to(faults), "journal")


def test_keys_stay_and_name_the_faults() -> None:
    """Of pairs only the value is damaged; the key tells equal ones apart and is in the journal."""
    keys = [f"page {number}" for number in range(60)]
    raw = [key.encode() for key in keys]
    arrived, faults = expected([ELEMENTS[0]] * 60, raw, [0] * 60)
    with beam.Pipeline() as pipeline:
        pairs = pipeline | beam.Create([(key, ELEMENTS[0]) for key in keys])
        got, journal = pairs | InjectFaults(SCENARIO, 3, keyed=True)
        assert_that(got | beam.Values(), equal_to(arrived), "arrived")
        assert_that(journal | beam.Map(lambda fault: fault.fault_id), equal_to(faults), "journal")
        names = journal | beam.Map(lambda fault: fault.record in keys) | beam.Distinct()
        assert_that(names, equal_to([True]), "names")


@pytest.mark.parametrize("apart", [False, True])
def test_equal_elements(*, apart: bool) -> None:
    """Equal elements fare alike; told apart, each has a fate of its own, the same in each run."""
    same = [ELEMENTS[0]] * 50
    numbers = list(range(50)) if apart else [0] * 50
    arrived, faults = expected(same, [b""] * 50, numbers)
    assert (len(Counter(arrived)) > 1) is apart
    with beam.Pipeline() as pipeline:
        elements = pipeline | beam.Create(same)
        got, journal = elements | InjectFaults(SCENARIO, 3, tell_equal_apart=apart)
        assert_that(got, equal_to(arrived), "arrived")
        assert_that(journal | beam.Map(lambda fault: fault.fault_id), equal_to(faults), "journal")


def test_example_of_the_documentation_runs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The example in the module's docstring prints what arrives."""
    monkeypatch.chdir(ROOT)
    text = str(transforms.__doc__).partition("Example:\n")[2]
    code = "\n".join(line[4:] for line in text.splitlines())
    exec(compile(code, "example", "exec"), {"beam": beam, "InjectFaults": InjectFaults})
    assert capsys.readouterr().out.count("page") >= 1


def test_mistakes_are_told_before_anything_runs(tmp_path: Path) -> None:
    """A scenario that is wrong, or cannot strike elements, is refused when the step is made."""
    with pytest.raises(UsageError, match="cannot read"):
        InjectFaults(tmp_path / "missing.yaml")
    with pytest.raises(UsageError, match="header_bit"):
        InjectFaults(make_scenario({"kind": "header_bit", "per_block": 0.5}))


@pytest.mark.parametrize(("element", "keyed"), [("text", False), ((1, b"x"), True)])
def test_other_types_are_refused_by_name(element: Any, *, keyed: bool) -> None:
    """What is not bytes is refused with a message that says what to do."""
    with pytest.raises(TypeError, match="encode it first"), beam.Pipeline() as pipeline:
        _ = pipeline | beam.Create([element]) | InjectFaults(SCENARIO, keyed=keyed)
