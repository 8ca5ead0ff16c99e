"""The simulated DESI pipeline: stellar parameters with the faults that the genuine ones are known for.

Everything here is to be called 'simulated pipeline': it says how a catalog errs, not how a code works. Metallicities
of the RVSpecFit (RV) and FERRE (SP) branches are off by quadratic functions of Teff, one for giants and one for
dwarfs: those that Koposov et al. 2025 (the DESI DR1 stellar catalogue) fitted in order to take them out, so that
their recipe restores the truth here. They are read from `transtar.labels.calibration`, which has them once for all.
[alpha/Fe] of SP scatters so much that the two sequences of the disc merge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from astropy.table import Table

from ...labels.calibration import Calibration, calibration_bias, load_calibration


@dataclass(frozen=True)
class Faults:
    """How a branch errs.

    Parameters
    ----------
    calibration : str
        Name of the published calibration that takes the error of [Fe/H] out, for `load_calibration`.
    teff, logg, feh, alphafe : float
        Scatter at S/N 20 per pixel, K and dex.
    """

    calibration: str
    teff: float
    logg: float
    feh: float
    alphafe: float

    def published(self) -> Calibration:
        """The coefficients of the error of [Fe/H], and where they hold."""
        return load_calibration(self.calibration)


RV = Faults("koposov2025-rvs", 90.0, 0.2, 0.12, 0.15)
SP = Faults("koposov2025-sp", 75.0, 0.15, 0.10, 0.13)


def metallicity_bias(teff: np.ndarray, logg: np.ndarray, faults: Faults) -> np.ndarray:
    """[Fe/H] measured minus true at measured Teff (K) and log g; dex. Constant in Teff outside the published range."""
    published = faults.published()
    return calibration_bias(np.clip(teff, *published.teff), logg, published)


def simulate_branch(stars: Table, snr: np.ndarray, faults: Faults, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Labels of one branch.

    Parameters
    ----------
    stars : Table
        teff, logg, feh, alphafe: the truth.
    snr : ndarray, shape (n,)
        Median S/N per pixel in the blue arm.
    faults : Faults
    rng : Generator

    Returns
    -------
    dict of str to ndarray, shape (n,), float64
        teff, logg, feh, alphafe and formal errors (``_err``), which are half the true scatter, as such errors are.
    """
    n = len(stars)
    noise = np.sqrt(0.7**2 + (14.0 / np.maximum(snr, 2.0)) ** 2)
    truth = {name: np.asarray(stars[name], np.float64) for name in ("teff", "logg", "feh", "alphafe")}
    # Lines are weak in hot and in metal-poor stars.
    weak = 1 + 0.6 * np.clip(-truth["feh"] - 1, 0, 2) + np.clip((truth["teff"] - 6300) / 500, 0, 2)
    sigma = {
        "teff": faults.teff * noise,
        "logg": faults.logg * noise,
        "feh": faults.feh * noise * weak,
        "alphafe": faults.alphafe * noise * weak,
    }
    out = {name: truth[name] + sigma[name] * rng.standard_normal(n) for name in truth}
    out["feh"] += metallicity_bias(out["teff"], out["logg"], faults)
    # The grids of models end there, and fits pile up.
    out["alphafe"] = np.clip(out["alphafe"], -0.4, 1.2)
    out["logg"] = np.clip(out["logg"], 0.0, 5.5)
    return {**out, **{f"{name}_err": 0.5 * value for name, value in sigma.items()}}


def simulate_pipeline(stars: Table, snr: np.ndarray, seed: int | Sequence[int]) -> Table:
    """Labels of both branches.

    Parameters
    ----------
    stars : Table
        teff, logg, feh, alphafe, radial_velocity.
    snr : ndarray, shape (n,)
    seed : int or sequence of int

    Returns
    -------
    Table
        ``sp_teff`` and so on, ``rv_teff`` and so on, ``vrad``, ``vrad_err``, ``bestgrid``.
    """
    rng = np.random.default_rng(seed)
    table = Table()
    for prefix, faults in (("sp", SP), ("rv", RV)):
        for name, values in simulate_branch(stars, snr, faults, rng).items():
            table[f"{prefix}_{name}"] = values
    table["vrad_err"] = 0.4 + 20 / np.maximum(snr, 2.0)
    table["vrad"] = np.asarray(stars["radial_velocity"]) + table["vrad_err"] * rng.standard_normal(len(stars))
    table["bestgrid"] = np.where(table["sp_teff"] < 5500, "m_rdesi1", "m_rdesi2").astype("U8")
    return table
