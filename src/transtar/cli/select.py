"""Select stars from catalogs by named cuts, count every cut, and write labels, keys and split."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from . import arguments as values
from .common import add_columns, parse_assignments, say

HELP = "select stars from catalogs by named, counted cuts"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    # Without importing what reads them, so that every other verb starts as fast as before.
    names = sorted(path.stem for path in (Path(__file__).parents[1] / "selections").glob("*.yaml"))
    parser.add_argument("selection", metavar="SELECTION", help=f"{', '.join(names)}, or a YAML file")
    parser.add_argument(
        "--catalogs",
        required=True,
        nargs="+",
        metavar="FILE",
        help="catalogs, or folders that hold them, recognised by their content (KIND=FILE names the kind of a file)",
    )
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="settings of the selection to override",
    )
    parser.add_argument(
        "--schema",
        action=values.PrintSchema,
        make=_schema,
        help="print the JSON schema of selection files, for editors",
    )
    add_columns(parser)
    parser.add_argument(
        "--out",
        required=True,
        type=values.path,
        help="table to write (.csv, .parquet or .fits); the counts of the cuts are written next to it",
    )


def _schema() -> dict:
    from ..selections import selection_schema

    return selection_schema()


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from ..catalog.writers import check_suffix
    from ..files import check_files
    from ..report.selection import output_paths, to_text, write_selection
    from ..selections import load_selection, select
    from ..tables import Choice

    # A misspelt name should not cost the reading of gigabytes.
    check_suffix(arguments.out)
    check_files(output_paths(arguments.out).values(), [arguments.selection, *arguments.catalogs])
    selection = load_selection(arguments.selection, parse_assignments(arguments.set))
    columns = Choice.parse(arguments.columns, free=True)
    selected = select(selection, arguments.catalogs, step_bar(), columns)
    columns.require_used(arguments.catalogs)
    for line in selected.lines:
        say(line)
    print(f"{selection.title} ({selection.source})")
    print(to_text(selected.steps), end="")
    paths = write_selection(selected, arguments.out, arguments.selection, arguments.catalogs)
    print(f"{paths['rows']}: {len(selected)} rows; the cuts: {paths['csv']}, {paths['tex']}")
    return 0


def step_bar() -> Callable[[str], None]:
    """A callback that shows what is being done, on a terminal only."""
    from tqdm import tqdm

    bar = tqdm(disable=None, leave=False, bar_format="{desc} ({elapsed})")
    return bar.set_description_str
