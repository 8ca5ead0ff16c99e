"""Matplotlib, imported once and without regard to MPLBACKEND.

Figures are drawn into files, which needs no backend of a window or notebook. A variable inherited from a notebook's kernel may
name one that this environment has not, and matplotlib refuses to be imported then.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

VARIABLE = "MPLBACKEND"


def import_matplotlib() -> None:
    """Import matplotlib whatever the variable says, and then do what it says where that is possible: others may want it."""
    if "matplotlib" in sys.modules:
        return
    wanted = os.environ.pop(VARIABLE, None)
    try:
        import matplotlib
    finally:
        if wanted is not None:
            os.environ[VARIABLE] = wanted
    if wanted:
        with suppress(ValueError, ImportError):
            matplotlib.rcParams["backend"] = wanted


import_matplotlib()
