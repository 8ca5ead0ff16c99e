"""Join the shards that `transtar predict` has written into a folder into one catalog.

Rows are in the order of the files, whichever process made the shards and in whatever order; DUPLICATE is set across all of them.
Each shard is compared with its recorded checksum.
"""

from __future__ import annotations

import argparse

from ..skipped import Skipped
from . import arguments as values
from .common import add_catalog, say

HELP = "join the shards of a long run into one catalog"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("folder", type=values.path, metavar="DIR", help="folder of the run")
    add_catalog(parser)
    parser.add_argument(
        "--partial", action="store_true", help="merge the shards that exist, although others are missing"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from ..catalog import merge_shards
    from ..catalog.readme import readme_path, write_readme
    from ..files import check_files

    if arguments.readme:
        check_files([readme_path(arguments.out)], [])
    result = merge_shards(
        arguments.folder,
        arguments.out,
        partial=arguments.partial,
        style=arguments.style,
        calibration=arguments.calibration,
        command=arguments.command,
    )
    if arguments.readme:
        write_readme(arguments.out, result.described, result.n, result.metadata, result.flags)
    with Skipped(say) as skipped:
        for path, why in result.skipped:
            skipped.add(path, why)
    flags = ", ".join(f"{n} {name}" for name, n in result.flags.items()) or "none"
    print(f"{arguments.out}: {result.n} rows of {result.n_shards} shards; flags: {flags}")
    return 0
