"""Arguments and small helpers that several verbs share."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable
from math import isfinite
from pathlib import Path
from typing import Any

from ..checks import MOST_EPOCHS
from ..errors import InputError, SettingsError, printable, shown
from ..progress import advance as advance
from ..telling import note
from . import arguments as values

TRAINING_OPTIONS = {
    "epochs": "--epochs",
    "learning_rate": "--lr",
    "batch_size": "--batch-size",
    "validation_fraction": "--validation-fraction",
}
"""The option of each training setting, by its name in the settings classes."""


def say(text: str) -> None:
    """Tell the user something on standard error, so that standard output stays for results; a log has it, too."""
    print(printable(text), file=sys.stderr, flush=True)
    note(text)


def say_left_out(counts: dict[str, int]) -> None:
    """Tell how many rows of the files were no spectra of targets, and why; nothing if there were none."""
    if counts:
        reasons = ", ".join(f"{n} {reason}" for reason, n in counts.items())
        say(f"{sum(counts.values())} rows left out, which are no spectra of targets: {reasons}")


LINE_EVERY = 20.0
"""Seconds between two lines of a training in a log."""


def epoch_bar(description: str, unit: str = "epoch"):
    """A callback ``(epoch, n_epochs, training_loss, validation_loss)`` that draws a progress bar.

    Where there is no terminal it says a line every `LINE_EVERY` seconds.
    """
    from tqdm import tqdm

    terminal = sys.stderr.isatty()
    bar = tqdm(desc=description, unit=unit, disable=not terminal, leave=False)
    started = last = time.monotonic()

    def show(epoch: int, n_epochs: int, training_loss: float, validation_loss: float) -> None:
        nonlocal last
        bar.total = n_epochs
        losses = {"validation": validation_loss, "training": training_loss}
        known = next((f"{name} loss {loss:.4f}" for name, loss in losses.items() if isfinite(loss)), "")
        if known:
            bar.set_postfix_str(known, refresh=False)
        bar.update(epoch - bar.n)
        if epoch >= n_epochs:
            bar.close()
        now = time.monotonic()
        if not terminal and now - last > LINE_EVERY:
            last = now
            say(f"{description}: {epoch} of {n_epochs} {unit}s in {now - started:.0f} s")

    return show


def describe_errors(model: Any) -> list[str]:
    """A line for each label whose errors are known star by star: on how many stars they were calibrated, and how they hold."""
    lines = []
    for label, table in model.error_tables.items():
        for rows in table.coverage.values():
            (whole,) = (row for row in rows if row["bin"] == "all")
            lines.append(
                f"{label}: errors star by star of {table.n} stars ({table.stars}): {whole['within_68']:.0%} within {label}_err, "
                f"{whole['width']:.3g} on the average, {whole['within_95']:.0%} within {label}_lo to _hi"
            )
    return lines


def add_catalog(parser: argparse.ArgumentParser, more: str = "") -> None:
    """Add --out of a catalog, and how it is written."""
    kinds = "catalog: .parquet, .fits, .csv, .ecsv, .vot (VOTable) or .tex"
    parser.add_argument("--out", required=True, type=values.path, help=f"{kinds}{more}")
    parser.add_argument(
        "--style",
        choices=("transtar", "desi", "vizier"),
        default="transtar",
        help="naming style of the columns; desi is for DESI spectra only",
    )
    parser.add_argument(
        "--calibration",
        metavar="NAME",
        help="calibrated [Fe/H] beside the raw one, as feh_cal: koposov2025-sp, koposov2025-rvs, or a file of transtar "
        "calibrate; needs feh, teff and logg",
    )
    parser.add_argument(
        "--readme",
        action="store_true",
        help="also write a page that describes the catalog, such as stars.README.md: columns, flags, models",
    )


def parse_assignments(texts: Iterable[str], option: str = "--set") -> dict[str, Any]:
    """Turn ``key=value`` texts of an option into a dictionary; values are read as YAML, keys may be dotted.

    Raises
    ------
    SettingsError
        If a text has no ``=``, a value is not YAML, or a key comes twice.
    """
    from ..plain_yaml import parse_yaml

    settings: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        key = key.strip()
        if not equals or not all(part.strip() for part in key.split(".")):
            raise SettingsError(f"{option} takes key=value, not '{shown(text)}'")
        if key in settings:
            raise SettingsError(f"{option}: {shown(key)} is given twice")
        try:
            settings[key] = parse_yaml(value, f"{option} {shown(key)}")
        except InputError as error:
            raise SettingsError(str(error)) from None
    return settings


def add_velocities(parser: argparse.ArgumentParser) -> None:
    """The argument of every verb that brings native spectra to the rest frame."""
    parser.add_argument(
        "--velocities",
        metavar="FILE[:COLUMN]|measure",
        help="radial velocities in km/s to use instead of the survey's; 'measure' measures them from the spectra",
    )


def add_encoders(parser: argparse.ArgumentParser) -> None:
    """The argument of every verb that takes models, which may need encoders."""
    parser.add_argument(
        "--encoder",
        nargs="+",
        type=values.path,
        metavar="FOLDER",
        help="where to find an encoder that a model needs, if it has moved since the training",
    )


def add_columns(parser: argparse.ArgumentParser) -> None:
    """The argument of every verb that reads a table."""
    parser.add_argument(
        "--columns",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=COLUMN",
        help="which column is which, where names are unknown or ambiguous: feh=FE_H id=recno flux=FLUX_CAL; "
        "for tables, and for spectra of the survey generic",
    )


def add_quality(parser: argparse.ArgumentParser) -> None:
    """Thresholds of the flags."""
    parser.add_argument(
        "--quality",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=VALUE",
        help="thresholds of the flags: snr=10 good_fraction=0.6 hot=7500 (K) gate=0.8 doubt=0.2 misfit=5.5 if not given",
    )


def add_stated(parser: argparse.ArgumentParser) -> None:
    """What files of spectra do not say of themselves."""
    parser.add_argument(
        "--medium", choices=("air", "vacuum"), help="medium of the wavelengths, if the files do not state it"
    )
    parser.add_argument(
        "--frame",
        choices=("observed", "rest"),
        help="frame of the wavelengths, if the files do not state it; observed if not given",
    )
    parser.add_argument(
        "--unit",
        help="unit of the wavelengths, if the files do not state it: A (if not given), nm, um, m, Hz, 1/cm, eV, "
        "'log10(Angstrom)'",
    )


def read_stated(arguments: argparse.Namespace):
    """What `add_stated` was given, for `transtar.datasets.prepare`.

    Raises
    ------
    SettingsError
        If the unit is not a unit of wavelength.
    """
    from ..surveys import Stated

    return Stated(arguments.medium or "", arguments.frame or "", arguments.unit or "")


def add_training(
    parser: argparse.ArgumentParser, epochs: str, rate: str, held_out: str, batch: str = "32 if not given"
) -> None:
    """Arguments of every verb that trains; the texts say what is taken where an option is not given."""
    parser.add_argument("--epochs", type=values.Whole(1, MOST_EPOCHS), help=f"passes over the training stars; {epochs}")
    parser.add_argument("--lr", type=values.positive, help=f"learning rate; {rate}")
    parser.add_argument("--batch-size", type=values.many, help=f"stars in one step; {batch}")
    parser.add_argument(
        "--validation-fraction",
        type=values.Real(0, 0.9),
        help=f"part of the stars held out to choose the best epoch, from 0 to 0.9; {held_out}",
    )
    parser.add_argument("--seed", type=values.seed, default=0, help="decides split, initialisation and order")
    parser.add_argument(
        "--device", type=values.device, default="cpu", help="torch device to train on, such as cpu or cuda"
    )


def given_training(arguments: argparse.Namespace) -> dict[str, Any]:
    """The training settings that were given on the command line, by their names in the settings classes."""
    values_given = {
        setting: getattr(arguments, option.removeprefix("--").replace("-", "_"))
        for setting, option in TRAINING_OPTIONS.items()
    }
    return {setting: value for setting, value in values_given.items() if value is not None}


def given_settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """As `given_training`, with seed, device and what ``--set`` assigns.

    Raises
    ------
    SettingsError
        If one is given by an option of its own and by --set, too.
    """
    training = given_training(arguments) | {"seed": arguments.seed, "device": arguments.device}
    assigned = parse_assignments(arguments.set)
    if twice := sorted({*training} & {*assigned}):
        raise SettingsError(f"--set {shown(twice[0])}: has an option of its own; give that one")
    return training | assigned


def draw_run(run: Any) -> str:
    """Draw the losses of a training beside them; returns what is to be printed of it."""
    from ..report import save
    from ..report.losses_figure import draw_losses

    save(draw_losses(run.history.rows), run.folder, "losses")
    return f"{run.history}; losses in {run.folder}"


def finish_drawing(folder: Path) -> None:
    """Draw the losses of a training that has ended, if a kill came between its end and that; what it left half written goes."""
    from ..files import discard_temporaries
    from ..report import save
    from ..report.losses_figure import draw_losses
    from ..train.large.run_folder import LOSSES, read_losses

    if (folder / LOSSES).is_file() and not all((folder / f"losses.{kind}").exists() for kind in ("pdf", "png")):
        save(draw_losses(read_losses(folder)), folder, "losses")
    discard_temporaries(folder)


def run_in_processes(device: str, work: Callable[[], int]) -> int:
    """Do the work of a verb in the processes that `torchrun` has started; what all suffer from, the first one tells.

    Parameters
    ----------
    device : str
        As of ``--device``.
    work : callable
        Returns the exit status.

    Returns
    -------
    int
        The exit status of this process.
    """
    from ..processes import Ended
    from ..train.large import joined_processes
    from ..train.large.ranks import OtherProcessFailed

    with joined_processes(device) as ranks:
        try:
            return work()
        except OtherProcessFailed:
            return 1
        except KeyboardInterrupt as interrupt:
            if ranks.is_first:
                raise
            return 128 + interrupt.number if isinstance(interrupt, Ended) else 130
