"""Align two encoders, of LRS and of Gaia XP spectra, on sets of the same stars, so that their embeddings can be compared.

The encoders stay unchanged; heads on top of them are trained, with torchrun on several devices. After an interruption, the same
command resumes where it stopped.
"""

from __future__ import annotations

import argparse

from . import arguments as values
from .common import (
    add_columns,
    add_training,
    advance,
    draw_run,
    epoch_bar,
    finish_drawing,
    given_settings,
    run_in_processes,
    say,
)

HELP = "align two encoders, so that LRS and XP spectra of a star have similar embeddings"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--lrs", required=True, metavar="ENCODER", help="encoder of LRS spectra: its name or folder")
    parser.add_argument("--xp", required=True, metavar="ENCODER", help="encoder of XP spectra: its name or folder")
    parser.add_argument(
        "--data",
        required=True,
        nargs="+",
        type=values.path,
        metavar="SET",
        help="prepared sets of LRS and of XP spectra; the stars that are in both pools are used",
    )
    parser.add_argument(
        "--variant",
        choices=("base", "pr", "split"),
        default="base",
        help="base compares embeddings; pr also reconstructs and translates spectra; split does so with one "
        "part of the embedding for what both spectra contain and one for the rest",
    )
    parser.add_argument("--size", choices=("small", "paper"), default="small", help="of heads, decoders and training")
    parser.add_argument(
        "--pairs",
        type=values.path,
        metavar="FILE",
        help="table with identifiers of the LRS survey and of Gaia; if not given, the ids of the sets are compared",
    )
    add_columns(parser)
    parser.add_argument(
        "--negatives",
        choices=("all", "process"),
        default="all",
        help="what the partner of a star is contrasted with: all other stars of a batch, or, as in the "
        "public training, all other spectra of its process",
    )
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="other settings of the training: precision=bf16, steps=1000, checkpoint_minutes=5; a wrong key lists them all",
    )
    parser.add_argument(
        "--out", required=True, type=values.path, help="folder of the alignment; OUT.training is written next to it"
    )
    add_training(
        parser,
        "as --size says if not given",
        "as --size says if not given",
        "a tenth if not given",
        "as --size says if not given; over all devices",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the verb, in each of the processes."""
    return run_in_processes(arguments.device, lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    from ..tables.choice import Choice
    from ..train.large.alignment_runs import align_encoders, training_of

    settings = training_of(arguments.size).with_(given_settings(arguments))
    with tqdm(unit="spectra", disable=None, leave=False) as bar:

        def looking(what: str, done: int, total: int) -> None:
            bar.set_description(f"look at {what}", refresh=False)
            advance(bar)(done, total)

        run = align_encoders(
            arguments.lrs, arguments.xp, arguments.data, arguments.out, arguments.variant, arguments.size, settings,
            pairs=arguments.pairs, columns=Choice.parse(arguments.columns), negatives=arguments.negatives, say=say,
            looking=looking, progress=epoch_bar("align", unit="step"),
        )  # fmt: skip
    if run is None:
        return 0
    if run.history is None:
        finish_drawing(run.folder)
        print(f"{arguments.out}: was aligned already, by this very command")
        return 0
    print(f"{arguments.out}: {draw_run(run)}")
    if run.partners:
        n, first = run.partners["n"], (100 * run.partners[name] for name in ("first_xp", "first_lrs"))
        forth, back = first
        print(
            f"of {n} pairs held out, the XP spectrum nearest to the LRS spectrum is its own for {forth:.1f} %, the LRS spectrum "
            f"nearest to the XP spectrum for {back:.1f} % ({100 / n:.1f} % by chance)"
        )
    return 0
