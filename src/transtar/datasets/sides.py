"""Which encoder makes the vectors that are compared, of spectra on which grid."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import MismatchError
from ..preprocess import Preprocessing
from ..surveys import Survey
from .defaults import default_settings
from .making import known_encoder

if TYPE_CHECKING:
    from ..encoders import Alignment
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
    """The sides of a model: of an encoder the one, whatever the spectra; of an alignment those of both grids.

    Parameters
    ----------
    model : Encoder, OutsideEncoder or Alignment, name or path

    Raises
    ------
    InputError, MismatchError, SettingsError
        If there is none, or it cannot be read.
    """

    def __init__(self, model: AnyEncoder | Alignment | str | os.PathLike):
        from ..encoders import Alignment, is_alignment, load_alignment

        if isinstance(model, str | os.PathLike) and is_alignment(model):
            model = load_alignment(model)
        if isinstance(model, Alignment):
            # Of what both sides share alone, spectra of the two kinds can be compared.
            n_shared = model.settings.width
            self._sides = {one.preprocessing.grid: Side(one, n_shared) for one in (model.lrs, model.xp)}
        else:
            self._sides = {"": Side(known_encoder(model))}

    def of(self, preprocessing: Preprocessing, where: str) -> Side:
        """The side for spectra that are prepared so; whether it takes them is for `made_by` to say.

        Parameters
        ----------
        preprocessing : Preprocessing
        where : str
            What is prepared so, for the message.

        Returns
        -------
        Side

        Raises
        ------
        MismatchError
            If there are two, and neither is for the grid.
        """
        if not (side := self._sides.get("") or self._sides.get(preprocessing.grid)):
            grids = " and ".join(f"'{grid}'" for grid in self._sides)
            raise MismatchError(
                f"{where}: on the grid '{preprocessing.grid}'; the alignment takes spectra on the grids {grids}"
            )
        return side

    def for_survey(self, survey: Survey) -> Side:
        """The side for native spectra: that of the survey's own grid, if there are two, else the first."""
        first = next(iter(self._sides.values()))
        return self._sides.get(default_settings(survey).grid, first)
