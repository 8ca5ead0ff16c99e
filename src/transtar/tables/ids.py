"""Identifiers as int64, exactly: no road through floating point."""

from __future__ import annotations

import re

import numpy as np

from ..errors import InputError, shown

NO_ID = -1
"""Stands for 'the survey gives no identifier'."""

MISSING_TEXT = frozenset((
    "", "-", "--", "---", "...", "nan", "none", "null", "n/a", "na", "<na>", "nil", r"\n", "masked", "indef",
))  # fmt: skip
"""What tables write where there is no value, in lower case."""

MISSING_SPELLINGS = sorted({how(text) for text in MISSING_TEXT for how in (str, str.upper, str.title)} | {"NaN", "N/a"})
"""The same in the cases in which they are written."""

EXACT = {2: 2**11, 4: 2**24, 8: 2**53, 12: 2**63, 16: 2**63}
"""From here on floating-point numbers of so many bytes skip integers."""

UNSIGNED = ("specobjid", "specid")
"""Columns of unsigned identifiers, which SDSS has: kept as the signed integer of the same 64 bits, as SPARCL does."""

# Numbers that stand for 'no identifier'. Real ones of DESI are negative, too, but far from zero.
_MISSING_NUMBERS = (-1, -9, -99, -999, -9999, -99999)

# Gaia catalogues write designations such as 'Gaia DR3 4611686018427387905' beside the bare number.
_NUMBER = re.compile(r"(?:Gaia\s+E?DR3\s+)?([+-]?\d+)(\.0*)?", re.IGNORECASE)
_OLD_GAIA = re.compile(r"Gaia\s+DR[12]\b", re.IGNORECASE)


def to_int64(
    values: np.ndarray, where: str, missing: np.ndarray | None = None, *, unsigned: bool = False
) -> np.ndarray:
    """Convert a column of identifiers to int64 without losing a digit.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Integers of any width, strings of digits, or floats small enough to be exact.
    where : str
        File and column, for the message.
    missing : ndarray of bool, shape (n,), optional
        True where there is no value.
    unsigned : bool
        Whether integers from 2**63 to 2**64 - 1 stand for the signed ones of the same bits (`UNSIGNED`).

    Returns
    -------
    ndarray, shape (n,), int64
        -1 where missing, which -9999 and the like are, too.

    Raises
    ------
    InputError
        If a value does not fit int64, is no integer, has an exponent, or was stored as a float beyond 2**53 (in single
        precision 2**24), where digits are lost.
    """
    values = np.atleast_1d(np.asarray(values))
    gone = np.zeros(values.shape, dtype=bool) if missing is None else np.array(missing, dtype=bool)
    kind = values.dtype.kind
    if kind in "OSU":
        return _from_text(values, where, gone, unsigned)
    if kind == "f":
        gone |= ~np.isfinite(values)
        good = values[~gone]
        limit = EXACT[values.dtype.itemsize]
        if (np.abs(good) >= limit).any() or (good != np.rint(good)).any():
            raise InputError(
                f"{where}: identifiers are stored as floating point (float{8 * values.dtype.itemsize}), which loses digits; "
                "store them as 64-bit integers"
            )
    elif kind not in "iub":
        raise InputError(f"{where}: identifiers must be integers, not {values.dtype}")
    elif kind == "u" and not unsigned and (values[~gone] > np.uint64(2**63 - 1)).any():
        raise InputError(f"{where}: an identifier is larger than 2**63 - 1 and does not fit a 64-bit integer")
    result = np.full(values.shape, NO_ID, dtype=np.int64)
    result[~gone] = values[~gone].astype(np.uint64).view(np.int64) if kind == "u" else values[~gone].astype(np.int64)
    return _checked(result, where)


def _checked(result: np.ndarray, where: str) -> np.ndarray:
    result[np.isin(result, _MISSING_NUMBERS)] = NO_ID
    long = np.unique(result[np.abs(result) >= 10**15])
    if len(long) >= 3:
        beyond = np.floor(np.log10(np.abs(long.astype(np.float64)))).astype(np.int64) - 14
        # Three digits of three identifiers are all zero once in a billion.
        if beyond.sum() >= 6 and (long % 10**beyond == 0).all():
            raise InputError(
                f"{where}: all identifiers end in zeros from the 16th digit on, as a spreadsheet leaves them ({long[-1]}); "
                "export them as text"
            )
    return result


def _from_text(values: np.ndarray, where: str, gone: np.ndarray, unsigned: bool) -> np.ndarray:
    result = np.full(values.shape, NO_ID, dtype=np.int64)
    for row, value in enumerate(values.tolist()):
        text = value.decode() if isinstance(value, bytes) else str(value)
        text = text.strip()
        if gone[row] or value is None or text.lower() in MISSING_TEXT:
            continue
        match = _NUMBER.fullmatch(text)
        if match is None and _OLD_GAIA.match(text):
            raise InputError(f"{where}: '{shown(text, 60)}' is not of Gaia DR3, whose source_ids are others")
        if match is None:
            raise InputError(f"{where}: '{shown(text, 60)}' is not an integer of 64 bits{_why(text)}")
        number = int(match[1]) if len(match[1]) < 30 else 2**64
        if match[2] is not None and abs(number) >= EXACT[8]:
            raise InputError(
                f"{where}: '{shown(text, 60)}' went through floating point, which loses digits; write integers"
            )
        if unsigned and 2**63 <= number < 2**64:
            number -= 2**64
        if not -(2**63) <= number < 2**63:
            raise InputError(f"{where}: '{shown(text, 60)}' does not fit a 64-bit integer")
        result[row] = number
    return _checked(result, where)


def _why(text: str) -> str:
    if re.fullmatch(r"[+-]?\d+(\.\d*)?[eEdD][+-]?\d+", text):
        return ": numbers with exponents have lost digits; export the identifiers as integers or as text"
    return ""
