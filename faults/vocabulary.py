"""What a scenario may say, in words: the texts of its error messages, and the limits in them."""

from __future__ import annotations

from types import MappingProxyType

from .bursts import Mode
from .kinds import BLOCK_KINDS, MEMORY_KINDS
from .outages import Scope
from .sites import CLUSTER_WORDS, CLUSTERS_MAX
from .widths import PRESETS

DURATION_SECONDS_MAX = 366 * 86_400
RATE_MAX = 100_000
FACTOR_MAX = 1000
FAULTS_MAX = 100
WHOLE = "the scenario"

_HOPS = "some of fetch, pages, documents, runs, shards"
_SECONDS = f"a whole number of seconds from 0 to {DURATION_SECONDS_MAX:,}"
_PER_YEAR = f"a number from 0 to {RATE_MAX:,}"

ALLOWED = MappingProxyType(
    {
        "": "the keys name, description, acceleration_note, duration_seconds, clusters, faults, "
        "memory, bursts, sick_machines, machines, outages, mercurial_cores, counters",
        "name": "a short text",
        "description": "a text",
        "acceleration_note": "a text that says how far the rates are from real ones",
        "duration_seconds": f"a whole number from 1 to {DURATION_SECONDS_MAX:,}",
        "clusters": f"1 to {CLUSTERS_MAX} clusters, or the name of a file of them",
        **{f"clusters.{key}": words for key, words in CLUSTER_WORDS.items()},
        "faults": f"up to {FAULTS_MAX} faults, each with the keys kind, per_mebibyte or per_block, "
        "clusters, hops",
        "faults.kind": f"of memory: {', '.join(MEMORY_KINDS)}; of blocks: {', '.join(BLOCK_KINDS)}",
        "faults.per_mebibyte": f"a number from 0 to {RATE_MAX:,}",
        "faults.per_block": "a share of the deliveries, from 0 to 1",
        "faults.clusters": "a list of clusters of this scenario, or a factor for some of them "
        f"(0 to {FACTOR_MAX:,})",
        "faults.hops": _HOPS,
        "memory": "the keys fit_per_gbit, dwell_seconds, acceleration, widths, hops",
        "memory.fit_per_gbit": "a number above 0",
        "memory.dwell_seconds": "a number above 0",
        "memory.acceleration": "a number above 0",
        "memory.widths": " or ".join(PRESETS),
        "memory.hops": _HOPS,
        "bursts": f"up to {FAULTS_MAX} bursts, each with the keys mode, start_seconds, above, "
        "duration_seconds, amplitude, exponent, rise_seconds, decay_seconds, rigidity_scale_gv, "
        "isotropic_share",
        "bursts.mode": " or ".join(Mode),
        "bursts.start_seconds": _SECONDS,
        "bursts.above": "the keys latitude, longitude",
        "bursts.above.latitude": "a number of degrees from -90 to 90",
        "bursts.above.longitude": "a number of degrees from -180 to 180",
        "bursts.duration_seconds": f"a whole number from 1 to {DURATION_SECONDS_MAX:,}",
        "bursts.amplitude": f"a number above 0, at most {FACTOR_MAX:,}",
        "bursts.exponent": "a number from 0 to 10",
        "bursts.rise_seconds": "a number of seconds, 0 or more",
        "bursts.decay_seconds": "a number of seconds above 0",
        "bursts.rigidity_scale_gv": "a number above 0, at most 100",
        "bursts.isotropic_share": "a share from 0 to 1",
        "sick_machines": "a share of the machines in a year, from 0 to 1",
        "machines": "the keys acceleration, repair_factor, per_machine_year, per_rack_year, "
        "per_power_domain_year, overheating_per_cluster_year, network_per_cluster_year, "
        "wonky_per_rack_year, slow_per_machine_year, raised",
        "machines.acceleration": "a number above 0",
        "machines.repair_factor": "a number above 0, at most 1,000",
        "machines.per_machine_year": _PER_YEAR,
        "machines.per_rack_year": _PER_YEAR,
        "machines.per_power_domain_year": _PER_YEAR,
        "machines.overheating_per_cluster_year": _PER_YEAR,
        "machines.network_per_cluster_year": _PER_YEAR,
        "machines.wonky_per_rack_year": _PER_YEAR,
        "machines.slow_per_machine_year": _PER_YEAR,
        "machines.raised": "a number from 0 to less than 1",
        "outages": f"up to {FAULTS_MAX} outages, each with the keys scope, cluster, first_machine, "
        "machines, start_seconds, seconds",
        "outages.scope": " or ".join(Scope),
        "outages.cluster": "a cluster of this scenario",
        "outages.first_machine": "the number of a machine, from 0",
        "outages.machines": "a whole number from 1",
        "outages.start_seconds": _SECONDS,
        "outages.seconds": f"a whole number from 1 to {DURATION_SECONDS_MAX:,}",
        "mercurial_cores": "the keys share, share_of_results",
        "mercurial_cores.share": "a share of the machines, from 0 to 1",
        "mercurial_cores.share_of_results": "a share of their results, from 0 to 1",
        "counters": "the keys acceleration, bin_seconds",
        "counters.acceleration": "a number above 0",
        "counters.bin_seconds": "an equal part of a minute: "
        "1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30 or 60 seconds",
    }
)
"""For each path of a scenario, numbers left out: what may stand there."""
