"""Adapt a model to another survey with the labelled stars of a prepared set."""

from __future__ import annotations

import argparse

from . import arguments as values
from .common import add_training, epoch_bar, given_training, say, training_stars

HELP = "adapt a model with a few hundred stars"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--model", required=True, type=values.path, help="folder of the model to adapt")
    parser.add_argument(
        "--data", required=True, type=values.path, help="prepared set of the new survey; only its pool is used"
    )
    parser.add_argument(
        "--strategy",
        default="auto",
        choices=("residual", "lora", "full", "recalibrate", "auto"),
        help="auto compares them, and leaving the model alone, by cross-validation",
    )
    parser.add_argument("--n", type=values.count, default="all", help="number of stars to use, or all")
    parser.add_argument("--out", required=True, type=values.path, help="folder of the adapted model")
    add_training(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from ..datasets import read_set
    from ..errors import SettingsError
    from ..models import check_replaceable, describe_last_step, load_estimator
    from ..preprocess import require_same
    from ..train import CANDIDATES, choose, finetune, make_strategy

    check_replaceable(arguments.out, [arguments.model, arguments.data])
    model = load_estimator(arguments.model)
    prepared = read_set(arguments.data)
    require_same(model.preprocessing, str(arguments.model), prepared.preprocessing, str(arguments.data))
    stars = training_stars(prepared, model.label_names, arguments.n, arguments.seed)
    given = given_training(arguments)
    if arguments.strategy == "auto":
        if given:
            raise SettingsError(f"--strategy auto uses each strategy's own settings; leave out {', '.join(given)}")
        model, table = choose(model, **stars, candidates=CANDIDATES, seed=arguments.seed)
        for row in table:
            mark = "  <- chosen" if row["chosen"] else ""
            say(f"{row['strategy']:12s} cross-validated loss {row['score']:.4f} +- {row['score_err']:.4f}{mark}")
    else:
        if arguments.strategy != "recalibrate":
            given |= {"device": arguments.device}
        strategy = make_strategy(arguments.strategy, **given)
        model = finetune(model, **stars, strategy=strategy, seed=arguments.seed, progress=epoch_bar(arguments.strategy))
    model.save(arguments.out)
    print(f"{arguments.out}: {describe_last_step(model)}")
    return 0
