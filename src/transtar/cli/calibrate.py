"""Fit a correction of a survey's [Fe/H] to reference labels: a quadratic in Teff for dwarfs and for giants."""

from __future__ import annotations

import argparse

from ..errors import InputError, SettingsError
from . import arguments as values
from .common import add_columns, say

HELP = "correct a survey's [Fe/H] by a reference"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--catalog",
        required=True,
        type=values.path,
        help="table with source_id (or id) and the survey's teff, logg and feh",
    )
    parser.add_argument(
        "--reference",
        required=True,
        type=values.path,
        help="table with the same identifiers and feh; may be the same file",
    )
    parser.add_argument(
        "--suffix",
        type=values.any_text,
        default="_desi",
        help="how the survey's columns end in the catalog, so that feh is feh_desi; may be ''",
    )
    parser.add_argument("--gravity", type=values.anything, default=3.5, help="giants lie below this log g")
    parser.add_argument(
        "--teff", type=values.positive, nargs=2, default=(4000.0, 6600.0), help="range in K in which the fit holds"
    )
    parser.add_argument(
        "--logg", type=values.anything, nargs=2, default=(0.0, 5.1), help="range of log g in which the fit holds"
    )
    add_columns(parser)
    parser.add_argument(
        "--out", required=True, type=values.path, help="YAML file of coefficients, as settings of selections take"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    import numpy as np

    from ..files import check_files
    from ..labels.calibration import calibrate, fit_calibration, write_calibration
    from ..labels.join import match_ids
    from ..selections.kinds import read_measured
    from ..tables import Choice

    check_files([arguments.out], [arguments.catalog, arguments.reference])
    for name in ("teff", "logg"):
        low, high = getattr(arguments, name)
        if low >= high:
            raise SettingsError(f"--{name} takes the lower end of a range, then the upper, not {low:g} {high:g}")
    columns = Choice.parse(arguments.columns, free=True)
    catalog = read_measured(
        arguments.catalog, [f"{name}{arguments.suffix}" for name in ("feh", "teff", "logg")], columns
    )
    reference = read_measured(arguments.reference, ["feh"], columns)
    columns.require_used([arguments.catalog, arguments.reference])
    key = next((name for name in ("source_id", "id") if name in catalog and name in reference), None)
    if key is None:
        raise InputError(f"{arguments.catalog} and {arguments.reference} share no identifier (source_id, or id)")
    place = match_ids(catalog[key], reference[key])
    feh, teff, logg = (catalog[f"{name}{arguments.suffix}"] for name in ("feh", "teff", "logg"))
    truth = np.where(place >= 0, reference["feh"][place], np.nan)
    if "split" in catalog:
        # What the correction is judged on must not have made it.
        kept_out = catalog["split"] == "test"
        truth[kept_out] = np.nan
        say(f"{int(kept_out.sum())} test stars of {arguments.catalog} are left out")
    calibration = fit_calibration(
        feh, teff, logg, truth, gravity=arguments.gravity, teff_range=tuple(arguments.teff),
        logg_range=tuple(arguments.logg), source=f"{arguments.catalog.name} against {arguments.reference.name}",
    )  # fmt: skip
    write_calibration(calibration, arguments.out)
    after = calibrate(feh, teff, logg, calibration) - truth
    used = np.isfinite(after)
    print(f"{int(used.sum())} of {len(feh)} rows have both labels within the ranges (matched by {key})")
    for name in ("giants", "dwarfs"):
        rows = used & ((logg < arguments.gravity) == (name == "giants"))
        print(
            f"{name}: {int(rows.sum())} stars, coefficients {getattr(calibration, name)}; median difference "
            f"{np.median((feh - truth)[rows]):+.3f} before, {np.median(after[rows]):+.3f} after; "
            f"scatter (half of 16 to 84 %) {_scatter((feh - truth)[rows]):.3f} before, {_scatter(after[rows]):.3f} after"
        )
    print(arguments.out)
    return 0


def _scatter(values) -> float:
    import numpy as np

    low, high = np.percentile(values, (16, 84))
    return float(high - low) / 2
