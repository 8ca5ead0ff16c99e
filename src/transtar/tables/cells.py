"""Text of columns as numpy arrays, with a limit on single cells that would widen all others."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..content import FREE
from ..errors import InputError

WIDEST = 4096
"""Characters of a cell, of a name say, that are allowed whatever the number of rows."""


def to_text(column: Any, where: str) -> np.ndarray:
    """Strings of an Arrow column (nulls as '') as a numpy array of str, whose cells all have the width of the widest.

    Raises
    ------
    InputError
        If one cell of thousands of characters would make gigabytes of all.
    """
    import pyarrow.compute as pc

    widest = pc.max(pc.utf8_length(column)).as_py() or 0
    if widest > WIDEST and 4 * widest * len(column) > FREE:
        raise InputError(f"{where}: a cell of {widest} characters among {len(column)} rows; no name is as long")
    return column.fill_null("").to_numpy().astype(str)
