"""Saliency of models side by side, and how their label responds to the labels of synthetic spectra (the physical test)."""

from __future__ import annotations

import argparse

from . import arguments as values
from .common import add_encoders, say

HELP = "gradients by wavelength, and the physical test"

REGIMES = ("poor", "rich", "all")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--model", required=True, nargs="+", type=values.path, help="models to compare, by folder or name"
    )
    add_encoders(parser)
    parser.add_argument("--data", required=True, type=values.path, help="prepared set of the stars to examine")
    parser.add_argument("--out", required=True, type=values.path, help="folder for tables and figures")
    parser.add_argument("--label", type=values.label, default="feh", help="label whose prediction is explained")
    parser.add_argument(
        "--regime", default="all", choices=REGIMES, help="stars of the saliency maps, by [Fe/H] of the set"
    )
    parser.add_argument("--split", default="test", choices=("test", "pool", "all"), help="part of the set")
    parser.add_argument(
        "--instrument",
        help="desi, lamost or miles, for the physical test; that of the set's survey if not given",
    )
    parser.add_argument(
        "--lines",
        default="auto",
        help="correction of synthetic lines: a name, a file, none, or auto, which takes that of the mock "
        "stars the first model was trained on",
    )
    parser.add_argument(
        "--stars", type=values.many, default=500, help="largest number of stars in the physical test, drawn at random"
    )
    parser.add_argument("--seed", type=values.seed, default=0, help="decides which stars are drawn")


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from ..explain.from_set import explain_saliency
    from ..explain.text_tables import format_responses, format_shares, format_weights
    from ..report.saliency_figure import draw_saliency

    explained = explain_saliency(
        arguments.model,
        arguments.data,
        arguments.out,
        label=arguments.label,
        regime=arguments.regime,
        split=arguments.split,
        instrument=arguments.instrument,
        lines=arguments.lines,
        n_stars=arguments.stars,
        seed=arguments.seed,
        encoders=arguments.encoder or (),
        say=say,
    )
    print(format_shares(explained.shares))
    if explained.test is not None:
        print(f"\n{format_responses(explained.test.responses)}")
        if arguments.regime in explained.test.weights:
            print(f"\n{format_weights(explained.saliency, explained.test)}")
    draw_saliency(arguments.out, explained.saliency, explained.lines, explained.test)
    print(f"{arguments.out / 'figures'}")
    return 0
