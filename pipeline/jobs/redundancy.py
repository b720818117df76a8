"""Redundant execution: a computation done again elsewhere, because no seal sees a wrong result.

A core that computes wrongly seals its wrong result like any other. So a sampled share of the pages
is parsed a second time, on another machine, and the digests of the two results are compared. Where
they differ, further machines are asked until two agree; that result is used, and each machine that
gave another one is counted against. A machine with too many counts is evicted: every page that it
alone has parsed is parsed again on another one.

Rules:
1. A page is sampled by its identity and the seed: any attempt, anywhere, audits the same pages. It
   is pages, not blocks, because machines err by page: a sample of blocks costs as much and sees
   fewer machines.
2. A machine has one vote on a page. A result wins when two machines gave it and none before did;
   after five different results nobody knows, and the page is set aside.
3. Sampled pages are voted on where they were placed, whoever is evicted. So what counts against a
   machine depends on no eviction, the evicted are the same after any kill, and one round settles
   all of it.

Theory: a machine that errs on a share e of its results is wrong on a page that is sampled with
chance a; of n such pages the number is binomial, and it is caught if that reaches the threshold.
With threshold 1 the chance is 1 - (1 - a e)^n. A sampled page tests two machines, its own and the
one that is asked next, so n counts the pages on which the machine is either: twice its own. What
stays in the index are wrong results on pages that were not sampled, of machines never caught: of a
machine with m pages of its own m e (1 - a) (1 - a e)^(n - 1) are to be expected, and a share e of
what it is given instead of evicted ones.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from math import comb
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import xxhash
from sealedbeam.pipeline.config import Redundancy
from sealedbeam.pipeline.integrity.reconcile import Equation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sealedbeam.pipeline.config import JobConfig
    from sealedbeam.pipeline.integrity.channel import Place

    from .entry import Counts, Entry

RUNS_MAX = 5
"""So many machines are asked before a page is given up."""

DISAGREE = "computations_disagree"
COMPUTATIONS = "computations"
TRUSTED = "trusted_machines"
"""Counts of the documents that one machine alone has computed, by machine."""
OUTVOTED = "outvoted_machines"
OUTVOTED_CORES = "outvoted_cores"
"""Counts of wrong results: by machine of the channel, and by real core where it has none."""
EVICTED = "evicted"
_WORD_BITS = 64


@dataclass(frozen=True, slots=True)
class Sample:
    """Which pages of a job are audited: a pure function of their identities."""

    NONE: ClassVar[Sample]

    key: int
    bound: int

    @classmethod
    def of(cls, config: JobConfig) -> Sample:
        """Return the sample of a job, empty without redundancy."""
        share = config.audited_share if config.redundancy is Redundancy.AUDIT else 0.0
        key = hashlib.blake2b(f"audit\0{config.seed}".encode(), digest_size=8).digest()
        return cls(int.from_bytes(key), int(share * (1 << _WORD_BITS)))

    def has(self, identity: bytes) -> bool:
        """Return whether the page with this identity is audited."""
        return xxhash.xxh3_64_intdigest(identity, self.key) < self.bound


Sample.NONE = Sample(0, 0)


class Run(NamedTuple):
    """One machine's result for a page, as a digest."""

    machine: str
    digest: bytes


def name_machine(place: Place) -> str:
    """Return what a machine is called in the ledger."""
    return f"{place.cluster}/{place.machine}"


def digest_of(result: bytes) -> bytes:
    """Return what results are compared by: 128 bits of accident never agree by chance."""
    return xxhash.xxh3_128_digest(result)


def find_confirmed(runs: Sequence[Run]) -> bytes | None:
    """Return the first digest that a second machine confirms, None while there is none."""
    seen: set[bytes] = set()
    for run in runs:
        if run.digest in seen:
            return run.digest
        seen.add(run.digest)
    return None


def is_settled(runs: Sequence[Run]) -> bool:
    """Return whether no further machine need be asked."""
    return find_confirmed(runs) is not None or len(runs) >= RUNS_MAX


def count_vote(entry: Entry, runs: Sequence[Run], against: str) -> bytes | None:
    """Enter the vote on one page; return the digest that won, None when it is undecided.

    Args:
        entry: of the task.
        runs: one of each machine that was asked.
        against: the group that outvoted machines are counted in.
    """
    confirmed = find_confirmed(runs)
    entry.count(COMPUTATIONS, "audited")
    if len({run.digest for run in runs}) == 1:
        entry.count(COMPUTATIONS, "agreed")
        return confirmed
    entry.count(COMPUTATIONS, "disagreed")
    entry.count(COMPUTATIONS, "undecided" if confirmed is None else "outvoted")
    if confirmed is not None:
        for run in runs:
            if run.digest != confirmed:
                entry.count(against, run.machine)
    return confirmed


def find_evicted(entries: Iterable[Entry], evict_after: int) -> tuple[str, ...]:
    """Return the machines that were outvoted `evict_after` times or more in all parts, by name."""
    counts: Counter[str] = Counter()
    for entry in entries:
        counts.update(entry.counts.get(OUTVOTED, {}))
    return tuple(sorted(name for name, number in counts.items() if number >= evict_after))


def trusts(entry: Entry, evicted: Iterable[str]) -> bool:
    """Return whether a part has results that an evicted machine alone has computed."""
    return not entry.counts.get(TRUSTED, {}).keys().isdisjoint(evicted)


def check_audit(counts: Counts, documents_sealed: int) -> list[Equation]:
    """Return what must hold of an audited job's counts."""
    computations = counts.get(COMPUTATIONS, {})

    def get(name: str) -> int:
        return computations.get(name, 0)

    return [
        Equation(
            "pages audited = agreed + disagreed", get("audited"), get("agreed") + get("disagreed")
        ),
        Equation(
            "pages disagreed on = outvoted + undecided",
            get("disagreed"),
            get("outvoted") + get("undecided"),
        ),
        Equation(
            "documents sealed = computed by one machine + audited",
            documents_sealed,
            sum(counts.get(TRUSTED, {}).values()) + get("documents"),
        ),
    ]


def objections(counts: Counts, config: JobConfig) -> tuple[str, ...]:
    """Return why an audited job must not pass although its ledger may balance."""
    found = []
    undecided = counts.get(COMPUTATIONS, {}).get("undecided", 0)
    read = counts.get("pages", {}).get("read", 0)
    if undecided > config.max_dropped_ratio * read:
        found.append(
            f"audit: no two machines agree on {undecided} of {read} pages, more than the allowed "
            f"share of {config.max_dropped_ratio:g}"
        )
    for core, number in sorted(counts.get(OUTVOTED_CORES, {}).items()):
        if number >= config.evict_after:
            found.append(
                f"audit: {core} computed {number} of the audited pages wrongly, and which others "
                "it has computed is not known; take it out of service and index into a new folder"
            )
    return tuple(found)


def summarise_audit(counts: Counts, evicted: Sequence[str]) -> dict[str, int | list[str]]:
    """Return what summary.json says of an audit."""
    computations: Mapping[str, int] = counts.get(COMPUTATIONS, {})
    names = ("audited", "agreed", "disagreed", "outvoted", "undecided")
    return {name: computations.get(name, 0) for name in names} | {EVICTED: list(evicted)}


def chance_caught(
    computations: int, error_share: float, audited_share: float, evict_after: int = 1
) -> float:
    """Return the chance that a machine is evicted.

    Args:
        computations: pages on which it is the first or the second machine.
        error_share: of its results that are wrong.
        audited_share: of the pages that are done again.
        evict_after: wrong results that it takes.
    """
    each = error_share * audited_share
    missed = sum(
        comb(computations, k) * each**k * (1 - each) ** (computations - k)
        for k in range(min(evict_after, computations + 1))
    )
    return 1 - missed
