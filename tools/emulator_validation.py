"""How good an emulator is: cross-validation over the grid, and its derivatives against recomputed spectra."""

from __future__ import annotations

import numpy as np
import torch

from transtar.simulate.emulator.emulator import HEADS, Emulator

from .emulator_grid import Grid, Pairs, smooth
from .emulator_training import HeadSettings, Progress, train_emulator

WINDOW, WINDOW_FULL = (4000.0, 5600.0), (3900.0, 5700.0)
"""Wavelengths in Angstrom over which errors are taken at R = 3000, and at R = 12,000."""


def cross_validate(
    grid: Grid,
    folds: int = 10,
    settings: dict[str, HeadSettings] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, np.ndarray]:
    """Predict every spectrum of the grid by an emulator that did not see it, weights rounded as on disk.

    Returns
    -------
    dict of str to ndarray
        'labels' (n, 6); 'fold' (n,); 'r3000' and 'r12000' (n,), as `flux_errors`; 'continuum' (n,) and 'sed' (n,), mean
        absolute differences in dex, NaN where there is no energy distribution.
    """
    n = len(grid.labels)
    fold = np.random.default_rng(seed).permutation(n) % folds
    result = {name: np.full(n, np.nan) for name in ("r3000", "r12000", "continuum", "sed")}
    for number in range(folds):
        emulator = rounded(train_emulator(grid, settings, np.flatnonzero(fold != number), seed))
        rows = np.flatnonzero(fold == number)
        flux = emulator.flux(grid.labels[rows])
        result["r3000"][rows], result["r12000"][rows] = flux_errors(flux, grid.values["flux"][rows], emulator.wave)
        for name, predict in (("continuum", emulator.log_continuum), ("sed", emulator.log_sed)):
            chosen = np.flatnonzero(np.isin(grid.rows[name], rows))
            at = grid.rows[name][chosen]
            result[name][at] = np.abs(predict(grid.labels[at]) - grid.values[name][chosen]).mean(axis=1)
        if progress is not None:
            errors = 100 * result["r3000"][rows]
            progress(
                f"fold {number + 1} of {folds}: R = 3000 median {np.median(errors):.4f} %, "
                f"95th percentile {np.percentile(errors, 95):.4f} %, worst {errors.max():.3f} %"
            )
    return {"labels": grid.labels, "fold": fold, **result}


def flux_errors(flux: np.ndarray, truth: np.ndarray, wave: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean absolute difference per spectrum: at R = 3000 over 4000-5600 A, and as they are over 3900-5700 A.

    Parameters
    ----------
    flux, truth : ndarray, shape (n, P)
        At R = 12,000.
    wave : ndarray, shape (P,)

    Returns
    -------
    (ndarray, ndarray), shape (n,)
        As fractions of the continuum.
    """
    difference = flux - truth
    coarse = np.abs(smooth(difference, 3000.0)[:, between(wave, WINDOW)]).mean(axis=1)
    return coarse, np.abs(difference[:, between(wave, WINDOW_FULL)]).mean(axis=1)


def compare_derivatives(emulator: Emulator, pairs: Pairs) -> dict[str, np.ndarray]:
    """Compare the change of the flux over +-0.1 dex with that of recomputed spectra, star by star.

    Returns
    -------
    dict of str to ndarray, shape (n_stars,)
        'feh r3000 correlation', 'feh r3000 amplitude' (slope of the emulator's change on the true one) and so on for
        'afe' and for 'r12000', which is against the spectra at exactly R = 12,000.
    """
    flux = emulator.flux(pairs.labels)
    result = {}
    views = {
        "r3000": (smooth(flux, 3000.0), smooth(pairs.flux, 3000.0), between(pairs.wave, WINDOW)),
        "r12000": (flux, pairs.clean, between(pairs.wave, WINDOW_FULL)),
    }
    for label in ("feh", "afe"):
        for view, (ours, truth, inside) in views.items():
            a, b = (change(values, pairs, label)[:, inside].astype(np.float64) for values in (ours, truth))
            result[f"{label} {view} correlation"] = np.array(
                [np.corrcoef(x, y)[0, 1] for x, y in zip(a, b, strict=True)]
            )
            result[f"{label} {view} amplitude"] = (a * b).sum(axis=1) / (b * b).sum(axis=1)
    return result


def change(flux: np.ndarray, pairs: Pairs, label: str) -> np.ndarray:
    """Flux at +0.1 dex less flux at -0.1 dex, (n_stars, P), of spectra (n, P) in the order of `pairs`."""
    plus, minus = (
        np.array(
            [np.flatnonzero((pairs.star == star) & (pairs.kind == label + sign))[0] for star in np.unique(pairs.star)]
        )
        for sign in "+-"
    )
    return flux[plus] - flux[minus]


def between(wave: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """Mask of the wavelengths inside `limits`."""
    return (wave >= limits[0]) & (wave <= limits[1])


def rounded(emulator: Emulator) -> Emulator:
    """Round the weights in place to what `Emulator.save` keeps of them."""
    for name in HEADS:
        head = emulator.head(name)
        for tensor in (*head.parameters(), head.basis):
            tensor.data.copy_(tensor.data.to(torch.float16))
    return emulator


def summary(errors: np.ndarray) -> dict[str, float]:
    """Count, median, 95th percentile and maximum of the finite ones."""
    errors = errors[np.isfinite(errors)]
    return {
        "n": len(errors),
        "median": float(np.median(errors)),
        "p95": float(np.percentile(errors, 95)),
        "max": float(errors.max()),
    }


def validation_summary(checked: dict[str, np.ndarray], worst: int = 10) -> dict:
    """Figures of a cross-validation as plain data: percent of the continuum for the flux, dex for the others.

    With parts of the grid, and the `worst` spectra at R = 3000 by their labels.
    """
    teff, logg, feh = checked["labels"][:, :3].T
    r3000 = 100 * checked["r3000"]
    parts = {
        "all": np.ones(len(teff), dtype=bool),
        "4000-4250 K": teff < 4250,
        "4250-4500 K": (teff >= 4250) & (teff < 4500),
        "4500-5000 K": (teff >= 4500) & (teff < 5000),
        "5000-6000 K": (teff >= 5000) & (teff < 6000),
        "6000-7000 K": teff >= 6000,
        "[Fe/H] < -2": feh < -2,
        "[Fe/H] -2 to -0.8": (feh >= -2) & (feh < -0.8),
        "[Fe/H] > -0.8": feh >= -0.8,
        "log g < 2": logg < 2,
        "log g > 4": logg > 4,
    }
    order = np.argsort(r3000)[::-1][:worst]
    return {
        "folds": int(checked["fold"].max()) + 1,
        "flux_percent_r3000": {name: summary(r3000[rows]) for name, rows in parts.items() if rows.any()},
        "flux_percent_r12000": summary(100 * checked["r12000"]),
        "log_continuum_dex": summary(checked["continuum"]),
        "log_sed_dex": summary(checked["sed"]),
        "worst_r3000": [
            {"percent": float(r3000[row]), "labels": [round(float(x), 4) for x in checked["labels"][row]]}
            for row in order
        ],
    }


def derivative_summary(compared: dict[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """Median, tenth percentile and minimum of each entry of `compare_derivatives`."""
    return {
        name: {
            "median": float(np.median(values)),
            "p10": float(np.percentile(values, 10)),
            "min": float(values.min()),
            "p90": float(np.percentile(values, 90)),
        }
        for name, values in compared.items()
    }
