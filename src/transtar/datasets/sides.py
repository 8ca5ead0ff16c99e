"""Which encoder makes the vectors that are compared, of spectra on which grid."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..preprocess import Preprocessing
from .making import known_encoder

if TYPE_CHECKING:
    from ..encoders.registry import AnyEncoder


@dataclass(frozen=True)
class Side:
    """An encoder, and which of its values are compared.

    Parameters
    ----------
    encoder : Encoder or OutsideEncoder
    n_compared : int, optional
        The first so many values of an embedding; by default all.
    """

    encoder: AnyEncoder
    n_compared: int | None = None

    def compared(self, embeddings: np.ndarray) -> np.ndarray:
        """The values of embeddings that are compared, shape (n, n_compared)."""
        return embeddings[:, : self.n_compared]


class Sides:
    """The sides of a model: of an encoder the one, whatever the spectra.

    Parameters
    ----------
    model : Encoder or OutsideEncoder, name or path

    Raises
    ------
    InputError, MismatchError, SettingsError
        If there is none, or it cannot be read.
    """

    def __init__(self, model: AnyEncoder | str | os.PathLike):
        self._sides = [Side(known_encoder(model))]

    def of(self, preprocessing: Preprocessing) -> Side:
        """The side for spectra that are prepared so; whether it takes them is for `made_by` to say.

        Parameters
        ----------
        preprocessing : Preprocessing

        Returns
        -------
        Side
        """
        return self._sides[0]
