"""What makes an input of a prepared set: an encoder, or a registered input, and what the set notes of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError, SettingsError, shown
from ..grids import XP
from ..preprocess import GridSpectra, Preprocessing, require_same
from ..spectra import SpectrumBatch
from .gathering import embed, embeddable, gather_input
from .input_writer import check_new_input
from .inputs import input_names

if TYPE_CHECKING:
    from ..encoders.registry import AnyEncoder


def known_encoder(encoder: AnyEncoder | str | os.PathLike) -> AnyEncoder:
    """The encoder that is meant, of a name that an input can have.

    Raises
    ------
    InputError, MismatchError, SettingsError
        If there is none, or it cannot be read.
    """
    from ..encoders import Encoder, OutsideEncoder, load_encoder

    known = load_encoder(Path(encoder)) if isinstance(encoder, str | os.PathLike) else encoder
    if not isinstance(known, Encoder | OutsideEncoder):
        raise SettingsError(f"an encoder is a name, a folder or a transtar.encoders.Encoder, not {shown(repr(known))}")
    check_new_input(known.name)
    return known


def encoder_is_native(encoder: AnyEncoder) -> bool:
    """Whether it takes spectra as they are read, not those on a grid."""
    return bool(getattr(encoder, "native", False))


def made_by(encoder: AnyEncoder, preprocessing: Preprocessing, where: str) -> dict[str, Any]:
    """What a set notes of an input that an encoder makes of its spectra: the provenance of the input.

    Parameters
    ----------
    encoder : Encoder or OutsideEncoder
    preprocessing : Preprocessing
        Of the set.
    where : str
        The set, for the message.

    Returns
    -------
    dict
        ``encoder``, its note, and ``preprocessing_hash``.

    Raises
    ------
    MismatchError
        If the set is prepared otherwise than the encoder takes its spectra; the message names both.
    """
    from ..encoders import note_of

    if encoder.preprocessing is not None:
        require_same(encoder.preprocessing, f"the encoder '{encoder.name}'", preprocessing, where)
    return {"encoder": note_of(encoder), "preprocessing_hash": preprocessing.hash}


@dataclass(frozen=True)
class Making:
    """An input that is made of spectra as they are prepared.

    Parameters
    ----------
    name : str
    provenance : dict
        What a set notes of it.
    make : callable
        Given native spectra and the same on the grid, returns an array of shape (n_spectra, width), float32; of width 0 if it
        can be made of none.
    can : callable
        Given spectra on the grid, returns those of which it can be made, bool, shape (n_spectra,).
    """

    name: str
    provenance: dict[str, Any]
    make: Callable[[SpectrumBatch, GridSpectra], np.ndarray]
    can: Callable[[GridSpectra], np.ndarray]


@dataclass
class Without:
    """How many spectra have an input, and how many have not.

    Parameters
    ----------
    n : int
        Spectra.
    n_usable : int
        Those of which an input can be made.
    n_without : int
        Those whose input is NaN.
    grid : str
        On which the spectra are: of XP spectra it is said that those without BP have none.
    """

    n: int = 0
    n_usable: int = 0
    n_without: int = 0
    grid: str = ""

    def add(self, usable: np.ndarray, values: np.ndarray) -> None:
        """Count a batch: of which an input can be made, bool (n,), and values (n, width), of width 0 if none was made."""
        made = np.isfinite(values).all(axis=1) if values.shape[1] else np.zeros(len(usable), bool)
        self.n += len(usable)
        self.n_usable += int(usable.sum())
        self.n_without += int((~made).sum())

    def line(self, name: str) -> str:
        """What is to be told of an input of that name; '' if nothing.

        Raises
        ------
        InputError
            If there is none for any spectrum, though some have a flux.
        """
        if self.n_usable and self.n_without == self.n:
            raise InputError(
                f"input '{name}' is NaN for every one of the {self.n:,} spectra, though some have a flux: the encoder makes "
                "nothing of any of them; check its weights, and whether it is one for such spectra"
            )
        if not self.n_without:
            return ""
        few = ", have too few good points (as all without BP)" if self.grid == XP.name else ""
        return (
            f"{self.n_without:,} of {self.n:,} spectra are without the input '{name}' (NaN): they have no flux{few}, or the "
            "encoder makes nothing of it"
        )


def makings(wanted: Iterable[AnyEncoder | str | os.PathLike], preprocessing: Preprocessing) -> list[Making]:
    """The inputs that are to be made of spectra as they are prepared.

    Parameters
    ----------
    wanted : iterable of Encoder, OutsideEncoder, name or path
        Names may be those of registered inputs, too.
    preprocessing : Preprocessing
        How the spectra are going to be prepared.

    Returns
    -------
    list of Making

    Raises
    ------
    InputError, MismatchError
        If there is none, it cannot be read, or it takes spectra that are prepared otherwise.
    SettingsError
        If one cannot be an input of a set, or two have one name.
    """
    made = [_making(one, preprocessing) for one in wanted]
    names = [one.name for one in made]
    if twice := [name for name in names if names.count(name) > 1]:
        raise SettingsError(f"two inputs have the name '{twice[0]}'; make one of them")
    return made


def _making(wanted: AnyEncoder | str | os.PathLike, preprocessing: Preprocessing) -> Making:
    from ..encoders import encoder_names

    plain = isinstance(wanted, str) and wanted not in encoder_names() and wanted in input_names()
    if plain and not Path(str(wanted)).is_dir():
        name, provenance = check_new_input(str(wanted)), {"preprocessing_hash": preprocessing.hash}
    else:
        encoder = known_encoder(wanted)
        name, provenance = encoder.name, made_by(encoder, preprocessing, "the spectra to prepare")

    def can(spectra: GridSpectra) -> np.ndarray:
        return np.isfinite(spectra.flux).all(axis=1) if plain else embeddable(spectra, preprocessing)

    def make(batch: SpectrumBatch, spectra: GridSpectra) -> np.ndarray:
        if not can(spectra).any():
            return np.empty((len(spectra), 0), np.float32)
        if plain:
            return gather_input(name, spectra, preprocessing).inputs
        return embed(encoder, spectra, preprocessing, batch)

    return Making(name, provenance, make, can)
