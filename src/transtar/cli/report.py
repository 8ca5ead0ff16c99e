"""Make a page to look into a catalog: one HTML file with plots that are linked by selection, for a browser without network.

With a prepared set it has spectra, what the emulator makes of the labels, and labelled stars like each star; with models the
gradients of their labels. What a catalog lacks is left out, and the page says so. Needs the extra 'report' (Bokeh).
"""

from __future__ import annotations

import argparse

from . import arguments as values
from .common import add_columns, add_encoders

HELP = "a page to look into a catalog, star by star"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--catalog", required=True, type=values.path, help="catalog as written by predict, or any with labels"
    )
    parser.add_argument("--data", type=values.path, help="prepared set that has the spectra")
    parser.add_argument(
        "--labels",
        type=values.path,
        help="reference labels: CSV, FITS, VOTable or parquet; those of the set if not given",
    )
    parser.add_argument(
        "--model",
        nargs="+",
        action="extend",
        default=[],
        type=values.path,
        help="models, by name or folder, whose gradients are shown; of several for one label the mean",
    )
    parser.add_argument(
        "--labelled",
        type=values.path,
        help="prepared set whose labelled stars stand beside each star; --data if not given",
    )
    parser.add_argument(
        "--stars",
        nargs="+",
        action="extend",
        default=[],
        metavar="STAR",
        help="identifiers, names or files of stars whose spectra are wanted in any case",
    )
    parser.add_argument(
        "--spectra",
        type=values.many,
        default=500,
        help="stars with spectra at most: those of --stars, flagged ones, the worst, and some at random",
    )
    parser.add_argument(
        "--rows",
        type=values.many,
        default=100_000,
        help="rows of the catalog shown at most; of more a sample at random",
    )
    parser.add_argument("--seed", type=values.seed, default=0, help="decides what is drawn at random")
    parser.add_argument(
        "--title", default="", type=values.any_text, help="title of the page; the catalog's name if not given"
    )
    add_columns(parser)
    add_encoders(parser)
    parser.add_argument("--out", required=True, type=values.path, help="page: .html")


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from ..explain.inspected import PARTS
    from ..report.interactive import report_catalog
    from ..tables import Choice
    from .common import say

    inspected = report_catalog(
        arguments.catalog,
        arguments.out,
        data=arguments.data,
        labels=arguments.labels,
        models=arguments.model,
        title=arguments.title,
        labelled=arguments.labelled,
        stars=arguments.stars,
        most=arguments.spectra,
        most_rows=arguments.rows,
        seed=arguments.seed,
        columns=Choice.parse(arguments.columns) or None,
        encoders=arguments.encoder or (),
    )
    for part, why in inspected.absent.items():
        say(f"left out: {PARTS[part]}; {why}")
    for note in inspected.notes:
        say(note)
    spectra = 0 if inspected.spectra is None else len(inspected.spectra.rows)
    print(f"{arguments.out}: {len(inspected.columns['flags']):,} of {inspected.n_rows:,} rows, {spectra:,} spectra")
    return 0
