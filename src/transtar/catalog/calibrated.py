"""Calibrated [Fe/H] beside what models say: both stand in a catalog, so that nobody has to ask which it is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from ..errors import InputError
from ..labels.calibration import Calibration, calibrate, load_calibration

NEEDED = ("feh", "teff", "logg")
"""Columns from which calibrated [Fe/H] follows."""

CALIBRATED = "feh_cal"


def read_calibration(name: str | os.PathLike | None) -> tuple[Calibration | None, dict[str, Any]]:
    """A calibration by name or file, and what a catalog says of it; None, and nothing, if there is none.

    Raises
    ------
    InputError, SettingsError
        If there is none of that name, or the file is none.
    """
    if name is None:
        return None, {}
    calibration = load_calibration(os.fspath(name))
    return calibration, {"calibration": {"name": str(name), **asdict(calibration)}}


def with_calibrated(
    columns: Mapping[str, np.ndarray], calibration: Calibration | None, where: str
) -> dict[str, np.ndarray]:
    """Columns with calibrated [Fe/H] behind the raw one.

    Parameters
    ----------
    columns : mapping of str to ndarray, shape (n,)
    calibration : Calibration or None
        None leaves them as they are.
    where : str
        Catalog, for the message.

    Returns
    -------
    dict of str to ndarray, shape (n,)
        With ``feh_cal``, float32, NaN outside the ranges of the calibration.

    Raises
    ------
    InputError
        If a label is missing that the calibration needs.
    """
    if calibration is None:
        return dict(columns)
    if missing := [name for name in NEEDED if name not in columns]:
        raise InputError(f"{where}: a calibration of feh needs {', '.join(missing)}, too; add a model that predicts it")
    values = calibrate(columns["feh"], columns["teff"], columns["logg"], calibration).astype(np.float32)
    out: dict[str, np.ndarray] = {}
    for name, column in columns.items():
        out[name] = column
        if name == "feh":
            out[CALIBRATED] = values
    return out
