"""`specutils.Spectrum` in and out (needs the extra ``transtar[specutils]``)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import InputError, missing_package
from ..spectra import SpectrumBatch, inverse_variance
from ..tables.ids import NO_ID, to_int64
from .air import MEDIA, air_to_vacuum


def _specutils() -> Any:
    try:
        import specutils
    except ImportError:
        raise missing_package("specutils", "specutils") from None
    return specutils


def from_spectrum(
    spectrum: Any,
    survey: str = "generic",
    medium: str | None = None,
    frame: str = "observed",
    ids: np.ndarray | int | None = None,
    velocity: np.ndarray | float | None = None,
    file: np.ndarray | str = "",
) -> SpectrumBatch:
    """Convert a `specutils.Spectrum` to a batch.

    Parameters
    ----------
    spectrum : specutils.Spectrum
        With flux of shape (n_pixels,) or (n_spectra, n_pixels); any spectral unit equivalent to a wavelength, in either
        order; uncertainty of any type that converts to an inverse variance, or none; mask True where bad, or none.
    survey : str
    medium : {'vacuum', 'air'}, optional
        Of the wavelengths; by default ``spectrum.meta['medium']``. specutils itself does not carry it.
    frame : {'observed', 'rest'}
    ids : int or ndarray of int64, shape (n_spectra,), optional
    velocity : float or ndarray, shape (n_spectra,), optional
        Radial velocity in km/s; by default NaN, or 0 in the rest frame.
    file : str or ndarray of str, shape (n_spectra,)

    Returns
    -------
    SpectrumBatch

    Raises
    ------
    InputError
        If the medium is not known, or shapes or wavelengths do not fit.
    TranstarError
        If specutils is not installed.
    """
    _specutils()
    from astropy import units
    from astropy.nddata import InverseVariance, StdDevUncertainty

    medium = medium or dict(spectrum.meta or {}).get("medium")
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
