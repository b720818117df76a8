"""What happens to one record while it is delivered: outages of its machine, upsets of its memory.

An upset at a physical rate meets the memory protection of the machine first. What that corrects
makes no difference; what it reports loses the record, with notice; what it misses, software sees.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from .draws import draw, stream_key, to_unit
from .ecc import Verdict, shield
from .journal import BITS_STORED_MAX, Fault, describe_record
from .kinds import MachineKind
from .outages import Scope
from .strikes import STRIKES_PER_BIT_MAX, Stream, Strike, find_positions, thin
from .widths import Shape, bits_that_flip, choose_width, make_damage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .exposure import Exposure
    from .outages import Outage, OutageTable
    from .outline import Frame
    from .plan import Plan
    from .strikes import HopRates
    from .topology import Fleet, Spot

LOSS_SHARE = 0.5
"""Of the records on machines that are hard to reach, or slow.

Dean's list names it for racks that lose packets (verified); that half of what is asked of a slow
machine misses its deadline is ours.
"""

_KINDS = {
    Scope.NETWORK: MachineKind.PACKET_LOST,
    Scope.WONKY_RACK: MachineKind.PACKET_LOST,
    Scope.SLOW_MACHINE: MachineKind.TIMED_OUT,
}


class Harm:
    """A block and, once anything happened to it, the altered copy.

    Attributes:
        pristine: the block as it was.
        lost: whether a record of it was erased.
    """

    def __init__(self, pristine: bytes) -> None:
        """Begin with an unharmed block."""
        self.pristine = pristine
        self.lost = False
        self._copy: bytearray | None = None

    def flip(self, start: int, bits: Sequence[int]) -> None:
        """Flip these bits, counted from byte `start`; without any no copy is made."""
        if not bits:
            return
        copy = self._altered
        for bit in bits:
            copy[start + (bit >> 3)] ^= 1 << (bit & 7)

    def erase(self, frame: Frame) -> None:
        """Overwrite a record's frame with zeros: it is lost."""
        self.lost = True
        self._altered[frame.start : frame.start + frame.length] = bytes(frame.length)

    @property
    def data(self) -> bytes | bytearray:
        """The block as it is by now."""
        return self.pristine if self._copy is None else self._copy

    def result(self) -> bytes:
        """Return what arrives; the very object if nothing happened to it."""
        return self.pristine if self._copy is None else bytes(self._copy)

    @property
    def _altered(self) -> bytearray:
        if self._copy is None:
            self._copy = bytearray(self.pristine)
        return self._copy


class Hit(NamedTuple):
    """A fault of a frame, still without a name, its number, and whether the record felt it."""

    fault: Fault
    number: int
    felt: bool


class _Keys(NamedTuple):
    """The streams that tell where upsets fall, what they are, what they do; and of losses."""

    positions: int
    widths: int
    shapes: int
    sick: int
    packets: int


@dataclass(frozen=True)
class FrameHarm:
    """What can happen to the records at one hop and attempt."""

    hop: str
    attempt: int
    fleet: Fleet
    exposure: Exposure
    rates: HopRates | None
    down: OutageTable
    lossy: OutageTable
    keys: _Keys

    @classmethod
    def of(cls, plan: Plan, hop: str, attempt: int) -> FrameHarm | None:
        """Return what can happen under `plan`, None where nothing can."""
        rates = plan.rates(hop)
        if rates is None and not plan.outages:
            return None
        uses = ("strikes", "widths", "shapes", "sick", "packets")
        keys = _Keys(*(stream_key(plan.seed, use, hop, attempt) for use in uses))
        fleet, exposure = plan.fleet, plan.exposure
        return cls(hop, attempt, fleet, exposure, rates, plan.down, plan.lossy, keys)

    def strike(self, harm: Harm, frame: Frame) -> Iterator[Hit]:
        """Harm a frame of a block; yield each fault."""
        spot: Spot | None = None
        if self._has_outages:
            spot = self.fleet.spot(frame.identity, self.hop, self.attempt)
            outage = self._outage(frame, spot)
            if outage is not None:
                harm.erase(frame)
                kind = _KINDS.get(outage.scope, MachineKind.MACHINE_DOWN)
                yield Hit(self._fault(frame, spot, kind, cause=outage.cause_id), 0, felt=True)
                return
        if self.rates is None:
            return
        positions = find_positions(
            frame.identity, self.keys.positions, 8 * frame.length, self.rates.highest
        )
        if not positions and not self._may_be_sick:
            return
        spot = spot or self.fleet.spot(frame.identity, self.hop, self.attempt)
        strikes = self._strikes(frame, positions, spot)
        hits = [self._upset(harm, frame, strike, spot) for strike in strikes]
        if any(hit.fault.hardware == Verdict.REPORTED for hit in hits):
            harm.erase(frame)  # last, so that nothing else that struck it shows in the zeros
        yield from hits

    @cached_property
    def _has_outages(self) -> bool:
        return bool(len(self.down) or len(self.lossy))

    @cached_property
    def _may_be_sick(self) -> bool:
        return (
            self.rates is not None and bool(self.rates.physical) and self.exposure.has_sick_machines
        )

    def _outage(self, frame: Frame, spot: Spot) -> Outage | None:
        """Return the outage that takes the record, None if none does."""
        name, machine, time = spot.cluster.name, spot.machine, spot.time_seconds
        down = self.down.find(name, machine, time)
        if down is not None:
            return down
        lossy = self.lossy.find(name, machine, time)
        if lossy is None or to_unit(draw(frame.identity, self.keys.packets)) > LOSS_SHARE:
            return None
        return lossy

    def _strikes(self, frame: Frame, positions: list[int], spot: Spot) -> list[Strike]:
        """Return the upsets of a frame: the usual ones, and what a sick machine adds."""
        rates = self.rates
        assert rates is not None, "asked for only where there are rates"
        identity, name = frame.identity, spot.cluster.name
        factor = self.exposure.healthy_factor(name, spot.time_seconds) if rates.physical else 0.0
        strikes = thin(positions, Stream(identity, self.keys.widths), rates, name, factor)
        if self._may_be_sick:
            excess = self.exposure.sick_excess(name, spot.machine, spot.time_seconds)
            usual = sum(rate for _, rate in rates.physical)
            total = min(excess * usual, STRIKES_PER_BIT_MAX)
            if total > 0:
                more = find_positions(identity, self.keys.sick, 8 * frame.length, total)
                shares = tuple((width, rate / usual) for width, rate in rates.physical)
                first = len(positions)
                for number, position in enumerate(more, first):
                    width = choose_width(shares, draw(identity, self.keys.widths, number))
                    strikes.append(Strike(number, position, width, physical=True))
        return strikes

    def _upset(self, harm: Harm, frame: Frame, strike: Strike, spot: Spot) -> Hit:
        """Do to a frame what one upset does to it."""
        length_bits = 8 * frame.length
        shape = Shape(frame.identity, self.keys.shapes, length_bits)
        damage = make_damage(strike.width, shape, strike.number, strike.position)
        bits = bits_that_flip(damage, harm.data, frame.start)
        hardware = ""
        if strike.physical and bits:
            shielded = shield(spot.cluster.hardware, bits, length_bits)
            hardware, bits = shielded.verdict, shielded.bits
        lost = hardware == Verdict.REPORTED
        bits = () if lost else bits
        harm.flip(frame.start, bits)
        fault = self._fault(frame, spot, strike.width, bits=bits, hardware=hardware)
        return Hit(fault, 1 + strike.number, felt=lost or bool(bits))

    def _fault(
        self,
        frame: Frame,
        spot: Spot,
        kind: str,
        *,
        bits: tuple[int, ...] = (),
        cause: str = "",
        hardware: str = "",
    ) -> Fault:
        return Fault(
            "",
            kind,
            self.hop,
            frame.identity.hex(),
            describe_record(frame.identity),
            bits[:BITS_STORED_MAX],
            *spot.place,
            self.attempt,
            cause,
            hardware,
            flipped_bits=len(bits),
        )
