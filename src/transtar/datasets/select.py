"""Choosing the stars of a prepared set, and handing them to the training functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..flags import NO_LABEL, has
from .prepared import PreparedSet


def usable(prepared: PreparedSet) -> np.ndarray:
    """Rows that no flag rules out and whose flux is finite; bool, shape (n_spectra,)."""
    return ~has(prepared.columns["flags"], NO_LABEL) & np.isfinite(prepared.flux).all(axis=1)


def star_names(columns: dict[str, np.ndarray]) -> np.ndarray:
    """A name per star, by which repeat visits stay together: the survey's own, else the id, else the file."""
    star = columns.get("star", np.full(len(columns["file"]), "")).astype(str)
    own = np.where(columns["id"] >= 0, columns["id"].astype(str), columns["file"])
    return np.where(star != "", star, own)


def training_arguments(prepared: PreparedSet, rows: np.ndarray, labels: Sequence[str]) -> dict[str, Any]:
    """The spectra at `rows` as keyword arguments of `transtar.train.pretrain` and `finetune`.

    Parameters
    ----------
    prepared : PreparedSet
    rows : ndarray
        Index or bool array.
    labels : sequence of str

    Returns
    -------
    dict
        ``flux``, ``labels``, and what tells the stars apart.

    Raises
    ------
    InputError
        If the set lacks a label.
    """
    chosen = prepared.select(rows)
    columns = chosen.columns
    return {
        "flux": chosen.flux,
        "labels": chosen.targets(labels),
        "stars": star_names(columns),
        "survey": columns["survey"],
        "ids": columns["id"],
        "files": columns["file"],
        "feh": columns.get("feh"),
        "set_hash": prepared.hash,
    }
