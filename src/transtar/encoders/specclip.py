"""New encoders of SpecCLIP's family: the transformer of low-resolution spectra and the autoencoder of XP spectra."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from ..checks import MOST_SEED, check_whole
from ..errors import SettingsError, shown
from ..grids import get_grid
from ..networks.lrs import LRSSettings, LRSTransformer, lrs_settings
from ..networks.xp_autoencoder import XPAutoencoder, XPSettings, xp_settings
from ..preprocess import Preprocessing
from .encoder import Encoder

REFERENCE_WAVE = 5500.0
"""In Angstrom: the flux by which XP spectra are divided."""

PREPARED = {
    "lrs": Preprocessing(),
    "xp": Preprocessing(grid="xp", frame="observed", continuum="none"),
}
"""How spectra are prepared for each kind, unless something else is asked for. XP spectra resolve no velocity."""

NAMES = {"lrs": "embed", "xp": "embed-xp"}
"""Under which name networks take the embedding."""


def new_encoder(
    kind: str,
    size: str | LRSSettings | XPSettings = "small",
    preprocessing: Preprocessing | None = None,
    seed: int = 0,
    name: str = "",
) -> Encoder:
    """An encoder with freshly drawn weights, to be trained.

    Parameters
    ----------
    kind : {'lrs', 'xp'}
    size : {'paper', 'small'}, LRSSettings or XPSettings
    preprocessing : Preprocessing, optional
        By default that of `PREPARED`.
    seed : int
        Of the weights.
    name : str
        By default that of `NAMES`.

    Returns
    -------
    Encoder
        Its scalers change nothing: the network standardises each spectrum by itself.

    Raises
    ------
    SettingsError
        If there is no such kind or size, the settings are those of the other kind or do not fit the grid, or the grid of an XP
        encoder lacks 550 nm.
    """
    if kind not in PREPARED:
        raise SettingsError(f"encoder: kind must be one of {', '.join(PREPARED)}, not '{shown(kind)}'")
    preprocessing = preprocessing or PREPARED[kind]
    check_whole(seed, "encoder: seed", 0, MOST_SEED)
    n_grid = preprocessing.wavelengths.size
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _lrs(size, n_grid) if kind == "lrs" else _xp(size, preprocessing)
    return Encoder(
        name=name or NAMES[kind],
        network=network,
        flux_mean=np.zeros(n_grid, np.float32),
        flux_std=np.ones(n_grid, np.float32),
        preprocessing=preprocessing,
        provenance=({"step": "new weights", "kind": kind, "seed": seed},),
    )


def _lrs(size: str | LRSSettings | XPSettings, n_grid: int) -> LRSTransformer:
    settings = lrs_settings(size) if isinstance(size, str) else size
    if not isinstance(settings, LRSSettings):
        raise SettingsError(f"encoder: kind 'lrs' takes a size or LRSSettings, not {shown(repr(size))}")
    return LRSTransformer(n_grid, settings)


def _xp(size: str | LRSSettings | XPSettings, preprocessing: Preprocessing) -> XPAutoencoder:
    grid = preprocessing.wavelengths
    settings = size
    if isinstance(size, str):
        settings = replace(xp_settings(size), reference=reference_pixel(preprocessing))
    if not isinstance(settings, XPSettings):
        raise SettingsError(f"encoder: kind 'xp' takes a size or XPSettings, not {shown(repr(size))}")
    return XPAutoencoder(grid.size, settings)


def reference_pixel(preprocessing: Preprocessing) -> int:
    """Number, from 0, of the pixel at 550 nm.

    Raises
    ------
    SettingsError
        If the grid has none within half an Angstrom of it.
    """
    wave = get_grid(preprocessing.grid).wave
    pixel = int(np.abs(wave - REFERENCE_WAVE).argmin())
    if abs(wave[pixel] - REFERENCE_WAVE) > 0.5:
        raise SettingsError(
            f"encoder: the grid '{preprocessing.grid}' has no point at {REFERENCE_WAVE / 10:g} nm, by whose flux XP spectra are "
            "divided; take the grid 'xp', or XPSettings with a reference of your own"
        )
    return pixel
