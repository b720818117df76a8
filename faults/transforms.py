"""Faults for any Beam pipeline: `InjectFaults`, wiring over the pure functions of `elements`.

    elements ──InjectFaults──▶ elements, some of them damaged
                     └────────▶ journal: a `Fault` for each thing that was done

What strikes an element is a function of the seed, its key and its bytes alone: not of bundles,
workers, order or runner. Equal elements (same key, same bytes) therefore fare alike. Where they
should not, `tell_equal_apart` groups them and numbers the copies: which copy gets which number does
not matter, so that the results are the same as a whole. It costs a shuffle, and elements leave it
with the time of their window's end.

Example:
    with beam.Pipeline() as pipeline:
        sent = pipeline | beam.Create([b"a page", b"another page"])
        arrived, journal = sent | InjectFaults("configs/scenarios/bitflips.yaml", seed=7)
        _ = arrived | beam.Map(print)
        _ = journal | beam.Map(lambda fault: print(fault.kind, fault.bits, fault.machine))
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import apache_beam as beam
from apache_beam.metrics import Metrics

from .elements import ElementHarm, identify
from .plan import make_plan, parse_plan
from .scenario import Scenario, load_scenario

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .scenario import Hop

NAMESPACE = "sealedbeam"
JOURNAL = "journal"


class InjectFaults(beam.PTransform):  # type: ignore[misc]  # Beam is untyped
    """Damages byte strings, or the values of pairs of a key and a byte string.

    Returns two PCollections, `arrived` and `journal`, in this order. Keys are text or bytes; they
    are not damaged, and name the elements in the journal.
    """

    def __init__(
        self,
        scenario: str | Path | Scenario,
        seed: int = 0,
        *,
        hop: Hop = "pages",
        keyed: bool = False,
        tell_equal_apart: bool = False,
    ) -> None:
        """Damage elements as a scenario has it.

        Args:
            scenario: or the path of its file.
            seed: of all that is left to chance.
            hop: of the faults that the scenario has for several hops, the ones of this hop strike.
            keyed: whether elements are pairs.
            tell_equal_apart: whether equal elements may fare differently, at the cost of a shuffle.

        Raises:
            UsageError: the scenario is not allowed, or has faults that need blocks.
        """
        super().__init__()
        known = scenario if isinstance(scenario, Scenario) else load_scenario(Path(scenario))
        plan = make_plan(known, seed)
        ElementHarm(plan, hop)
        self._plan = plan.to_json()
        self._hop = hop
        self._keyed = keyed
        self._tell_equal_apart = tell_equal_apart

    def expand(self, elements: beam.PCollection) -> beam.pvalue.DoOutputsTuple:
        """Return what arrives, and the journal."""
        named = elements | "Identify" >> beam.Map(_identify, keyed=self._keyed)
        if self._tell_equal_apart:
            grouped = named | "GroupEqual" >> beam.GroupByKey()
            named = grouped | "Number" >> beam.FlatMap(_number, keyed=self._keyed)
        step = beam.ParDo(_Inject(self._plan, self._hop, keyed=self._keyed))
        return named | "Inject" >> step.with_outputs(JOURNAL, main="arrived")


def _identify(element: Any, *, keyed: bool) -> tuple[bytes, Any]:
    """Return an element behind its identity."""
    key, payload = _parts(element, keyed=keyed)
    return identify(payload, key), element


def _parts(element: Any, *, keyed: bool) -> tuple[bytes, bytes]:
    """Return the key of an element as bytes, empty without one, and what may be damaged."""
    key, payload = element if keyed else (b"", element)
    raw = key.encode() if isinstance(key, str) else key
    if not isinstance(raw, bytes) or not isinstance(payload, bytes):
        wanted = "pairs of a key (text or bytes) and bytes" if keyed else "bytes"
        raise TypeError(f"InjectFaults takes {wanted}, got {element!r:.100}: encode it first")
    return raw, payload


def _number(group: tuple[bytes, Iterable[Any]], *, keyed: bool) -> Iterator[tuple[bytes, Any]]:
    """Yield equal elements, each with an identity of its own."""
    for number, element in enumerate(group[1]):
        key, payload = _parts(element, keyed=keyed)
        yield identify(payload, key, number), element


class _Inject(beam.DoFn):  # type: ignore[misc]  # Beam is untyped
    """Strikes one element after another."""

    def __init__(self, plan: str, hop: str, *, keyed: bool) -> None:
        self._plan = plan
        self._hop = hop
        self._keyed = keyed

    def setup(self) -> None:
        self._harm = ElementHarm(parse_plan(self._plan), self._hop)

    def process(self, named: tuple[bytes, Any]) -> Iterator[Any]:
        identity, element = named
        key, payload = _parts(element, keyed=self._keyed)
        struck = self._harm.strike(identity, payload, key.decode(errors="backslashreplace"))
        for arrived in struck.arrived:
            yield (element[0], arrived) if self._keyed else arrived
        Metrics.counter(NAMESPACE, "faults_injected").inc(len(struck.faults))
        for fault in struck.faults:
            yield beam.pvalue.TaggedOutput(JOURNAL, fault)
