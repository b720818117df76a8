"""The parse stage of a map task: one page, from its proven bytes to the bytes of its document.

    look ──▶ parse ──▶ elsewhere, if the page is sampled ──▶ vote ──▶ second look at the page

A page that raises is set aside, one whose bytes changed meanwhile is derived again, and so is the
work on it. What is computed where, and whom a vote goes against, is `redundancy`'s.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.index.parse import Parsed, Rejected, parse_page
from sealedbeam.pipeline.integrity.block import seal_record
from sealedbeam.pipeline.integrity.ladder import Casualty
from sealedbeam.pipeline.integrity.lineage import Origin
from sealedbeam.pipeline.records import Page

from .cores import CoreWalk
from .derive import derive_pages
from .poison import EXCEEDS_MEMORY, RAISES, Skip
from .recorder import Stage
from .redundancy import (
    COMPUTATIONS,
    DISAGREE,
    OUTVOTED,
    OUTVOTED_CORES,
    TRUSTED,
    Run,
    Sample,
    count_vote,
    digest_of,
    is_settled,
    name_machine,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sealedbeam.pipeline.integrity.channel import Transit
    from sealedbeam.pipeline.integrity.ladder import Accepted

    from .context import JobContext
    from .entry import Entry
    from .poison import SkipList
    from .recorder import Recorder

PARSE = "parse"
CHANGED_IN_USE = "changed_in_use"
_PARSES_MAX = 2
_PLACES_MAX = 200
"""Where each of so many attempts lands on an evicted machine, hardly any other is left."""

Result = Parsed | Rejected


class PageParser:
    """Parses the pages of one attempt at a part."""

    def __init__(
        self,
        context: JobContext,
        entry: Entry,
        transit: Transit,
        skips: SkipList,
        recorder: Recorder,
        *,
        sample: Sample,
        evicted: Sequence[str],
    ) -> None:
        """Parse pages, those of `sample` on several machines, no other on an `evicted` one."""
        self._context = context
        self._entry = entry
        self._transit = transit
        self._skips = skips
        self._recorder = recorder
        self._evicted = frozenset(evicted)
        self._sample = sample
        self._met: set[str] = set()

    @property
    def met(self) -> list[str]:
        """The evicted machines that some page would have been parsed on, sorted."""
        return sorted(self._met)

    def parse(self, accepted: Accepted) -> bytes | Skip | Casualty | None:
        """Return the document's payload, None for a rejected page, or why the page is set aside.

        Raises:
            ValueError: the payload is no page.
            IntegrityError: the page changed in memory and is gone from its input, or hardly any
                machine is left to parse it on.
        """
        page = Page.from_payload(accepted.payload)
        identity = accepted.identity
        if not self._sample.has(identity):
            result = self._parse_within_limits(page, identity)
            if isinstance(result, Skip):
                return result
            if not self.is_proven(accepted):
                result = parse_page(self._derive_again(accepted))
            return self._compute_once(identity, result)
        with CoreWalk() as cores:
            result = self._parse_within_limits(page, identity)
            if isinstance(result, Skip):
                return result
            votes = list(self._ask(page, identity, result, cores))
        if not self.is_proven(accepted):
            page = self._derive_again(accepted)
            with CoreWalk() as cores:
                votes = list(self._ask(page, identity, parse_page(page), cores))
        return self._decide(accepted, page, votes)

    # One machine.

    def _compute_once(self, identity: bytes, result: Result) -> bytes | None:
        if isinstance(result, Rejected):
            self._entry.count("rejected", result.reason)
            return None
        attempt = self._find_attempt(identity) if self._sample.bound else 1
        payload = self._transit.compute(identity, PARSE, attempt, result.document.to_payload())
        self._count_cuts(result)
        return payload

    def _find_attempt(self, identity: bytes) -> int:
        """Return the first attempt that is not on an evicted machine, and count that machine."""
        for attempt in range(1, _PLACES_MAX):
            machine = name_machine(self._transit.place(identity, PARSE, attempt))
            if machine not in self._evicted:
                self._entry.count(TRUSTED, machine)
                return attempt
            self._met.add(machine)
        raise IntegrityError(
            f"{len(self._evicted)} machines were evicted because they compute wrongly, and hardly "
            "any other is left to work on"
        )

    # Several machines.

    def _ask(
        self, page: Page, identity: bytes, first: Result, cores: CoreWalk
    ) -> Iterator[tuple[Run, Result | None, bytes]]:
        """Yield what one machine after the other makes of a page, until two agree."""
        runs: list[Run] = []
        result: Result | None = first
        for attempt, machine in self._machines(identity, cores):
            if attempt > 1:
                origin = Origin.decode(identity)
                self._recorder.begin(Stage.PARSE, origin.offset, origin.length)
                result = _parse_quietly(page)
            payload = _bytes_of(result)
            if isinstance(result, Parsed):
                payload = self._transit.compute(identity, PARSE, attempt, payload)
            runs.append(Run(machine, digest_of(payload)))
            yield runs[-1], result, payload
            if is_settled(runs):
                return

    def _machines(self, identity: bytes, cores: CoreWalk) -> Iterator[tuple[int, str]]:
        """Yield attempts that land on machines that were not asked yet, and their names."""
        asked: set[str] = set()
        for attempt in range(1, _PLACES_MAX):
            place = self._transit.place(identity, PARSE, attempt)
            if not place.machine:  # then the cores of this one are all that there is
                yield 1, cores.name
                again = 2
                while cores.move() or again == 2:  # noqa: PLR2004 - once more in any case
                    yield again, cores.name
                    again += 1
                return
            machine = name_machine(place)
            if machine not in asked:
                asked.add(machine)
                if attempt > 1:
                    cores.move()
                yield attempt, machine

    def _decide(
        self, accepted: Accepted, page: Page, votes: Sequence[tuple[Run, Result | None, bytes]]
    ) -> bytes | Casualty | None:
        """Enter the vote on a page; return what the machines agree on."""
        identity = accepted.identity
        place = self._transit.place(identity, PARSE, 1)
        against = OUTVOTED if place.machine else OUTVOTED_CORES
        winner = count_vote(self._entry, [run for run, _, _ in votes], against)
        chosen = [(result, payload) for run, result, payload in votes if run.digest == winner]
        result, payload = chosen[0] if chosen else (None, b"")
        if result is None:
            raw = page.to_payload()
            return Casualty(identity, DISAGREE, len(votes), place, raw)
        if isinstance(result, Rejected):
            self._entry.count("rejected", result.reason)
            return None
        self._entry.count(COMPUTATIONS, "documents")
        self._count_cuts(result)
        return payload

    # Parsing itself.

    def _parse_within_limits(self, page: Page, identity: bytes) -> Result | Skip:
        origin = Origin.decode(identity)
        skip = self._skips.before_parsing(origin.offset)
        if skip is not None:
            return skip
        self._recorder.begin(Stage.PARSE, origin.offset, origin.length)
        reason = ""
        for _ in range(_PARSES_MAX):
            try:
                return parse_page(page)
            except MemoryError:
                reason = EXCEEDS_MEMORY
            except Exception as error:  # noqa: BLE001 - one page must not end the job of all others
                reason = f"{RAISES}{type(error).__name__}"
            gc.collect()  # with the failed attempt's frames gone
        return self._skips.add(Skip(origin.offset, PARSE, reason, _PARSES_MAX))

    def _derive_again(self, accepted: Accepted) -> Page:
        """Return a page anew whose bytes changed while they were parsed."""
        self._entry.count("operations", CHANGED_IN_USE)
        for identity, payload in derive_pages(self._context, [accepted.identity]):
            if seal_record(identity, payload) == accepted.found.seal:
                return Page.from_payload(payload)
        path = self._context.paths[Origin.decode(accepted.identity).source]
        raise IntegrityError(
            f"{self._entry.task}: a page changed in memory and cannot be made again from "
            f"{path}; was the input changed?"
        )

    def is_proven(self, accepted: Accepted) -> bool:
        """Return whether a record is still what was sealed: the second look, after use."""
        return not self._context.policy.protection.seals or accepted.still_intact()

    def _count_cuts(self, parsed: Parsed) -> None:
        for cut in parsed.cuts:
            self._entry.count("documents", f"cut_{cut}")


def _parse_quietly(page: Page) -> Result | None:
    """Return what a page gives, None where it raises although it did not before."""
    try:
        return parse_page(page)
    except Exception:  # noqa: BLE001 - that is a vote, too
        return None


def _bytes_of(result: Result | None) -> bytes:
    """Return the bytes that two results are equal by; no document is so short."""
    if isinstance(result, Parsed):
        return result.document.to_payload()
    return b"" if result is None else result.reason.encode()
