"""Identifiers as int64, exactly: no road through floating point."""

from __future__ import annotations

import re

import numpy as np

from ..errors import InputError

NO_ID = -1
"""Stands for 'the survey gives no identifier'."""

# Gaia catalogues write designations such as 'Gaia DR3 4611686018427387905' beside the bare number.
_NUMBER = re.compile(r"(?:Gaia\s+E?DR\d\s+)?([+-]?\d+)", re.IGNORECASE)
_MISSING = frozenset(("", "-", "--", "nan", "none", "null", "n/a", "na", "<na>"))


def to_int64(values: np.ndarray, where: str, missing: np.ndarray | None = None) -> np.ndarray:
    """Convert a column of identifiers to int64 without losing a digit.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Integers of any width, strings of digits, or floats small enough to be exact.
    where : str
        File and column, for the message.
    missing : ndarray of bool, shape (n,), optional
        True where there is no value.

    Returns
    -------
    ndarray, shape (n,), int64
        -1 where missing.

    Raises
    ------
    InputError
        If a value does not fit int64, is no integer, or was stored as a float beyond 2**53, where digits are lost.
    """
    values = np.atleast_1d(np.asarray(values))
    gone = np.zeros(values.shape, dtype=bool) if missing is None else np.asarray(missing, dtype=bool)
    kind = values.dtype.kind
    if kind in "OSU":
        return _from_text(values, where, gone)
    if kind == "f":
        gone = gone | ~np.isfinite(values)
        good = values[~gone]
        if (np.abs(good) >= 2.0**53).any() or (good != np.rint(good)).any():
            raise InputError(
                f"{where}: identifiers are stored as floating point, which loses digits; store them as 64-bit integers"
            )
    elif kind not in "iub":
        raise InputError(f"{where}: identifiers must be integers, not {values.dtype}")
    elif kind == "u" and (values[~gone] > np.uint64(2**63 - 1)).any():
        raise InputError(f"{where}: an identifier is larger than 2**63 - 1 and does not fit a 64-bit integer")
    result = np.full(values.shape, NO_ID, dtype=np.int64)
    result[~gone] = values[~gone].astype(np.int64)
    return result


def _from_text(values: np.ndarray, where: str, gone: np.ndarray) -> np.ndarray:
    result = np.full(values.shape, NO_ID, dtype=np.int64)
    for row, value in enumerate(values):
        text = value.decode() if isinstance(value, bytes) else str(value)
        text = text.strip()
        if gone[row] or value is None or text.lower() in _MISSING:
            continue
        found = _NUMBER.fullmatch(text)
        number = int(found[1]) if found else None
        if number is None or not -(2**63) <= number < 2**63:
            raise InputError(f"{where}: '{text}' is not an integer of 64 bits")
        result[row] = number
    return result
