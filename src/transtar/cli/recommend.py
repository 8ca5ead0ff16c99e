"""Combine the rows of a catalog into one recommended row per star, weighted by their photon noise.

Rows of one survey with the same star, or the same id where star is empty, belong to one star. Rows with a bad flag are left out
unless all rows of a star have one: then the best of them is taken, with its flags. Labels are means weighted by 1/noise^2 (by
S/N^2 where the noise is unknown); the noise decreases with the number of spectra, while systematic errors remain. The catalog
itself keeps all its rows.
"""

from __future__ import annotations

import argparse

from . import arguments as values
from .common import add_columns

HELP = "combine the rows of a catalog into one per star"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--catalog", required=True, type=values.path, help="catalog, as written by predict")
    add_columns(parser)
    parser.add_argument(
        "--out", required=True, type=values.path, help="catalog: .parquet, .fits, .csv, .ecsv, .vot (VOTable) or .tex"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from ..catalog import recommend
    from ..tables import Choice

    columns = Choice.parse(arguments.columns) or None
    print(f"{arguments.out}: {recommend(arguments.catalog, arguments.out, columns=columns)}")
    return 0
