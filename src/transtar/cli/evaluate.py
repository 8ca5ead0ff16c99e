"""Score a catalog against reference labels, never on stars its model saw."""

from __future__ import annotations

import argparse

from . import arguments as values
from .common import add_columns

HELP = "R2, sigma and bias of a catalog, by regime"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--catalog", required=True, type=values.path, help="catalog as written by predict, or any with labels"
    )
    parser.add_argument(
        "--labels", required=True, type=values.path, help="reference labels: CSV, FITS, VOTable or parquet"
    )
    parser.add_argument("--label", type=values.labels, help="labels to score; all that both tables have if not given")
    add_columns(parser)
    parser.add_argument("--out", required=True, type=values.path, help="folder for metrics.json")


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from ..evaluate import evaluate_files, format_table
    from ..files import check_files
    from ..tables import Choice

    check_files([arguments.out / "metrics.json"], [arguments.catalog, arguments.labels])
    result = evaluate_files(
        arguments.catalog, arguments.labels, arguments.out, arguments.label, Choice.parse(arguments.columns)
    )
    print(format_table(result))
    print(f"{arguments.out / 'metrics.json'}")
    return 0
