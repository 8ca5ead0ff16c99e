"""Select stars from catalogs by named cuts, count every cut, and write labels, keys and split."""

from __future__ import annotations

import argparse
from pathlib import Path

from .common import parse_assignments, say

HELP = "stars from catalogs by named, counted cuts"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    # Without importing what reads them, so that every other verb starts as fast as before.
    names = sorted(path.stem for path in (Path(__file__).parents[1] / "labels" / "selections").glob("*.yaml"))
    parser.add_argument("selection", metavar="SELECTION", help=f"{', '.join(names)}, or a YAML file")
    parser.add_argument(
        "--catalogs",
        required=True,
        nargs="+",
        metavar="FILE",
        help="catalogs, or folders that hold them, told apart by content (KIND=FILE says what a file is)",
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
        "--out", required=True, type=Path, help="table to write (.csv, .parquet or .fits); the cuts go beside it"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from .. import __version__
    from ..catalog.writers import check_suffix, write_catalog
    from ..files import write_text
    from ..labels.select import select
    from ..labels.selection import load_selection
    from ..report.cuts import to_csv, to_latex, to_text

    check_suffix(arguments.out)
    selection = load_selection(arguments.selection, parse_assignments(arguments.set))
    selected = select(selection, arguments.catalogs)
    for line in selected.lines:
        say(line)
    print(f"{selection.title} ({selection.source})")
    print(to_text(selected.steps), end="")
    metadata = {
        "transtar": __version__,
        "selection": arguments.selection,
        "title": selection.title,
        "source": selection.source,
        "settings": selection.settings,
        "catalogs": [str(path) for path in arguments.catalogs],
    }
    write_catalog(arguments.out, selected.columns, metadata)
    beside = arguments.out.with_name(f"{arguments.out.stem}-cuts")
    write_text(beside.with_suffix(".csv"), to_csv(selected.steps))
    write_text(beside.with_suffix(".tex"), to_latex(selected.steps, f"{selection.title} ({selection.source})."))
    print(f"{arguments.out}: {len(selected)} rows; cuts in {beside}.csv and .tex")
    return 0
