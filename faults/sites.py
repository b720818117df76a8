"""Clusters as people write them: where they stand and what is in them, YAML checked key by key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic import ValidationError as Invalid
from sealedbeam.pipeline.config import read_yaml, refuse_bool
from sealedbeam.pipeline.errors import UsageError
from sealedbeam.pipeline.text import one_line

from .bursts import BurstSite
from .ecc import Hardware
from .flux import QUIET_SHARE, flux_factor
from .machines import ClusterShape
from .mistakes import describe, list_mistakes
from .scenario import CLUSTERS_MAX, MACHINES_MAX, ClusterName, Text, Whole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ALTITUDE_METRES_MIN = -430
ALTITUDE_METRES_MAX = 6000
CUTOFF_GV_MAX = 20
MACHINES_PER_RACK_MAX = 1000
RACKS_PER_POWER_DOMAIN_MAX = 10_000
MEMORY_GIB_MAX = 65_536

_CLUSTER_KEYS = (
    "name, latitude, longitude, altitude_metres, cutoff_rigidity_gv, machines, machines_per_rack, "
    "racks_per_power_domain, memory_gib, hardware"
)
_ALLOWED = {
    "": "the keys description, clusters",
    "description": "a text",
    "clusters": f"1 to {CLUSTERS_MAX} clusters, each with the keys {_CLUSTER_KEYS}",
    "clusters.name": "a name of up to 40 lower-case letters, digits and hyphens, used once",
    "clusters.latitude": "a number of degrees from -90 to 90",
    "clusters.longitude": "a number of degrees from -180 to 180",
    "clusters.altitude_metres": f"a number from {ALTITUDE_METRES_MIN:,} to {ALTITUDE_METRES_MAX:,}",
    "clusters.cutoff_rigidity_gv": f"a number from 0 to {CUTOFF_GV_MAX}, or nothing",
    "clusters.machines": f"a whole number from 1 to {MACHINES_MAX:,}",
    "clusters.machines_per_rack": f"a whole number from 1 to {MACHINES_PER_RACK_MAX:,}",
    "clusters.racks_per_power_domain": f"a whole number from 1 to {RACKS_PER_POWER_DOMAIN_MAX:,}",
    "clusters.memory_gib": f"a number above 0, at most {MEMORY_GIB_MAX:,}",
    "clusters.hardware": " or ".join(Hardware),
}
_WHOLE = "the file of clusters"


_Real = Annotated[float, BeforeValidator(refuse_bool)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Site(_Model):
    """A cluster and the place where it stands.

    Attributes:
        name: what reports call it.
        latitude: in degrees, north is positive.
        longitude: in degrees, east is positive.
        altitude_metres: above the sea.
        cutoff_rigidity_gv: the real one, where it is known; else that of the dipole holds.
        machines: how many it has.
        machines_per_rack: neighbours by number stand in one rack.
        racks_per_power_domain: neighbouring racks hang on one power supply.
        memory_gib: of each machine.
        hardware: what protects that memory.
    """

    name: ClusterName
    latitude: Annotated[_Real, Field(ge=-90, le=90)]
    longitude: Annotated[_Real, Field(ge=-180, le=180)]
    altitude_metres: Annotated[_Real, Field(ge=ALTITUDE_METRES_MIN, le=ALTITUDE_METRES_MAX)] = 0.0
    cutoff_rigidity_gv: Annotated[_Real, Field(ge=0, le=CUTOFF_GV_MAX)] | None = None
    machines: Annotated[Whole, Field(ge=1, le=MACHINES_MAX)]
    machines_per_rack: Annotated[Whole, Field(ge=1, le=MACHINES_PER_RACK_MAX)] = 40
    racks_per_power_domain: Annotated[Whole, Field(ge=1, le=RACKS_PER_POWER_DOMAIN_MAX)] = 19
    memory_gib: Annotated[_Real, Field(gt=0, le=MEMORY_GIB_MAX)] = 64.0
    hardware: Hardware = Hardware.SECDED

    @property
    def burst_site(self) -> BurstSite:
        """Its place, as bursts see it."""
        return BurstSite(
            self.latitude, self.longitude, self.altitude_metres, self.cutoff_rigidity_gv
        )

    @property
    def shape(self) -> ClusterShape:
        """Its machines, as failures see them."""
        return ClusterShape(
            self.name, self.machines, self.machines_per_rack, self.racks_per_power_domain
        )

    def flux_factor(self, quiet_share: float = QUIET_SHARE) -> float:
        """Return its usual rate of upsets, that of New York at sea level being 1."""
        return flux_factor(self.altitude_metres, self.burst_site.rigidity_gv, quiet_share)


class SiteFile(_Model):
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
    try:
        sites = SiteFile.model_validate(values)
    except Invalid as invalid:
        problems = list_mistakes(invalid, _ALLOWED, _WHOLE)
    else:
        problems = list(_find_doubles(sites))
    if problems:
        raise UsageError(f"{origin}: {one_line('; '.join(dict.fromkeys(problems)))}")
    return sites


def _find_doubles(sites: SiteFile) -> Iterator[str]:
    known: set[str] = set()
    for number, site in enumerate(sites.clusters):
        if site.name in known:
            place = ("clusters", number, "name")
            yield describe(place, "", site.name, allowed=_ALLOWED, whole=_WHOLE)
        known.add(site.name)
