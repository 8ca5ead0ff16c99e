"""Predict XP spectra from LRS spectra of the same stars and the other way round, and compare them with those observed."""

from __future__ import annotations

import argparse

from . import arguments as values
from .common import add_columns, say

HELP = "errors of spectra that an alignment predicts"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--model", required=True, type=values.path, help="folder of an alignment, of variant pr or split"
    )
    parser.add_argument(
        "--data", required=True, nargs=2, type=values.path, metavar="SET", help="prepared sets of LRS and of XP spectra"
    )
    parser.add_argument("--out", required=True, type=values.path, help="folder for translation.csv and figures")
    parser.add_argument(
        "--pairs",
        type=values.path,
        metavar="FILE",
        help="table with identifiers of the LRS survey and of Gaia; if not given, the ids of both sets are compared",
    )
    add_columns(parser)
    parser.add_argument("--split", default="test", choices=("test", "pool", "all"), help="part of each set")


def run(arguments: argparse.Namespace) -> int:
    """Run the kind of explanation."""
    from ..explain.translation import TABLE, explain_translation, format_translations
    from ..report.style import save
    from ..report.translation_figure import draw_translations
    from ..tables.choice import Choice

    translations = explain_translation(
        arguments.model, arguments.data, arguments.out, split=arguments.split, pairs=arguments.pairs,
        columns=Choice.parse(arguments.columns), say=say,
    )  # fmt: skip
    print(format_translations(translations))
    figures = save(draw_translations(translations), arguments.out / "figures", "translation")
    for path in (arguments.out / TABLE, *figures.values()):
        print(path)
    return 0
