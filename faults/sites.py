"""Clusters as people write them: where they stand and what is in them, YAML checked key by key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from sealedbeam.pipeline.config import refuse_bool
from sealedbeam.pipeline.yaml_files import read_yaml

from .bursts import BurstSite
from .ecc import Hardware
from .flux import QUIET_SHARE, flux_factor
from .machines import ClusterShape
from .mistakes import Words, describe, parse_model
from .topology import Cluster, Position

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CLUSTERS_MAX = 64
MACHINES_MAX = 1_000_000
ALTITUDE_METRES_MIN = -430
ALTITUDE_METRES_MAX = 6000
CUTOFF_GV_MAX = 20
MACHINES_PER_RACK_MAX = 1000
RACKS_PER_POWER_DOMAIN_MAX = 10_000
MEMORY_GIB_MAX = 65_536

CLUSTER_WORDS = {
    "name": "a name of up to 40 lower-case letters, digits and hyphens, used once",
    "latitude": "a number of degrees from -90 to 90",
    "longitude": "a number of degrees from -180 to 180",
    "altitude_metres": f"a number from {ALTITUDE_METRES_MIN:,} to {ALTITUDE_METRES_MAX:,}",
    "cutoff_rigidity_gv": f"a number from 0 to {CUTOFF_GV_MAX}, or nothing",
    "machines": f"a whole number from 1 to {MACHINES_MAX:,}",
    "machines_per_rack": f"a whole number from 1 to {MACHINES_PER_RACK_MAX:,}",
    "racks_per_power_domain": f"a whole number from 1 to {RACKS_PER_POWER_DOMAIN_MAX:,}",
    "memory_gib": f"a number above 0, at most {MEMORY_GIB_MAX:,}",
    "hardware": " or ".join(Hardware),
}
"""What each key of a cluster may say."""
_ALLOWED = {
    "": "the keys description, clusters",
    "description": "a text",
    "clusters": f"1 to {CLUSTERS_MAX} clusters, each with the keys {', '.join(CLUSTER_WORDS)}",
    **{f"clusters.{key}": words for key, words in CLUSTER_WORDS.items()},
}
_WORDS = Words(_ALLOWED, "the file of clusters")


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]
ClusterName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
Whole = Annotated[int, Field(strict=True)]
Real = Annotated[float, BeforeValidator(refuse_bool)]


class Model(BaseModel):
    """Values that were checked, and do not change; unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Site(Model):
    """A cluster and the place where it stands, which may be left out where it does not matter.

    Attributes:
        name: what reports call it.
        latitude: in degrees, north is positive.
        longitude: in degrees, east is positive; both or none of the two.
        altitude_metres: above the sea.
        cutoff_rigidity_gv: the real one, where it is known; else that of the dipole holds.
        machines: how many it has.
        machines_per_rack: neighbours by number stand in one rack.
        racks_per_power_domain: neighbouring racks hang on one power supply.
        memory_gib: of each machine.
        hardware: what protects that memory.
    """

    name: ClusterName
    latitude: Annotated[Real, Field(ge=-90, le=90)] | None = None
    longitude: Annotated[Real, Field(ge=-180, le=180)] | None = None
    altitude_metres: Annotated[Real, Field(ge=ALTITUDE_METRES_MIN, le=ALTITUDE_METRES_MAX)] = 0.0
    cutoff_rigidity_gv: Annotated[Real, Field(ge=0, le=CUTOFF_GV_MAX)] | None = None
    machines: Annotated[Whole, Field(ge=1, le=MACHINES_MAX)]
    machines_per_rack: Annotated[Whole, Field(ge=1, le=MACHINES_PER_RACK_MAX)] = 40
    racks_per_power_domain: Annotated[Whole, Field(ge=1, le=RACKS_PER_POWER_DOMAIN_MAX)] = 19
    memory_gib: Annotated[Real, Field(gt=0, le=MEMORY_GIB_MAX)] = 64.0
    hardware: Hardware = Hardware.SECDED

    @property
    def position(self) -> Position | None:
        """Where it stands, None if that was left out."""
        if self.latitude is None or self.longitude is None:
            return None
        return Position(
            self.latitude, self.longitude, self.altitude_metres, self.cutoff_rigidity_gv
        )

    @property
    def shape(self) -> ClusterShape:
        """Its machines, as failures see them."""
        return ClusterShape(
            self.name, self.machines, self.machines_per_rack, self.racks_per_power_domain
        )

    @property
    def cluster(self) -> Cluster:
        """The same as a plan has it."""
        return Cluster(
            *self.shape,
            flux_factor=self.flux_factor(),
            hardware=self.hardware,
            position=self.position,
        )

    def flux_factor(self, quiet_share: float = QUIET_SHARE) -> float:
        """Return its usual rate of upsets, that of New York at sea level being 1."""
        if self.position is None:
            return 1.0
        rigidity_gv = BurstSite(*self.position).rigidity_gv
        return flux_factor(self.altitude_metres, rigidity_gv, quiet_share)


class SiteFile(Model):
    """A file of clusters.

    Attributes:
        description: what it shows.
        clusters: in the order in which their machines are numbered.
    """

    description: Text
    clusters: Annotated[tuple[Site, ...], Field(min_length=1, max_length=CLUSTERS_MAX)]


def load_sites(path: Path) -> SiteFile:
    """Return the clusters in a YAML file.

    Raises:
        UsageError: the file cannot be read, or says something that is not allowed.
    """
    return parse_sites(read_yaml(path, "clusters"), str(path))


def parse_sites(values: Any, origin: str) -> SiteFile:
    """Return the clusters that parsed YAML describes; `origin` names it in errors.

    Raises:
        UsageError: something in it is not allowed; the message lists all of that.
    """
    return parse_model(SiteFile, values, origin, _WORDS, _find_contradictions)


def _find_contradictions(sites: SiteFile) -> Iterator[str]:
    yield from _find_doubles(sites)
    yield from _find_placeless(sites)


def _find_doubles(sites: SiteFile) -> Iterator[str]:
    known: set[str] = set()
    for number, site in enumerate(sites.clusters):
        if site.name in known:
            place = ("clusters", number, "name")
            yield describe(place, "", site.name, _WORDS)
        known.add(site.name)


def _find_placeless(sites: SiteFile) -> Iterator[str]:
    for number, site in enumerate(sites.clusters):
        for key in ("latitude", "longitude"):
            if getattr(site, key) is None:
                place = ("clusters", number, key)
                yield describe(place, "missing", None, _WORDS)
