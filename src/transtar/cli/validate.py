"""Check the errors of a catalog without labels: by repeats, clusters, wide pairs, other catalogs and the Cramer-Rao bound."""

from __future__ import annotations

import argparse

from . import arguments as values
from .common import add_columns

SURVEY = "survey"
"""The instrument of the bound where none is named: that of the catalog's survey."""

HELP = "check a catalog's errors without reference labels"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--catalog",
        required=True,
        type=values.path,
        help="catalog as written by predict, or any with labels and star or id",
    )
    parser.add_argument("--label", type=values.labels, help="labels to check; all that the catalog has if not given")
    parser.add_argument(
        "--repeats",
        action="store_true",
        help="fail if no star has repeat visits; these are compared wherever there are any",
    )
    parser.add_argument(
        "--clusters",
        type=values.path,
        metavar="FILE",
        help="members of clusters: columns id (or star, file, position) and cluster; labels in it are taken "
        "as literature values",
    )
    parser.add_argument(
        "--pairs",
        type=values.path,
        metavar="FILE",
        help="wide pairs: columns id_1 and id_2 (or source_id1, star_1, ...)",
    )
    parser.add_argument(
        "--second",
        nargs="+",
        default=[],
        type=values.path,
        metavar="FILE",
        help="two further catalogs of the same stars: separates the noise of all three (three-cornered hat)",
    )
    parser.add_argument(
        "--bound",
        nargs="?",
        const=SURVEY,
        metavar="INSTRUMENT",
        help="compare with the Cramer-Rao bound at the S/N of each star; the instrument is that of the survey if not named",
    )
    parser.add_argument(
        "--match-radius",
        type=values.Real(0, 3600, above=True),
        metavar="ARCSEC",
        help="join clusters and further catalogs by position (columns ra and dec), not by file, id or star",
    )
    parser.add_argument(
        "--all", action="store_true", help="also count rows with a bad flag, which are left out otherwise"
    )
    parser.add_argument(
        "--seed", type=values.seed, default=0, help="decides the bootstrap and which unrelated stars are paired"
    )
    add_columns(parser)
    parser.add_argument(
        "--out",
        required=True,
        type=values.path,
        help="folder for validation.csv, tables, figures, metrics.json and report.html",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from tqdm import tqdm

    from ..evaluate.validation.validate_files import validate_files
    from ..files import check_files
    from ..report.validation_report import outputs, write_validation
    from ..tables import Choice

    inputs = [arguments.catalog, arguments.clusters, arguments.pairs, *arguments.second]
    check_files(outputs(arguments.out), inputs)
    with tqdm(unit="spectra", desc="bound", disable=None, leave=False) as bar:
        result = validate_files(
            arguments.catalog,
            labels=arguments.label,
            repeats=arguments.repeats,
            clusters=arguments.clusters,
            pairs=arguments.pairs,
            second=arguments.second,
            bound="" if arguments.bound == SURVEY else arguments.bound,
            match_radius=arguments.match_radius,
            columns=Choice.parse(arguments.columns),
            keep_bad=arguments.all,
            seed=arguments.seed,
            progress=bar.update,
        )
    print(result)
    for path in write_validation(result, arguments.out, arguments.catalog.name):
        print(path)
    return 0
