"""Wavelengths that a FITS header counts out: linear, or logarithmic in one of the two ways in use.

Greisen et al. 2006, A&A 446, 747 (FITS paper III: CTYPE, CUNIT, the natural logarithm of -LOG); IRAF's DC-FLAG and SDSS's COEFF0
and COEFF1 mean decimal logarithms.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import InputError, shown
from ..telling import tell
from .wave_units import bare_unit, is_wave_unit, states

_TYPES = {
    **dict.fromkeys(("", "LINEAR", "WAVE", "AWAV", "LAMBDA", "WAVELENGTH", "WAVELEN", "SPECTRUM"), ""),
    "FREQ": "Hz", "WAVN": "1/m", "ENER": "J",
}  # fmt: skip
"""Kinds of a spectral axis, and the unit where none is stated; of wavelengths it is Angstrom, whatever paper III says."""
_DECIMAL = ("LOGLAM", "LOG10", "LOGWAVE", "LOG_WAVE", "LOG10LAMBDA", "LOGLAMBDA", "LOG-LINEAR", "LOG(WAVELENGTH)")
_VELOCITIES = ("VELO", "VRAD", "VOPT", "ZOPT", "BETA", "FELO")


def counted(header: Mapping[str, Any], n: int, where: str) -> tuple[np.ndarray, str, str] | None:
    """Wavelengths of `n` pixels by the keys of a header.

    Parameters
    ----------
    header : mapping
        Of the image or table.
    n : int
    where : str
        For messages.

    Returns
    -------
    values : ndarray, shape (n,), float64
        In the unit; not logarithms.
    unit : str
        '' if none is stated.
    medium : str
        'air' if CTYPE1 is AWAV. WAVE should be vacuum, but many write it of air: '', as where nothing is said.

    None if the header counts no wavelengths.

    Raises
    ------
    InputError
        If it counts something else, or in a way that is not known.
    """
    if "COEFF0" in header and "COEFF1" in header:
        start, step = _real(header, "COEFF0", where), _real(header, "COEFF1", where)
        return 10.0 ** (start + step * np.arange(n)), "", ""
    kind, system = (str(header.get(key, "") or "").strip().upper() for key in ("CTYPE1", "WAT0_001"))
    if kind.startswith("MULTISPE") or "MULTISPEC" in system:
        return *_multispec(header, n, where), ""
    if "CRVAL1" not in header:
        return None
    start, step = _real(header, "CRVAL1", where), _step(header, where)
    if "CRPIX1" not in header:
        tell("FITS headers without CRPIX1: CRVAL1 is taken for the first pixel")
    offset = np.arange(1, n + 1) - _real(header, "CRPIX1", where, 1.0)
    unit = str(header.get("CUNIT1", "") or "").strip()
    name, _, way = kind.partition("-") if kind not in _DECIMAL else (kind, "", "")
    flag = _real(header, "DC-FLAG", where, 0.0)
    if name in _VELOCITIES:
        raise InputError(f"{where}: CTYPE1 '{shown(kind, 20)}' counts velocities; write wavelengths")
    if flag not in (0, 1, -1):
        raise InputError(f"{where}: DC-FLAG {flag:g}; 0 is linear and 1 logarithmic")
    if flag == 1 or kind in _DECIMAL:
        return 10.0 ** _small(start + offset * step, where), bare_unit(unit), "air" if name == "AWAV" else ""
    if not states(unit) and is_wave_unit(kind):
        # Many write the unit where the kind should stand.
        name, unit = "", kind
    if not states(unit):
        match = re.search(r"units=(\w+)", str(header.get("WAT1_001", "") or ""))
        unit = match[1] if match else ""
    if name not in _TYPES or way not in ("", "LOG"):
        raise InputError(
            f"{where}: CTYPE1 '{shown(kind, 20)}' is not one of WAVE, AWAV, LINEAR, WAVE-LOG, AWAV-LOG, FREQ, WAVN, ENER; write "
            "the wavelengths as a column or image"
        )
    values = start * np.exp(_small(offset * step / start, where)) if way else start + offset * step
    return values, unit if states(unit) else _TYPES[name], "air" if name == "AWAV" else ""


def _small(exponents: np.ndarray, where: str) -> np.ndarray:
    if not (np.abs(exponents) < 20).all():
        raise InputError(f"{where}: CRVAL1 and CDELT1 are no logarithms of wavelengths, as DC-FLAG or CTYPE1 says")
    return exponents


def _real(header: Mapping[str, Any], key: str, where: str, default: float | None = None) -> float:
    if key not in header and default is not None:
        return default
    try:
        value = float(header[key])
    except Exception:
        value = np.nan
    if not np.isfinite(value):
        raise InputError(f"{where}: {key} is no number; correct the header")
    return value


def _step(header: Mapping[str, Any], where: str) -> float:
    """CD1_1, or CDELT1 times PC1_1; two that differ are refused, but for the 1 of a CDELT1 that means nothing beside CD1_1."""
    keys = [key for key in ("CD1_1", "CDELT1") if key in header]
    if not keys:
        raise InputError(f"{where}: CRVAL1 without CDELT1 or CD1_1; correct the header")
    values = [_real(header, key, where) for key in keys]
    if len(values) == 2 and values[1] != 1 and abs(values[0] - values[1]) > 1e-6 * abs(values[0]):
        raise InputError(f"{where}: CD1_1 {values[0]:g} and CDELT1 {values[1]:g} differ; correct the header")
    step = values[0] if keys[0] == "CD1_1" else values[0] * _real(header, "PC1_1", where, 1.0)
    if step == 0:
        raise InputError(f"{where}: {keys[0]} is 0; correct the header")
    return step


def _multispec(header: Mapping[str, Any], n: int, where: str) -> tuple[np.ndarray, str]:
    """IRAF's 'multispec' with one linear or logarithmic spectrum (F. Valdes, The IRAF/NOAO Spectral World Coordinate Systems)."""
    cards = [str(header.get(f"WAT2_{i:03d}", "")) for i in range(1, 100)]
    # Each card has 68 characters; blanks at its end are lost on the way.
    whole = "".join(card.ljust(68) for card in cards if card)
    specs = re.findall(r'spec\d+\s*=\s*"([^"]*)"', whole)
    words = specs[0].split() if len(specs) == 1 else []
    remedy = "write it as a linear one-dimensional image (dispcor, scopy format=onedspec) or as a table"
    try:
        _, _, way, first, step, pixels, z = (float(word) for word in words[:7])
    except ValueError:
        raise InputError(f"{where}: an IRAF multispec image of {len(specs)} spectra; {remedy}") from None
    if way not in (0, 1) or pixels != n:
        raise InputError(f"{where}: an IRAF multispec image with a dispersion function that is not linear; {remedy}")
    values = first + step * np.arange(n)
    match = re.search(r"units=(\w+)", str(header.get("WAT1_001", "") or ""))
    return (10.0 ** _small(values, where) if way == 1 else values) / (1 + z), match[1] if match else ""
