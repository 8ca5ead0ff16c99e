"""The spectra of a set that look least like ordinary stars with the labels that models give them, beside their twins."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..catalog import predict_set
from ..catalog.from_files import load_agreeing
from ..datasets import read_set
from ..datasets.prepared import star_names
from ..errors import InputError
from ..files import check_files, check_writable, write_text
from ..flags import flag_names
from ..glossary import LABELS, decimals
from ..trust import witnesses_for

TABLE = "misfits.csv"

WORST = 20
"""Spectra that are shown."""


@dataclass(frozen=True, eq=False)
class Misfits:
    """All spectra of a set by their misfit, and the worst of them.

    Parameters
    ----------
    wave : ndarray, shape (n_pixels,), float64
        Vacuum wavelength in Angstrom.
    columns : dict of str to ndarray, shape (n,)
        ``row`` in the set, ``file``, ``id``, ``star``, ``snr``, ``strange``, ``misfit``, ``velocity_off`` (km/s by which lines
        are off those of the twin), labels as they were predicted before any was taken away, and ``flags`` in words; the worst
        first.
    labels : tuple of str
    flux, twin : ndarray, shape (n_shown, n_pixels), float32
        Flux over continuum of the first n_shown, and the model spectra of their labels.
    """

    wave: np.ndarray
    columns: dict[str, np.ndarray]
    labels: tuple[str, ...]
    flux: np.ndarray
    twin: np.ndarray


def explain_misfits(models: Sequence[str | Path], data: str | Path, out: str | Path, *, worst: int = WORST) -> Misfits:
    """Ask the second opinion about all spectra of a set, and write what it says.

    Parameters
    ----------
    models : sequence of str or path
        As of `transtar.predict_set`.
    data : path
        Prepared set.
    out : path
        Folder of the table.
    worst : int
        How many are to be shown.

    Returns
    -------
    Misfits

    Raises
    ------
    InputError
        If a model or the set cannot be read, the spectra are prepared so that the second opinion cannot be asked, or none has a
        misfit.
    MismatchError
        If the set was prepared otherwise than the models want it.
    """
    check_files([Path(out) / TABLE], [data, *models])
    check_writable(Path(out) / "figures")
    estimators, _ = load_agreeing(list(models))
    prepared = read_set(data)
    second = witnesses_for(prepared.preprocessing).second
    if second is None:
        raise InputError(
            f"{data}: its spectra are prepared otherwise than the second opinion wants them "
            f"({second_wants()}); prepare them with the settings of a shipped model (--preprocessing mock-feh)"
        )
    # At these thresholds the gate takes no label away.
    catalog = predict_set(estimators, data, quality={"gate": 1, "doubt": 1}).columns
    judged = predict_set(estimators, data).columns
    assert catalog is not None
    assert judged is not None
    names = tuple(name for name in LABELS if name in catalog)
    order = np.argsort(-np.nan_to_num(catalog["misfit"], nan=-1.0), kind="stable")
    order = order[np.isfinite(catalog["misfit"][order])]
    if not len(order):
        raise InputError(f"{data}: no spectrum has labels, so none has a misfit")
    flux = np.asarray(prepared.flux)[order]
    ivar = None if prepared.ivar is None else np.asarray(prepared.ivar)[order]
    opinion = second.look(flux, ivar, {name: catalog[name][order] for name in names}, want_twins=True)
    assert opinion.twin is not None
    columns = {"row": order, "file": catalog["file"][order], "id": catalog["id"][order]}
    columns |= {"star": star_names(prepared.columns)[order], "snr": catalog["snr"][order]}
    columns |= {"strange": catalog["strange"][order], "misfit": opinion.misfit, "velocity_off": opinion.velocity}
    columns |= {name: catalog[name][order] for name in names}
    columns["flags"] = flag_names(judged["flags"][order])
    misfits = Misfits(prepared.wave, columns, names, flux[:worst], opinion.twin[:worst])
    write_text(Path(out) / TABLE, _table(misfits))
    return misfits


def second_wants() -> str:
    """How spectra are prepared of which the second opinion can be asked, in words."""
    from ..trust.second_opinion import load_second_opinion

    settings = load_second_opinion().preprocessing
    return f"grid '{settings.grid}', {settings.frame} frame, continuum '{settings.continuum}', hash {settings.hash}"


def _table(misfits: Misfits) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(misfits.columns)
    for row in zip(*(column.tolist() for column in misfits.columns.values()), strict=True):
        writer.writerow([_cell(name, value) for name, value in zip(misfits.columns, row, strict=True)])
    return text.getvalue()


def _cell(name: str, value: object) -> object:
    if not isinstance(value, float):
        return value
    if not np.isfinite(value):
        return ""
    return f"{value:.{decimals(name)}f}" if name in LABELS else f"{value:.4g}"
