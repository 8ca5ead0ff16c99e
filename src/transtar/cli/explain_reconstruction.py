"""Compare spectra with an encoder's reconstruction of them: as they would look without noise and instrument."""

from __future__ import annotations

import argparse

from ..checks import MOST_STARS
from . import arguments as values
from .common import say

HELP = "how well an encoder reconstructs spectra"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--model", required=True, type=values.path, help="encoder, by folder or name")
    parser.add_argument("--data", required=True, type=values.path, help="prepared set of the spectra")
    parser.add_argument("--out", required=True, type=values.path, help="folder for reconstruction.csv and figures")
    parser.add_argument("--split", default="test", choices=("test", "pool", "all"), help="part of the set")
    parser.add_argument(
        "--rows",
        nargs="+",
        action="extend",
        type=values.Whole(0, MOST_STARS),
        metavar="ROW",
        help="stars to show, by their row in the set, from 0; up to five. If none is named, three: those at the 16th, 50th and "
        "84th percentile of the rms",
    )
    parser.add_argument("--ids", nargs="+", action="extend", help="stars to show, by identifier, name or file")


def run(arguments: argparse.Namespace) -> int:
    """Run the kind of explanation."""
    from ..explain.reconstruction import TABLE, explain_reconstruction
    from ..explain.text_tables import format_reconstruction
    from ..report.reconstruction_figure import draw_reconstruction
    from ..report.style import save

    reconstruction = explain_reconstruction(
        arguments.model,
        arguments.data,
        arguments.out,
        split=arguments.split,
        rows=arguments.rows or (),
        ids=arguments.ids or (),
        say=say,
    )
    print(format_reconstruction(reconstruction))
    figures = save(draw_reconstruction(reconstruction), arguments.out / "figures", "reconstruction")
    for path in (arguments.out / TABLE, *figures.values()):
        print(path)
    return 0
