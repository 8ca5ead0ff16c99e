"""Units of spectral axes and of fluxes: whatever a file states becomes Angstrom, and flux per wavelength."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
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
        unit = _parsed(name, (None, "cds", "fits"))
        if unit is None:
            continue
        if isinstance(unit, u.function.FunctionUnitBase):
            return None
        for kind, base_unit in (
            ("length", u.Angstrom), ("frequency", u.Hz), ("energy", u.eV), ("wavenumber", u.m**-1),
        ):  # fmt: skip
            if unit.is_equivalent(base_unit):
                # Of 10 A in 1 nm astropy's last digit is another one.
                return kind, float(f"{unit.to(base_unit):.14g}")
        return None
    return None


def _parsed(text: str, dialects: Sequence[str | None]):
    from astropy import units as u

    # No unit is as long, and parsing one of megabytes takes forever.
    for dialect in dialects if len(text) <= 200 else ():
        try:
            with warnings.catch_warnings():
                # Of two slashes and the like astropy warns, and reads them as everybody does.
                warnings.simplefilter("ignore")
                return u.Unit(text, format=dialect, parse_strict="raise")
        except (TypeError, ValueError, ArithmeticError, RecursionError):
            continue
    return None


def is_wave_unit(text: str) -> bool:
    """Whether a text is a unit of wavelength, frequency, wavenumber or energy."""
    return text.strip().lower() not in _NONE and _spectral(bare_unit(text)) is not None


_LOGARITHM = re.compile(
    r"\s*(log10|log|lg|dex|ln)?\s*[\[(]\s*(.+?)\s*[\])]\s*|\s*(log10|log|lg|ln)\s+(.+?)\s*", re.IGNORECASE
)


def bare_unit(text: str) -> str:
    """The unit within log10(...), log(...), dex(...), ln(...) or brackets."""
    match = _LOGARITHM.fullmatch(text)
    return (match[2] or match[4]) if match else text


def log_base(text: str) -> float | None:
    """Base of the logarithms that a unit such as log10(Angstrom) says a column holds; None if it says nothing of logarithms.

    By the FITS standard (4.0, section 4.3) log is decimal and ln natural.
    """
    match = _LOGARITHM.fullmatch(text)
    word = (match[1] or match[3] or "").lower() if match else ""
    return {"": None, "ln": float(np.e)}.get(word, 10.0)


def states(text: str) -> bool:
    """Whether a text states a unit at all."""
    return text.strip().lower() not in _NONE


def same_unit(one: str, other: str) -> bool:
    """Whether two texts are the same unit of a spectral axis, logarithms aside."""
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
    spectral = _spectral(bare_unit(unit))
    if spectral is None:
        raise InputError(
            f"{where}: the unit '{shown(unit, 40)}' is not a unit of wavelength; correct it in the file "
            "(A, nm, um, m, Hz, 1/cm, eV)"
        )
    kind, factor = spectral
    if kind == "length":
        return values * factor, False
    constant = {"frequency": _ANGSTROM_HZ, "energy": _ANGSTROM_EV, "wavenumber": _ANGSTROM_WAVENUMBER}[kind]
    with np.errstate(divide="ignore", invalid="ignore"):
        return constant / (values * factor), True


@lru_cache(maxsize=256)
def _flux_unit(text: str):
    """The unit that a text is, or None."""
    # SDSS writes ergs and Ang.
    plain = re.sub(r"\bergs\b", "erg", re.sub(r"\bAng(?:stroms?)?\b|\bA\b", "Angstrom", " ".join(text.split())))
    return _parsed(plain, (None, "cds", "fits", "vounit"))


def is_flux_unit(text: str) -> bool:
    """Whether a text is a unit that a flux, or its error, may be in; logarithms and percent are units, too."""
    return states(text) and (_flux_unit(text) is not None or _is_logarithm(text) or bool(_FREQUENCY.search(text)))


def same_flux_unit(one: str, other: str) -> bool:
    """Whether two texts are the same unit of a flux, as far as anybody can tell: one that cannot be parsed may be any."""
    one_unit, other_unit = _flux_unit(one), _flux_unit(other)
    return _is_logarithm(one) == _is_logarithm(other) and (
        one_unit is None or other_unit is None or one_unit == other_unit
    )


def _is_logarithm(unit: str) -> bool:
    from astropy import units as u

    return isinstance(_flux_unit(unit), u.function.FunctionUnitBase) or _LOGARITHMIC.search(unit) is not None


_LOGARITHMIC = re.compile(r"mag\b|magnitudes?\b|\bdex\b|\bdb\b|\blog|\bln\b", re.IGNORECASE)
_FREQUENCY = re.compile(r"\b[mu]?jy\b|/\s*hz\b|hz\^?-1|maggies?|\bf_?nu\b|\bflux_nu\b", re.IGNORECASE)
"""What cannot be parsed, and is per frequency even so; FNU is what HST calls it."""


def per_frequency(unit: str, where: str, named: bool = False) -> bool:
    """Whether a flux is per frequency (Jy, erg/s/cm2/Hz) and not per wavelength, or without any unit.

    A factor is of no consequence, so whatever else is said of it is not asked for.

    Parameters
    ----------
    unit : str
    where : str
        For messages.
    named : bool
        Whether the name of the column says that it is per frequency, as f_nu does.

    Raises
    ------
    InputError
        If it is in magnitudes, or another logarithm, or per wavelength and named otherwise.
    """
    from astropy import units as u

    if not states(unit):
        return named
    if _is_logarithm(unit):
        raise InputError(f"{where}: in '{shown(unit, 40)}', which is a logarithm; write fluxes")
    flux_unit = _flux_unit(unit)
    if flux_unit is None:
        return named or _FREQUENCY.search(unit) is not None
    frequency = (u.Jy, u.W / u.Hz, u.Jy / u.sr, u.nanomaggy, u.photon / u.s / u.cm**2 / u.Hz)
    if any(flux_unit.is_equivalent(one) for one in frequency):
        return True
    wavelength = (u.W / u.m**3, u.W / u.m**3 / u.sr, u.W / u.m, u.photon / u.s / u.m**3)
    if named and any(flux_unit.is_equivalent(one) for one in wavelength):
        raise InputError(
            f"{where}: per frequency by its name, per wavelength by its unit '{shown(unit, 40)}'; which is right?"
        )
    return named


def unit_ratio(unit: str, flux_unit: str, power: int, where: str) -> float:
    """Factor that brings an error (power 1), variance (2) or inverse variance (-2) to the unit of the flux.

    Raises
    ------
    InputError
        If the two units differ, and nobody knows by how much, or errors are logarithms, or parts of a flux.
    """
    from astropy import units as u

    if states(unit) and _is_logarithm(unit):
        raise InputError(f"{where}: in '{shown(unit, 40)}', which is a logarithm; write errors of the flux")
    if states(unit) and unit.split() != flux_unit.split() and _flux_unit(unit) in (u.percent, u.percent**power):
        raise InputError(f"{where}: errors in percent; write them in the unit of the flux")
    if not (states(unit) and states(flux_unit)) or (unit.split() == flux_unit.split() and power == 1):
        return 1.0
    parsed_flux_unit, parsed_unit = _flux_unit(flux_unit), _flux_unit(unit)
    if parsed_flux_unit is not None and parsed_unit is not None:
        try:
            return float(parsed_unit.to(parsed_flux_unit**power))
        except (TypeError, ValueError):
            pass
    elif power != 1:
        # Nobody can tell what the square of a unit is that is none.
        return 1.0
    raise InputError(
        f"{where}: its unit '{shown(unit, 40)}' does not go with that of the flux, '{shown(flux_unit, 40)}'"
    )
