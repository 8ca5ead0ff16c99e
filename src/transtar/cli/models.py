"""Look at a model: what it predicts, how it was made, and which stars it saw."""

from __future__ import annotations

import argparse
from pathlib import Path

from .common import load_models

HELP = "look at a model on disk"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("action", choices=("show",), help="what to do")
    parser.add_argument("model", type=Path, help="folder of a model")


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    load_models([arguments.model])
    print((arguments.model / "README.md").read_text(encoding="utf-8"))
    return 0
