"""What the lines of real stars have that synthetic ones lack: a correction per pixel, learnt on real stars with labels.

Line lists, model atmospheres and missing molecules (CN, C2) make synthetic lines too deep or too shallow by the same amount
whatever instrument looks at them, so a correction learnt on one survey holds for another. It is::

    corrected = flux - (1 - flux) (a0 + a1 t + a2 s) - z (b0 + b1 t + b2 s)

with t = (Teff - 5500 K) / 1000 K, s rising from 0 for dwarfs to 1 for giants about log g = 3.5, and z = 10^(0.7 [Fe/H]).
The first term scales the depth of lines that are there and vanishes with them in metal-poor stars; the second adds
absorption that is not there at all, and fades with metallicity. The six coefficients of a pixel are a ridge regression on
the differences between real spectra and synthetic ones of the same labels, seen through the same instrument at the same
S/N: noise lifts an upper envelope, and without it real spectra seem to have 0.01 to 0.03 more absorption.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from astropy.table import Table

from ..errors import InputError, SettingsError, shown
from ..files import atomic_path
from ..preprocess import Preprocessing, preprocess
from . import abundances
from .effects import Effects
from .emulator import Emulator
from .instruments import Instrument
from .models import ModelSpectra
from .observe import observe

TEFF_RANGE = (4300.0, 6900.0)
"""Kelvin; the regressors are held within."""

DEPTH_PRIOR, ADDED_PRIOR = 0.2, 0.02
"""Standard deviation of the coefficients that the ridge regression takes for granted: relative depth, and flux."""

MODEL_ERROR = 0.01
"""What is left of the differences at infinite S/N; it keeps a few bright stars from deciding."""

BLOCK = 512

FEWEST = 30
"""Stars that a correction is learnt on at least."""

LABELS = ("teff", "logg", "feh")


@dataclass(frozen=True)
class LineCorrection:
    """Coefficients of the correction.

    Parameters
    ----------
    name : str
    depth, added : ndarray, shape (3, n_grid), float32
        Coefficients of 1, t and s.
    preprocessing : Preprocessing
        How the spectra were prepared from which it was learnt, and those must be that it corrects.
    info : dict
        Where it is from.
    stars : dict of str to ndarray, shape (n_stars,)
        ``survey``, ``id`` (int64), ``file`` and ``star`` of those it was learnt on: what is trained on spectra that it
        corrected has seen them, too.
    """

    name: str
    depth: np.ndarray
    added: np.ndarray
    preprocessing: Preprocessing
    info: dict[str, Any] = field(default_factory=dict)
    stars: dict[str, np.ndarray] = field(default_factory=dict)

    def apply(self, flux: np.ndarray, labels: Mapping[str, np.ndarray], depth: np.ndarray | None = None) -> np.ndarray:
        """Correct synthetic spectra.

        Parameters
        ----------
        flux : ndarray, shape (n, n_grid)
            Continuum-normalised.
        labels : mapping of str to ndarray, shape (n,)
            teff (K), logg and feh (dex).
        depth : ndarray, shape (n, n_grid), optional
            Depth of the lines without noise, if `flux` has some.

        Returns
        -------
        ndarray, shape (n, n_grid), float32
        """
        steps, fading = _regressors(labels)
        depth = 1 - flux if depth is None else depth
        scaled = (steps @ self.depth) * depth + ((fading[:, None] * steps) @ self.added)
        return (flux - scaled).astype(np.float32)

    def save(self, path: str | Path) -> Path:
        """Write it as one npz file."""
        with atomic_path(Path(path)) as temporary, open(temporary, "wb") as file:
            np.savez(
                file, name=self.name, depth=self.depth.astype(np.float32), added=self.added.astype(np.float32),
                preprocessing=json.dumps(self.preprocessing.to_dict(), sort_keys=True),
                info=json.dumps(self.info, sort_keys=True),
                **{f"star_{name}": column for name, column in self.stars.items()},  # type: ignore[arg-type]
            )  # fmt: skip
        return Path(path)


def load_lines(name: str | Path) -> LineCorrection:
    """Read a correction: a shipped one by name, or a file.

    Raises
    ------
    InputError
        If there is none, or the file holds something else.
    """
    shipped = package_files(__package__) / "data" / "lines" / f"{name}.npz"
    path = Path(str(shipped)) if shipped.is_file() else Path(name)
    if not path.is_file():
        raise InputError(f"{name}: neither a file nor a shipped line correction; shipped: {', '.join(shipped_lines())}")
    try:
        with np.load(path, allow_pickle=False) as content:
            return LineCorrection(
                name=str(content["name"]),
                depth=content["depth"],
                added=content["added"],
                preprocessing=Preprocessing.from_stored(json.loads(str(content["preprocessing"]))),
                info=json.loads(str(content["info"])),
                stars={key[5:]: content[key] for key in content.files if key.startswith("star_")},
            )
    except (OSError, KeyError, ValueError, TypeError, EOFError, BadZipFile) as error:
        raise InputError(f"{path}: not a line correction ({str(error).splitlines()[0]})") from error


def lines_of_model(provenance) -> str | None:
    """Name of the correction of the mock stars that a model has learnt from, as far as it ships with transtar.

    A model says a name, and a stranger's model may say any: no file is read because of it.

    Parameters
    ----------
    provenance : sequence of dict
        Steps of training.

    Returns
    -------
    str or None
        None if there is no correction.

    Raises
    ------
    InputError
        If it does not ship.
    """
    name = next((step["mock"].get("lines") for step in provenance if step.get("mock")), None)
    if name and name not in shipped_lines():
        raise InputError(
            f"the model has learnt with the line correction '{shown(name)}', which does not ship; name its file"
        )
    return name or None


def shipped_lines() -> list[str]:
    """Names of the corrections that ship with transtar."""
    folder = package_files(__package__) / "data" / "lines"
    return sorted(p.name.removesuffix(".npz") for p in folder.iterdir() if p.name.endswith(".npz"))


def twins(
    labels: Mapping[str, np.ndarray],
    emulator: Emulator,
    instrument: Instrument,
    settings: Preprocessing | None = None,
    snr: np.ndarray | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Synthetic spectra of stars with given labels, observed and prepared.

    What the labels leave open is that of an average star: [alpha/Fe] the mean of the Galaxy at its [Fe/H], [C/Fe],
    microturbulence and dredge-up those of `abundances`, no rotation to speak of.

    Parameters
    ----------
    labels : mapping of str to ndarray, shape (n,)
        teff, logg, feh; alphafe if known. Stars outside the emulator's range are made at its edge.
    emulator : Emulator
    instrument : Instrument
    settings : Preprocessing, optional
    snr : ndarray, shape (n,), optional
        Noise of this S/N per pixel; none if not given.
    seed : int

    Returns
    -------
    ndarray, shape (n, n_grid), float32
    """
    stars = average_stars(labels)
    wanted = emulator.clip(np.stack([np.asarray(stars[name], float) for name in emulator.label_names], axis=1))
    effects = Effects.only("lsf", "noise") if snr is not None else Effects.only("lsf")
    parts = []
    for start in range(0, len(stars), BLOCK):
        rows = slice(start, start + BLOCK)
        model = ModelSpectra.from_emulator(emulator, wanted[rows])
        seen = None if snr is None else np.asarray(snr, float)[rows]
        batch = observe(instrument, model, stars[rows], seed=seed, effects=effects, snr=seen)
        parts.append(preprocess(batch, settings).flux)
    return np.concatenate(parts)


def fit_lines(
    real: np.ndarray,
    clean: np.ndarray,
    noisy: np.ndarray,
    labels: Mapping[str, np.ndarray],
    snr: np.ndarray,
    *,
    name: str,
    preprocessing: Preprocessing,
    info: dict[str, Any] | None = None,
    stars: Mapping[str, np.ndarray] | None = None,
) -> LineCorrection:
    """Learn a correction.

    Parameters
    ----------
    real : ndarray, shape (n, n_grid)
        Prepared spectra of real stars.
    clean, noisy : ndarray, shape (n, n_grid)
        Their `twins`, without noise and with that of `snr`.
    labels : mapping of str to ndarray, shape (n,)
    snr : ndarray, shape (n,)
        Per pixel.
    name : str
    preprocessing : Preprocessing
    info : dict, optional
    stars : mapping of str to ndarray, shape (n,), optional
        Identifiers to keep.

    Returns
    -------
    LineCorrection

    Raises
    ------
    InputError
        If fewer than 30 stars are usable.
    """
    finite = np.isfinite(real).all(axis=1) & np.isfinite(noisy).all(axis=1) & np.isfinite(clean).all(axis=1)
    if finite.sum() < FEWEST:
        raise InputError(f"line correction '{name}': {finite.sum()} usable stars, needs at least {FEWEST}")
    labels = {key: np.asarray(labels[key], float)[finite] for key in LABELS}
    steps, fading = _regressors(labels)
    depth = (1 - clean[finite]).astype(np.float64)
    missing = (noisy[finite] - real[finite]).astype(np.float64)
    weight = 1 / (MODEL_ERROR**2 + 1 / np.asarray(snr, float)[finite] ** 2)
    prior = np.diag(np.repeat([DEPTH_PRIOR**-2.0, ADDED_PRIOR**-2.0], 3))
    added = fading[:, None] * steps
    solution = np.empty((real.shape[1], 6))
    for pixel in range(real.shape[1]):
        design = np.concatenate([depth[:, pixel, None] * steps, added], axis=1)
        weighted = design * weight[:, None]
        solution[pixel] = np.linalg.solve(weighted.T @ design + prior, weighted.T @ missing[:, pixel])
    halves = solution.T.astype(np.float32)
    info = {"stars": int(finite.sum()), **(info or {})}
    kept = {key: np.asarray(column)[finite] for key, column in (stars or {}).items()}
    return LineCorrection(name, halves[:3], halves[3:], preprocessing, info, kept)


def trusted(labels: Mapping[str, np.ndarray], snr: np.ndarray) -> np.ndarray:
    """Stars to learn a correction on: labels a survey's pipeline gets right, S/N above 25; bool, shape (n,).

    Below [Fe/H] = -1 there is little to learn and pipelines err.
    """
    teff = np.asarray(labels["teff"], float)
    inside = (teff > TEFF_RANGE[0]) & (teff < TEFF_RANGE[1]) & np.isfinite(labels["logg"])
    return inside & (np.asarray(labels["feh"], float) > -1) & (np.asarray(snr, float) > 25)


def _regressors(labels: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """1, t and s, shape (n, 3), and z, shape (n,)."""
    absent = [name for name in LABELS if name not in labels]
    if absent:
        raise SettingsError(f"line correction: needs the labels {', '.join(LABELS)}; missing: {', '.join(absent)}")
    teff, logg, feh = (np.asarray(labels[name], float) for name in LABELS)
    t = (np.clip(teff, *TEFF_RANGE) - 5500) / 1000
    giant = 1 / (1 + np.exp((logg - 3.5) / 0.25))
    return np.stack([np.ones_like(t), t, giant], axis=1), 10 ** (0.7 * np.clip(feh, -3, 0.5))


def average_stars(labels: Mapping[str, np.ndarray]) -> Table:
    """Stars of given labels as `observe` wants them; what the labels leave open is that of an average star, see `twins`."""
    teff, logg, feh = (np.asarray(labels[name], float) for name in LABELS)
    n = len(teff)
    alphafe = np.asarray(labels["alphafe"], float) if "alphafe" in labels else abundances.mean_alpha(feh)
    carbon = abundances.birth_carbon(feh, alphafe) + abundances.carbon_depletion(logg, feh)
    constant = {
        "vsini": 3.0,
        "radial_velocity": 0.0,
        "ebv": 0.0,
        "v_mag": 12.0,
        "g_mag": 12.0,
        "r_mag": 12.0,
        "ra": 0.0,
        "dec": 0.0,
    }
    return Table(
        {
            "source_id": np.arange(1, n + 1, dtype=np.int64),
            "teff": teff, "logg": logg, "feh": feh, "alphafe": alphafe, "cfe": carbon,
            "vmic": abundances.microturbulence(teff, logg, feh),
            **{name: np.full(n, value) for name, value in constant.items()},
        }
    )  # fmt: skip
