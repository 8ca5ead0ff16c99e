"""How well an alignment predicts the spectrum of the other kind, wavelength by wavelength, against spectra that were observed."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ..datasets import PreparedSet, read_set
from ..datasets.star_pairs import gaia_ids_of, pairs_of
from ..encoders import Alignment, load_alignment
from ..encoders.alignment import reference_of
from ..errors import InputError
from ..files import check_files, check_writable, write_text
from ..networks.crossing import SIDES, other_side
from ..telling import note
from .chosen_stars import unseen_rows

TABLE = "translation.csv"

COLUMNS = ("direction", "wavelength", "n", "bias", "error", "scatter", "error_of_median")

_MAD = 1.4826
"""From the median absolute deviation to the standard deviation of a Gaussian."""

Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class TranslationErrors:
    """Relative errors of predicted spectra, (predicted - true) / true, at each wavelength.

    Parameters
    ----------
    n : ndarray, shape (n_pixels,), int64
        Spectra whose true flux is known there, and positive.
    bias : ndarray, shape (n_pixels,), float64
        Median of the relative errors; like all the others NaN where n is 0.
    error : ndarray, shape (n_pixels,), float64
        Median of their absolute values.
    scatter : ndarray, shape (n_pixels,), float64
        1.4826 times the median of their absolute deviations from the bias: the standard deviation, if they are Gaussian.
    error_of_median : ndarray, shape (n_pixels,), float64
        `error` of one who always gives the median of the true spectra: a prediction that is no better tells nothing of a star.
    """

    n: np.ndarray
    bias: np.ndarray
    error: np.ndarray
    scatter: np.ndarray
    error_of_median: np.ndarray


@dataclass(frozen=True, eq=False)
class Translation:
    """Errors of one direction.

    Parameters
    ----------
    from_, to : str
        'lrs' or 'xp'.
    wave : ndarray, shape (n_pixels,), float64
        Vacuum wavelength of the predicted spectra in Angstrom.
    n_pairs : int
    errors : TranslationErrors
    """

    from_: str
    to: str
    wave: np.ndarray
    n_pairs: int
    errors: TranslationErrors

    @property
    def direction(self) -> str:
        """'lrs-to-xp' or 'xp-to-lrs'."""
        return f"{self.from_}-to-{self.to}"


def translation_errors(given: np.ndarray, true: np.ndarray, good: np.ndarray | None = None) -> TranslationErrors:
    """Compare predicted spectra with true ones.

    Parameters
    ----------
    given, true : ndarray, shape (n, n_pixels)
        In the same units.
    good : ndarray of the same shape, bool, optional
        Pixels of the true spectra that count; those that are not finite, or not positive, never do.

    Returns
    -------
    TranslationErrors

    Raises
    ------
    InputError
        If the two differ in shape.
    """
    given, true = np.asarray(given, np.float64), np.asarray(true, np.float64)
    if given.shape != true.shape or given.ndim != 2:
        raise InputError(f"translation: predicted spectra of shape {given.shape}, true ones of {true.shape}")
    with np.errstate(invalid="ignore"):
        known = np.isfinite(true) & np.isfinite(given) & (true > 0)
    known &= True if good is None else good
    true = np.where(known, true, np.nan)
    relative = given / true - 1
    bias = _median(relative)
    return TranslationErrors(
        known.sum(axis=0),
        bias,
        _median(np.abs(relative)),
        _MAD * _median(np.abs(relative - bias)),
        _median(np.abs(_median(true) / true - 1)),
    )


def _median(values: np.ndarray) -> np.ndarray:
    """Median of each column over what is known, without a warning where nothing is."""
    some = np.isfinite(values).any(axis=0)
    median = np.full(values.shape[1], np.nan)
    median[some] = np.nanmedian(values[:, some], axis=0)
    return median


def explain_translation(
    alignment: Alignment | str | os.PathLike,
    sets: Sequence[str | os.PathLike],
    out: str | os.PathLike,
    *,
    split: str = "test",
    pairs: str | os.PathLike | None = None,
    columns: Mapping[str, str] | None = None,
    say: Say = note,
) -> list[Translation]:
    """Predict the spectra of stars that two sets share, each from the other, and write how far they are from the true ones.

    Parameters
    ----------
    alignment : Alignment or path
        Of the variant 'pr' or 'split'.
    sets : sequence of path
        One of LRS and one of XP spectra, in any order.
    out : path
        Folder of the table.
    split : {'test', 'pool', 'all'}
        Part of each set. Stars that the alignment has seen are left out.
    pairs, columns
        As of `transtar.train.large.alignment_runs.align_encoders`.
    say : callable
        Takes lines on what is left out.

    Returns
    -------
    list of Translation
        From LRS to XP, and back.

    Raises
    ------
    InputError
        If something cannot be read, the variant has no decoders, the sets are not one of each kind, or no pair is left.
    MismatchError
        If a set is prepared otherwise than its encoder wants it.
    """
    out = Path(out)
    places = [alignment] if isinstance(alignment, str | os.PathLike) else []
    check_files([out / TABLE], [*sets, *places, pairs])
    check_writable(out / "figures")
    known = load_alignment(alignment) if isinstance(alignment, str | os.PathLike) else alignment
    if known.crossings is None:
        raise InputError(
            f"an alignment of the variant '{known.settings.variant}' gives no spectra: it has no decoders; train one of "
            "--variant pr or split"
        )
    prepared = _by_side(known, sets)
    rows = _pairs(known, prepared, sets, split, pairs, columns, say)
    reference = reference_of(known)
    translations = []
    for from_ in SIDES:
        to = other_side(from_)
        true, good = _true(prepared[to], rows[to], reference if to == "xp" else None)
        given = known.translate(prepared[from_].flux[rows[from_]], from_, to)
        errors = translation_errors(given, true, good)
        translations.append(Translation(from_, to, prepared[to].wave, len(true), errors))
    write_text(out / TABLE, _table(translations))
    return translations


def _by_side(alignment: Alignment, sets: Sequence[str | os.PathLike]) -> dict[str, PreparedSet]:
    prepared: dict[str, PreparedSet] = {}
    for path in sets:
        one = read_set(path)
        side = alignment.side_of(one.preprocessing, str(path))
        if side in prepared:
            raise InputError(f"{path}: a second set of {side} spectra; give one of LRS and one of XP spectra")
        prepared[side] = one
    if len(prepared) < len(SIDES):
        raise InputError(f"{', '.join(map(str, sets))}: a translation needs a set of LRS and one of XP spectra")
    return prepared


def _pairs(
    alignment: Alignment,
    prepared: Mapping[str, PreparedSet],
    sets: Sequence[str | os.PathLike],
    split: str,
    table: str | os.PathLike | None,
    columns: Mapping[str, str] | None,
    say: Say,
) -> dict[str, np.ndarray]:
    """Rows of the pairs that the alignment has not seen."""
    good, where = {}, ", ".join(map(str, sets))
    for side in SIDES:
        one, told = prepared[side], partial(_told, say, side)
        good[side] = np.zeros(len(one), bool)
        good[side][unseen_rows(one, [alignment.side(side)], split, where, told)] = True
    good["xp"] &= prepared["xp"].flux[:, reference_of(alignment)] > 0
    lrs, xp = prepared["lrs"].columns, prepared["xp"].columns
    ids = lrs["id"] if table is None else gaia_ids_of(lrs, table, columns)
    rows = pairs_of(ids, good["lrs"], xp["id"], good["xp"])
    if not len(rows["lrs"]):
        raise InputError(
            f"{where}: no star is in both with a spectrum to look at (ids are compared exactly); name a table with the survey's "
            "identifiers and Gaia's (--pairs), or choose another --split"
        )
    say(f"{len(rows['lrs']):,} pairs of {int(good['lrs'].sum()):,} LRS and {int(good['xp'].sum()):,} XP spectra")
    return rows


def _told(say: Say, side: str, line: str) -> None:
    say(f"{side}: {line}")


def _true(prepared: PreparedSet, rows: np.ndarray, reference: int | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Spectra as the decoders are to give them, and their pixels that are not masked."""
    flux = np.asarray(prepared.flux[rows], np.float64)
    if reference is not None:
        flux = flux / flux[:, reference : reference + 1]
    return flux, None if prepared.ivar is None else np.asarray(prepared.ivar[rows]) > 0


def _table(translations: Sequence[Translation]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in translations:
        columns = [getattr(one.errors, name) for name in COLUMNS[2:]]
        for wave, *values in zip(one.wave, *columns, strict=True):
            cells = [int(values[0]), *(f"{value:.6g}" if np.isfinite(value) else "" for value in values[1:])]
            writer.writerow([one.direction, f"{wave:.4f}", *cells])
    return text.getvalue()


def format_translations(translations: Sequence[Translation]) -> str:
    """One line per direction: medians over the wavelengths, in per cent of the flux."""
    lines = ["relative errors of predicted spectra, medians over wavelengths, in per cent"]
    lines.append(
        f"{'direction':10s} {'pairs':>6s} {'error':>8s} {'bias':>8s} {'scatter':>8s} {'error of the median spectrum':>29s}"
    )
    for one in translations:
        error, bias, scatter, plain = (
            100 * float(np.nanmedian(values)) if np.isfinite(values).any() else float("nan")
            for values in (one.errors.error, one.errors.bias, one.errors.scatter, one.errors.error_of_median)
        )
        lines.append(f"{one.direction:10s} {one.n_pairs:6d} {error:8.2f} {bias:+8.2f} {scatter:8.2f} {plain:29.2f}")
    return "\n".join(lines)
