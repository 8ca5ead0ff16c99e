"""Thresholds of a run: which stars it flags for low S/N, for few good pixels, and as hot; and the one place that does so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

from .checks import check_real
from .errors import SettingsError, check_keys, shown
from .flags import Flag, has

FORMER = {"snr": 10.0, "good_fraction": 0.8}
"""Thresholds that were settings of the preprocessing once, as they nearly always were: older models and sets have them there."""

MOVED = tuple(FORMER)


@dataclass(frozen=True)
class Quality:
    """Thresholds of a run. They decide flags and, by LOW_GOOD_FRACTION, which stars get no label, but never change fluxes.

    Parameters
    ----------
    snr : float
        Median S/N per pixel of the grid below which a star gets LOW_SNR.
    good_fraction : float
        Fraction of good pixels, from 0 to 1, below which a star gets LOW_GOOD_FRACTION and no label. At the default, missing
        pixels add about as much to the error of [Fe/H] as everything else.
    hot : float
        Predicted Teff in K above which a star gets HOT_STAR.
    gate : float
        Value of the gate (column `strange`), from 0 to 1, above which a spectrum does not count as that of an ordinary star:
        it gets HOT_STAR or OUT_OF_DOMAIN, and no label. At 1 this never happens.
    doubt : float
        Value of the gate above which this is in doubt: the flag is MISFIT if the misfit is bad as well, and DOUBTFUL if it
        is not.
    misfit : float
        Value of the column `misfit` above which it speaks against the labels: the flag is MISFIT if the gate is in doubt as
        well, and DOUBTFUL if it is not.

    Raises
    ------
    SettingsError
        If a threshold is not a number, or out of range.

    Examples
    --------
    >>> import transtar as ts
    >>> strict = ts.Quality(snr=20, good_fraction=0.8)
    >>> len(ts.predict_set("mock-feh", "sets/miles", quality=strict).columns["flags"])
    30
    """

    snr: float = 10.0
    good_fraction: float = 0.6
    hot: float = 7500.0
    gate: float = 0.8
    doubt: float = 0.2
    misfit: float = 5.5

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            value = value.item() if isinstance(value, np.generic) else value
            # 10 and 10.0 are one threshold and are written as one.
            object.__setattr__(self, field.name, check_real(value, f"quality: {field.name}"))
        for name in ("good_fraction", "gate", "doubt"):
            if not 0 <= getattr(self, name) <= 1:
                raise SettingsError(f"quality: {name} must be between 0 and 1, not {getattr(self, name):g}")
        if self.hot <= 0:
            raise SettingsError(f"quality: hot must be above 0 (K), not {self.hot:g}")
        if self.doubt > self.gate:
            raise SettingsError(f"quality: doubt must not be above gate, {self.gate:g}, but is {self.doubt:g}")

    def __str__(self) -> str:
        return ", ".join(f"{name} {value:g}" for name, value in self.to_dict().items())

    def to_dict(self) -> dict[str, float]:
        """Plain data, as stored with prepared sets and catalogs."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Quality:
        """Build from plain data.

        Parameters
        ----------
        content : mapping of str to float
            Thresholds that are not given keep their defaults.

        Returns
        -------
        Quality

        Raises
        ------
        SettingsError
            As `changed`.
        """
        return cls().changed(content)

    @classmethod
    def recorded(cls, description: Mapping[str, Any]) -> Quality:
        """The thresholds by which the flags of a prepared set were set.

        Parameters
        ----------
        description : mapping
            Content of its set.json, which an older transtar may have written.

        Raises
        ------
        SettingsError
            If they cannot be.
        """
        provenance = description["provenance"]
        if "quality" in provenance:
            return cls.from_dict(provenance["quality"])
        return cls.from_dict(take_thresholds(description["preprocessing"])[1])

    def changed(self, changes: Mapping[str, Any]) -> Quality:
        """The same thresholds, with other values for some of them.

        Parameters
        ----------
        changes : mapping of str to float

        Raises
        ------
        SettingsError
            On an unknown threshold or an impossible value.
        """
        if not isinstance(changes, Mapping):
            raise SettingsError(f"quality: expected thresholds by name, not '{shown(changes)}'")
        check_keys(changes, (field.name for field in fields(self)), "quality")
        return replace(self, **changes)

    def flags(self, snr: np.ndarray, good_fraction: np.ndarray, flags: np.ndarray) -> np.ndarray:
        """The flags with LOW_SNR and LOW_GOOD_FRACTION set by these thresholds, and all others unchanged.

        Parameters
        ----------
        snr, good_fraction : ndarray, shape (n_spectra,)
            As in `GridSpectra`.
        flags : ndarray, shape (n_spectra,), int32
            Where NO_IVAR is set, the S/N is unknown and does not count as low.

        Returns
        -------
        ndarray, shape (n_spectra,), int32
        """
        flags = np.asarray(flags) & np.int32(~int(Flag.LOW_SNR | Flag.LOW_GOOD_FRACTION))
        flags[np.asarray(good_fraction) < self.good_fraction] |= Flag.LOW_GOOD_FRACTION
        flags[~has(flags, Flag.NO_IVAR) & ~(np.asarray(snr) >= self.snr)] |= Flag.LOW_SNR
        return flags

    def hot_flags(self, teff: np.ndarray) -> np.ndarray:
        """HOT_STAR where a predicted Teff is above the threshold.

        Parameters
        ----------
        teff : ndarray, shape (n,)
            In K; NaN is not hot.

        Returns
        -------
        ndarray, shape (n,), int32
            The flag, or 0.
        """
        return np.where(np.asarray(teff) > self.hot, np.int32(Flag.HOT_STAR), np.int32(0))


def take_thresholds(settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Take thresholds out of settings of a preprocessing, among which they were in older versions.

    Parameters
    ----------
    settings : mapping

    Returns
    -------
    settings, thresholds : dict
    """
    thresholds = {name: settings[name] for name in MOVED if name in settings}
    return {name: value for name, value in settings.items() if name not in thresholds}, thresholds
