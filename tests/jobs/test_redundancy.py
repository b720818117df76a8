"""A sample is done again elsewhere, votes decide, and as many wrong machines are found as expected.

`test_detection_is_as_expected` is the measurement in small: real pages are parsed under the fault
injector's mercurial machines, over seeds, and what is caught and what is left agrees with theory.
"""

from __future__ import annotations

from math import isclose, sqrt
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.faults.plan import make_plan
from sealedbeam.faults.sick import find_mercurial
from sealedbeam.faults.transit import FaultyTransit
from sealedbeam.pipeline.config import JobConfig, Redundancy
from sealedbeam.pipeline.integrity.block import write_block
from sealedbeam.pipeline.integrity.channel import PerfectChannel
from sealedbeam.pipeline.integrity.ladder import Policy, carry
from sealedbeam.pipeline.integrity.ledger import HopAccount
from sealedbeam.pipeline.integrity.lineage import Origin
from sealedbeam.pipeline.integrity.protection import PROTECTIONS
from sealedbeam.pipeline.jobs.context import JobContext
from sealedbeam.pipeline.jobs.entry import Entry
from sealedbeam.pipeline.jobs.parsing import PARSE, PageParser
from sealedbeam.pipeline.jobs.poison import SkipList
from sealedbeam.pipeline.jobs.recorder import Recorder
from sealedbeam.pipeline.jobs.redundancy import (
    COMPUTATIONS,
    OUTVOTED,
    OUTVOTED_CORES,
    RUNS_MAX,
    TRUSTED,
    Run,
    Sample,
    chance_caught,
    check_audit,
    count_vote,
    find_confirmed,
    find_evicted,
    is_settled,
    name_machine,
    objections,
    trusts,
)
from sealedbeam.pipeline.records import Page

from tests.support.campaigns import make_scenario

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sealedbeam.pipeline.integrity.ladder import Accepted

PAGES = 400
MACHINES = 8
SEEDS = range(60)
MERCURIAL_SHARE = 0.25
ERROR_SHARE = 0.1
AUDITED_SHARE = 0.1


def audit(share: float, seed: int = 0) -> JobConfig:
    return JobConfig(redundancy=Redundancy.AUDIT, audited_share=share, seed=seed)


def identity(number: int) -> bytes:
    return Origin(0, number, 0, 500 * number, 500).encode()


@pytest.mark.parametrize("share", [0.01, 0.2, 0.9])
def test_sample_has_its_share(share: float) -> None:
    """Of many pages the stated share is sampled, within three standard deviations."""
    sample, number = Sample.of(audit(share)), 20_000
    found = sum(sample.has(identity(page)) for page in range(number))
    assert abs(found - share * number) < 3 * sqrt(number * share * (1 - share))


def test_samples_lie_in_each_other() -> None:
    """A larger share adds pages and leaves none out; another seed samples others; off none."""
    pages = [identity(page) for page in range(2_000)]
    some, more, other = (Sample.of(audit(*of)) for of in ((0.1,), (0.2,), (0.1, 7)))
    assert {page for page in pages if some.has(page)} < {page for page in pages if more.has(page)}
    assert [some.has(page) for page in pages] != [other.has(page) for page in pages]
    assert all(map(Sample.of(audit(1)).has, pages))
    assert not any(map(Sample.of(JobConfig()).has, pages))


DIGESTS = st.lists(st.sampled_from([b"a", b"b", b"c", b"d", b"e", b"f"]), min_size=2, max_size=6)


def ask(digests: Sequence[bytes]) -> list[Run]:
    """Return the runs that an audit asks for if machines would give these results."""
    runs: list[Run] = []
    for number, digest in enumerate(digests):
        runs.append(Run(f"machine-{number}", digest))
        if is_settled(runs):
            break
    return runs


@given(DIGESTS)
def test_second_machine_decides(digests: list[bytes]) -> None:
    """The result that two machines were first to give wins, and nobody is asked after that."""
    runs = ask(digests)
    given_by = [run.digest for run in runs]
    before = given_by[:-1]
    if given_by[-1] in before:
        assert find_confirmed(runs) == given_by[-1]
        assert len(set(before)) == len(before)
    else:
        assert find_confirmed(runs) is None
        assert len(runs) in (RUNS_MAX, len(digests))


@given(st.lists(DIGESTS, max_size=8))
def test_votes_add_up(pages: list[list[bytes]]) -> None:
    """Whatever machines answer, audited = agreed + disagreed, disagreed = outvoted + undecided."""
    entry = Entry("part-00000", "")
    for digests in pages:
        winner = count_vote(entry, ask(digests), OUTVOTED)
        if winner is not None:
            entry.count(COMPUTATIONS, "documents")
    sealed = entry.counts.get(COMPUTATIONS, {}).get("documents", 0)
    assert [each.left - each.right for each in check_audit(entry.counts, sealed)] == [0, 0, 0]
    assert entry.counts.get(COMPUTATIONS, {}).get("audited", 0) == len(pages)


def test_wrong_counts_are_told() -> None:
    """A page that was neither audited nor entrusted to one machine unbalances the ledger."""
    counts = {COMPUTATIONS: {"audited": 3, "agreed": 3, "documents": 3}, TRUSTED: {"a/b": 4}}
    assert [each.left - each.right for each in check_audit(counts, 8)] == [0, 0, 1]
    counts[COMPUTATIONS]["disagreed"] = 2
    assert [each.left - each.right for each in check_audit(counts, 7)] == [-2, 2, 0]


def test_machine_past_the_threshold_is_evicted() -> None:
    """Counts against a machine are added over parts; only parts that rely on it are done again."""
    first, second = Entry("part-00000", ""), Entry("part-00001", "")
    first.counts = {OUTVOTED: {"a/1": 1, "a/2": 1}, TRUSTED: {"a/1": 3}}
    second.counts = {OUTVOTED: {"a/1": 1}, TRUSTED: {"a/2": 3, "a/3": 1}}
    assert find_evicted([first, second], 2) == ("a/1",)
    assert find_evicted([first, second], 1) == ("a/1", "a/2")
    assert find_evicted([first, second], 3) == ()
    assert [trusts(entry, ("a/1",)) for entry in (first, second)] == [True, False]


def test_too_many_undecided_pages_and_real_cores_fail_the_job() -> None:
    """Nobody's results must not pass for an index; nor may a core that is known to be wrong."""
    counts = {"pages": {"read": 100}, COMPUTATIONS: {"undecided": 1}}
    assert objections(counts, audit(0.1)) == ()
    counts[COMPUTATIONS]["undecided"] = 2
    assert "no two machines agree on 2 of 100 pages" in objections(counts, audit(0.1))[0]
    (finding,) = objections({OUTVOTED_CORES: {"host/core-3": 1}}, audit(0.1))
    assert finding.startswith("audit: host/core-3 computed 1 of the audited pages wrongly")
    lenient = JobConfig(redundancy=Redundancy.AUDIT, evict_after=2)
    assert objections({OUTVOTED_CORES: {"host/core-3": 1}}, lenient) == ()


@pytest.mark.parametrize("threshold", [1, 2, 4])
def test_chance_is_that_of_the_binomial(threshold: int) -> None:
    """The chance to be caught agrees with adding up all ways in which few enough errors show."""
    each, number = 0.3 * 0.4, 9
    table = [1.0] + [0.0] * number  # table[k]: chance of k errors so far
    for _ in range(number):
        table = [p * (1 - each) + (table[k - 1] * each if k else 0.0) for k, p in enumerate(table)]
    assert isclose(chance_caught(number, 0.3, 0.4, threshold), sum(table[threshold:]))
    if threshold == 1:
        assert isclose(chance_caught(number, 0.3, 0.4), 1 - (1 - each) ** number)


class Trial(NamedTuple):
    """What one seed gave.

    `caught` of its mercurial machines, against the `chances` of each; healthy ones that were
    evicted `falsely`; wrong results that are `left` among those that missed machines gave alone.
    """

    caught: int
    chances: list[float]
    falsely: set[str]
    left: int
    relied_on: int


def accepted_pages() -> list[Accepted]:
    """Return small pages as the parse stage gets them."""
    body = b"<title>%d</title><p>one page of many"
    pages = [
        Page("response", f"http://a.example/{n}", "2026-01-01T00:00:00Z", 200, "", "", "", body % n)
        for n in range(PAGES)
    ]
    records = [(identity(n), page.to_payload()) for n, page in enumerate(pages)]
    policy = Policy(PROTECTIONS["correct"])
    transit = PerfectChannel().begin("part-00000")
    block = write_block(b"pages", records, policy.protection)
    carried = carry(block, "pages", transit, policy, derive=lambda _: (), account=HopAccount())
    return carried.accepted


def parse_all(
    pages: Sequence[Accepted], transit: FaultyTransit, seed: int, evicted: Sequence[str] = ()
) -> tuple[Entry, list[bytes]]:
    """Return the entry and the documents of one attempt at a part."""
    context = JobContext("", (), audit(AUDITED_SHARE, seed), PerfectChannel().reference())
    entry, sample = Entry("part-00000", ""), Sample.of(context.config)
    parser = PageParser(
        context, entry, transit, SkipList(()), Recorder(), sample=sample, evicted=evicted
    )
    documents = [parser.parse(page) for page in pages]
    return entry, [document for document in documents if isinstance(document, bytes)]


def run_trial(pages: Sequence[Accepted], right: Sequence[bytes], seed: int) -> Trial:
    """Audit one seed's machines, evict, and do again what relied on them."""
    scenario = make_scenario(
        clusters=[{"name": "a", "machines": MACHINES}],
        mercurial_cores={"share": MERCURIAL_SHARE, "share_of_results": ERROR_SHARE},
    )
    plan = make_plan(scenario, seed)
    entry, documents = parse_all(pages, FaultyTransit(plan), seed)
    evicted = find_evicted([entry], 1)
    entry, documents = parse_all(pages, FaultyTransit(plan), seed, evicted)
    assert find_evicted([entry], 1) == evicted
    assert not trusts(entry, evicted)
    wrong = {
        name_machine(plan.fleet.place(identity(0), PARSE, 1)._replace(machine=f"machine-{n:05d}"))
        for n in range(MACHINES)
        if find_mercurial(seed, "a", n, MERCURIAL_SHARE) is not None
    }
    places = [
        [name_machine(plan.fleet.place(page.identity, PARSE, attempt)) for page in pages]
        for attempt in (1, 2)
    ]
    computations = [places[0].count(machine) + places[1].count(machine) for machine in wrong]
    missed = wrong.difference(evicted)
    return Trial(
        len(wrong.intersection(evicted)),
        [chance_caught(number, ERROR_SHARE, AUDITED_SHARE) for number in computations],
        set(evicted) - wrong,
        sum(found != expected for found, expected in zip(documents, right, strict=True)),
        sum(entry.counts[TRUSTED].get(machine, 0) for machine in missed),
    )


def test_detection_is_as_expected() -> None:
    """Over seeds, as many machines are caught as theory says, within three standard deviations.

    What is left wrong is the share of errors of what missed machines have computed alone. No
    healthy machine is evicted.
    """
    pages = accepted_pages()
    healthy = make_plan(make_scenario(), 0)
    _, right = parse_all(pages, FaultyTransit(healthy), 0)
    trials = [run_trial(pages, right, seed) for seed in SEEDS]
    chances = [chance for trial in trials for chance in trial.chances]
    deviation = sqrt(sum(chance * (1 - chance) for chance in chances))
    assert len(chances) > len(SEEDS)
    assert abs(sum(trial.caught for trial in trials) - sum(chances)) < 3 * deviation
    assert all(not trial.falsely for trial in trials)
    left = sum(trial.left for trial in trials)
    relied_on = sum(trial.relied_on for trial in trials)
    deviation = sqrt(relied_on * ERROR_SHARE * (1 - ERROR_SHARE))
    assert abs(left - relied_on * ERROR_SHARE) < 3 * deviation < left
