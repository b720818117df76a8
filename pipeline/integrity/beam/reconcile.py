"""`Reconcile` and `Balance`: in = out + set aside, by window and key space, or the job fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import apache_beam as beam
from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.integrity.checksum import DIGEST_MODULUS

from .consumers import Consumer, HandsOver, check_consumer
from .tallies import IN, OUT, SIDES, Account, Measure, SumSides, check_panes, unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from apache_beam.coders import Coder

GRACE_SECONDS = 600.0
FAIL, EMIT = "fail", "emit"


class LedgerEntry(NamedTuple):
    """The account of one window and key space; digests are sums of XXH3-128, in hexadecimal.

    Attributes:
        name: the name of the account.
        space: the key space; empty where there is one alone.
        window: the window as Beam prints it; empty where there is one account for all.
        balanced: whether in = out + set aside, in number and in sum.
        finding: what is wrong, in words; empty where nothing is.
    """

    name: str
    space: str
    window: str
    rows_in: int
    rows_out: int
    rows_aside: int
    digest_in: str
    digest_out: str
    digest_aside: str
    balanced: bool
    finding: str


beam.coders.registry.register_coder(LedgerEntry, beam.coders.RowCoder)


def judge(name: str, account: Account, tally: bytes) -> LedgerEntry:
    """Return the verdict on one account: a pure function of its sums."""
    (rows_in, in_sum), (rows_out, out_sum), (rows_aside, aside_sum) = unpack(tally)
    missing = rows_in - rows_out - rows_aside
    finding = ""
    if missing:
        word = "lost" if missing > 0 else "too many"
        finding = f"{rows_in} in, {rows_out} out, {rows_aside} set aside: {abs(missing)} {word}"
    elif in_sum != (out_sum + aside_sum) % DIGEST_MODULUS:
        finding = f"{rows_in} in and as many out or set aside, but not the same ones"
    return LedgerEntry(
        name=name,
        space=account.space,
        window=account.window,
        rows_in=rows_in,
        rows_out=rows_out,
        rows_aside=rows_aside,
        digest_in=f"{in_sum:032x}",
        digest_out=f"{out_sum:032x}",
        digest_aside=f"{aside_sum:032x}",
        balanced=not finding,
        finding=finding,
    )


def fail_if_imbalanced(entry: LedgerEntry) -> LedgerEntry:
    """Return a balanced entry; raises IntegrityError for any other."""
    if entry.balanced:
        return entry
    place = " ".join(each for each in (entry.space, entry.window) if each)
    raise IntegrityError(f"{entry.name}{f' {place}' if place else ''}: {entry.finding}")


def settle(
    sides: Sequence[tuple[str, beam.PCollection, Measure]],
    name: str,
    grace_seconds: float,
    on_imbalance: str,
) -> beam.PCollection:
    """Return the ledger of these sides; with "fail", an account that is out fails the job."""
    for side, pcollection, _ in sides:
        check_panes(f"{name} ({side})", pcollection)
    inputs = tuple(pcollection for _, pcollection, _ in sides)
    sums = inputs | "SumSides" >> SumSides(sides, grace_seconds)
    judged = beam.MapTuple(lambda account, tally: judge(name, Account(*account), tally))
    entries = sums | "Judge" >> judged.with_output_types(LedgerEntry)
    if on_imbalance == FAIL:
        entries = entries | "FailIfImbalanced" >> beam.Map(fail_if_imbalanced).with_output_types(
            LedgerEntry
        )
    return entries


class Balance(beam.PTransform):  # type: ignore[misc]  # Beam is untyped
    """Balances PCollections against each other: those "in" against "out" and "aside".

    Applied to a dict; each value is a PCollection or a list of them, all of elements of one type,
    that of the first "in". `Damaged` counts for the rows that it says. Returns the ledger.

    Example:
        good, bad = records | beam.ParDo(Parse()).with_outputs("bad", main="good")
        ledger = {"in": records, "out": good | beam.Map(unparse), "aside": bad} | Balance("parse")
        _ = ledger | beam.Map(lambda entry: print(entry.window, entry.rows_in))
    """

    def __init__(
        self,
        name: str = "balance",
        *,
        by: Callable[[Any], str] | None = None,
        on_imbalance: str = FAIL,
        grace_seconds: float = GRACE_SECONDS,
        coder: Coder | None = None,
    ) -> None:
        """Keep an account called `name`.

        Args:
            name: stands in each entry.
            by: the key space of an element: an account for each of a bounded number of them.
            on_imbalance: "fail" the job, or "emit" the entry and go on.
            grace_seconds: how much later than its window and allowed lateness an account closes.
            coder: turns elements into the bytes that are compared; must be deterministic.
        """
        super().__init__()
        self._name = name
        self._by = by
        self._on_imbalance = check_action(on_imbalance)
        self._grace_seconds = grace_seconds
        self._coder = coder

    def __ror__(self, left: Any, label: str | None = None) -> Any:
        """Take lists as well, which Beam would take for values to be made a PCollection of."""
        if isinstance(left, dict):
            left = {
                side: tuple(given) if isinstance(given, list) else given
                for side, given in left.items()
            }
        return super().__ror__(left, label)

    def expand(self, pcollections: Any) -> beam.PCollection:
        """Return the ledger: a PCollection of `LedgerEntry`."""
        sides = list(_flatten_sides(pcollections))
        if not any(side == IN for side, _ in sides):
            raise ValueError(f"{self._name}: nothing goes in: give Balance a dict with 'in'")
        first = next(each for side, each in sides if side == IN)
        coder = self._coder or deterministic_coder(self._name, first.element_type)
        measure = Measure(coder, self._by)
        measured = [(side, each, measure) for side, each in sides]
        return settle(measured, self._name, self._grace_seconds, self._on_imbalance)


def check_action(on_imbalance: str) -> str:
    """Return what to do about an imbalance; raises ValueError for what is neither."""
    if on_imbalance not in {FAIL, EMIT}:
        raise ValueError(f"on_imbalance is 'fail' or 'emit', not {on_imbalance!r}")
    return on_imbalance


def _flatten_sides(
    pcollections: Mapping[str, Any],
) -> Iterable[tuple[str, beam.PCollection]]:
    for side, given in pcollections.items():
        if side not in SIDES:
            raise ValueError(f"{side!r} is no side of an account: they are {', '.join(SIDES)}")
        for each in [given] if isinstance(given, beam.PCollection) else given:
            yield side, each


def deterministic_coder(name: str, element_type: Any) -> Coder:
    """Return the coder by whose bytes elements are compared; raises ValueError without one."""
    coder = beam.coders.registry.get_coder(element_type)
    message = (
        f"{name}: {coder} may encode equal elements differently, so they cannot be compared: "
        "declare their type, or give a coder"
    )
    return coder if coder.is_deterministic() else coder.as_deterministic_coder(name, message)


class Reconcile(HandsOver):
    """Applies a transform and proves that every element that went in came out, once.

    Of a GroupByKey it knows how; of another transform `unfold` says which elements an output
    stands for. An account for each window and key space is closed when its window is; one that is
    out fails the job, or is told by the ledger alone.

    Example:
        grouped = orders | Reconcile(beam.GroupByKey(), name="by customer")

        grouped = orders | Reconcile(
            beam.GroupByKey(),
            name="by customer",
            by=lambda order: order[0][:1],
            on_imbalance="emit",
            ledger=beam.io.WriteToText("ledger"),
        )
    """

    def __init__(
        self,
        transform: beam.PTransform,
        *,
        name: str = "",
        unfold: Callable[[Any], Iterable[Any]] | None = None,
        by: Callable[[Any], str] | None = None,
        ledger: Consumer | None = None,
        on_imbalance: str = FAIL,
        grace_seconds: float = GRACE_SECONDS,
        coder: Coder | None = None,
    ) -> None:
        """Reconcile a transform from one PCollection to another one.

        Args:
            transform: what to apply.
            name: of the account; by default that of the transform.
            unfold: the elements of the input that an element of the output stands for.
            by: the key space of an element: an account for each of a bounded number of them.
            ledger: takes the PCollection of `LedgerEntry`; needed with "emit".
            on_imbalance: "fail" the job, or "emit" the entry and go on.
            grace_seconds: how much later than its window and allowed lateness an account closes.
            coder: turns elements into the bytes that are compared; must be deterministic.

        Raises:
            TypeError: nothing takes the ledger, and nothing else would tell of an imbalance.
        """
        super().__init__()
        self._transform = transform
        self._name = name or transform.label
        grouping = isinstance(transform, beam.GroupByKey)
        self._unfold = unfold or (_ungroup if grouping else None)
        self._action = check_action(on_imbalance)
        self._ledger = ledger
        if ledger is not None or on_imbalance == EMIT:
            self._ledger = check_consumer("Reconcile", "ledger", ledger)
        self._balance = Balance(
            self._name, by=by, on_imbalance=on_imbalance, grace_seconds=grace_seconds, coder=coder
        )

    def expand(self, elements: beam.PCollection) -> beam.PCollection:
        """Return what the transform returns."""
        result = elements | self._transform
        if not isinstance(result, beam.PCollection):
            raise TypeError(f"{self._name}: several outputs, or none: balance them with Balance")
        out = result
        if self._unfold is not None:
            typed = beam.FlatMap(self._unfold).with_output_types(elements.element_type)
            out = result | "Unfold" >> typed
        entries = {IN: elements, OUT: out} | "Balance" >> self._balance
        if self._ledger is not None:
            self.hand_over(entries, self._ledger, "Ledger")
        return result


def _ungroup(group: tuple[Any, Iterable[Any]]) -> Iterable[tuple[Any, Any]]:
    key, values = group
    return ((key, value) for value in values)
