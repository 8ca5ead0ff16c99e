"""Predict labels for native spectra, or for a prepared set, and write a catalog.

With a folder as --out, a survey or a set is processed in shards, by several processes or jobs. However it was stopped, the same
command resumes it, and `transtar merge` joins the shards into one catalog.
"""

from __future__ import annotations

import argparse

from ..skipped import Skipped
from . import arguments as values
from .common import (
    add_catalog,
    add_columns,
    add_encoders,
    add_quality,
    add_stated,
    add_velocities,
    advance,
    parse_assignments,
    read_stated,
    say,
    say_left_out,
)
from .run_options import add_run, is_folder, refuse_run, run_in_shards

HELP = "turn spectra into a catalog of labels"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--model", required=True, nargs="+", type=values.path, help="models; those of the same label form an ensemble"
    )
    add_encoders(parser)
    parser.add_argument("--survey", help="survey of the native spectra")
    parser.add_argument(
        "--spectra", nargs="+", help="files, folders or quoted patterns; @LIST reads them from the lines of a file"
    )
    parser.add_argument("--data", type=values.path, help="prepared set, instead of native spectra")
    add_velocities(parser)
    parser.add_argument(
        "--stars", type=values.path, metavar="FILE", help="only native spectra of the stars in this table"
    )
    add_stated(parser)
    add_columns(parser)
    add_quality(parser)
    add_run(parser)
    add_catalog(parser, "; or a folder, for a long run in shards")


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from tqdm import tqdm

    from ..catalog import predict_files, predict_set
    from ..catalog.readme import readme_path, write_readme
    from ..errors import SettingsError
    from ..files import check_files
    from ..tables import Choice

    native = arguments.survey is not None or arguments.spectra is not None
    if native == (arguments.data is not None):
        raise SettingsError("give either --survey and --spectra, or --data")
    if native and not (arguments.survey and arguments.spectra):
        raise SettingsError("--survey and --spectra go together")
    for name in ("velocities", "stars", "columns", "medium", "frame", "unit"):
        if not native and getattr(arguments, name):
            raise SettingsError(f"--{name} is for native spectra; of a prepared set (--data) it is decided by prepare")
    quality = parse_assignments(arguments.quality, "--quality")
    if is_folder(arguments.out):
        if not native and arguments.hash:
            raise SettingsError("--hash is for native spectra; a prepared set (--data) has checksums of its own")
        if arguments.readme or arguments.calibration or arguments.style != "transtar":
            raise SettingsError(
                "--readme, --style and --calibration are for the catalog that transtar merge makes of the shards"
            )
        return run_in_shards(arguments, quality)
    refuse_run(arguments)
    if arguments.readme:
        check_files([readme_path(arguments.out)], [])
    if native:
        bar = tqdm(unit="spectra", desc="predict", disable=None, leave=False)
        with Skipped(say) as skipped, bar:
            result = predict_files(
                arguments.model,
                arguments.survey,
                arguments.spectra,
                arguments.out,
                quality=quality,
                stars=arguments.stars,
                velocities=arguments.velocities,
                columns=Choice.parse(arguments.columns),
                stated=read_stated(arguments),
                encoders=arguments.encoder or (),
                threads=arguments.threads,
                style=arguments.style,
                calibration=arguments.calibration,
                command=arguments.command,
                on_skip=skipped.add,
                progress=advance(bar),
            )
    else:
        result = predict_set(
            arguments.model,
            arguments.data,
            arguments.out,
            quality=quality,
            encoders=arguments.encoder or (),
            style=arguments.style,
            calibration=arguments.calibration,
            threads=arguments.threads,
            command=arguments.command,
        )
    if arguments.readme:
        write_readme(arguments.out, result.described, result.n_spectra, result.metadata, result.flags)
    for line in result.lines:
        say(line)
    say_left_out(result.left_out)
    flags = ", ".join(f"{n} {name}" for name, n in result.flags.items()) or "none"
    print(f"{arguments.out}: {result.n_spectra} rows; flags: {flags}")
    return 0
