"""Gaia XP spectra: BP and RP sampled together at 343 wavelengths.

Sampling 336-1020 nm in steps of 2 nm, in W/m2/nm (Gaia DR3, table xp_sampled_mean_spectrum). The resolution follows from the
dispersion (Montegriffo et al. 2023, A&A 674, A3; the table that GaiaXPy ships) and the width of the line spread (Gaia
Collaboration 2016, A&A 595, A1, section 3.3.6): lambda / FWHM falls from 80 to 15 across BP and from 29 to 16 across RP. The
numbers 100 to 30 and 100 to 70 that are often quoted are lambda over the dispersion of one pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from astropy.table import Table

from ...errors import InputError
from ..emulator.model_spectra import ModelSpectra
from ..stars.dust import R_V, extinction_curve
from .effects import Effects, Streams
from .lsf import FWHM_PER_SIGMA, sample
from .observe import V_WAVE, V_ZERO

XP_WAVE = 336.0 + 2.0 * np.arange(343)
"""Vacuum nm."""

TO_SI = 1e-19
"""W/m2/nm of 1e-17 erg/s/cm2/A."""

DISPERSION = MappingProxyType({
    "bp": ((330, 360, 400, 450, 500, 550, 600, 640, 680), (3.09, 4.19, 5.96, 8.61, 11.75, 15.42, 19.54, 23.10, 26.78)),
    "rp": ((640, 680, 720, 760, 800, 850, 900, 950, 1000, 1050),
           (6.39, 7.48, 8.59, 9.69, 10.75, 12.01, 13.16, 14.21, 15.17, 16.04)),
})  # fmt: skip
"""Wavelengths in nm, and nm a pixel there."""

WIDTH = MappingProxyType({"bp": ((330, 680), (1.3, 1.9)), "rp": ((640, 1050), (3.5, 4.1))})
"""Wavelengths in nm, and pixels that hold 76 % of the light of a line, as the FWHM of a Gaussian does."""

FLOOR = 0.004
"""Relative error that no brightness overcomes."""


@dataclass(frozen=True)
class XPSpectra:
    """Sampled XP spectra.

    Parameters
    ----------
    wave : ndarray, shape (343,)
        nm.
    flux, flux_error : ndarray, shape (n, 343), float32
        W/m2/nm.
    ids : ndarray, shape (n,), int64
    """

    wave: np.ndarray
    flux: np.ndarray
    flux_error: np.ndarray
    ids: np.ndarray


def xp_resolution(wave: np.ndarray) -> np.ndarray:
    """Lambda / FWHM at `wave` (nm); BP gives way to RP at 640 nm.

    The calibration of the archive undoes a little of the smearing; that is left out.
    """
    blue, red = (wave / (np.interp(wave, *DISPERSION[band]) * np.interp(wave, *WIDTH[band])) for band in ("bp", "rp"))
    return np.where(wave < 640, blue, red)


def xp_relative_error(wave: np.ndarray, g_mag: np.ndarray) -> np.ndarray:
    """Relative error of sampled fluxes, shape (n, n_wave).

    About 0.6 % in the middle of BP and RP at G = 13 and growing with the square root of the photons towards 17.6, where XP
    spectra end; several times worse at the ends of both (Montegriffo et al. 2023, fig. 26). Neighbouring samples err together
    in the real data; here they do not.
    """
    shape = np.interp(
        wave, (336, 360, 400, 500, 620, 640, 660, 800, 950, 1020), (12, 5, 2, 1, 1.3, 1.6, 1.2, 1, 1.5, 4)
    )
    return np.hypot(FLOOR, 0.010 * 10 ** (0.2 * (np.asarray(g_mag)[:, None] - 15)) * shape)


def observe_xp(
    model: ModelSpectra, stars: Table, *, seed: int = 0, effects: Effects | None = None, blanketing: float = 1.0
) -> XPSpectra:
    """Sampled XP spectra of stars.

    Velocities and rotation are far below the resolution and left out. Of the `effects`, line spread, extinction and noise count.

    Parameters
    ----------
    model : ModelSpectra
    stars : Table
        Needs source_id, teff, feh, ebv, v_mag and g_mag.
    seed : int
    effects : Effects, optional
    blanketing : float
        Factor on the smooth blanketing outside the emulator's range.

    Raises
    ------
    InputError
        If a column is missing, or numbers of stars and spectra differ.
    """
    effects = effects or Effects()
    missing = [name for name in ("source_id", "teff", "feh", "ebv", "v_mag", "g_mag") if name not in stars.colnames]
    if missing:
        raise InputError(f"stars have no column {', '.join(missing)}")
    if len(stars) != len(model):
        raise InputError(f"{len(stars)} stars but {len(model)} model spectra")
    columns = {name: np.asarray(stars[name], float) for name in ("teff", "feh", "ebv", "v_mag", "g_mag")}
    ids = np.asarray(stars["source_id"]).astype(np.int64)
    wave, sed = _coarse(model, columns["teff"], columns["feh"], blanketing)
    at_v = np.empty((len(model), 1))
    ones = np.ones(len(model))
    sample(model.cont_wave, 10.0 ** model.log_continuum.astype(np.float64), np.array([V_WAVE]), ones, at_v)
    sed *= (V_ZERO * TO_SI * 10 ** (-0.4 * columns["v_mag"]))[:, None] / at_v
    if effects.extinction:
        sed *= 10 ** (-0.4 * R_V * columns["ebv"][:, None] * (extinction_curve(wave) - extinction_curve(V_WAVE)))
    if effects.lsf:
        centre = 10 * XP_WAVE[:, None]
        sigma = centre / xp_resolution(XP_WAVE)[:, None] / FWHM_PER_SIGMA
        weights = np.exp(-0.5 * ((wave - centre) / sigma) ** 2) * np.gradient(wave)
        flux = sed @ (weights / weights.sum(axis=1, keepdims=True)).T
    else:
        flux = np.empty((len(model), len(XP_WAVE)))
        sample(wave, sed, 10 * XP_WAVE, ones, flux)
    error = flux * xp_relative_error(XP_WAVE, columns["g_mag"])
    if effects.noise:
        flux = flux + error * Streams(seed, "gaia-xp", ids, np.zeros(len(ids), np.int64)).normal("noise", len(XP_WAVE))
    return XPSpectra(XP_WAVE.copy(), flux.astype(np.float32), error.astype(np.float32), ids)


def _coarse(model: ModelSpectra, teff: np.ndarray, feh: np.ndarray, blanketing: float) -> tuple[np.ndarray, np.ndarray]:
    """Energy distribution with the mean effect of lines in bins of its own wavelengths."""
    wave, sed = model.smooth(teff, feh, blanketing)
    bins = np.searchsorted((wave[1:] + wave[:-1]) / 2, model.wave)
    first, last = bins[0] + 1, bins[-1]  # bins that the lines fill
    starts = np.searchsorted(bins, np.arange(first, last + 1))
    continuum = np.empty(model.flux.shape)
    log_continuum = 10.0 ** model.log_continuum.astype(np.float64)
    sample(model.cont_wave, log_continuum, model.wave, np.ones(len(model)), continuum)
    sums = np.add.reduceat(continuum * model.flux, starts, axis=1)[:, :-1]
    sed = sed.copy()
    sed[:, first:last] = sums / np.diff(starts)
    return wave, sed
