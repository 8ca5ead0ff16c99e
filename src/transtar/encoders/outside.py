"""OutsideEncoder: a function of another package that makes embeddings, whatever it is built of."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ..arrays import real_array
from ..encoder_notes import check_hash
from ..errors import InputError, SettingsError, TranstarError, said, shown
from ..names import check_name
from ..preprocess import Preprocessing
from ..spectra import SpectrumBatch
from ..summary import Summarised, Summary
from ..tables.seen_stars import check_trained_on


@dataclass(frozen=True, eq=False, repr=False)
class OutsideEncoder(Summarised):
    """A function that makes an embedding of spectra.

    Parameters
    ----------
    name : str
        Under which networks take the embedding as their input.
    encode : callable
        On the grid ``encode(flux)``: flux over continuum, shape (n, n_grid), float32, finite.

        Of native spectra (`native`) ``encode(flux, ivar, wave)``, at the survey's own pixels and as read, before any change of
        frame, continuum or grid: flux, shape (n, n_pixels), float32, in units of the survey's (up to a power of two); ivar of
        the same shape, float32, 0 in bad pixels (whose flux is 0 if it was not finite), NaN throughout a spectrum that has no
        errors, or None if none has any, where bad pixels are NaN in flux; wave, shape (n_pixels,), float64, vacuum Angstrom, in
        the frame of the files. A function that has a parameter `velocity` is given the radial velocities, shape (n,), float64,
        km/s, by which these spectra are to be brought to the rest frame (``wave / (1 + velocity / c)``): 0 where they are in it,
        NaN where unknown.

        It returns an array of shape (n, width); a row may not depend on the others.
    sha256 : str
        64 hexadecimal digits that change with whatever decides the embeddings: weights, code, settings. A model that was trained
        with one is used with no other.
    native : bool
        Whether it takes native spectra.
    preprocessing : Preprocessing, optional
        How spectra on the grid are to be prepared; by default it takes them as they come.
    trained_on : dict of str to ndarray
        The real stars that decided something, as of `transtar.models.Estimator.trained_on`.
    place : str
        Name under which it is known to every process, '' if it is not.

    Raises
    ------
    SettingsError
        If the name or the hash can be none, `encode` is no function, it takes native spectra that are prepared, or `trained_on`
        does not say which stars those were.
    """

    name: str
    encode: Callable[..., np.ndarray]
    sha256: str
    native: bool = False
    preprocessing: Preprocessing | None = None
    trained_on: dict[str, np.ndarray] = field(default_factory=dict)
    place: str = ""

    def __post_init__(self) -> None:
        check_hash(self.sha256, f"encoder '{check_name(self.name, 'encoder')}'")
        if not callable(self.encode):
            raise SettingsError(f"encoder '{self.name}': encode must be a function, not {shown(repr(self.encode))}")
        if not isinstance(self.preprocessing, Preprocessing | None):
            raise SettingsError(f"encoder '{self.name}': preprocessing must be transtar.Preprocessing or None")
        check_trained_on(self.trained_on, f"encoder '{self.name}'")
        if self.native and self.preprocessing is not None:
            raise SettingsError(f"encoder '{self.name}': takes native spectra, which no preprocessing has changed")

    def _summary(self) -> Summary:
        settings = self.preprocessing
        prepared = "any" if settings is None else f"'{settings.grid}', {settings.frame} frame"
        return Summary(
            f"OutsideEncoder '{self.name}'",
            {
                "takes": "native spectra" if self.native else f"spectra on a grid: {prepared}",
                "hash": self.sha256[:16],
                "from": self.place or None,
            },
        )


def native_arguments(batch: SpectrumBatch, function: Callable) -> dict[str, np.ndarray | None]:
    """What an encoder of native spectra is given.

    Parameters
    ----------
    batch : SpectrumBatch
    function : callable
        See `OutsideEncoder`.

    Returns
    -------
    dict of str to ndarray or None
        By the name of the parameter.
    """
    bad = batch.mask | ~np.isfinite(batch.flux)
    flux, ivar = batch.flux, batch.ivar
    if ivar is None:
        flux = np.where(bad, np.float32(np.nan), flux)
    else:
        without = np.isnan(ivar).all(axis=1)
        bad |= ~(np.isfinite(ivar) & (ivar > 0)) & ~without[:, None]
        ivar = np.where(bad, np.float32(0), ivar)
        ivar[without] = np.nan
        flux = np.where(np.isfinite(flux), flux, np.float32(0))
    given = {"flux": flux, "ivar": ivar, "wave": batch.wave}
    if "velocity" in inspect.signature(function).parameters:
        unknown = np.full(len(batch), np.nan)
        velocity = np.asarray(batch.meta.get("velocity", unknown), np.float64)
        given["velocity"] = np.zeros(len(batch)) if batch.frame == "rest" else velocity
    return given


def checked_embedding(name: str, function: Callable, *given, **named) -> np.ndarray:
    """Call a function of a stranger, and check what it gives.

    Parameters
    ----------
    name : str
        Of the input, for messages.
    function : callable
    *given, **named
        The first of them has a row per spectrum.

    Returns
    -------
    ndarray, shape (n_spectra, n), float32

    Raises
    ------
    InputError
        If it fails, or gives anything else.
    """
    n = len(given[0] if given else next(iter(named.values())))
    try:
        values = real_array(function(*given, **named), f"input '{name}'", np.float32)
    except TranstarError:
        raise
    except SystemExit as error:
        raise InputError(f"input '{name}' cannot be computed (it tried to end the program: {said(error)})") from error
    except Exception as error:
        # A foreign encoder can fail in any way at all.
        raise InputError(f"input '{name}' cannot be computed ({said(error)})") from error
    if values.ndim != 2 or len(values) != n or not values.shape[1]:
        raise InputError(f"input '{name}' has shape {values.shape} for {n} spectra, expected ({n}, n)")
    return values
