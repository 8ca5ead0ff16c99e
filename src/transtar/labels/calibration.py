"""Calibration of [Fe/H] by a quadratic in Teff, one for dwarfs and one for giants.

Koposov et al. 2025 (arXiv:2505.14787): measured minus reference [Fe/H] is c0 + c1 x + c2 x^2 with
x = log10(Teff / 5000 K) / 0.1, and is taken off. The shipped coefficients are those of the released code
(https://github.com/desimilkyway/dr1_vac_code, feh_correct.py, commit 10b6ab6), which differ from those of its first draft.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ..errors import InputError, SettingsError, check_keys, shown
from ..files import write_text
from ..plain_yaml import read_yaml

TEFF_REFERENCE, LOG_TEFF_SCALE = 5000.0, 0.1
FEWEST = 20
"""Stars that each of the two fits needs."""


@dataclass(frozen=True)
class Calibration:
    """Coefficients, and where they hold.

    Parameters
    ----------
    gravity : float
        Giants lie below this log g.
    giants, dwarfs : (float, float, float)
        c0, c1, c2; dex.
    teff, logg : (float, float)
        Ranges, lower end included and upper end excluded; there is no calibrated [Fe/H] outside. K and dex.
    source : str
    """

    gravity: float
    giants: tuple[float, float, float]
    dwarfs: tuple[float, float, float]
    teff: tuple[float, float]
    logg: tuple[float, float]
    source: str = ""


def load_calibration(name: str | Path) -> Calibration:
    """Read coefficients by name ('koposov2025-sp', 'koposov2025-rvs') or from a YAML file.

    Raises
    ------
    InputError
        If there is no such calibration, or it is not YAML.
    SettingsError
        If a key is unknown, missing, or not of the right length.
    """
    folder = Path(str(package_files("transtar.labels").joinpath("calibrations")))
    known = sorted(path.stem for path in folder.glob("*.yaml"))
    path = Path(name)
    if path.suffix not in (".yaml", ".yml") and name in known:
        path = folder / f"{name}.yaml"
    if path.suffix not in (".yaml", ".yml") or not path.is_file():
        raise InputError(f"no calibration '{shown(name)}'; calibrations: {', '.join(known)}, or a file .yaml")
    content = read_yaml(path, str(name))
    return _parse(content, str(name))


def _parse(content: Any, where: str) -> Calibration:
    if not isinstance(content, Mapping):
        raise InputError(f"{where}: a calibration is a mapping of gravity, giants, dwarfs, teff and logg")
    names = [one.name for one in fields(Calibration)]
    check_keys(content, names, where)
    lengths = {"giants": 3, "dwarfs": 3, "teff": 2, "logg": 2}
    try:
        values = {key: tuple(float(value) for value in content[key]) for key in lengths}
        if any(len(values[key]) != n for key, n in lengths.items()):
            raise ValueError
        gravity = float(content["gravity"])
    except (KeyError, TypeError, ValueError):
        raise SettingsError(
            f"{where}: needs gravity (a number), giants and dwarfs (3 numbers each), teff and logg (2 each)"
        ) from None
    return Calibration(gravity, source=str(content.get("source", "")), **values)  # type: ignore[arg-type]


def write_calibration(calibration: Calibration, path: str | Path) -> None:
    """Write coefficients as a YAML file that `load_calibration` reads."""
    content = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(calibration).items()}
    write_text(path, yaml.safe_dump(content, sort_keys=False, width=1000))


def calibrate(feh: np.ndarray, teff: np.ndarray, logg: np.ndarray, calibration: Calibration) -> np.ndarray:
    """Calibrated [Fe/H].

    Parameters
    ----------
    feh, teff, logg : ndarray, shape (n,)
        As measured by one pipeline; dex, K, dex.
    calibration : Calibration

    Returns
    -------
    ndarray, shape (n,), float64
        NaN outside the ranges of the calibration.
    """
    teff, logg = np.asarray(teff, np.float64), np.asarray(logg, np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        inside = (teff >= calibration.teff[0]) & (teff < calibration.teff[1])
        inside &= (logg >= calibration.logg[0]) & (logg < calibration.logg[1])
        bias = calibration_bias(teff, logg, calibration)
    return np.where(inside, np.asarray(feh, np.float64) - bias, np.nan)


def calibration_bias(teff: np.ndarray, logg: np.ndarray, calibration: Calibration) -> np.ndarray:
    """What `calibrate` takes off [Fe/H], whatever the ranges of the calibration.

    Parameters
    ----------
    teff, logg : ndarray, shape (n,)
        As measured; K, dex.
    calibration : Calibration

    Returns
    -------
    ndarray, shape (n,), float64
        Dex.
    """
    powers = _powers(np.asarray(teff, np.float64))
    giant = np.asarray(logg, np.float64) < calibration.gravity
    return np.where(giant, powers @ np.array(calibration.giants), powers @ np.array(calibration.dwarfs))


def _powers(teff: np.ndarray) -> np.ndarray:
    x = np.log10(teff / TEFF_REFERENCE) / LOG_TEFF_SCALE
    return np.stack([np.ones_like(x), x, x**2], axis=-1)


def fit_calibration(
    feh: np.ndarray,
    teff: np.ndarray,
    logg: np.ndarray,
    reference: np.ndarray,
    *,
    gravity: float = 3.5,
    teff_range: tuple[float, float] = (4000.0, 6600.0),
    logg_range: tuple[float, float] = (0.0, 5.1),
    source: str = "",
) -> Calibration:
    """Fit the quadratics by least absolute deviations, as Koposov et al. do.

    The defaults are the limits of their calibration of the SP pipeline.

    Parameters
    ----------
    feh, teff, logg : ndarray, shape (n,)
        As measured by one pipeline; dex, K, dex.
    reference : ndarray, shape (n,)
        [Fe/H] of the same stars that is taken for true.
    gravity, teff_range, logg_range, source
        As in `Calibration`.

    Returns
    -------
    Calibration

    Raises
    ------
    InputError
        If there are fewer than `FEWEST` giants or dwarfs within the ranges.
    """
    offset = np.asarray(feh, np.float64) - np.asarray(reference, np.float64)
    teff, logg = np.asarray(teff, np.float64), np.asarray(logg, np.float64)
    with np.errstate(invalid="ignore"):
        good = np.isfinite(offset) & (teff >= teff_range[0]) & (teff < teff_range[1])
        good &= (logg >= logg_range[0]) & (logg < logg_range[1])
        giant = good & (logg < gravity)
    coefficients = {}
    for name, rows in (("giants", giant), ("dwarfs", good & ~giant)):
        if rows.sum() < FEWEST:
            raise InputError(
                f"{int(rows.sum())} {name} with [Fe/H] on both sides within Teff {teff_range[0]:g} to {teff_range[1]:g} K "
                f"and log g {logg_range[0]:g} to {logg_range[1]:g}; a fit needs {FEWEST}"
            )
        coefficients[name] = _least_absolute(_powers(teff[rows]), offset[rows])
    return Calibration(gravity, coefficients["giants"], coefficients["dwarfs"], teff_range, logg_range, source)


def _least_absolute(powers: np.ndarray, offset: np.ndarray) -> tuple[float, float, float]:
    """Least absolute deviations, by least squares with weights 1 / |residual| until they settle."""
    weight = np.ones(len(offset))
    solution = np.zeros(3)
    for _ in range(100):
        root = np.sqrt(weight)
        previous, solution = solution, np.linalg.lstsq(powers * root[:, None], offset * root, rcond=None)[0]
        if np.abs(solution - previous).max() < 1e-7:
            break
        weight = 1 / np.maximum(np.abs(offset - powers @ solution), 1e-4)
    first, second, third = (round(float(value), 6) for value in solution)
    return first, second, third
