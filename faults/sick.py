"""Sick machines, whose memory errs again and again, and mercurial cores, which compute wrongly.

A sick machine errs at the usual rate until its fault sets in. Then its rate is multiplied by 13 for
30 days and by 35 for the next 30, times a weight of its own: Pareto-distributed with median 1 and
mean 55, truncated at 10^6 times its least value. After that the module is taken for replaced.

A mercurial core is deterministic and depends on the data: the same input gives the same wrong
answer on the same machine each time, and no line in any log.

All is a pure function of (seed, cluster, machine), and of the input for a computation.

Sources:
* mean about 55 times the median, Pareto: Meza et al., DSN'15 (verified in the abstract); the
  truncation is ours, as the exponent that gives 55 without one has hardly a mean (derived);
* 13 to 90 times the chance of another error in the same month, 35 to 200 in the next: CACM 2/2011
  (verified); the lower ends are taken. That they multiply a rate, and end after 60 days, is ours;
* one machine in three has errors in a year: Schroeder et al., SIGMETRICS'09 (verified in the
  abstract);
* one device in 1,000 computes wrongly: Meta, arXiv 2102.11245 (verified). How often such a core
  errs is not known; it is an argument here.
"""

from __future__ import annotations

from typing import NamedTuple

from .draws import draw, stream_key, to_index, to_unit

SICK_SHARE_PER_YEAR = 1 / 3
MERCURIAL_SHARE = 1e-3
MEAN_TO_MEDIAN = 55.0
PARETO_RATIO_MAX = 1e6
MONTH_SECONDS = 30 * 86_400
FACTOR_SAME_MONTH = 13.0
FACTOR_NEXT_MONTH = 35.0
_YEAR_SECONDS = 365.25 * 86_400
_BISECTIONS = 60


class Sickness(NamedTuple):
    """When a machine's fault sets in, and how heavy it is (median 1)."""

    onset_seconds: float
    weight: float

    def factor(self, time_seconds: float) -> float:
        """Return by how much the machine's error rate is higher than a healthy one's."""
        since = time_seconds - self.onset_seconds
        if since < 0 or since >= 2 * MONTH_SECONDS:
            return 1.0
        month = FACTOR_SAME_MONTH if since < MONTH_SECONDS else FACTOR_NEXT_MONTH
        return max(1.0, month * self.weight)


def pareto_exponent(mean_to_median: float, ratio_max: float) -> float:
    """Return the exponent at which a truncated Pareto distribution has this mean over its median.

    Args:
        mean_to_median: above 1.
        ratio_max: the greatest value over the least.
    """
    low, high = 1e-3, 50.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if _mean_to_median(middle, ratio_max) > mean_to_median:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _mean_to_median(exponent: float, ratio_max: float) -> float:
    if exponent == 1:
        exponent += 1e-9
    whole = 1 - ratio_max**-exponent
    mean: float = exponent / (exponent - 1) * (1 - ratio_max ** (1 - exponent)) / whole
    return mean / _quantile(0.5, exponent, ratio_max)


def _quantile(level: float, exponent: float, ratio_max: float) -> float:
    """Return the value, in units of the least one, below which a share of `level` lies."""
    return float((1 - level * (1 - ratio_max**-exponent)) ** (-1 / exponent))


_EXPONENT = pareto_exponent(MEAN_TO_MEDIAN, PARETO_RATIO_MAX)
_MEDIAN = _quantile(0.5, _EXPONENT, PARETO_RATIO_MAX)


def find_sickness(
    seed: int,
    cluster: str,
    machine: int,
    duration_seconds: float,
    share_per_year: float = SICK_SHARE_PER_YEAR,
) -> Sickness | None:
    """Return what ails a machine in a run of this duration, None if nothing does.

    Args:
        seed: of the run.
        cluster: the machine's.
        machine: its number there.
        duration_seconds: of the run; onsets are uniform over it.
        share_per_year: the part of the machines that falls sick in a year.
    """
    key, identity = stream_key(seed, "sick", cluster), machine.to_bytes(8)
    share = 1 - (1 - share_per_year) ** (duration_seconds / _YEAR_SECONDS)
    if to_unit(draw(identity, key)) > share:
        return None
    onset = to_unit(draw(identity, key, 1)) * duration_seconds
    level = to_unit(draw(identity, key, 2))
    return Sickness(onset, _quantile(level, _EXPONENT, PARETO_RATIO_MAX) / _MEDIAN)


def find_mercurial(
    seed: int, cluster: str, machine: int, share: float = MERCURIAL_SHARE
) -> int | None:
    """Return the key of a machine's core that computes wrongly, None if all compute rightly."""
    if to_unit(draw(machine.to_bytes(8), stream_key(seed, "mercurial", cluster))) > share:
        return None
    return stream_key(seed, "miscompute", cluster, machine)


def miscompute(core: int, given: bytes, share_of_inputs: float, length_bits: int) -> int | None:
    """Return which bit of the result a mercurial core gets wrong, None where it is right.

    Args:
        core: its key.
        given: the input, or what identifies it: the same one gives the same answer.
        share_of_inputs: on which it errs.
        length_bits: of the result, above 0.
    """
    if to_unit(draw(given, core)) > share_of_inputs:
        return None
    return to_index(draw(given, core, 1), length_bits)
