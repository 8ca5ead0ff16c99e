"""A survey that is made up: spectra of the emulator with noise, a prepared set of some, and a catalog of all."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from transtar.catalog import write_catalog
from transtar.datasets import SetWriter
from transtar.flags import Flag
from transtar.preprocess import GridSpectra
from transtar.simulate.emulator.grid_range import vmic_relation
from transtar.trust.second_opinion import load_second_opinion

ERRORS = {"teff": 90.0, "logg": 0.15, "feh": 0.08, "alphafe": 0.05}


def made_labels(n: int, random: np.random.Generator) -> dict[str, np.ndarray]:
    """Dwarfs and giants of the disc and the halo."""
    giant = random.random(n) < 0.4
    logg = np.where(giant, random.uniform(0.8, 3.2, n), random.normal(4.4, 0.15, n))
    teff = np.where(giant, 4100 + 420 * logg + random.normal(0, 110, n), random.uniform(4300, 6700, n))
    feh = np.where(random.random(n) < 0.2, random.uniform(-2.3, -0.9, n), random.normal(-0.2, 0.25, n))
    alphafe = np.clip(0.06 - 0.28 * feh, 0.0, 0.32) + random.normal(0, 0.04, n)
    return {"teff": teff, "logg": logg, "feh": feh, "alphafe": alphafe}


def made_survey(
    folder: Path, n: int, n_spectra: int = 0, seed: int = 0, **changed: np.ndarray
) -> tuple[Path, Path, Path]:
    """Write a catalog of n rows, a set of the first ones, and a table of labels; returns the three paths."""
    random = np.random.default_rng(seed)
    truth = made_labels(n, random)
    ids = 2**62 + np.arange(n)
    keys = {"file": np.array([f"spec-{i // 500}.fits" for i in range(n)]), "id": ids, "survey": np.full(n, "desi")}
    keys["star"] = np.array([f"J{i:06d}" for i in range(n)])
    snr = np.exp(random.uniform(np.log(8), np.log(120), n))
    flags = np.where(snr < 10, int(Flag.LOW_SNR), 0) | np.where(random.random(n) < 0.02, int(Flag.MISFIT), 0)
    flags |= np.where(random.random(n) < 0.02, int(Flag.DOUBTFUL), 0)
    predicted = {name: truth[name] + random.normal(0, error, n) for name, error in ERRORS.items()}
    errors = {f"{name}_err": np.full(n, error) for name, error in ERRORS.items()}
    more = {
        "snr": snr,
        "good_fraction": np.ones(n),
        "misfit": random.chisquare(8, n) / 8,
        "flags": flags.astype(np.int32),
    }
    write_catalog(folder / "catalog.parquet", {**keys, **more, **predicted, **errors, **changed})
    write_catalog(folder / "labels.parquet", {"id": ids, **truth})
    if n_spectra:
        some = slice(0, n_spectra)
        stars = {name: values[some] for name, values in (keys | more).items() if name != "misfit"}
        write_spectra(folder / "set", stars, {name: values[some] for name, values in truth.items()}, random)
    return folder / "catalog.parquet", folder / "set", folder / "labels.parquet"


def write_spectra(folder: Path, stars: dict, truth: dict, random: np.random.Generator) -> None:
    """A prepared set of spectra with noise and labels; every tenth pixel of the first star is bad."""
    second, n = load_second_opinion(), len(truth["teff"])
    labels = np.stack([*truth.values(), vmic_relation(truth["teff"], truth["logg"]), np.zeros(n)], axis=1)
    flux = second.spectra(second.grid_range.clip(labels))
    error = np.broadcast_to(1 / stars["snr"][:, None], flux.shape)
    flux = (flux + random.normal(0, 1, flux.shape) * error).astype(np.float32)
    ivar = (1 / error**2).astype(np.float32)
    ivar[0, ::10] = 0
    with SetWriter(folder, second.preprocessing, {"by": "made up"}) as writer:
        writer.append(GridSpectra(flux, ivar, stars["good_fraction"], stars["snr"], stars["flags"]), stars)
        writer.finish(writer.columns() | truth | {"split": np.full(n, "test")}, tuple(truth))
