"""Add an encoder's embeddings of the spectra to a prepared set, for networks to use with `--input NAME`.

After an interruption, the same command resumes where it stopped.
"""

from __future__ import annotations

import argparse

from . import arguments as values
from .common import advance

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


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from tqdm import tqdm

    from ..datasets import embed_set

    with tqdm(unit="spectra", desc="embed", disable=None, leave=False) as bar:
        done = embed_set(
            arguments.data, arguments.model, arguments.out, replace=arguments.replace, progress=advance(bar)
        )
    print(f"{arguments.out}: {done}")
    return 0
