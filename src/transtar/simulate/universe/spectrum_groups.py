"""The spectra of a mock universe, made and written group by group."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from astropy.table import Table

from ...spectra import SpectrumBatch
from ..emulator.emulator import Emulator
from ..emulator.emulator_storage import load_emulator
from ..emulator.model_spectra import ModelSpectra
from ..instruments.instrument import DESI, LAMOST, MILES
from ..instruments.lsf import FWHM_PER_SIGMA
from ..instruments.observe import Change, observe
from ..instruments.xp import observe_xp
from ..mocks.line_correction import LineCorrection, load_lines
from ..mocks.observed_lines import real_lines
from ..native import desi, gaia, lamost, miles, mws
from ..stars.truth import spectrum_labels
from .samples import Plan
from .universe_settings import UniverseSettings

GROUP = 512
"""Spectra made and written at a time."""

XP_GROUP = 2048
"""XP spectra of a file."""

DESI_ARMS = replace(DESI, arms=tuple(replace(a, snr_window=(a.pixels[0], a.pixels[-1] + 1)) for a in DESI.arms))
"""DESI with the S/N set over each whole arm, which is what MEDIAN_COADD_SNR tells. No pixel without lines has a say in the
blue: the median lies among those that have them."""

LOST_BP = 50
"""One in so many continuous XP spectra lacks BP."""


@dataclass(frozen=True)
class Group:
    """Spectra that are made and written together.

    Parameters
    ----------
    part : str
        Key of `SPECTRA`.
    number : int
        Within the part.
    rows : Table
        Truth and catalog columns, one row a spectrum.
    folder : Path
        Of the universe.
    settings : UniverseSettings
    """

    part: str
    number: int
    rows: Table
    folder: Path
    settings: UniverseSettings


def places(plan: Plan, settings: UniverseSettings) -> dict[str, list[np.ndarray]]:
    """How spectra are grouped: part to the rows of each group in the table of the part, in the order of making."""
    n_xp = len(plan.xp)
    return {
        "miles/spectra": _pieces(np.arange(len(plan.miles)), GROUP),
        "gaia/sampled": _pieces(np.arange(n_xp), XP_GROUP),
        "gaia/continuous": _pieces(np.arange(min(n_xp, settings.xp_continuous)), XP_GROUP),
        "desi/healpix": list(desi.pixel_groups(plan.desi, GROUP)),
        "lamost/spectra": _plates(plan.lamost),
    }


def group_of(plan: Plan, part: str, number: int, place: np.ndarray, folder: Path, settings: UniverseSettings) -> Group:
    """A group with its rows, given its `place` (see `places`)."""
    if part == "lamost/spectra":
        rows = plan.lamost[place]
    elif part == "desi/healpix":
        rows = plan.desi[place]
    else:
        rows = plan.stars[(plan.miles if part == "miles/spectra" else plan.xp)[place]]
        rows["number"] = place + 1
    return Group(part, number, rows, folder, settings)


def _pieces(rows: np.ndarray, size: int) -> list[np.ndarray]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _plates(rows: Table) -> list[np.ndarray]:
    """Groups of spectra of one plate each, since those share a folder."""
    plates = np.asarray(rows["lmjd"])
    return [piece for plate in np.unique(plates) for piece in _pieces(np.flatnonzero(plates == plate), GROUP)]


def write_group(group: Group) -> dict[str, int]:
    """Make and write a group of spectra; gives numbers of files and spectra, and bytes."""
    paths = SPECTRA[group.part](group)
    return {"files": len(paths), "rows": len(group.rows), "bytes": sum(path.stat().st_size for path in paths)}


@lru_cache(maxsize=1)
def shipped_emulator() -> Emulator:
    """The emulator that ships with transtar, read once a process."""
    return load_emulator()


@lru_cache(maxsize=1)
def shipped_correction(name: str) -> LineCorrection:
    """A line correction that ships with transtar, read once a process."""
    return load_lines(name)


def _models(rows: Table) -> ModelSpectra:
    emulator = shipped_emulator()
    return ModelSpectra.from_emulator(emulator, spectrum_labels(rows, emulator.label_names))


def _observe(group: Group, instrument, model: ModelSpectra, **options) -> SpectrumBatch:
    settings = group.settings
    options = {"effects": settings.effects, "blanketing": settings.blanketing, "change": _change(group), **options}
    return observe(instrument, model, group.rows, seed=settings.seed, **options)


def _change(group: Group) -> Change | None:
    """The lines of real stars, put in by the labels of which the spectra are made."""
    if group.settings.lines is None:
        return None
    emulator = shipped_emulator()
    labels = emulator.clip(spectrum_labels(group.rows, emulator.label_names))
    return real_lines(shipped_correction(group.settings.lines), dict(zip(emulator.label_names, labels.T, strict=True)))


def _lamost(group: Group) -> list[Path]:
    batch = _observe(group, LAMOST, _models(group.rows), snr=np.asarray(group.rows["snrg"]))
    return lamost.write_lamost(batch, group.rows, group.folder / group.part / str(group.rows["plan"][0]))


def _miles(group: Group) -> list[Path]:
    batch = _observe(group, MILES, _models(group.rows))
    return miles.write_miles(batch, np.asarray(group.rows["number"]), group.folder / group.part)


def _desi(group: Group) -> list[Path]:
    model, settings = _models(group.rows), group.settings
    arms, power = {}, {}
    for arm in DESI_ARMS.arms:
        effects = replace(settings.effects, missing_arms=settings.effects.missing_arms and arm.name != "b")
        snr = mws.ARM_SNR[arm.name] * np.maximum(np.asarray(group.rows["snr_b"]), 1.0)
        arms[arm.name] = _observe(group, DESI_ARMS, model, arm=arm.name, snr=snr, effects=effects)
        # The pixels' own width is added when the matrix integrates over them.
        sigma = np.sqrt((arm.line_spread.fwhm(arm.pixels) / FWHM_PER_SIGMA) ** 2 - desi.STEP**2 / 12)
        power[arm.name.upper()] = arm.pixels / (FWHM_PER_SIGMA * sigma)
    paths = desi.write_coadds(arms, group.rows, group.folder / "desi", power if settings.resolution else None)
    return [*paths, *(path.with_name(path.name.replace("coadd-", "redrock-", 1)) for path in paths)]


def _xp_batch(group: Group, **options) -> SpectrumBatch:
    settings = group.settings
    options = {"effects": settings.effects, "blanketing": settings.blanketing, **options}
    xp = observe_xp(_models(group.rows), group.rows, seed=settings.seed, **options)
    places = {name: np.asarray(group.rows[name], float) for name in ("ra", "dec")}
    flux, error = (np.asarray(values, np.float64) * gaia.SCALE for values in (xp.flux, xp.flux_error))
    mask = np.zeros(flux.shape, bool)
    ivar = (error**-2).astype(np.float32)
    return SpectrumBatch(10 * xp.wave, flux.astype(np.float32), ivar, mask, xp.ids, "gaia-xp", meta=places)


def _xp_sampled(group: Group) -> list[Path]:
    return [gaia.write_sampled(_xp_batch(group), group.folder / group.part / f"XP_SAMPLED_RAW-{group.number:03d}.fits")]


def _xp_continuous(group: Group) -> list[Path]:
    batch = _xp_batch(group, effects=replace(group.settings.effects, noise=False))
    path = group.folder / group.part / f"XP_CONTINUOUS_RAW-{group.number:03d}.fits"
    seed = int(np.random.SeedSequence([group.settings.seed, 9, group.number]).generate_state(1)[0])
    return [gaia.write_continuous(batch, path, seed, np.arange(len(batch)) % LOST_BP == LOST_BP - 1)]


SPECTRA: dict[str, Callable[[Group], list[Path]]] = {
    "miles/spectra": _miles,
    "gaia/sampled": _xp_sampled,
    "gaia/continuous": _xp_continuous,
    "desi/healpix": _desi,
    "lamost/spectra": _lamost,
}
"""Part to the function that makes and writes a group of it."""
