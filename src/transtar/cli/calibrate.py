"""Fit a correction of a survey's [Fe/H] to reference labels: a quadratic in Teff for dwarfs and for giants."""

from __future__ import annotations

import argparse

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
    from ..evaluate.calibrate_catalog import calibrate_catalog
    from ..tables import Choice

    fitted = calibrate_catalog(
        arguments.catalog,
        arguments.reference,
        arguments.out,
        suffix=arguments.suffix,
        gravity=arguments.gravity,
        teff=tuple(arguments.teff),
        logg=tuple(arguments.logg),
        columns=Choice.parse(arguments.columns, free=True),
    )
    if fitted.n_test is not None:
        say(f"{fitted.n_test} test stars of {arguments.catalog} are left out")
    print(f"{fitted.n_used} of {fitted.n_rows} rows have both labels within the ranges (matched by {fitted.key})")
    for name, kind in fitted.kinds.items():
        print(
            f"{name}: {kind.n_stars} stars, coefficients {kind.coefficients}; median difference "
            f"{kind.before[0]:+.3f} before, {kind.after[0]:+.3f} after; "
            f"scatter (half of 16 to 84 %) {kind.before[1]:.3f} before, {kind.after[1]:.3f} after"
        )
    print(arguments.out)
    return 0
