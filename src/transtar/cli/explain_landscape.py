"""Compute and draw the loss around the fine-tuned weights of models, over planes along random directions."""

from __future__ import annotations

import argparse

from ..checks import MOST_PLANES
from . import arguments as values
from .common import add_encoders, say

HELP = "the loss around the fine-tuned weights"

REGIMES = ("poor", "rich", "all")

MOST_POINTS = 1001


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--model", required=True, nargs="+", type=values.path, help="models to compare, by folder or name"
    )
    add_encoders(parser)
    parser.add_argument("--data", required=True, type=values.path, help="prepared set with labels")
    parser.add_argument(
        "--out", required=True, type=values.path, help="folder for landscape.npz, landscape.csv and figures"
    )
    parser.add_argument("--label", type=values.label, default="feh", help="label whose mean squared error is computed")
    parser.add_argument("--regime", default="poor", choices=REGIMES, help="stars to take, by [Fe/H] of the set")
    parser.add_argument("--split", default="test", choices=("test", "pool", "all"), help="part of the set")
    parser.add_argument(
        "--base", type=values.path, help="model before fine-tuning, whose loss is shown where all weights have changed"
    )
    parser.add_argument(
        "--seeds", type=values.Whole(1, MOST_PLANES), default=5, help="planes, of two random directions each"
    )
    parser.add_argument(
        "--points", type=values.Whole(3, MOST_POINTS), default=21, help="points along each direction; odd"
    )
    parser.add_argument(
        "--extent", type=values.positive, default=3.0, help="furthest step, in lengths of each filter of weights"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the kind of explanation."""
    from ..explain.from_set import explain_landscape
    from ..explain.text_tables import format_landscapes
    from ..report.landscape_figure import draw_landscapes
    from ..report.style import save

    landscapes, written = explain_landscape(
        arguments.model,
        arguments.data,
        arguments.out,
        label=arguments.label,
        regime=arguments.regime,
        split=arguments.split,
        base=arguments.base,
        n_seeds=arguments.seeds,
        n_points=arguments.points,
        extent=arguments.extent,
        encoders=arguments.encoder or (),
        say=say,
    )
    figures = save(draw_landscapes(landscapes), arguments.out / "figures", "landscape")
    print(format_landscapes(landscapes))
    for path in (*written, *figures.values()):
        print(path)
    return 0
