"""What a reader made of a file, in a form in which two readers can be compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

EXTREME = 1e25
"""A flux or an inverse variance so far from the median of its spectrum is no value: single precision may lose it."""


@dataclass(frozen=True)
class Pixels:
    """The usable pixels of one spectrum: shape (n_good,) each; ivar is None where there is none.

    Of `wild` ones the values span more than single precision does, and nothing can be expected of them.
    """

    wave: np.ndarray
    flux: np.ndarray
    ivar: np.ndarray | None
    total: int = 0
    wild: bool = False


def pixels(wave, flux, ivar=None, mask=None) -> Pixels:
    """Usable pixels, in units of the median flux, for a positive factor per spectrum is of no consequence."""
    wave, flux = np.asarray(wave, np.float64), np.asarray(flux, np.float64)
    finite = np.isfinite(flux) if mask is None else np.isfinite(flux) & ~np.asarray(mask, bool)
    ivar = None if ivar is None else np.asarray(ivar, np.float64)
    if ivar is not None:
        finite &= np.isfinite(ivar) & (ivar > 0)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        scale = _scale(flux, finite)
        good = finite & (np.abs(flux) < EXTREME * scale)
        flux = np.where(np.abs(flux) < scale / EXTREME, 0.0, flux)
        if ivar is not None:
            weight = ivar * scale * scale
            good &= (weight < EXTREME) & (weight > 1 / EXTREME)
        # Once more, of what is left: another reader may have lost the extreme ones earlier.
        scale = _scale(flux, good)
        wild = np.count_nonzero(finite) - np.count_nonzero(good) > 0.02 * len(flux)
        weight = None if ivar is None else (ivar * scale * scale)[good]
        return Pixels(wave[good], flux[good] / scale, weight, len(flux), bool(wild))


def _scale(flux: np.ndarray, good: np.ndarray) -> float:
    usable = np.abs(flux[good & (flux != 0)])
    return float(np.median(usable)) if len(usable) else 1.0


def differences(ours: dict[str, Any], theirs: dict[str, Any], wave_rtol: float = 1e-9) -> list[str]:
    """Names of what differs, among what both have (and what `theirs` has but `ours` lacks); none if they agree.

    Parameters
    ----------
    ours, theirs : dict
        Values by name: arrays, lists of `Pixels`, or plain data. Names that begin with _ are passed over.
    wave_rtol : float
        Tolerance of wavelengths: readers may take a wavelength for the pixel of a known grid that it rounds to.
    """
    found = []
    for name, other in theirs.items():
        if name.startswith("_"):
            continue
        if name not in ours:
            found.append(f"{name} missing")
        elif not same(ours[name], other, wave_rtol):
            found.append(f"{name}: {brief(ours[name])} against {brief(other)}")
    return found


def same(one: Any, other: Any, wave_rtol: float = 1e-9) -> bool:
    """Whether two values agree: text and whole numbers exactly, others but for rounding."""
    if isinstance(one, Pixels) or isinstance(other, Pixels):
        return isinstance(one, type(other)) and _same_pixels(one, other, wave_rtol)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name], wave_rtol) for name in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(same(a, b, wave_rtol) for a, b in zip(one, other, strict=True))
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return _same_arrays(np.asarray(one), np.asarray(other))
    if isinstance(one, float) or isinstance(other, float):
        return _same_arrays(np.asarray(one), np.asarray(other))
    return type(one) is type(other) and one == other


def _same_arrays(one: np.ndarray, other: np.ndarray) -> bool:
    if one.shape != other.shape:
        return False
    if one.dtype.kind in "US" or other.dtype.kind in "USO" or one.dtype.kind == "O":
        return one.astype(str).tolist() == other.astype(str).tolist()
    if one.dtype.kind in "iub" and other.dtype.kind in "iub":
        return one.tolist() == other.tolist()
    single = one.dtype == np.float32 or other.dtype == np.float32
    with np.errstate(over="ignore", invalid="ignore"):
        return np.allclose(
            one.astype(np.float64), other.astype(np.float64), 3e-6 if single else 1e-9, 0, equal_nan=True
        )


def _same_pixels(one: Pixels, other: Pixels, wave_rtol: float) -> bool:
    if (one.ivar is None) != (other.ivar is None):
        return False
    if one.wild or other.wild:
        return True
    if len(one.wave) != len(other.wave):
        # A gap that a survey filled with zeros may be masked.
        keep = np.isin(np.arange(len(other.wave)), _nearest(other.wave, one.wave)) | (other.flux != 0)
        if keep.sum() != len(one.wave):
            return False
        other = Pixels(other.wave[keep], other.flux[keep], None if other.ivar is None else other.ivar[keep])
    if not len(one.wave):
        return True
    ok = np.allclose(one.wave, other.wave, wave_rtol, 0) and np.allclose(one.flux, other.flux, 1e-5, 1e-30)
    return bool(ok and (one.ivar is None or np.allclose(one.ivar, other.ivar, 3e-5, 0)))


def _nearest(grid: np.ndarray, wave: np.ndarray) -> np.ndarray:
    if not len(grid):
        return np.empty(0, int)
    place = np.clip(np.searchsorted(grid, wave), 1, max(len(grid) - 1, 1))
    left = np.maximum(place - 1, 0)
    right = np.minimum(place, len(grid) - 1)
    return np.where(np.abs(grid[left] - wave) < np.abs(grid[right] - wave), left, right)


def shortened(now: dict[str, Any], before: dict[str, Any]) -> bool:
    """Whether there are fewer spectra, pixels or rows than there were, flagged or not."""
    if now.get("n", 0) < before.get("n", 0):
        return True
    pairs = zip(now.get("pixels", []), before.get("pixels", []), strict=False)
    return any(a.total < b.total and len(a.wave) < len(b.wave) for a, b in pairs)


def lost(now: dict[str, Any], before: dict[str, Any]) -> list[str]:
    """Names of what was known of a spectrum and no longer is."""
    found = []
    for name in before:
        if name in now and not isinstance(before[name], list) and not same(now[name], before[name]):
            one, other = np.atleast_1d(np.asarray(now[name])), np.atleast_1d(np.asarray(before[name]))
            if one.shape == other.shape and (_unknown(one) & ~_unknown(other)).any():
                found.append(name)
    return found


def _unknown(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "f":
        return np.isnan(values)
    if values.dtype.kind in "iu":
        return values == -1
    return values.astype(str) == ""


def brief(value: Any) -> str:
    """A value in a few words."""
    if isinstance(value, list) and value and isinstance(value[0], Pixels):
        one = value[0]
        span = (
            f"{one.wave[0]:.8g}..{one.wave[-1]:.8g} A, flux {one.flux.min():.7g}..{one.flux.max():.7g}"
            if len(one.wave)
            else ""
        )
        return f"{len(value)} spectra, {len(one.wave)} of {one.total} pixels {span}"
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{value.shape} {str(value.reshape(-1)[:4].tolist())[:60]}"
    return str(value)[:80]
