"""Add the columns of a table to a catalog, by identifier or by position with proper motions, with every loss counted.

By identifier: the first of the survey's own (of DESI with SURVEY, PROGRAM and HEALPIX where both have them), source_id,
star and file that both tables have and by which any row agrees; it is told which. A catalog of the DESI Milky Way Survey
(mwsall-*.fits) brings Gaia DR3's source_id, by which tables of Gaia are joined then. All rows of the catalog stay; those
without a row in the table have NaN, -1 or ''.
"""

from __future__ import annotations

import argparse

from . import arguments as values
from .common import add_columns, advance, say

HELP = "add the columns of a table to a catalog, by identifier or position"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--catalog", required=True, type=values.path, help="catalog, as written by predict, or any table"
    )
    parser.add_argument("--table", required=True, type=values.path, help="table whose columns are wanted")
    parser.add_argument("--by", choices=("id", "position"), default="id", help="how rows are matched")
    parser.add_argument("--radius", type=values.positive, default=1.0, help="of a match by position, in arcsec")
    parser.add_argument(
        "--take",
        nargs="+",
        metavar="COLUMN",
        help="columns to bring; all if not given (of mwsall-*.fits source_id, velocities, parameters; others as "
        "HDU.NAME)",
    )
    parser.add_argument("--inner", action="store_true", help="leave out rows that have none in the table")
    parser.add_argument(
        "--several",
        choices=("take", "drop", "refuse"),
        help="a row for which the table has several rows that differ: take the first, or by position the nearest; drop: it has "
        "none; refuse the whole; if not given refuse by identifier, take by position",
    )
    parser.add_argument(
        "--suffix",
        help="of names that the catalog has, too, and of labels, which are no predictions; _2 if not given, _3 in the second "
        "join of a catalog, and so on",
    )
    parser.add_argument(
        "--epoch",
        type=values.anything,
        help="Julian year of the catalog's positions; its survey's if not given",
    )
    parser.add_argument(
        "--table-epoch",
        type=values.anything,
        help="Julian year of the table's positions; if not given that of its column ref_epoch or epoch, else 2016 for Gaia DR3 "
        "and 2000 for others",
    )
    add_columns(parser)
    parser.add_argument(
        "--out", required=True, type=values.path, help="catalog: .parquet, .fits, .csv, .ecsv, .vot (VOTable) or .tex"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from tqdm import tqdm

    from ..catalog import join_catalog
    from ..tables import Choice

    with tqdm(unit="rows", desc="join", disable=None, leave=False) as bar:
        joined = join_catalog(
            arguments.catalog,
            arguments.table,
            arguments.out,
            by=arguments.by,
            radius=arguments.radius,
            take=arguments.take,
            inner=arguments.inner,
            several=arguments.several,
            suffix=arguments.suffix,
            epoch=arguments.epoch,
            table_epoch=arguments.table_epoch,
            columns=Choice.parse(arguments.columns) or None,
            progress=advance(bar),
        )
    say(f"joined by {joined.by}")
    renamed = [f"{old} is {new}" for new, old in joined.columns.items() if new != old]
    if renamed:
        say(f"columns of the table under another name: {', '.join(renamed)}")
    print(f"{arguments.out}: {joined}")
    return 0
