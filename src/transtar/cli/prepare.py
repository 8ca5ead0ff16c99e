"""Read native spectra, bring them to the wavelength grid, join labels, and write a prepared set."""

from __future__ import annotations

import argparse
from typing import Any

from ..skipped import Skipped
from . import arguments as values
from .common import (
    add_columns,
    add_quality,
    add_stated,
    add_velocities,
    advance,
    parse_assignments,
    read_stated,
    say,
    say_left_out,
)
from .run_options import add_run, an_executor, asks_for_shards, how_to_run, run_progress

HELP = "turn native spectra into a prepared set"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--survey", required=True, help="survey the spectra come from, such as lamost or miles")
    parser.add_argument(
        "--spectra",
        required=True,
        nargs="+",
        help="files, folders or quoted patterns; @LIST reads them from the lines of a file",
    )
    parser.add_argument(
        "--labels", type=values.path, help="table (CSV, FITS, VOTable, ...) with file or id, and labels"
    )
    parser.add_argument(
        "--match-radius",
        type=values.Real(0, 3600, above=True),
        metavar="ARCSEC",
        help="join labels by position (columns ra and dec), not by file or id",
    )
    parser.add_argument(
        "--split", type=values.path, help="CSV with file or id, and split (pool or test); else all are pool"
    )
    parser.add_argument(
        "--preprocessing",
        type=values.path,
        help="settings as YAML or JSON, or a model, encoder or prepared set to take them from; else the survey's own",
    )
    add_velocities(parser)
    parser.add_argument("--stars", type=values.path, metavar="FILE", help="only spectra of the stars in this table")
    add_stated(parser)
    add_columns(parser)
    add_quality(parser)
    parser.add_argument(
        "--input",
        nargs="+",
        default=[],
        metavar="NAME",
        help="encoders (name or folder) and named inputs whose values are stored with the spectra as these are read",
    )
    add_run(parser, "which resume where they stopped; their shards are kept in SET.shards until the set is complete")
    parser.add_argument("--out", required=True, type=values.path, help="folder of the prepared set")


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from tqdm import tqdm

    from ..datasets import given_table, prepare
    from ..datasets.set_files import SET
    from ..files import check_replaceable
    from ..models import read_preprocessing
    from ..surveys import get_survey
    from ..tables import Choice

    tables = [getattr(arguments, name) for name in ("labels", "split", "stars", "preprocessing")]
    check_replaceable(
        arguments.out, SET, [*arguments.spectra, *tables, *arguments.input, given_table(arguments.velocities)]
    )
    survey = get_survey(arguments.survey)
    settings, thresholds = read_preprocessing(arguments.preprocessing, survey)
    quality = thresholds | parse_assignments(arguments.quality, "--quality")
    given: dict[str, Any] = {
        "quality": quality,
        "labels": arguments.labels,
        "split": arguments.split,
        "velocities": arguments.velocities,
        "stars": arguments.stars,
        "match_radius": arguments.match_radius,
        "columns": Choice.parse(arguments.columns),
        "stated": read_stated(arguments),
        "inputs": arguments.input,
        "threads": arguments.threads,
    }
    if asks_for_shards(arguments):
        with (
            an_executor(arguments.scheduler) as (executor, n),
            run_progress("prepare") as moved,
            Skipped(say) as skipped,
        ):
            how = how_to_run(arguments, executor, n, moved)
            report = prepare(
                survey, arguments.spectra, arguments.out, settings, **given, on_skip=skipped.add, shards=how
            )
        if not report.n_spectra:
            print(report.lines[-1])
            return 0
    else:
        bar = tqdm(unit="spectra", desc="prepare", disable=None, leave=False)
        with Skipped(say) as skipped, bar:
            report = prepare(
                survey, arguments.spectra, arguments.out, settings, **given, on_skip=skipped.add, progress=advance(bar)
            )
    say_left_out(report.left_out)
    for line in report.lines:
        say(line)
    flags = ", ".join(f"{n} {name}" for name, n in report.flags.items()) or "none"
    labels = ", ".join(f"{n} {name}" for name, n in report.labels.items()) or "none"
    print(f"{arguments.out}: {report.n_spectra} spectra; labels: {labels}; flags: {flags}")
    return 0
