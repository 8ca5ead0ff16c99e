"""Calibrating the [Fe/H] of a catalog by a reference: tables in, a file of coefficients out, and what it is worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError, SettingsError
from ..files import check_files
from ..labels.calibration import Calibration, calibrate, fit_calibration, write_calibration
from ..labels.join import match_ids
from ..labels.kinds import read_measured
from ..tables import Choice


@dataclass(frozen=True)
class CalibratedKind:
    """The stars of one kind, giants or dwarfs, before and after.

    Parameters
    ----------
    n_stars : int
    coefficients : tuple of float
        c0, c1, c2 of `Calibration`; dex.
    before, after : (float, float)
        Median of measured minus reference [Fe/H], and its scatter (half of the range from 16 to 84 %); dex.
    """

    n_stars: int
    coefficients: tuple[float, float, float]
    before: tuple[float, float]
    after: tuple[float, float]


@dataclass(frozen=True)
class CalibratedCatalog:
    """A calibration, and the stars that it was fitted on.

    Parameters
    ----------
    calibration : Calibration
    n_rows, n_used : int
        Rows of the catalog, and those with both labels within the ranges.
    n_test : int or None
        Stars of the split 'test', which are left out; None if the catalog has no split.
    key : str
        By which the tables were joined.
    kinds : dict of str to CalibratedKind
        'giants' and 'dwarfs'.
    """

    calibration: Calibration
    n_rows: int
    n_used: int
    n_test: int | None
    key: str
    kinds: dict[str, CalibratedKind]


def calibrate_catalog(
    catalog: str | Path,
    reference: str | Path,
    out: str | Path,
    *,
    suffix: str = "_desi",
    gravity: float = 3.5,
    teff: tuple[float, float] = (4000.0, 6600.0),
    logg: tuple[float, float] = (0.0, 5.1),
    columns: Mapping[str, str] | None = None,
) -> CalibratedCatalog:
    """Fit the calibration of a survey's [Fe/H] and write its coefficients.

    Parameters
    ----------
    catalog : path
        Table with source_id (or id) and the survey's teff (K), logg and feh.
    reference : path
        Table with the same identifiers and feh; may be the same file.
    out : path
        YAML file that `transtar.labels.calibration.load_calibration` reads.
    suffix : str
        How the survey's columns end in the catalog.
    gravity, teff, logg
        As in `Calibration`.
    columns : mapping of str to str, optional
        Which column is which; a `Choice` is refused if no table has a column that it names.

    Returns
    -------
    CalibratedCatalog

    Raises
    ------
    InputError
        If a table is unusable, they share no identifier, or too few stars have both labels.
    SettingsError
        If a range is empty, or nothing had use for a chosen column.
    """
    catalog, reference = Path(catalog), Path(reference)
    check_files([out], [catalog, reference])
    for name, (low, high) in {"teff": teff, "logg": logg}.items():
        if low >= high:
            raise SettingsError(f"--{name} takes the lower end of a range, then the upper, not {low:g} {high:g}")
    measured = read_measured(catalog, [f"{name}{suffix}" for name in ("feh", "teff", "logg")], columns)
    known = read_measured(reference, ["feh"], columns)
    if isinstance(columns, Choice):
        columns.require_used([catalog, reference])
    key = next((name for name in ("source_id", "id") if name in measured and name in known), None)
    if key is None:
        raise InputError(f"{catalog} and {reference} share no identifier (source_id, or id)")
    place = match_ids(measured[key], known[key])
    star_feh, star_teff, star_logg = (measured[f"{name}{suffix}"] for name in ("feh", "teff", "logg"))
    truth = np.where(place >= 0, known["feh"][place], np.nan)
    n_test = None
    if "split" in measured:
        # What the correction is judged on must not have made it.
        kept_out = measured["split"] == "test"
        truth[kept_out] = np.nan
        n_test = int(kept_out.sum())
    calibration = fit_calibration(
        star_feh, star_teff, star_logg, truth, gravity=gravity, teff_range=teff, logg_range=logg,
        source=f"{catalog.name} against {reference.name}",
    )  # fmt: skip
    write_calibration(calibration, out)
    before = star_feh - truth
    after = calibrate(star_feh, star_teff, star_logg, calibration) - truth
    used = np.isfinite(after)
    giant = used & (star_logg < gravity)
    kinds = {
        name: CalibratedKind(int(rows.sum()), getattr(calibration, name), _spread(before[rows]), _spread(after[rows]))
        for name, rows in {"giants": giant, "dwarfs": used & ~giant}.items()
    }
    return CalibratedCatalog(calibration, len(star_feh), int(used.sum()), n_test, key, kinds)


def _spread(difference: np.ndarray) -> tuple[float, float]:
    """Median, and half of the range from 16 to 84 %."""
    low, high = np.percentile(difference, (16, 84))
    return float(np.median(difference)), float(high - low) / 2
