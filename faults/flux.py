"""How strong the rain of neutrons is at a site: its altitude, the magnetic field and the sun.

Theory (JESD89A Annex A, after Gordon et al., IEEE TNS 51, 2004): the flux above 10 MeV at a site is
that of New York at sea level times a factor for the air above it and one for the field and the sun.

All coefficients are recalled and NOT verified against the standard. What holds them is that New
York's factor comes out as 1.000 at its published cutoff of 2.08 GV (a reference value that was
verified), and that Leadville's 12 agrees with IBM's field studies ("ten times New York", verified).
New York's flux of 13 per cm2 and hour is verified as what beam papers quote (13 to 14).
"""

from __future__ import annotations

from math import exp

NEW_YORK_FLUX_PER_CM2_HOUR = 13.0
NEW_YORK_CUTOFF_GV = 2.08
QUIET_SHARE = 0.5

_SEA_LEVEL_DEPTH = 1033.0
ABSORPTION_DEPTH_GRAMS_PER_CM2 = 131.3
_METRES_PER_KILOFOOT = 304.8
_BAR_PER_DEPTH = 9.80665e-4
_POLAR_FACTOR = 1.098
_ACTIVE_REFERENCE_GV = 50.0
_CUTOFF_MIN_GV = 0.1  # below some 1 GV nothing changes any more, and 0 cannot be divided by


def depth_grams_per_cm2(altitude_metres: float) -> float:
    """Return the mass of air above each square centimetre at an altitude."""
    kilofeet = altitude_metres / _METRES_PER_KILOFOOT
    return _SEA_LEVEL_DEPTH * exp(
        -0.03813 * kilofeet - 0.00014 * kilofeet**2 + 6.4e-7 * kilofeet**3
    )


def altitude_factor(altitude_metres: float) -> float:
    """Return the flux at an altitude, that at sea level being 1."""
    return exp(
        (_SEA_LEVEL_DEPTH - depth_grams_per_cm2(altitude_metres)) / ABSORPTION_DEPTH_GRAMS_PER_CM2
    )


def rigidity_factor(
    cutoff_rigidity_gv: float, pressure_bar: float, quiet_share: float = QUIET_SHARE
) -> float:
    """Return the flux behind a magnetic cutoff, that of New York being 1.

    Args:
        cutoff_rigidity_gv: of the site, vertical.
        pressure_bar: of the air at the site.
        quiet_share: 1 for the quiet sun, when most cosmic rays arrive; 0 for the active one.
    """
    cutoff = max(cutoff_rigidity_gv, _CUTOFF_MIN_GV)
    quiet = _POLAR_FACTOR * _quiet_share_passed(cutoff, pressure_bar)
    scale = _quiet_share_passed(_ACTIVE_REFERENCE_GV, pressure_bar)
    scale /= _active_share_passed(_ACTIVE_REFERENCE_GV, pressure_bar)
    active = _POLAR_FACTOR * _active_share_passed(cutoff, pressure_bar) * scale
    return active + quiet_share * (quiet - active)


def _quiet_share_passed(cutoff: float, pressure: float) -> float:
    alpha = exp(1.84 + 0.094 * pressure - 0.09 * exp(-11 * pressure))
    return 1 - exp(-alpha / cutoff ** (1.4 - 0.56 * pressure + 0.24 * exp(-8.8 * pressure)))


def _active_share_passed(cutoff: float, pressure: float) -> float:
    alpha = exp(1.93 + 0.15 * pressure - 0.18 * exp(-10 * pressure))
    return 1 - exp(-alpha / cutoff ** (1.32 - 0.49 * pressure + 0.18 * exp(-9.5 * pressure)))


def flux_factor(
    altitude_metres: float, cutoff_rigidity_gv: float, quiet_share: float = QUIET_SHARE
) -> float:
    """Return the neutron flux of a site, that of New York at sea level being 1."""
    pressure_bar = depth_grams_per_cm2(altitude_metres) * _BAR_PER_DEPTH
    return altitude_factor(altitude_metres) * rigidity_factor(
        cutoff_rigidity_gv, pressure_bar, quiet_share
    )
