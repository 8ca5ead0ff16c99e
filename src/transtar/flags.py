"""Quality flags of one star: bits of one int32, never renumbered."""

from __future__ import annotations

from enum import IntFlag
from typing import Any

import numpy as np

from .errors import InputError


class Flag(IntFlag):
    """Quality bits; see `DESCRIPTIONS` for their meaning and `BAD` / `NO_LABEL` for their weight.

    Examples
    --------
    >>> import transtar as ts
    >>> ts.Flag.NO_IVAR.value, ts.flag_names(6)
    (4, 'LOW_SNR NO_IVAR')
    >>> flags = ts.read_catalog("catalog.parquet")["flags"]
    >>> int((flags & ts.Flag.NO_IVAR != 0).sum())
    30
    """

    LOW_GOOD_FRACTION = 1 << 0
    LOW_SNR = 1 << 1
    NO_IVAR = 1 << 2
    NO_VELOCITY = 1 << 3
    NON_STELLAR = 1 << 4
    HOT_STAR = 1 << 5
    OUT_OF_DOMAIN = 1 << 6
    LABEL_EXTRAPOLATED = 1 << 7
    TRAINED_ON = 1 << 8
    CONTINUUM_FAILED = 1 << 9
    BAD_FIBER = 1 << 10
    NO_GATE = 1 << 11
    DUPLICATE = 1 << 12
    MISFIT = 1 << 13
    FEW_CALIBRATORS = 1 << 14
    NO_INPUT = 1 << 15
    DOUBTFUL = 1 << 16


DESCRIPTIONS = {
    Flag.LOW_GOOD_FRACTION: "too few good pixels on the wavelength grid",
    Flag.LOW_SNR: "median S/N per grid pixel below the threshold",
    Flag.NO_IVAR: "the survey gives no inverse variance: finite pixels count as good; S/N and photon noise are unknown",
    Flag.NO_VELOCITY: "no radial velocity to shift to the rest frame",
    Flag.NON_STELLAR: "the survey classifies the object as not a star",
    Flag.HOT_STAR: "hot star or white dwarf by its spectrum, predicted Teff above the threshold (7500 K), or survey class O or B",
    Flag.OUT_OF_DOMAIN: "not the spectrum of an ordinary star, or unlike those that the model was trained on",
    Flag.LABEL_EXTRAPOLATED: "label outside the range of the training labels",
    Flag.TRAINED_ON: "the model was trained or validated on this star",
    Flag.CONTINUUM_FAILED: "continuum not positive and finite over the whole grid",
    Flag.BAD_FIBER: "the survey marks the fibre as bad",
    Flag.NO_GATE: "nothing could check that the star is ordinary",
    Flag.DUPLICATE: "another row is of the same star: same survey and star, or same survey and id if star is empty",
    Flag.MISFIT: "perhaps not an ordinary star, and the spectrum does not look like that of a star with these labels",
    Flag.FEW_CALIBRATORS: "errors rest on other kinds of stars, too: there were fewer than 30 calibration stars of this kind",
    Flag.NO_INPUT: "the spectrum lacks an input, other than the flux, that a model takes",
    Flag.DOUBTFUL: "perhaps not an ordinary star, or the spectrum does not look like that of a star with these labels",
}

BAD = (
    Flag.LOW_GOOD_FRACTION
    | Flag.NO_VELOCITY
    | Flag.NON_STELLAR
    | Flag.HOT_STAR
    | Flag.OUT_OF_DOMAIN
    | Flag.CONTINUUM_FAILED
    | Flag.BAD_FIBER
    | Flag.NO_INPUT
    | Flag.MISFIT
)
"""Bits that speak against using a label; the others are warnings."""

NO_LABEL = Flag.LOW_GOOD_FRACTION | Flag.NO_VELOCITY | Flag.NON_STELLAR | Flag.CONTINUUM_FAILED
"""Bits whose rows get NaN labels. NO_INPUT has them for the labels of those models alone; HOT_STAR and OUT_OF_DOMAIN where the
gate is sure of it."""


def has(flags: np.ndarray, which: Flag) -> np.ndarray:
    """Whether any of the bits `which` is set; bool array of the shape of `flags`."""
    return (np.asarray(flags) & int(which)) != 0


def count(flags: np.ndarray) -> dict[str, int]:
    """Count the rows that carry each flag; only flags that occur, in bit order."""
    counts = {flag.name: int(has(flags, flag).sum()) for flag in Flag}
    return {name: n for name, n in counts.items() if n and name}


def flag_names(value: Any) -> Any:
    """Quality flags in words.

    Parameters
    ----------
    value : int, or array_like of int, shape (n,)
        As in the column `flags` of a catalog.

    Returns
    -------
    str, or ndarray of str, shape (n,)
        Names in the order of the bits, separated by spaces: 'LOW_SNR TRAINED_ON'; '' where nothing is set. A bit that this
        version of transtar does not know is 'BIT_20'.

    Raises
    ------
    InputError
        If the flags are not integers.

    Examples
    --------
    >>> flag_names(6)
    'LOW_SNR NO_IVAR'
    """
    flags = np.asarray(value)
    if flags.dtype.kind not in "iu":
        raise InputError(f"flags are integers, not {flags.dtype}; give the column 'flags' of a catalog")
    words = {int(one): _in_words(int(one)) for one in np.unique(flags)}
    named = np.array([words[int(one)] for one in flags.ravel()], dtype=str).reshape(flags.shape)
    return str(named) if flags.ndim == 0 else named


def _in_words(value: int) -> str:
    known = {flag.bit_length() - 1: str(flag.name) for flag in Flag}
    # A negative number is no set of flags: the bits of an int32 are those below 31.
    return " ".join(known.get(bit, f"BIT_{bit}") for bit in range(32) if value >> bit & 1)
