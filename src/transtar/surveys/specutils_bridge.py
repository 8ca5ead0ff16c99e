"""`specutils.Spectrum` in and out (needs the extra ``transtar[specutils]``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import InputError, missing_package, shown
from ..spectra import SpectrumBatch, concatenate, inverse_variance
from ..tables.ids import NO_ID, to_int64
from .air import MEDIA, air_to_vacuum
from .base import Survey


def _specutils() -> Any:
    try:
        import specutils
    except ImportError:
        raise missing_package("specutils", "specutils") from None
    return specutils


def from_spectrum(
    spectrum: Any,
    survey: Survey | str = "generic",
    medium: str | None = None,
    frame: str | None = None,
    ids: np.ndarray | int | None = None,
    velocity: np.ndarray | float | None = None,
    file: np.ndarray | str = "",
) -> SpectrumBatch:
    """Convert a `specutils.Spectrum`, or a list of them on the same wavelengths, to a batch.

    Parameters
    ----------
    spectrum : specutils.Spectrum, or sequence of them
        With flux of shape (n_pixels,) or (n_spectra, n_pixels); any spectral unit equivalent to a wavelength, in either
        order; uncertainty of any type that converts to an inverse variance, or none; mask True where bad, or none.
    survey : Survey or str
    medium : {'vacuum', 'air'}, optional
        Of the wavelengths; by default ``spectrum.meta['medium']``. specutils itself does not carry it.
    frame : {'observed', 'rest'}, optional
        By default ``spectrum.meta['frame']``, or else 'observed'.
    ids : int or ndarray of int64, shape (n_spectra,), optional
    velocity : float or ndarray, shape (n_spectra,), optional
        Radial velocity in km/s; by default NaN, or 0 in the rest frame. For a list of spectra, give one value for all or one
        for each, here and in `ids` and `file`.
    file : str or ndarray of str, shape (n_spectra,)

    Returns
    -------
    SpectrumBatch
        For a list, in its order.

    Raises
    ------
    InputError
        If the medium is not known, shapes or wavelengths do not fit, or the spectra of a list differ in wavelengths, frame or
        medium: `from_spectra` takes such spectra, and `transtar.predict_spectra` predicts their labels.
    TranstarError
        If specutils is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> import transtar as ts
    >>> import astropy.units as u
    >>> import specutils
    >>> spectrum = specutils.Spectrum(spectral_axis=np.linspace(390, 570, 2000) * u.nm, flux=np.ones(2000) * u.Jy)
    >>> ts.from_spectrum(spectrum, medium="air", velocity=12.0).flux.shape
    (1, 2000)
    """
    if not isinstance(spectrum, list | tuple):
        return _batch(spectrum, survey, medium, frame, ids, velocity, file)
    batches = from_spectra(spectrum, survey, medium, frame, ids, velocity, file)
    if len(batches) > 1:
        raise InputError(
            f"the {len(spectrum)} spectra differ in wavelengths, frame, medium or presence of errors, so they are no one batch; "
            "transtar.predict_spectra(model, spectra) gives their labels, and from_spectra a list of batches"
        )
    return batches[0]


def from_spectra(
    spectra: Sequence[Any],
    survey: Survey | str = "generic",
    medium: str | None = None,
    frame: str | None = None,
    ids: np.ndarray | int | None = None,
    velocity: np.ndarray | float | None = None,
    file: np.ndarray | str = "",
) -> list[SpectrumBatch]:
    """Convert `specutils.Spectrum` objects, on whatever wavelengths, to batches.

    Parameters
    ----------
    spectra : sequence of specutils.Spectrum
    survey, medium, frame, ids, velocity, file
        As in `from_spectrum`.

    Returns
    -------
    list of SpectrumBatch
        In the order of the spectra. Neighbours on the same wavelengths are one batch.

    Raises
    ------
    InputError
        If there is no spectrum, or one cannot be converted; the message counts from 0, as the list does.
    TranstarError
        If specutils is not installed.
    """
    if not len(spectra):
        raise InputError("no spectrum: the list is empty")
    batches: list[SpectrumBatch] = []
    for number, spectrum in enumerate(spectra):
        given = {"ids": ids, "velocity": velocity, "file": file}
        chosen = {name: _of(number, len(spectra), value, name) for name, value in given.items()}
        try:
            batch = _batch(spectrum, survey, medium, frame, **chosen)
        except InputError as error:
            raise InputError(f"spectrum {number}: {error}") from error
        last = batches[-1] if batches else None
        alike = last is not None and (
            np.array_equal(last.wave, batch.wave)
            and (last.frame, last.medium, last.ivar is None) == (batch.frame, batch.medium, batch.ivar is None)
        )
        if last is not None and alike:
            batches[-1] = concatenate([last, batch])
        else:
            batches.append(batch)
    return batches


def _of(number: int, n: int, value: Any, name: str) -> Any:
    """The value of one spectrum of a list."""
    if value is None or isinstance(value, str) or np.ndim(value) == 0:
        return value
    if len(value) != n:
        raise InputError(f"{name} has {len(value)} values for {n} spectra; give one for each, or one for all")
    return value[number]


def _batch(
    spectrum: Any,
    survey: Survey | str,
    medium: str | None,
    frame: str | None,
    ids: np.ndarray | int | None,
    velocity: np.ndarray | float | None,
    file: np.ndarray | str,
) -> SpectrumBatch:
    """One Spectrum, of one or two dimensions, as a batch."""
    _specutils()
    from astropy import units
    from astropy.nddata import InverseVariance, StdDevUncertainty

    if not all(hasattr(spectrum, name) for name in ("spectral_axis", "flux", "uncertainty", "mask")):
        raise InputError(f"not a specutils.Spectrum but {shown(type(spectrum).__name__)}")
    if np.ndim(spectrum.spectral_axis) != 1:
        raise InputError("its spectra have wavelengths of their own; give them as a list, one Spectrum each")
    survey = survey.name if isinstance(survey, Survey) else survey
    about = dict(getattr(spectrum, "meta", None) or {})
    medium = _stated("medium", medium, about)
    frame = _stated("frame", frame, about) or "observed"
    if medium not in MEDIA:
        raise InputError("this Spectrum does not say its medium; pass medium='vacuum' or medium='air'")
    wave = np.asarray(spectrum.spectral_axis.to_value(units.AA, units.spectral()), dtype=np.float64)
    flux = np.asarray(spectrum.flux.value)
    axis = getattr(spectrum, "spectral_axis_index", None)
    axis = flux.ndim - 1 if axis is None else axis
    uncertainty = spectrum.uncertainty
    order = slice(None, None, -1 if wave[0] > wave[-1] else 1)

    def plane(values: np.ndarray) -> np.ndarray:
        return np.atleast_2d(np.moveaxis(values, axis, -1))[..., order]

    flux = plane(flux)
    if flux.ndim != 2:
        raise InputError(f"flux has {flux.ndim} dimensions; at most two (spectra, pixels) can be read")
    if isinstance(uncertainty, StdDevUncertainty):
        ivar = inverse_variance(plane(np.asarray(uncertainty.array)), survey)
    else:
        ivar = None if uncertainty is None else plane(np.asarray(uncertainty.represent_as(InverseVariance).array))
    n = len(flux)
    mask = ~np.isfinite(flux)
    if spectrum.mask is not None:
        mask |= plane(np.broadcast_to(np.asarray(spectrum.mask, dtype=bool), spectrum.flux.shape))
    if velocity is None:
        velocity = 0.0 if frame == "rest" else np.nan
    wave = wave[order]
    return SpectrumBatch(
        wave=air_to_vacuum(wave) if medium == "air" else wave,
        flux=flux,
        ivar=ivar,
        mask=mask,
        ids=to_int64(np.full(n, NO_ID) if ids is None else np.atleast_1d(ids), "ids"),
        survey=survey,
        frame=frame,
        medium=medium,
        meta={
            "file": np.broadcast_to(np.asarray(file, dtype=str), n).copy(),
            "velocity": np.broadcast_to(np.asarray(velocity, dtype=np.float64), n).copy(),
        },
    )


def _stated(name: str, given: str | None, about: dict) -> str | None:
    """What the caller says, or the Spectrum itself; they must not say two things."""
    known = about.get(name)
    if given is not None and isinstance(known, str) and known != given:
        raise InputError(
            f"the Spectrum says {name} '{shown(known, 40)}', not '{given}'; leave {name} out, or correct its meta"
        )
    return given or (known if isinstance(known, str) else None)


def to_spectra(batch: SpectrumBatch) -> Any:
    """Convert a batch to one `specutils.Spectrum` with flux of shape (n_spectra, n_pixels).

    Parameters
    ----------
    batch : SpectrumBatch

    Returns
    -------
    specutils.Spectrum
        Dimensionless flux, `InverseVariance` (if any), mask True where bad. ``meta`` holds medium ('vacuum'), frame,
        survey, ids and the meta columns.

    Raises
    ------
    TranstarError
        If specutils is not installed.
    """
    specutils = _specutils()
    from astropy import units
    from astropy.nddata import InverseVariance

    return specutils.Spectrum(
        flux=batch.flux * units.dimensionless_unscaled,
        spectral_axis=batch.wave * units.AA,
        uncertainty=None if batch.ivar is None else InverseVariance(batch.ivar),
        mask=batch.mask,
        meta={"medium": "vacuum", "frame": batch.frame, "survey": batch.survey, "ids": batch.ids, **batch.meta},
    )
