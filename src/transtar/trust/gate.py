"""The gate: what kind of object a spectrum is of, whatever labels it is to get.

A small network has learnt to tell ordinary stars, mock ones of the emulator's range, from what else surveys observe: A and B
stars, white dwarfs, M stars, galaxies, quasars, stars with emission lines, cataclysmic variables; from spectra that are none
(noise, flat or reversed ones), and from spectra at wrong wavelengths. It was made by ``python -m tools.train_gate``. Templates of
strange objects are those of redrock (DESI Collaboration, https://github.com/desihub/redrock-templates, BSD-3; the notice is
shipped).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np

from ..encoders import Encoder
from ..encoders.encoder_storage import read_encoder
from ..preprocess import Preprocessing

ORDINARY = "ordinary"
"""The kind of stars whose labels are to be had."""

KINDS = (ORDINARY, "hot", "white dwarf", "cool", "not a star", "no spectrum", "shifted")
"""What a spectrum may be of: an ordinary star; a star of type A or B; a white dwarf; a star of type M; a galaxy, quasar,
cataclysmic variable or star with emission lines; noise, a flat or reversed spectrum; an ordinary star at wrong wavelengths."""

HOT_KINDS = ("hot", "white dwarf")
"""Kinds that HOT_STAR stands for; of all others it is OUT_OF_DOMAIN."""


@dataclass(frozen=True)
class Gate:
    """Tells kinds of objects apart.

    Parameters
    ----------
    encoder : Encoder
        Gives one number for each of `KINDS`, the logarithm of its share but for a constant.
    """

    encoder: Encoder

    @property
    def preprocessing(self) -> Preprocessing:
        """How spectra are to be prepared for it."""
        return self.encoder.preprocessing

    def shares(self, flux: np.ndarray) -> np.ndarray:
        """How likely a spectrum is of each kind.

        Parameters
        ----------
        flux : ndarray, shape (n, n_grid)
            Prepared as `preprocessing` says.

        Returns
        -------
        ndarray, shape (n, len(KINDS)), float64
            Shares that sum to 1, in the order of `KINDS`; NaN in rows with a flux that is not finite.
        """
        values = self.encoder.encode(flux).astype(np.float64)
        with np.errstate(invalid="ignore"):
            powers = np.exp(values - values.max(axis=1, keepdims=True, initial=-np.inf))
        return powers / powers.sum(axis=1, keepdims=True)


def shipped_witness(name: str) -> Any:
    """The network of a witness that ships with transtar, 'gate' or 'twin', as an `Encoder`."""
    with resources.as_file(resources.files("transtar.trust") / "shipped" / name) as folder:
        return read_encoder(folder)


@lru_cache(maxsize=1)
def load_gate() -> Gate:
    """The gate that ships with transtar.

    Raises
    ------
    InputError
        If its files are damaged.
    """
    return Gate(shipped_witness("gate"))
