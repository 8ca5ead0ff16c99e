"""Predict labels for native spectra, or for a prepared set, and write a catalog."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ..skipped import Skipped
from . import arguments as values
from .common import add_columns, add_stated, load_models, read_stated, say, say_left_out

HELP = "spectra to a catalog of labels"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--model", required=True, nargs="+", type=values.path, help="models; those of the same label form an ensemble"
    )
    parser.add_argument("--survey", help="survey of the native spectra")
    parser.add_argument("--spectra", nargs="+", help="files, folders or quoted patterns")
    parser.add_argument("--data", type=values.path, help="prepared set, instead of native spectra")
    parser.add_argument(
        "--velocities", metavar="FILE[:COLUMN]", help="radial velocities in km/s to use instead of the survey's"
    )
    parser.add_argument(
        "--stars", type=values.path, metavar="FILE", help="only native spectra of the stars in this table"
    )
    add_stated(parser)
    add_columns(parser)
    parser.add_argument("--out", required=True, type=values.path, help="catalog: .parquet, .fits or .csv")


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from ..catalog import CatalogWriter, check_suffix, predict_batches
    from ..datasets import tell_no_velocities
    from ..errors import InputError, MismatchError, SettingsError
    from ..files import check_files
    from ..flags import count
    from ..models import check_ensemble
    from ..surveys import get_survey

    native = arguments.survey is not None or arguments.spectra is not None
    if native == (arguments.data is not None):
        raise SettingsError("give either --survey and --spectra, or --data")
    if native and not (arguments.survey and arguments.spectra):
        raise SettingsError("--survey and --spectra go together")
    for name in ("velocities", "stars", "columns", "medium", "frame", "unit"):
        if not native and getattr(arguments, name):
            raise SettingsError(f"--{name} is for native spectra; of a prepared set (--data) it is decided by prepare")
    check_suffix(arguments.out)
    # Before the work, and as itself: a catalog may take hours, and must not be written over what it is made from.
    check_files(
        [arguments.out],
        [*arguments.model, arguments.data, *(arguments.spectra or ()), arguments.stars, arguments.velocities],
    )
    models = load_models(arguments.model)
    check_ensemble(models, [str(path) for path in arguments.model], same_labels=False)
    if native and models[0].preprocessing is None:
        raise MismatchError(
            f"{arguments.model[0]}: has no preprocessing, so its inputs are no spectra of a survey; "
            "predict from Python with the inputs that it was trained on"
        )
    skipped = Skipped(say)
    left_out: dict[str, int] = {}
    batches = _native(arguments, models[0], skipped, left_out) if native else _prepared(arguments, models[0])
    metadata = {
        "models": [str(path) for path in arguments.model],
        "provenance": [list(model.provenance) for model in models],
    }
    n = 0
    flags: dict[str, int] = {}
    with skipped, CatalogWriter(arguments.out, metadata) as writer:
        for columns in predict_batches(models, batches):
            writer.append(columns)
            n += len(columns["flags"])
            for name, found in count(columns["flags"]).items():
                flags[name] = flags.get(name, 0) + found
        if not n:
            raise InputError("no spectrum could be used, so no catalog was written")
    if native:
        tell_no_velocities(get_survey(arguments.survey), flags, n)
    say_left_out(left_out)
    print(f"{arguments.out}: {n} rows; flags: {', '.join(f'{k} {name}' for name, k in flags.items()) or 'none'}")
    return 0


def _native(arguments, model, skipped: Skipped, left_out: dict[str, int]) -> Iterator[tuple]:
    from tqdm import tqdm

    from ..datasets import grid_spectra
    from ..datasets.defaults import fast_line, require_fit, require_moving
    from ..labels import StarList, VelocityReport, read_velocities
    from ..preprocess import too_fast
    from ..surveys import find_files, find_star_files, get_survey, stream
    from ..tables import Choice

    columns = Choice.parse(arguments.columns)
    stated = read_stated(arguments)
    require_moving(stated, arguments.velocities)
    survey = get_survey(arguments.survey).stating(replace(stated, columns=columns))
    how: dict[str, Any] = {"columns": columns, "ids": survey.id_columns}
    wanted = None if arguments.stars is None else StarList.read(arguments.stars, **how)
    velocities = None if arguments.velocities is None else read_velocities(arguments.velocities, **how)
    tables = [table for table in (arguments.stars, arguments.velocities) if table is not None]
    columns.require_used(tables, survey.columns_of_spectra)
    settings = model.preprocessing
    require_fit(survey, settings)
    with tqdm(unit="spectra", desc="predict", disable=None, leave=False) as bar:

        def leave_out(_, counts: dict[str, int]) -> None:
            for reason, n in counts.items():
                left_out[reason] = left_out.get(reason, 0) + n

        if wanted is None:
            files = find_files(survey, arguments.spectra)
        else:
            files = find_star_files(survey, arguments.spectra, wanted.table, skipped.add)
        bar.total = len(files)
        report = VelocityReport()
        n_fast = 0
        batches = stream(
            survey,
            files,
            2048,
            on_error=skipped.add,
            on_left_out=leave_out,
            keep=None if wanted is None else wanted.wanted,
        )
        for batch, spectra in grid_spectra(
            batches, survey, settings, velocity_table=velocities, velocity_report=report, on_error=skipped.add
        ):
            n_fast += too_fast(batch, settings)
            yield batch, spectra
            bar.update(len(batch))
        columns.require_used([*tables, *arguments.spectra])
        if wanted is not None:
            wanted.require_match()
            say(str(wanted))
        if velocities is not None:
            report.require_match(arguments.velocities)
            say(str(report))
        for line in fast_line(n_fast):
            say(line)


def _prepared(arguments, model) -> Iterator[tuple]:
    from ..datasets import stream_set
    from ..preprocess import require_same

    for part in stream_set(arguments.data):
        require_same(model.preprocessing, str(arguments.model[0]), part.preprocessing, str(arguments.data))
        yield part.columns, part.grid_spectra()
