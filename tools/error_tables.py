"""Calibrate the errors of the shipped models on LAMOST stars, judge them on MILES stars, and put tables into models and cards.

    python -m tools.error_tables [--write]

needs `TRANSTAR_DATA`, with `lamost_dr10/` and `miles/`. To be run after `tools.train_models`. LAMOST labels are LASP's, whose
noise nobody has measured here: it stays in the intervals. Stars that taught the line correction are among the calibration stars
(docs/errors.md says why that is right). What other surveys add is how far the line correction moves the labels of these stars:
another survey may be as far from LAMOST as LAMOST is from synthetic spectra. [alpha/Fe] has no LAMOST labels, so that its
errors are not calibrated.

A second table, calibrated on the half of the MILES pool that tools/miles-half.csv names and judged on the rest, is printed and
not shipped: MILES stars take no part in what ships.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePath

import numpy as np

from tools.model_scores import put
from tools.train_models import CONSTANT, write_configs
from transtar import predict_files
from transtar.datasets import preprocess_batch
from transtar.flags import BAD, has
from transtar.labels import read_labels, read_split
from transtar.models import load_estimator
from transtar.models.card import errors_in_lines
from transtar.models.error_table import ErrorTable
from transtar.simulate.mocks.line_correction import load_lines
from transtar.surveys import read
from transtar.tables import read_table
from transtar.trust.conformal import coverage_rows, fit_error_table

MODELS = Path(__file__).parents[1] / "src" / "transtar" / "models"
HALF = Path(__file__).with_name("miles-half.csv")

LABELS = ("feh", "teff", "logg")
"""Those that LAMOST has."""

CENARRO = {"feh": (0.095, 0.19), "teff": (76.0, 150.0), "logg": (0.137, 0.27)}
"""Noise of MILES labels of Cenarro et al. (2007), that 68 and 95 % are within: the three-cornered hat of docs/evaluate.md
(0.086 dex, 53 K, 0.137 dex) and the median difference from the Hypatia catalogue (0.04 dex, 54 K, 0.00 dex) in quadrature, as if
Gaussian."""

RANGE = (4000.0, 7000.0)
"""Teff in K, by the labels, of the stars that are taken: the models' own range."""

HOME = "lamost"
"""The survey of the calibration stars."""

LAMOST = "LAMOST DR10, labels of LASP"
MILES = "MILES, labels of Cenarro et al. (2007)"

Columns = dict[str, np.ndarray]


def labelled(survey: str, folder: Path, files: np.ndarray | None = None) -> tuple[Columns, Columns]:
    """What the shipped models predict for stars of a survey, and labels minus predictions, row by row.

    Parameters
    ----------
    survey : str
    folder : Path
        With ``spectra/`` and ``labels.csv``.
    files : ndarray of str, optional
        Names of the spectra that are wanted.
    """
    names = [f"mock-{label}" for label in (*LABELS, "alphafe")]
    catalog = predict_files(names, survey, folder / "spectra").columns or {}
    table = read_labels(folder / "labels.csv")
    rows = {base_name(file): row for row, file in enumerate(table["file"])}
    place = np.array([rows.get(base_name(file), -1) for file in catalog["file"]])
    teff = np.where(place >= 0, table["teff"][place], np.nan)
    chosen = (teff > RANGE[0]) & (teff < RANGE[1]) & ~has(catalog["flags"], BAD) & np.isfinite(catalog["feh"])
    if files is not None:
        chosen &= np.isin([base_name(file) for file in catalog["file"]], files)
    catalog = {name: column[chosen] for name, column in catalog.items()}
    return catalog, {label: table[label][place[chosen]] - catalog[label] for label in LABELS}


def base_name(file: str) -> str:
    """Name of a file without folders and .gz."""
    return PurePath(file).name.removesuffix(".gz")


def rows_of(columns: Columns, rows: np.ndarray) -> Columns:
    """Some rows of columns."""
    return {name: column[rows] for name, column in columns.items()}


def told(catalog: Columns) -> Columns:
    """Labels that tell kinds of stars: of the one network that all the shipped models are outputs of."""
    return {label: catalog[label] for label in LABELS}


def moved_by_lines(catalog: Columns, residual: Columns, spectra: Path) -> Columns:
    """How far labels move when the line correction is put into spectra once more, or taken out: root mean square of the two."""
    lines = load_lines("lamost-dr10")
    paths = [spectra / base_name(file) for file in catalog["file"]]
    batches = (read(HOME, path if path.exists() else path.with_name(f"{path.name}.gz")) for path in paths)
    flux = np.concatenate([preprocess_batch(batch, HOME, lines.preprocessing).flux for batch in batches])
    change = lines.apply(flux, {label: residual[label] + catalog[label] for label in LABELS}) - flux
    moved = {}
    for label in LABELS:
        model = load_estimator(f"mock-{label}")
        before, more, less = (model.predict(flux + sign * change)[:, 0].astype(float) for sign in (0, 1, -1))
        moved[label] = np.sqrt(((more - before) ** 2 + (less - before) ** 2) / 2)
    return moved


def calibrate(
    catalog: Columns,
    residual: Columns,
    stars: str,
    noise: Mapping[str, tuple[float, float]],
    moved: Columns | None = None,
) -> dict[str, ErrorTable]:
    """Tables of the errors of each label."""
    return {
        label: fit_error_table(
            residual[label], catalog[f"{label}_noise"], told(catalog), catalog["snr"],
            told_by="mock", stars=stars, label_noise=noise.get(label, (0.0, 0.0)),
            survey="" if moved is None else HOME, moved=None if moved is None else moved[label],
        )
        for label in LABELS
    }  # fmt: skip


def judged(table: ErrorTable, label: str, catalog: Columns, residual: Columns, stars: str) -> ErrorTable:
    """A table with its coverage of MILES stars beside its own."""
    noise = CENARRO[label]
    halves, _ = table.intervals(catalog[f"{label}_noise"], told(catalog), catalog["snr"], "miles")
    rows = coverage_rows(residual[label], halves, noise, told(catalog))
    return replace(table, coverage=table.coverage | {f"{stars} with a noise of {noise[0]:g} and {noise[1]:g}": rows})


def main(arguments: list[str] | None = None) -> None:
    """Calibrate, judge, print, and write on request."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the tables into the shipped models and their cards")
    given = parser.parse_args(arguments)
    data = Path(os.environ["TRANSTAR_DATA"])
    lamost, of_lamost = labelled(HOME, data / "lamost_dr10")
    moved = moved_by_lines(lamost, of_lamost, data / "lamost_dr10" / "spectra")
    split = read_split(data / "miles" / "split.csv")
    miles, of_miles = labelled("miles", data / "miles", np.array([base_name(file) for file in split["file"]]))
    tables = {
        label: judged(table, label, miles, of_miles, MILES)
        for label, table in calibrate(lamost, of_lamost, LAMOST, {}, moved).items()
    }
    half = np.isin([base_name(file) for file in miles["file"]], read_table(HALF)[1]["file"].text())
    others = {
        label: judged(table, label, rows_of(miles, ~half), rows_of(of_miles, ~half), f"{MILES}, all others")
        for label, table in calibrate(
            rows_of(miles, half), rows_of(of_miles, half), f"{MILES}, half of the pool", CENARRO
        ).items()
    }
    for what, some in (("shipped", tables), ("not shipped", others)):
        for label, table in some.items():
            print("\n".join([f"{label}, {what}:", *errors_in_lines(label, table.to_dict()), ""]))
    if given.write:
        write(tables)


def write(tables: Mapping[str, ErrorTable]) -> None:
    """Put tables into the shipped models and their cards."""
    model = load_estimator(MODELS / "joint" / "mock")
    constant = np.array([CONSTANT.get(label, np.nan) for label in model.label_names])
    write_configs(replace(model, error_tables=dict(tables), label_error=constant), MODELS)
    for label, table in tables.items():
        card = MODELS / "shipped" / f"mock-{label}" / "README.md"
        put(card, "errors", errors_in_lines(label, table.to_dict()), "tools.error_tables", "Errors, star by star")


if __name__ == "__main__":
    main()
