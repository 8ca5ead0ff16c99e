"""Run a study: the whole chain from native files to tables, figures and a report."""

from __future__ import annotations

import argparse

from . import arguments as values
from .common import parse_assignments, say

HELP = "run the whole chain from a study file"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("study", metavar="NAME|FILE.yaml", help="a study that ships with transtar, or a study file")
    parser.add_argument(
        "--out", required=True, type=values.path, help="folder for results.csv, tables, figures, report.html"
    )
    parser.add_argument("--scale", help="one of the study's scales, such as small")
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="settings to override, dotted"
    )
    parser.add_argument(
        "--redraw", action="store_true",
        help="draw tables, figures and report again from the results.csv in --out; nothing is trained",
    )  # fmt: skip
    parser.add_argument(
        "--schema", action=values.PrintSchema, make=_schema, help="print the JSON schema of study files, for editors"
    )
    parser.add_argument("--workers", type=values.workers, help="training processes; one per processor if not given")


def _schema() -> dict:
    from ..studies import study_schema

    return study_schema()


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from ..studies import CLOSING, check_out, load_study, redraw, run_study

    if not arguments.redraw:
        check_out(arguments.out, [arguments.study])
    studies = load_study(arguments.study, arguments.scale, parse_assignments(arguments.set))
    if arguments.redraw:
        report = redraw(arguments.out, studies, say)
    else:
        report = run_study(studies, arguments.out, workers=arguments.workers, say=say, name=arguments.study)
    print((arguments.out / CLOSING).read_text(encoding="utf-8"), end="")
    print(f"open {report}")
    return 0
