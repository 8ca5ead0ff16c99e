"""Add the columns of a table to a catalog, by identifier or by position with proper motions, with every loss counted.

Identifiers are tried in this order: the survey's own (for DESI with SURVEY, PROGRAM and HEALPIX where both tables have them),
source_id, star and file. The first that both tables have and that matches any row is used, and reported. A catalog of the DESI
Milky Way Survey (mwsall-*.fits) adds Gaia DR3's source_id, by which Gaia tables can then be joined. All rows of the catalog stay;
those without a match get NaN, -1 or ''.
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
        help="columns to add; all if not given (of mwsall-*.fits source_id, velocities, parameters; others "
        "as HDU.NAME)",
    )
    parser.add_argument("--inner", action="store_true", help="leave out rows without a match in the table")
    parser.add_argument(
        "--several",
        choices=("take", "drop", "refuse"),
        help="when several different rows of the table match one row: take the first (by position, the "
        "nearest), drop the match, or refuse the join; if not given, refuse by identifier, take by "
        "position",
    )
    parser.add_argument(
        "--suffix",
        help="added to names that the catalog already has, and to labels, which are not predictions; _2 if "
        "not given, _3 in the second join of a catalog, and so on",
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
