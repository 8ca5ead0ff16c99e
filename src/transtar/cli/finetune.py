"""Adapt a model to another survey with the labelled stars of a prepared set."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterator

from . import arguments as values
from .common import add_training, epoch_bar, given_training, say

HELP = "adapt a model with a few hundred stars"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--model", required=True, type=values.path, help="folder of the model to adapt")
    parser.add_argument(
        "--data", required=True, type=values.path, help="prepared set of the new survey; only its pool is used"
    )
    strategy = parser.add_argument(
        "--strategy", default="auto", help="auto compares them, and leaving the model alone, by cross-validation"
    )
    # After the argument was added, which would look at them: the registry takes a second to load.
    strategy.choices = _Strategies()
    parser.add_argument(
        "--label",
        type=values.labels,
        help="labels of the set to learn in the places of the model's, one for one in its order, such as mg_fe from a model of "
        "alphafe; by default the model's",
    )
    parser.add_argument("--n", type=values.count, default="all", help="number of stars to use, or all")
    parser.add_argument("--out", required=True, type=values.path, help="folder of the adapted model")
    add_training(parser)


class _Strategies(Collection[str]):
    """What --strategy may be, asked of the registry of strategies when somebody looks."""

    def _names(self) -> list[str]:
        from ..train import command_strategies

        return [*command_strategies(), "auto"]

    def __contains__(self, name: object) -> bool:
        return name == "auto" or name in self._names()

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from ..datasets import pool_stars, read_set
    from ..errors import InputError, SettingsError
    from ..models import check_replaceable, describe_last_step, load_estimator
    from ..preprocess import require_same
    from ..train import TrainSettings, check_new_labels, choose, finetune, get_strategy, make_strategy

    check_replaceable(arguments.out, [arguments.model, arguments.data])
    model = load_estimator(arguments.model)
    prepared = read_set(arguments.data)
    require_same(model.preprocessing, str(arguments.model), prepared.preprocessing, str(arguments.data))
    labels = model.label_names if arguments.label is None else tuple(arguments.label)
    new_label = labels != model.label_names
    if not new_label and any(name not in prepared.labels for name in labels):
        raise InputError(
            f"{arguments.data}: has no label {' or '.join(labels)}; it has: {', '.join(prepared.labels) or 'none'}. To learn one "
            f"of these from what {arguments.model} knows, name it with --label"
        )
    if new_label:
        check_new_labels(model, labels)
        say(f"{', '.join(labels)} learnt from what {arguments.model} knows of {', '.join(model.label_names)}")
    stars, counts = pool_stars(prepared, labels, arguments.n, arguments.seed, model.input)
    say(counts)
    given = given_training(arguments)
    if arguments.strategy == "auto":
        if given:
            raise SettingsError(f"--strategy auto uses each strategy's own settings; leave out {', '.join(given)}")
        model, table = choose(model, stars, seed=arguments.seed, new_label=new_label)
        for row in table:
            mark = "  <- chosen" if row["chosen"] else ""
            say(f"{row['strategy']:12s} cross-validated loss {row['score']:.4f} +- {row['score_err']:.4f}{mark}")
    else:
        if issubclass(get_strategy(arguments.strategy), TrainSettings):
            given |= {"device": arguments.device}
        strategy = make_strategy(arguments.strategy, **given)
        bar = epoch_bar(arguments.strategy)
        model = finetune(model, stars, strategy=strategy, seed=arguments.seed, progress=bar, new_label=new_label)
    model.save(arguments.out)
    print(f"{arguments.out}: {describe_last_step(model)}")
    return 0
