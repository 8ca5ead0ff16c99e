"""Show the spectra of a set that look least like ordinary stars with their predicted labels, next to model spectra."""

from __future__ import annotations

import argparse

from . import arguments as values

HELP = "spectra that do not look like the model spectra of their labels"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--model",
        required=True,
        nargs="+",
        action="extend",
        type=values.path,
        help="models of the labels, by name or folder",
    )
    parser.add_argument("--data", required=True, type=values.path, help="prepared set of the spectra")
    parser.add_argument("--out", required=True, type=values.path, help="folder for misfits.csv and figures")
    parser.add_argument(
        "--worst", type=values.Whole(1, 100), default=20, help="how many spectra are drawn; the table lists all"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the kind of explanation."""
    from ..explain.worst_misfits import TABLE, explain_misfits
    from ..report.misfit_figure import draw_misfits
    from ..report.style import save

    misfits = explain_misfits(arguments.model, arguments.data, arguments.out, worst=arguments.worst)
    figures = save(draw_misfits(misfits), arguments.out / "figures", "misfits")
    for path in (arguments.out / TABLE, *figures.values()):
        print(path)
    return 0
