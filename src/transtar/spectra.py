"""SpectrumBatch: many spectra on one wavelength array."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from .errors import InputError

FRAMES = ("observed", "rest")


@dataclass(frozen=True)
class SpectrumBatch:
    """Spectra that share one wavelength array, as they come from a survey.

    Parameters
    ----------
    wave : ndarray, shape (n_pixels,), float64
        Vacuum wavelength in Angstrom, strictly increasing.
    flux : ndarray, shape (n_spectra, n_pixels), float32
        In the survey's own units; any positive factor per spectrum is of no consequence.
    ivar : ndarray of the shape of `flux`, float32, or None
        Inverse variance of `flux`; None where the survey gives none.
    mask : ndarray of the shape of `flux`, bool
        True where the survey marks the pixel as bad, and where a short spectrum was padded.
    ids : ndarray, shape (n_spectra,), int64
        The survey's own identifier of the spectrum; -1 where it has none.
    survey : str
        Registered name of the survey.
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
        Rows of the file that are no spectra of targets (sky, say), counted by reason.

    Raises
    ------
    InputError
        If shapes, frame or wavelengths are inconsistent.
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
            raise InputError(f"{self.survey}: frame '{self.frame}' is none of {', '.join(FRAMES)}")
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

    def __len__(self) -> int:
        return len(self.ids)

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
