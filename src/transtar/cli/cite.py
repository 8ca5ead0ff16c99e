"""Print BibTeX: of the paper and the software, and of the surveys and label sources that a result used.

What was used is read from what models, catalogs, prepared sets, studies and runs in shards say of themselves. A source for which
transtar knows no citation is told, and stands among the entries as a comment.
"""

from __future__ import annotations

import argparse

HELP = "BibTeX of what a result used"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "result", nargs="?", metavar="MODEL|CATALOG|DIR",
        help="model, catalog, prepared set, study or run in shards; without it, paper and software only",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from ..citing import cite

    print(cite(arguments.result))
    return 0
