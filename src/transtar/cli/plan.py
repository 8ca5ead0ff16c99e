"""Choose the stars of a prepared set to label next: those that best represent all others, by the labels that models predict."""

from __future__ import annotations

import argparse

from . import arguments as values
from .common import add_columns, add_encoders, say

HELP = "choose which stars of a prepared set to label next"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--data", required=True, type=values.path, help="prepared set; stars of its pool are chosen")
    parser.add_argument("--n", required=True, type=values.many, help="number of stars to choose")
    parser.add_argument(
        "--model",
        nargs="+",
        type=values.path,
        help="models whose labels are used to compare stars; those of the same label form an ensemble; "
        "mock-feh, mock-teff and mock-logg if not given",
    )
    add_encoders(parser)
    parser.add_argument(
        "--known",
        type=values.path,
        metavar="FILE",
        help="table of stars that already have a label: neither they nor the stars that they represent are chosen",
    )
    add_columns(parser)
    parser.add_argument("--seed", type=values.seed, default=0, help="decides the choice among equally good ones")
    parser.add_argument(
        "--out", required=True, type=values.path, help="table: .parquet, .fits, .csv, .ecsv, .vot or .tex"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from ..catalog import plan_stars
    from ..catalog.next_stars import MODELS
    from ..glossary import POOR_BELOW
    from ..tables import Choice

    plan = plan_stars(
        arguments.data,
        arguments.n,
        arguments.out,
        models=arguments.model or MODELS,
        known=arguments.known,
        columns=Choice.parse(arguments.columns) or None,
        encoders=arguments.encoder or (),
        seed=arguments.seed,
    )
    if plan.reasons:
        say(f"spectra left out: {plan.reasons}")
    feh = plan.columns.get("feh")
    poor = "" if feh is None else f"; {int((feh < POOR_BELOW).sum())} with a predicted [Fe/H] below {POOR_BELOW:g}"
    print(f"{arguments.out}: {arguments.n} of {plan.n_candidates} stars{poor}")
    return 0
