"""Learn the line correction that ships with transtar from LAMOST DR10 spectra and their LASP labels.

    transtar prepare --survey lamost --spectra SPECTRA --labels LABELS --out SET
    python -m transtar.simulate.fit_lines --set SET --out src/transtar/simulate/data/lines/lamost-dr10.npz

No star of the MILES library may be among them: it is there to judge.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from ..datasets import PreparedSet, read_set, usable
from ..errors import InputError
from ..files import check_files
from .emulator import Emulator
from .emulator_storage import load_emulator
from .instruments import INSTRUMENTS
from .lines import FEWEST, LABELS, LineCorrection, fit_lines, trusted, twins

KEPT = {"survey": str, "id": np.int64, "file": str, "star": str}
"""What is remembered of the stars."""

MILES_SNR = 150.0
"""Taken for spectra without inverse variance."""


def lines_from_set(
    prepared: PreparedSet, rows: np.ndarray, name: str, emulator: Emulator | None = None
) -> LineCorrection:
    """Learn a line correction on stars of a prepared set.

    Parameters
    ----------
    prepared : PreparedSet
        Of a survey whose instrument is simulated, with labels teff, logg and feh.
    rows : ndarray of int
        Stars to use, of which `lines.trusted` picks.
    name : str
    emulator : Emulator, optional

    Returns
    -------
    LineCorrection

    Raises
    ------
    InputError
        If the survey's instrument is not known, or there are too few stars.
    """
    if prepared.survey not in INSTRUMENTS:
        raise InputError(
            f"line correction: no simulated instrument for '{prepared.survey}'; {', '.join(INSTRUMENTS)} have one"
        )
    columns = prepared.columns
    given = {key: values[rows] for key, values in zip(LABELS, prepared.targets(LABELS).T, strict=True)}
    snr = np.nan_to_num(np.asarray(columns["snr"], float)[rows], nan=MILES_SNR)
    chosen = usable(prepared)[rows] & trusted(given, snr)
    if chosen.sum() < FEWEST:
        raise InputError(
            f"line correction '{name}': {chosen.sum()} usable stars of {prepared.survey}, needs at least {FEWEST}"
        )
    rows, snr = rows[chosen], snr[chosen]
    labels = {key: values[chosen] for key, values in given.items()}
    instrument, settings = INSTRUMENTS[prepared.survey], prepared.preprocessing
    emulator = emulator or load_emulator()
    return fit_lines(
        prepared.flux[rows], twins(labels, emulator, instrument, settings),
        twins(labels, emulator, instrument, settings, snr=snr), labels, snr,
        name=name, preprocessing=settings, info={"survey": prepared.survey, "set": prepared.hash},
        stars={key: np.asarray(columns[key])[rows].astype(kind) for key, kind in KEPT.items()},
    )  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    """Learn and write a correction."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", type=Path, required=True, dest="prepared", help="prepared set with teff, logg, feh")
    parser.add_argument("--out", type=Path, required=True, help="file to write, NAME.npz")
    given = parser.parse_args(arguments)
    check_files([given.out], [given.prepared])
    prepared = read_set(given.prepared)
    lines = lines_from_set(prepared, np.arange(len(prepared)), given.out.stem)
    print(f"{lines.save(given.out)}: learnt on {lines.info['stars']} stars of {prepared.survey}")


if __name__ == "__main__":
    main()
