"""Add an encoder's embeddings of the spectra to a prepared set, for networks to use with `--input NAME`.

After an interruption, the same command resumes where it stopped. Several processes or jobs share the work if an option for long
runs is given.
"""

from __future__ import annotations

import argparse

from . import arguments as values
from .common import advance
from .run_options import add_run, an_executor, asks_for_shards, how_to_run, run_progress

HELP = "add the embeddings of an encoder to a prepared set, resumable"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--model", required=True, metavar="ENCODER", help="the encoder: its name or folder, or that of an alignment"
    )
    parser.add_argument("--data", required=True, type=values.path, help="prepared set")
    parser.add_argument(
        "--out",
        required=True,
        type=values.path,
        help="the same folder, or that of a new set, which shares the spectra",
    )
    parser.add_argument(
        "--replace", action="store_true", help="replace an input of the same name made by another encoder"
    )
    add_run(
        parser,
        "which go on where they stopped; their shards lie in SET.ENCODER.shards until the set has the input",
        False,
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from tqdm import tqdm

    from ..datasets import embed_set

    if asks_for_shards(arguments) or arguments.threads is not None:
        with an_executor(arguments.scheduler) as (executor, n), run_progress("embed", "shard") as moved:
            how = how_to_run(arguments, executor, n, moved)
            done = embed_set(arguments.data, arguments.model, arguments.out, replace=arguments.replace, shards=how)
        # A line of a set that lacks shards begins with its name.
        print(done if done.startswith(f"{arguments.out}: ") else f"{arguments.out}: {done}")
        return 0
    with tqdm(unit="spectra", desc="embed", disable=None, leave=False) as bar:
        done = embed_set(
            arguments.data, arguments.model, arguments.out, replace=arguments.replace, progress=advance(bar)
        )
    print(f"{arguments.out}: {done}")
    return 0
