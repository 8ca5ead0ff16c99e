"""What an encoder gives back of spectra, and how far it is from them, star by star."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..datasets import PreparedSet, read_set
from ..datasets.prepared import star_names
from ..encoders import Encoder, load_encoder
from ..errors import InputError, shown
from ..files import check_files, check_writable, write_text
from ..preprocess import require_same
from ..telling import note
from .chosen_stars import unseen_rows

TABLE = "reconstruction.csv"

COLUMNS = ("row", "survey", "file", "id", "star", "snr", "rms", "rms_in_noise")

MOST_SHOWN = 5
"""Stars of a figure."""

PERCENTILES = (16, 50, 84)
"""Of the rms: the stars that are shown where none is named."""

BLOCK = 2048

Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """Spectra of a set, and how far what an encoder gives back is from them.

    Parameters
    ----------
    encoder : str
        Its name.
    wave : ndarray, shape (n_pixels,), float64
        Vacuum wavelength in Angstrom.
    rows : ndarray, shape (n,), int64
        Of the set, from 0.
    columns : dict of str to ndarray, shape (n,)
        ``survey``, ``file``, ``id``, ``star`` and ``snr``.
    rms : ndarray, shape (n,), float64
        Root mean square of flux over continuum minus what is given back, over the pixels that are not masked.
    rms_in_noise : ndarray, shape (n,), float64
        The same with each pixel in units of its noise, where that is known, else NaN: 1 is what noise alone would make.
    shown : ndarray, shape (n_shown,), int64
        Which of the n are shown, and have spectra here.
    flux, given : ndarray, shape (n_shown, n_pixels), float32
        Flux over continuum, and what the encoder gives back of it.
    ivar : ndarray of the same shape, float32, or None
    """

    encoder: str
    wave: np.ndarray
    rows: np.ndarray
    columns: dict[str, np.ndarray]
    rms: np.ndarray
    rms_in_noise: np.ndarray
    shown: np.ndarray
    flux: np.ndarray
    given: np.ndarray
    ivar: np.ndarray | None


def explain_reconstruction(
    encoder: Encoder | str | Path,
    data: str | Path,
    out: str | Path,
    *,
    split: str = "test",
    rows: Sequence[int] = (),
    ids: Sequence[str] = (),
    say: Say = note,
) -> Reconstruction:
    """Give the spectra of a set to an encoder, and write how far what it gives back is from them.

    Parameters
    ----------
    encoder : Encoder, str or path
        Itself, its name or its folder.
    data : path
        Prepared set.
    out : path
        Folder of the table.
    split : {'test', 'pool', 'all'}
        Part of the set.
    rows : sequence of int, optional
        Stars to show, by their row in the set, from 0.
    ids : sequence of str, optional
        Stars to show, by identifier, name or file. Where neither is given, three are shown: those at the 16th, 50th and 84th
        percentile of the rms.
    say : callable
        Takes a line on what is left out.

    Returns
    -------
    Reconstruction

    Raises
    ------
    InputError
        If encoder or set cannot be read, the encoder gives no spectra back, no star is left, or one that was asked for is not
        among them.
    MismatchError
        If the set was prepared otherwise than the encoder wants it.
    """
    check_files([Path(out) / TABLE], [data, *([] if isinstance(encoder, Encoder) else [encoder])])
    check_writable(Path(out) / "figures")
    maker = encoder if isinstance(encoder, Encoder) else load_encoder(encoder)
    if not isinstance(maker, Encoder) or maker.decoder is None:
        raise InputError(f"encoder '{maker.name}' gives no spectra back: it has no decoder")
    prepared = read_set(data)
    require_same(maker.preprocessing, f"encoder '{maker.name}'", prepared.preprocessing, str(data))
    kept = unseen_rows(prepared, [maker], split, str(data), say)
    reconstruction = reconstruct(maker, prepared, kept, _asked(prepared, kept, rows, ids, str(data)))
    write_text(Path(out) / TABLE, _table(reconstruction))
    return reconstruction


def reconstruct(
    encoder: Encoder, prepared: PreparedSet, rows: np.ndarray, shown: np.ndarray | None = None
) -> Reconstruction:
    """Compare spectra with what an encoder gives back, a block at a time.

    Parameters
    ----------
    encoder : Encoder
    prepared : PreparedSet
    rows : ndarray, shape (n,), int64
        Of the set, from 0; their flux is finite.
    shown : ndarray, int64, optional
        Which of these rows are shown, counted among them; by default three, as in `explain_reconstruction`.
    """
    rms, in_noise = np.empty(len(rows)), np.empty(len(rows))
    for start in range(0, len(rows), BLOCK):
        block = slice(start, start + BLOCK)
        flux, given, ivar = _spectra(encoder, prepared, rows[block])
        residual = flux.astype(np.float64) - given
        # Pixels that are masked hold what was drawn between their neighbours.
        counts = np.ones(flux.shape, bool) if ivar is None else ivar > 0
        some = np.maximum(counts.sum(axis=1), 1)
        rms[block] = np.sqrt(np.sum(residual**2, axis=1, where=counts) / some)
        in_noise[block] = np.nan if ivar is None else np.sqrt(np.sum(residual**2 * ivar, axis=1, where=counts) / some)
        none = ~counts.any(axis=1)
        rms[block][none] = in_noise[block][none] = np.nan
    if shown is None:
        # Those without a distance come last, and are not counted.
        order = np.argsort(rms, kind="stable")[: max(int(np.isfinite(rms).sum()), 1)]
        places = np.rint(np.array(PERCENTILES) / 100 * (len(order) - 1)).astype(np.int64)
        shown = order[np.unique(places)]
    flux, given, ivar = _spectra(encoder, prepared, rows[shown])
    columns = {name: prepared.columns[name][rows] for name in ("survey", "file", "id", "snr")}
    columns["star"] = star_names({name: column[rows] for name, column in prepared.columns.items()})
    return Reconstruction(encoder.name, prepared.wave, rows, columns, rms, in_noise, shown, flux, given, ivar)


def _spectra(encoder: Encoder, prepared: PreparedSet, rows: np.ndarray):
    """Flux, what is given back, and inverse variances of some rows."""
    flux = np.asarray(prepared.flux[rows])
    return flux, encoder.reconstruct(flux), None if prepared.ivar is None else np.asarray(prepared.ivar[rows])


def _asked(
    prepared: PreparedSet, kept: np.ndarray, rows: Sequence[int], ids: Sequence[str], where: str
) -> np.ndarray | None:
    """Places among the kept rows of those that were asked for; None if none was."""
    wanted: list[int] = []
    for row in rows:
        if not 0 <= row < len(prepared):
            raise InputError(f"{where}: has no row {row}; its rows are 0 to {len(prepared) - 1} (--rows)")
        wanted.append(row)
    names = (prepared.columns["id"].astype(str), star_names(prepared.columns), prepared.columns["file"].astype(str))
    for text in ids:
        of_name = np.flatnonzero(np.any([column == text for column in names], axis=0))
        if not len(of_name):
            raise InputError(f"{where}: has no identifier, star or file '{shown(text)}' (--ids)")
        among = of_name[np.isin(of_name, kept)]
        wanted.append(int(among[0] if len(among) else of_name[0]))
    wanted = list(dict.fromkeys(wanted))
    if len(wanted) > MOST_SHOWN:
        raise InputError(f"a figure shows up to {MOST_SHOWN} stars, not {len(wanted)} (--rows, --ids)")
    for row in wanted:
        if row not in kept:
            raise InputError(
                f"{where}: row {row} is of another split, flagged bad, or was seen by the encoder in training; see --split"
            )
    return np.searchsorted(kept, wanted) if wanted else None


def _table(reconstruction: Reconstruction) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    columns = {"row": reconstruction.rows, **reconstruction.columns}
    columns |= {"rms": reconstruction.rms, "rms_in_noise": reconstruction.rms_in_noise}
    for row in zip(*(columns[name].tolist() for name in COLUMNS), strict=True):
        writer.writerow([_cell(value) for value in row])
    return text.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.6g}" if np.isfinite(value) else ""
    return value
