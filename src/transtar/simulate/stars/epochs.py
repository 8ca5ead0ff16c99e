"""Where mock stars were when a survey's positions were measured: those of the truth are of 2016, as those of Gaia."""

from __future__ import annotations

import numpy as np
from astropy.table import Table

from ...labels import Positions

TRUTH = 2016.0
APOGEE = 1999.5
"""Of 2MASS, whose positions APOGEE gives."""
LAMOST = COMPILATIONS = 2000.0


def at_epoch(rows: Table, epoch: float) -> Table:
    """Rows with ``ra`` and ``dec`` (degrees) moved by their proper motions to a Julian year; as they are without those."""
    if not {"pmra", "pmdec"} <= set(rows.colnames):
        return rows
    motion = (np.asarray(rows[name], float) for name in ("pmra", "pmdec"))
    moved = rows.copy()
    moved["ra"], moved["dec"] = Positions(np.asarray(rows["ra"]), np.asarray(rows["dec"]), TRUTH, *motion).moved(epoch)
    return moved
