"""Train a network from random weights on prepared sets: one that predicts labels, or an encoder that makes embeddings.

An encoder is trained without labels, with torchrun on several devices; after an interruption, the same command resumes where it
stopped.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace

from ..errors import SettingsError
from . import arguments as values
from .common import add_training, describe_errors, epoch_bar, given_training, say

HELP = "train a model, or an encoder, on prepared sets"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--data", required=True, nargs="+", type=values.path, help="prepared sets; only their pool is used"
    )
    made = parser.add_mutually_exclusive_group(required=True)
    made.add_argument("--label", type=values.labels, help="labels to predict, such as feh,teff")
    made.add_argument(
        "--encoder",
        choices=("lrs", "xp"),
        help="train an encoder: a transformer of spectra of low resolution, or an autoencoder of Gaia XP spectra",
    )
    parser.add_argument(
        "--input",
        metavar="NAME",
        help="with --label, what the network takes: flux, another input, or both as flux+NAME; flux if not given",
    )
    parser.add_argument(
        "--size",
        choices=("small", "paper"),
        help="with --encoder, of its network and training; small if not given",
    )
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE",
        help="with --encoder, other settings: accumulate=4, precision=bf16, steps=1000, checkpoint_minutes=5, network.width=96; "
        "a wrong key lists them all",
    )  # fmt: skip
    parser.add_argument(
        "--out",
        required=True,
        type=values.path,
        help="folder of the model, or of the encoder; OUT.training is written next to the latter",
    )
    add_training(
        parser,
        "50 if not given, of an encoder as --size says",
        "if not given by the number of stars, of an encoder as --size says",
        "a tenth if not given; the last weights are averaged",
        "32 if not given, of an encoder as --size says; over all devices",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    _check_together(arguments)
    if arguments.encoder is not None:
        from .pretrain_encoder import run_encoder

        return run_encoder(arguments)
    return run_labels(arguments)


def _check_together(arguments: argparse.Namespace) -> None:
    """Refuse options of the other kind of training."""
    option, of_other = ("--encoder", ("input",)) if arguments.encoder is not None else ("--label", ("size", "set"))
    for name in of_other:
        if getattr(arguments, name):
            raise SettingsError(f"--{name} does nothing with {option}; leave it out")


def run_labels(arguments: argparse.Namespace) -> int:
    """Train a network that predicts labels.

    Raises
    ------
    SettingsError
        If torchrun has started several processes, each of which would train the same.
    """
    from ..datasets import join_sets, pool_stars, read_set
    from ..models import check_replaceable, describe_last_step
    from ..train import Pretrain, pretrain
    from ..trust import with_validation_errors

    if "RANK" in os.environ and os.environ.get("WORLD_SIZE", "1") != "1":
        raise SettingsError("a network of labels is trained by one process; give the command without torchrun")
    check_replaceable(arguments.out, arguments.data)
    prepared = join_sets([read_set(path) for path in arguments.data], [str(path) for path in arguments.data])
    stars, counts = pool_stars(prepared, arguments.label, input=arguments.input or "flux", spectra=True)
    say(counts)
    settings = Pretrain(seed=arguments.seed, device=arguments.device, **given_training(arguments))
    # The training needs no more than the inputs, of which it makes copies.
    model = pretrain(replace(stars, spectra=None), settings=settings, progress=epoch_bar("pretrain"))
    model = with_validation_errors(model, stars)
    for line in describe_errors(model):
        say(line)
    model.save(arguments.out)
    print(f"{arguments.out}: {describe_last_step(model)}")
    return 0
