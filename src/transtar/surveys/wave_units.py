"""Units of spectral axes and of fluxes: whatever a file states becomes Angstrom, and flux per wavelength."""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np

from ..errors import InputError, shown
from ..grids import SPEED_OF_LIGHT

_ANGSTROM_HZ = SPEED_OF_LIGHT * 1e13
"""Speed of light in Angstrom per second: wavelength times frequency."""
_ANGSTROM_EV = 12398.419843320026
"""h c in Angstrom electronvolt (exact in the SI of 2019)."""
_ANGSTROM_WAVENUMBER = 1e10
"""Wavelength in Angstrom times wavenumber in 1/m."""

# astropy takes A for ampere, and knows no plural of micron; case tells nothing in what people write.
_SPELLINGS = {
    **dict.fromkeys(("a", "aa", "å", "ang", "angs", "ang.", "angstroem", "angstroems", "angstroms", "0.1 nm", "10-10m"),
                    "Angstrom"),
    **dict.fromkeys(("nanometer", "nanometre", "nanometers", "nanometres"), "nm"),
    **dict.fromkeys(("µm", "μm", "mum", "microns", "micrometer", "micrometre", "micrometers", "micrometres", "um"), "um"),
    **dict.fromkeys(("meter", "metre", "meters", "metres"), "m"),
    **dict.fromkeys(("cm^-1", "cm**-1", "cm-1", "/cm", "1/cm", "kayser"), "1 / cm"),
    "hertz": "Hz",
}  # fmt: skip
_NONE = frozenset(("", "-", "--", "none", "unknown", "n/a", "null"))


@lru_cache(maxsize=256)
def _spectral(text: str) -> tuple[str, float] | None:
    """Kind of a spectral axis, and the factor to A, Hz, eV or 1/m; None if a text is no unit of one."""
    from astropy import units as u

    plain = " ".join(text.split())
    spelt = _SPELLINGS.get(plain.lower(), plain)
    for name in dict.fromkeys((spelt, spelt.lower(), spelt.capitalize())):
        for dialect in (None, "cds", "fits"):
            try:
                unit = u.Unit(name, format=dialect, parse_strict="raise")
                break
            except (TypeError, ValueError):
                continue
        else:
            continue
        if isinstance(unit, u.function.FunctionUnitBase):
            return None
        for kind, ours in (
            ("length", u.Angstrom), ("frequency", u.Hz), ("energy", u.eV), ("wavenumber", u.m**-1),
        ):  # fmt: skip
            if unit.is_equivalent(ours):
                # Of 10 A in 1 nm astropy's last digit is another one.
                return kind, float(f"{unit.to(ours):.14g}")
        return None
    return None


def is_wave_unit(text: str) -> bool:
    """Whether a text is a unit of wavelength, frequency, wavenumber or energy."""
    return text.strip().lower() not in _NONE and _spectral(bare_unit(text)) is not None


def bare_unit(text: str) -> str:
    """The unit within log10(...), log(...), dex(...) or brackets, which say that a column holds logarithms."""
    found = re.fullmatch(
        r"\s*(?:log10|log|lg|dex)?\s*[\[(]\s*(.+?)\s*[\])]\s*|\s*(?:log10|log|lg)\s+(.+?)\s*", text, re.I
    )
    return (found[1] or found[2]) if found else text


def states(text: str) -> bool:
    """Whether a text states a unit at all."""
    return text.strip().lower() not in _NONE


def same_unit(one: str, other: str) -> bool:
    """Whether two texts are the same unit of a spectral axis."""
    return _spectral(bare_unit(one)) is not None and _spectral(bare_unit(one)) == _spectral(bare_unit(other))


def to_angstrom(values: np.ndarray, unit: str, where: str) -> tuple[np.ndarray, bool]:
    """Wavelengths in Angstrom, of the medium of the file.

    Parameters
    ----------
    values : ndarray
        Wavelengths, frequencies, wavenumbers or energies.
    unit : str
        Angstrom if empty.
    where : str
        For messages.

    Returns
    -------
    wave : ndarray, float64
    vacuum : bool
        Whether they are of vacuum, whatever else is said, as those from frequencies and energies are.

    Raises
    ------
    InputError
        If the unit is none of these.
    """
    values = np.asarray(values, dtype=np.float64)
    if not states(unit):
        return values, False
    found = _spectral(bare_unit(unit))
    if found is None:
        raise InputError(
            f"{where}: the unit '{shown(unit, 40)}' is none of wavelengths; correct it in the file (A, nm, um, m, Hz, 1/cm, eV)"
        )
    kind, factor = found
    if kind == "length":
        return values * factor, False
    constant = {"frequency": _ANGSTROM_HZ, "energy": _ANGSTROM_EV, "wavenumber": _ANGSTROM_WAVENUMBER}[kind]
    with np.errstate(divide="ignore", invalid="ignore"):
        return constant / (values * factor), True


@lru_cache(maxsize=256)
def _flux_unit(text: str):
    """The unit that a text is, or None."""
    from astropy import units as u

    # SDSS writes ergs and Ang.
    plain = re.sub(r"\bergs\b", "erg", re.sub(r"\bAng(?:stroms?)?\b|\bA\b", "Angstrom", " ".join(text.split())))
    for dialect in (None, "cds", "fits", "vounit"):
        try:
            return u.Unit(plain, format=dialect, parse_strict="raise")
        except (TypeError, ValueError, ZeroDivisionError):
            continue
    return None


def per_frequency(unit: str, where: str) -> bool:
    """Whether a flux is per frequency (Jy, erg/s/cm2/Hz) and not per wavelength, or without any unit.

    A factor is of no consequence, so whatever else is said of it is not asked for.

    Raises
    ------
    InputError
        If it is in magnitudes, or another logarithm.
    """
    from astropy import units as u

    if not states(unit):
        return False
    found = _flux_unit(unit)
    if isinstance(found, u.function.FunctionUnitBase) or re.search(r"mag\b|magnitudes?\b|\bdex\b|\blog", unit.lower()):
        raise InputError(f"{where}: in '{shown(unit, 40)}', which is a logarithm; write fluxes")
    if found is None:
        return re.search(r"\bm?jy\b|/\s*hz\b|hz\^?-1|maggies?", unit.lower()) is not None
    frequency = (u.Jy, u.W / u.Hz, u.Jy / u.sr, u.nanomaggy, u.photon / u.s / u.cm**2 / u.Hz)
    return any(found.is_equivalent(one) for one in frequency)


def unit_ratio(unit: str, flux_unit: str, power: int, where: str) -> float:
    """Factor that brings an error (power 1), variance (2) or inverse variance (-2) to the unit of the flux.

    Raises
    ------
    InputError
        If the two units differ, and nobody knows by how much.
    """
    if not (states(unit) and states(flux_unit)) or (unit.split() == flux_unit.split() and power == 1):
        return 1.0
    ours, theirs = _flux_unit(flux_unit), _flux_unit(unit)
    if ours is not None and theirs is not None:
        try:
            return float(theirs.to(ours**power))
        except (TypeError, ValueError):
            pass
    elif power != 1:
        # Nobody can tell what the square of a unit is that is none.
        return 1.0
    raise InputError(
        f"{where}: its unit '{shown(unit, 40)}' does not go with that of the flux, '{shown(flux_unit, 40)}'"
    )
