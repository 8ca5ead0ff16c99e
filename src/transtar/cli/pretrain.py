"""Train a network from random weights on prepared sets."""

from __future__ import annotations

import argparse

from . import arguments as values
from .common import add_training, epoch_bar, given_training, say

HELP = "prepared sets to a model"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--data", required=True, nargs="+", type=values.path, help="prepared sets; only their pool is used"
    )
    parser.add_argument("--label", required=True, type=values.labels, help="labels to predict, such as feh,teff")
    parser.add_argument(
        "--input",
        default="flux",
        metavar="NAME",
        help="what the network takes: flux, another input, or both as flux+NAME",
    )
    parser.add_argument("--out", required=True, type=values.path, help="folder of the model")
    add_training(
        parser,
        "50 if not given",
        "by the number of stars if not given",
        "a tenth if not given; the last weights are averaged",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from ..datasets import join_sets, pool_stars, read_set
    from ..models import check_replaceable, describe_last_step
    from ..train import Pretrain, pretrain

    check_replaceable(arguments.out, arguments.data)
    prepared = join_sets([read_set(path) for path in arguments.data], [str(path) for path in arguments.data])
    stars, counts = pool_stars(prepared, arguments.label, input=arguments.input)
    say(counts)
    settings = Pretrain(seed=arguments.seed, device=arguments.device, **given_training(arguments))
    model = pretrain(stars, settings=settings, progress=epoch_bar("pretrain"))
    model.save(arguments.out)
    print(f"{arguments.out}: {describe_last_step(model)}")
    return 0
