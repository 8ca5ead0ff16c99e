"""Adapt a model to another survey with the labelled stars of a prepared set."""

from __future__ import annotations

import argparse
import math
from collections.abc import Collection, Iterator
from typing import Any

from ..glossary import COLUMNS, LABELS, decimals
from . import arguments as values
from .common import (
    TRAINING_OPTIONS,
    add_encoders,
    add_training,
    describe_errors,
    epoch_bar,
    given_training,
    parse_assignments,
    say,
)

HELP = "adapt a model with a few hundred stars"

OPTIONS = TRAINING_OPTIONS | {"end_to_end": "--end-to-end"}
"""Options by the names of the settings that they are."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--model", required=True, type=values.path, help="folder of the model to adapt")
    add_encoders(parser)
    parser.add_argument(
        "--data", required=True, type=values.path, help="prepared set of the new survey; only its pool is used"
    )
    strategy = parser.add_argument(
        "--strategy",
        default="auto",
        help="auto compares them, and the unadapted model, by cross-validation, and takes the simplest of the best",
    )
    # After the argument was added, which would look at them: the registry takes a second to load.
    strategy.choices = _Strategies()
    parser.add_argument(
        "--label",
        type=values.labels,
        help="labels of the set to learn in place of the model's, in the same order, such as mg_fe from a "
        "model of alphafe; by default the model's",
    )
    parser.add_argument("--n", type=values.count, default="all", help="number of stars to use, or all")
    parser.add_argument("--out", required=True, type=values.path, help="folder of the adapted model")
    parser.add_argument(
        "--end-to-end",
        action="store_true",
        help="also train the encoder of a model that takes embeddings; the adapted model takes the flux",
    )
    parser.add_argument(
        "--no-errors",
        action="store_true",
        help="do not calibrate an error for every star, which takes as long as five more trainings",
    )
    parser.add_argument(
        "--label-noise", nargs="+", action="extend", default=[], metavar="LABEL=NUMBER",
        help="1 sigma noise of the set's labels, such as feh=0.08: it is removed from the errors, so that "
             "they refer to the true labels; where it is not given, it stays in them",
    )  # fmt: skip
    add_training(
        parser,
        "200 if not given, 40 from 500 stars on",
        "the strategy's own if not given (full 1e-5, lora and residual 3e-5), three tenths of it for full and lora with "
        "--end-to-end, ten times that from 500 stars on",
        "nothing if not given (the last weights are averaged), a tenth from 500 stars on",
    )


class _Strategies(Collection[str]):
    """What --strategy may be, asked of the registry of strategies when somebody looks."""

    def _names(self) -> list[str]:
        from ..train import command_strategies

        return command_strategies()

    def __contains__(self, name: object) -> bool:
        return name == "auto" or name in self._names()  # the default, for which the registry need not be loaded

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from ..datasets import pool_stars, read_set
    from ..errors import InputError, SettingsError
    from ..models import check_replaceable, describe_last_step, load_models
    from ..preprocess import require_same
    from ..train import Auto, TrainSettings, check_new_labels, finetune, get_strategy, make_strategy, training_input

    kind, is_auto, given = get_strategy(arguments.strategy), arguments.strategy == Auto.name, given_training(arguments)
    given |= {"end_to_end": True} if arguments.end_to_end else {}
    if useless := given.keys() - getattr(kind, "__dataclass_fields__", {}).keys():
        why = "uses each strategy's own settings" if is_auto else "has no such settings"
        options = ", ".join(option for setting, option in OPTIONS.items() if setting in useless)
        raise SettingsError(f"--strategy {arguments.strategy} {why}; leave out {options}")
    noise = _label_noise(arguments)
    check_replaceable(arguments.out, [arguments.model, arguments.data, *(arguments.encoder or ())])
    (model,), _ = load_models(arguments.model, arguments.encoder or ())
    prepared = read_set(arguments.data)
    require_same(model.preprocessing, str(arguments.model), prepared.preprocessing, str(arguments.data))
    labels = model.label_names if arguments.label is None else tuple(arguments.label)
    new_label = labels != model.label_names
    # Before the training, which may take long.
    for label in noise:
        if label not in labels:
            raise SettingsError(f"--label-noise: {label} is not one of the labels learnt: {', '.join(labels)}")
    if not new_label and any(name not in prepared.labels for name in labels):
        raise InputError(
            f"{arguments.data}: has no label {' or '.join(labels)}; it has: {', '.join(prepared.labels) or 'none'}. To learn one "
            f"of these from what {arguments.model} knows, name it with --label"
        )
    if new_label:
        check_new_labels(model, labels)
        say(f"{', '.join(labels)} learnt from what {arguments.model} knows of {', '.join(model.label_names)}")
    if issubclass(kind, TrainSettings | Auto):
        given |= {"device": arguments.device}
    strategy = make_strategy(arguments.strategy, **given)
    stars, counts = pool_stars(
        prepared, labels, arguments.n, arguments.seed, training_input(strategy, model), model.encoders,
        spectra=not arguments.no_errors,
    )  # fmt: skip
    say(counts)
    bar = epoch_bar("cross-validation" if is_auto else arguments.strategy)
    adapted = finetune(model, stars, strategy=strategy, seed=arguments.seed, progress=bar, new_label=new_label)
    if is_auto:
        for line in describe_choice(adapted.provenance[-1]["choice"]):
            say(line)
    if not arguments.no_errors:
        from ..trust import with_errors

        judging = epoch_bar("errors")
        adapted = with_errors(
            adapted, model, stars, strategy, seed=arguments.seed, new_label=new_label, label_noise=noise,
            progress=lambda done, total: judging(done, total, math.nan, math.nan),
        )  # fmt: skip
        for line in describe_errors(adapted):
            say(line)
    adapted.save(arguments.out)
    print(f"{arguments.out}: {describe_last_step(adapted)}")
    return 0


def _label_noise(arguments: argparse.Namespace) -> dict[str, tuple[float, float]]:
    """Noise of labels, that 68 and 95 % are within, of Gaussian ones; refused if no number, or if nothing is done with it."""
    from ..checks import check_real
    from ..errors import SettingsError

    given = parse_assignments(arguments.label_noise, "--label-noise")
    if given and arguments.no_errors:
        raise SettingsError("--label-noise does nothing with --no-errors; leave one out")
    sigma = {label: check_real(value, f"--label-noise {label}", 0.0) for label, value in given.items()}
    return {label: (one, 1.96 * one) for label, one in sigma.items()}


def describe_choice(choice: dict[str, Any]) -> list[str]:
    """Lines on how `auto` has chosen: a table for each label, and the choice."""
    table = choice["table"]
    chosen = next(row for row in table if row["chosen"])
    lines = [f"{choice['n_folds']} folds of {choice['n_stars']} stars, each star judged by fits that have not seen it"]
    for label, of_chosen in chosen["labels"].items():
        unit, digits = COLUMNS[label].unit if label in LABELS else "", decimals(label) + 1
        heading = f"{label} ({unit})" if unit else label
        limit = choice["limits"][label]
        lines.append(
            f"{heading:14s} {'R2':>7s} {'rms':>9s} {'limited':>9s}   limited minus that of {chosen['strategy']}"
        )
        for row in table:
            scores = row["labels"][label]
            if scores["rms"] is None:
                lines.append(f"{row['strategy']:14s} {'failed' if of_chosen['rms'] is not None else 'no label':>7s}")
                continue
            r2 = "" if scores["r2"] is None else f"{scores['r2']:.3f}"
            line = f"{row['strategy']:14s} {r2:>7s} {scores['rms']:9.{digits}f} {scores['limited_rms']:9.{digits}f}"
            if row["chosen"]:
                lines.append(f"{line}   chosen")
            else:
                error = scores["minus_chosen_err"]
                error_text = "" if error is None else f" +- {error:.{digits}f}"
                lines.append(f"{line}   {scores['minus_chosen']:+.{digits}f}{error_text}")
        if limit is not None:
            lines.append(
                f"limited: rms if an error counts up to {limit:.{digits}f}, which decides; differences are paired, star by star"
            )
    lines.append(
        f"chosen: {chosen['strategy']}, the simplest strategy that no other beats by more than the error of the difference"
    )
    return lines
