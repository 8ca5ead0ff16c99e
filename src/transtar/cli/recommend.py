"""Make one recommended row per star of a catalog: repeats combined with weights from their photon noise.

Rows of one survey with the same star, or id where star is empty, are of one star. Rows with a bad flag are left out unless
all of a star have one: then the best stands for it, flagged. Labels are means weighted by 1/noise^2 (by S/N^2 where there is
no noise); the noise falls with the number of spectra, what is systematic stays in the errors. The catalog keeps all its rows.
"""

from __future__ import annotations

import argparse

from . import arguments as values
from .common import add_columns

HELP = "one recommended row per star of a catalog"


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
