"""Score a catalog against reference labels, leaving out stars that its model has seen and rows flagged bad."""

from __future__ import annotations

import argparse

from . import arguments as values
from .common import add_columns

HELP = "R2, sigma and bias of a catalog, by regime, compared with null models"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--catalog", required=True, type=values.path, help="catalog as written by predict, or any with labels"
    )
    parser.add_argument(
        "--labels", required=True, type=values.path, help="reference labels: CSV, FITS, VOTable or parquet"
    )
    parser.add_argument("--label", type=values.labels, help="labels to score; all that both tables have if not given")
    parser.add_argument(
        "--all", action="store_true", help="also score rows with a bad flag, which are left out otherwise"
    )
    parser.add_argument(
        "--second",
        metavar="FILE[:COLUMN]",
        help="labels of the same stars from another source, perhaps another column of --labels: separates "
        "the noise of both catalogs and of the prediction (three-cornered hat)",
    )
    parser.add_argument(
        "--split", type=values.path, metavar="FILE", help="score only the test stars of this table, as given to prepare"
    )
    parser.add_argument(
        "--range",
        nargs="+",
        action="extend",
        default=[],
        metavar="LABEL=LOW:HIGH",
        help="score only stars whose labels in --labels lie in these ranges, such as teff=4000:7000 or feh=:-1",
    )
    add_columns(parser)
    parser.add_argument(
        "--out",
        required=True,
        type=values.path,
        help="folder for metrics.json, tables (CSV, LaTeX) and the one-to-one figure",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from ..evaluate import evaluate_files, format_table, parse_ranges
    from ..files import check_files
    from ..report import EVALUATION_FILES, write_evaluation
    from ..tables import Choice

    outputs = [arguments.out / name for name in ("metrics.json", *EVALUATION_FILES)]
    check_files(outputs, [arguments.catalog, arguments.labels, arguments.second, arguments.split])
    result = evaluate_files(
        arguments.catalog,
        arguments.labels,
        arguments.out,
        arguments.label,
        Choice.parse(arguments.columns),
        keep_bad=arguments.all,
        second=arguments.second,
        split=arguments.split,
        within=parse_ranges(arguments.range),
    )
    written = write_evaluation(result, arguments.out)
    print(format_table(result))
    for path in (outputs[0], *written):
        # Without a second catalog the table of the noise has no rows.
        if result.noise or path.name != "noise.csv":
            print(path)
    return 0
