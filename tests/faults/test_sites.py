"""Claims about files of clusters: what is shipped is valid, and mistakes are told with range."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sealedbeam.faults.bursts import BurstSite
from sealedbeam.faults.ecc import Hardware
from sealedbeam.faults.sites import load_sites, parse_sites
from sealedbeam.faults.sphere import unit_vector
from sealedbeam.pipeline.errors import UsageError

SHIPPED = Path(__file__).parents[2] / "configs" / "clusters"
SITE = {"name": "dublin", "latitude": 53.35, "longitude": -6.26, "machines": 40}


def positions(name: str) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    clusters = load_sites(SHIPPED / name).clusters
    return np.array([unit_vector(site.latitude or 0.0, site.longitude or 0.0) for site in clusters])


def test_world_has_twelve_clusters_on_all_sides() -> None:
    """Wherever a source stands, at least two of the clusters face it and two do not."""
    places = positions("world.yaml")
    assert len(places) == 12
    latitudes = np.degrees(np.arcsin(np.linspace(-1, 1, 60)))
    sky = unit_vector(latitudes[:, None], np.linspace(-180, 180, 60)).reshape(-1, 3)
    facing = (sky @ places.T > 0).sum(axis=1)
    assert facing.min() >= 2
    assert facing.max() <= 10


def test_world_shows_each_protection_and_altitude() -> None:
    """Its memory is protected in every way, and its flux differs by more than five times."""
    clusters = load_sites(SHIPPED / "world.yaml").clusters
    assert {site.hardware for site in clusters} == set(Hardware)
    factors = [site.flux_factor() for site in clusters]
    assert max(factors) > 5 * min(factors)


def test_pair_stands_on_opposite_sides() -> None:
    """Two clusters of equal size, less than five degrees from being antipodes."""
    clusters = load_sites(SHIPPED / "pair.yaml").clusters
    one, two = positions("pair.yaml")
    assert clusters[0].machines == clusters[1].machines
    assert np.degrees(np.arccos(-one @ two)) < 5


def test_site_gives_physics_what_it_needs() -> None:
    """Place and machines come through, and a cutoff of one's own wins over the dipole's."""
    values = {**SITE, "altitude_metres": 20, "machines_per_rack": 8, "hardware": "parity"}
    site = parse_sites({"description": "x", "clusters": [values]}, "x").clusters[0]
    assert site.shape.racks == 5
    assert site.position is not None
    assert site.position.altitude_metres == 20
    assert site.cluster.flux_factor == site.flux_factor()
    assert site.hardware is Hardware.PARITY
    own = site.model_copy(update={"cutoff_rigidity_gv": 17.0})
    assert own.position is not None
    assert BurstSite(*own.position).rigidity_gv == 17
    assert own.flux_factor() < 0.6 < site.flux_factor()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"latitude": 100}, "latitude is 100; allowed: a number of degrees from -90 to 90"),
        ({"latitude": True}, "latitude is True; allowed: a number of degrees"),
        ({"latitude": float("nan")}, "latitude is nan; allowed: a number of degrees"),
        ({"longitude": 181}, "longitude is 181; allowed: a number of degrees from -180 to 180"),
        ({"machines": 0}, "machines is 0; allowed: a whole number from 1 to 1,000,000"),
        ({"machines": 1.5}, "machines is 1.5; allowed: a whole number"),
        ({"altitude_metres": 9000}, "altitude_metres is 9000; allowed: a number from -430 to"),
        ({"cutoff_rigidity_gv": -1}, "cutoff_rigidity_gv is -1; allowed: a number from 0 to 20"),
        ({"machines_per_rack": 0}, "machines_per_rack is 0; allowed: a whole number from 1 to"),
        ({"racks_per_power_domain": 0}, "racks_per_power_domain is 0; allowed: a whole number"),
        ({"memory_gib": 0}, "memory_gib is 0; allowed: a number above 0, at most 65,536"),
        ({"hardware": "ecc"}, "hardware is 'ecc'; allowed: none or parity or secded or chipkill"),
        ({"latitud": 1}, "latitud is not known; did you mean latitude?"),
        ({"colour": 1}, "colour is not known; allowed: 1 to 64 clusters, each with the keys name"),
        ({"name": "Dublin"}, "name is 'Dublin'; allowed: a name of up to 40 lower-case"),
    ],
)
def test_mistake_is_told_once_with_its_place(changes: dict[str, Any], message: str) -> None:
    """A value that is not allowed is named by file, path and value, with what is allowed."""
    with pytest.raises(UsageError) as caught:
        parse_sites({"description": "x", "clusters": [{**SITE, **changes}]}, "my.yaml")
    assert str(caught.value).startswith(f"my.yaml: clusters[0].{message}")
    assert "; clusters is" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "the file of clusters is []; allowed: the keys description, clusters"),
        ({"description": "x"}, "clusters is missing; allowed: 1 to 64 clusters"),
        ({"description": "x", "clusters": []}, "clusters is []; allowed: 1 to 64 clusters"),
        (
            {"description": "x", "clusters": [{"name": "a", "machines": 2}]},
            "clusters[0].latitude is missing",
        ),
        ({"description": "x", "clusters": [SITE, SITE]}, "clusters[1].name is 'dublin'; allowed"),
        ({"descripton": "x", "clusters": [SITE]}, "description is missing; allowed: a text"),
    ],
)
def test_wrong_file_is_told(values: Any, message: str) -> None:
    """What is missing, empty or there twice is named, too."""
    with pytest.raises(UsageError) as caught:
        parse_sites(values, "my.yaml")
    assert str(caught.value).startswith(f"my.yaml: {message}")
