"""Find the spectra of a prepared set whose embeddings are most similar to those of a query, by their cosine.

All are compared, block by block. A spectrum is never its own neighbour. With an alignment, spectra of one kind find those of the
other.
"""

from __future__ import annotations

import argparse

from . import arguments as values
from .common import add_columns, add_stated, add_velocities, advance, read_stated

HELP = "the most similar spectra of a prepared set, by their embeddings"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--model", required=True, metavar="ENCODER", help="the encoder: its name or folder, or that of an alignment"
    )
    parser.add_argument("--data", required=True, type=values.path, help="prepared set that is searched")
    parser.add_argument(
        "--query",
        required=True,
        metavar="SET|SET:ROW|FILE|FILE:ROW|ID",
        help="all spectra of a prepared set, or one of them; the spectrum of a native file, or one of "
        "several (rows count from 0); or the identifier of a spectrum in --data",
    )
    parser.add_argument("--top", type=values.many, default=10, help="neighbours of each query")
    parser.add_argument("--survey", help="survey of a native file")
    add_velocities(parser)
    add_stated(parser)
    add_columns(parser)
    parser.add_argument(
        "--out", required=True, type=values.path, help="table: .parquet, .fits, .csv, .ecsv, .vot or .tex"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from tqdm import tqdm

    from ..catalog import search_set
    from ..tables import Choice

    with tqdm(unit="spectra", desc="search", disable=None, leave=False) as bar:
        result = search_set(
            arguments.model,
            arguments.data,
            arguments.query,
            arguments.top,
            arguments.out,
            survey=arguments.survey,
            velocities=arguments.velocities,
            columns=Choice.parse(arguments.columns) or None,
            stated=read_stated(arguments),
            progress=advance(bar),
        )
    print(
        f"{arguments.out}: {result.n_rows} neighbours of {result.n_queries} queries among {result.n_searched} spectra"
    )
    return 0
