"""Arrays of a user's own: what is masked or missing becomes NaN, and what is no number is told in one line."""

from __future__ import annotations

from typing import Any

import numpy as np

from .errors import InputError, said


def real_array(values: Any, what: str, dtype: type = np.float64) -> np.ndarray:
    """An array of real numbers.

    Parameters
    ----------
    values : array-like
        Lists, arrays, columns of tables, tensors.
    what : str
        What they are, for the message.
    dtype : type
        float32 or float64.

    Returns
    -------
    ndarray of that type
        The same array where it is one already. NaN where a masked array is masked; what is too large for the type is infinite.

    Raises
    ------
    InputError
        If they are complex, no numbers, or rows of unequal length.
    """
    try:
        masked = isinstance(values, np.ma.MaskedArray)
        array = (
            np.ma.filled(values.astype(np.float64), np.nan)
            if masked and values.dtype.kind != "c"
            else np.asarray(values)
        )
        if array.dtype.kind == "c":
            raise InputError(f"{what} must be real numbers, not {array.dtype}")
        with np.errstate(over="ignore"):
            return array.astype(dtype, copy=False)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{what} must be numbers in an array of equal rows ({said(error, 100)})") from None
