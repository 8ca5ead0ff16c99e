"""SpectrumBatch: many spectra on one wavelength array."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from .errors import InputError
from .summary import Summarised, Summary, counted, span
from .telling import tell

FRAMES = ("observed", "rest")

ORDINARY = 40
"""Fluxes whose geometric mean lies between two to the minus this and two to this are left as they are: their inverse variances
fit into single precision, too."""


@dataclass(frozen=True, repr=False)
class SpectrumBatch(Summarised):
    """Spectra that share one wavelength array, as they come from a survey.

    Parameters
    ----------
    wave : ndarray, shape (n_pixels,), float64
        Vacuum wavelength in Angstrom, strictly increasing.
    flux : ndarray, shape (n_spectra, n_pixels), float32
        In the survey's own units; a positive factor per spectrum makes no difference. Other types are converted by
        `to_single`, together with `ivar`.
    ivar : ndarray of the shape of `flux`, float32, or None
        Inverse variance of `flux`; None where the survey gives none. A row of NaN is a spectrum without errors among others
        that have them.
    mask : ndarray of the shape of `flux`, bool
        True where the survey marks the pixel as bad, and where a short spectrum was padded.
    ids : ndarray, shape (n_spectra,), int64
        The survey's own identifier of the spectrum; -1 where it has none.
    survey : str
        Name of the survey, as registered.
    frame : {'observed', 'rest'}
        'observed' is heliocentric or barycentric, not corrected for the star's own velocity.
    medium : {'vacuum', 'air'}
        The medium of the native wavelengths, recorded only: `wave` is always vacuum.
    meta : dict of str to ndarray, each of length n_spectra
        Per-star columns. Every reader gives ``file`` (str) and ``velocity`` (km/s, NaN if unknown, 0 for the rest
        frame); where known also ``star`` (groups repeat visits), ``class``, ``subclass``, ``snr_survey``, ``ra``, ``dec``
        and ``survey_flags`` (int32), bits of `transtar.flags.Flag` that the survey itself sets.
    keys : tuple of str
        Names of the `meta` columns that, with the id, make the survey's compound key.
    left_out : dict of str to int
        Rows of the file that are not spectra of targets (sky, for example), counted by reason.

    Raises
    ------
    InputError
        If shapes, frame or wavelengths are inconsistent.

    Examples
    --------
    >>> import numpy as np
    >>> import transtar as ts
    >>> wave = np.arange(3900.0, 5700.0)
    >>> flux = np.ones((2, len(wave)), np.float32)
    >>> batch = ts.SpectrumBatch(wave, flux, None, np.zeros(flux.shape, bool), np.array([7, 2**62 + 1]), "generic")
    >>> len(batch), batch.ids.tolist()
    (2, [7, 4611686018427387905])
    """

    wave: np.ndarray
    flux: np.ndarray
    ivar: np.ndarray | None
    mask: np.ndarray
    ids: np.ndarray
    survey: str
    frame: str = "observed"
    medium: str = "vacuum"
    meta: dict[str, np.ndarray] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    left_out: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.frame not in FRAMES:
            raise InputError(f"{self.survey}: frame '{self.frame}' is not one of {', '.join(FRAMES)}")
        shape = (len(self.ids), len(self.wave))
        for name in ("flux", "mask", "ivar"):
            array = getattr(self, name)
            if array is not None and array.shape != shape:
                raise InputError(f"{self.survey}: {name} has shape {array.shape}, expected {shape} (spectra, pixels)")
        for name, column in self.meta.items():
            if len(column) != len(self.ids):
                raise InputError(f"{self.survey}: column {name} has {len(column)} rows, expected {len(self.ids)}")
        if self.ids.dtype != np.int64:
            raise InputError(f"{self.survey}: ids must be int64, not {self.ids.dtype}")
        check_wave(self.wave, self.survey)
        if not (_is_single(self.flux) and (self.ivar is None or _is_single(self.ivar))):
            flux, ivar = to_single(self.flux, self.ivar)
            object.__setattr__(self, "flux", flux)
            object.__setattr__(self, "ivar", ivar)

    def __len__(self) -> int:
        return len(self.ids)

    def _summary(self) -> Summary:
        return Summary(
            f"SpectrumBatch: {len(self):,} spectra of {self.survey}",
            {
                "wavelengths": f"{span(self.wave)}, {self.frame} frame; native medium {self.medium}",
                "errors": "none" if self.ivar is None else "inverse variances",
                "median S/N": self._median_snr(),
                "bad pixels": f"{self.mask.mean():.1%}" if self.mask.size else None,
                "columns": ", ".join(self.meta),
                "left out": counted(self.left_out),
            },
        )

    def _median_snr(self) -> str | None:
        """The survey's own S/N where it has one, else that of a native pixel, of some spectra; None where nothing tells."""
        known = self.meta.get("snr_survey", np.array([]))
        if len(known) and np.isfinite(known).any():
            return f"{np.nanmedian(known):.3g} (of the survey)"
        if self.ivar is None or not len(self):
            return None
        some = slice(None, None, max(len(self) // 50, 1)), slice(None, None, max(len(self.wave) // 500, 1))
        good = ~self.mask[some] & (self.ivar[some] > 0) & np.isfinite(self.flux[some])
        if not good.any():
            return None
        return f"{np.median(self.flux[some][good] * np.sqrt(self.ivar[some][good])):.3g} per pixel"

    def select(self, rows) -> SpectrumBatch:
        """The spectra at `rows` (slice, index or bool array) as a new batch."""
        return replace(
            self,
            flux=self.flux[rows],
            ivar=None if self.ivar is None else self.ivar[rows],
            mask=self.mask[rows],
            ids=self.ids[rows],
            meta={name: column[rows] for name, column in self.meta.items()},
        )


def check_wave(wave: np.ndarray, where: str) -> None:
    """Check that wavelengths can be vacuum Angstrom.

    Parameters
    ----------
    wave : ndarray, shape (n_pixels,)
    where : str
        File or survey, for the message.

    Raises
    ------
    InputError
        If there are fewer than two, or they are not finite, not positive, not strictly increasing, or look like
        nanometre, micrometre or log10 of a wavelength.
    """
    if wave.ndim != 1 or len(wave) < 2:
        raise InputError(f"{where}: needs a one-dimensional array of at least two wavelengths, got shape {wave.shape}")
    if not np.isfinite(wave).all() or wave.min() <= 0:
        raise InputError(f"{where}: wavelengths must be finite and positive")
    if not (np.diff(wave) > 0).all():
        raise InputError(f"{where}: wavelengths are not strictly increasing; sort them first")
    if wave[-1] < 2500:
        raise InputError(
            f"{where}: wavelengths run from {wave[0]:.6g} to {wave[-1]:.6g}, which is not Angstrom "
            "(nanometre, micrometre or log10?); convert them to Angstrom"
        )


def to_single(flux: np.ndarray, ivar: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray | None]:
    """Bring fluxes of any unit, and their inverse variances, into the range of single precision.

    In erg/s/cm2/A, say, a flux of 1e-17 with a S/N of 1000 has an inverse variance of 1e40, which float32 does not hold. Where
    the geometric mean of its finite fluxes other than zero is beyond the ordinary, a spectrum is multiplied by a power of two,
    which is exact; all others keep their values.

    Parameters
    ----------
    flux : ndarray, shape (n_spectra, n_pixels) or (n_pixels,)
        In any units. What a masked array masks becomes NaN.
    ivar : ndarray of the shape of `flux`, or None
        Inverse variance in double precision, lest it has overflown already. What a masked array masks becomes 0.

    Returns
    -------
    flux : ndarray, float32
    ivar : ndarray, float32, or None
        Of the flux as returned: multiplied by the square of its factor.
    """
    flux = _filled(flux, np.nan)
    ivar = None if ivar is None else _filled(ivar, 0)
    power = _powers(np.atleast_2d(flux))
    if power.any():
        power = power if flux.ndim == 2 else power[0]
        flux = np.ldexp(flux.astype(np.float64), -power)
        ivar = None if ivar is None else np.ldexp(ivar.astype(np.float64), 2 * power)
    # What is too large even so is infinite from now on, which is a bad pixel to everything.
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return flux.astype(np.float32, copy=False), None if ivar is None else ivar.astype(np.float32, copy=False)


def _is_single(values: np.ndarray) -> bool:
    return values.dtype == np.float32 and not isinstance(values, np.ma.MaskedArray)


def inverse_variance(error: np.ndarray, survey: str) -> np.ndarray | None:
    """Inverse variances of errors, in double precision, as `to_single` and `SpectrumBatch` take them.

    Parameters
    ----------
    error : ndarray, shape (n_spectra, n_pixels) or (n_pixels,)
        1 sigma, in units of the flux.
    survey : str
        For what is told.

    Returns
    -------
    ndarray of the shape of `error`, float64, or None
        0 where an error is not finite or not positive. A spectrum without any positive error has none at all: zeros were put
        in place of errors, and no pixel is worse for that. It becomes a row of NaN, or None if there is no other spectrum.
    """
    error = np.asarray(_filled(error, np.nan), dtype=np.float64)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        ivar = np.where(error > 0, error, np.inf) ** -2.0
    useless = ~(ivar > 0).any(axis=-1)
    if not useless.any():
        return ivar
    tell(f"{survey}: spectra whose errors are all zero or missing are taken as spectra without errors (flag NO_IVAR)")
    if useless.all():
        return None
    ivar[useless] = np.nan
    return ivar


def _filled(values: np.ndarray, filler: float) -> np.ndarray:
    if isinstance(values, np.ma.MaskedArray):
        return np.ma.filled(values.astype(np.float64), filler)
    return np.asarray(values)


def _powers(flux: np.ndarray) -> np.ndarray:
    """The power of two near the geometric mean of each spectrum, 0 where that is ordinary; shape (n_spectra, 1), int."""
    # A few hundred pixels tell the size of a spectrum; all are asked only where those hold nothing.
    some = flux[:, :: max(flux.shape[1] // 256, 1)]
    power, n = _mean_exponent(some)
    empty = np.flatnonzero(n == 0)
    if len(empty) and some.shape != flux.shape:
        power[empty] = _mean_exponent(flux[empty])[0]
    power[np.abs(power) <= ORDINARY] = 0
    return power[:, None]


def _mean_exponent(flux: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean binary exponent over finite fluxes other than zero, and their number; int, shape (n_spectra,)."""
    used = np.isfinite(flux) & (flux != 0)
    exponent = np.where(used, np.frexp(flux)[1], 0)
    n = used.sum(axis=1)
    return exponent.sum(axis=1) // np.maximum(n, 1), n


def concatenate(batches: Sequence[SpectrumBatch]) -> SpectrumBatch:
    """Join batches that share wavelengths, survey and frame.

    A `meta` column that only some have is filled with NaN, -1 or the empty string.

    Raises
    ------
    InputError
        If the batches differ in wavelengths, survey, frame, or only some have inverse variances.
    """
    first = batches[0]
    if len(batches) == 1:
        return first
    for other in batches[1:]:
        same_wave = len(other.wave) == len(first.wave) and np.array_equal(other.wave, first.wave)
        if not same_wave or (other.survey, other.frame) != (first.survey, first.frame):
            raise InputError("batches that differ in wavelengths, survey or frame cannot be joined")
        if (other.ivar is None) != (first.ivar is None):
            raise InputError("batches with and without inverse variances cannot be joined")
    names = list(dict.fromkeys(name for batch in batches for name in batch.meta))
    left_out: Counter[str] = Counter()
    for batch in batches:
        left_out.update(batch.left_out)
    return replace(
        first,
        flux=np.concatenate([b.flux for b in batches]),
        ivar=None if first.ivar is None else np.concatenate([b.ivar for b in batches if b.ivar is not None]),
        mask=np.concatenate([b.mask for b in batches]),
        ids=np.concatenate([b.ids for b in batches]),
        meta={name: _join_column(batches, name) for name in names},
        left_out=dict(left_out),
    )


def _join_column(batches: Sequence[SpectrumBatch], name: str) -> np.ndarray:
    example = next(b.meta[name] for b in batches if name in b.meta)
    filler = {"f": np.nan, "i": -1, "b": False}.get(example.dtype.kind, "")
    return np.concatenate([b.meta[name] if name in b.meta else np.full(len(b), filler) for b in batches])
