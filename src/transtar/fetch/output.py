"""Writing what was fetched: files that the survey 'sparcl' reads, and tables of what was found and what was not."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..files import atomic_path
from ..surveys.sparcl import REAL, TEXT, WHOLE, on_common_pixels
from .cache import Record

PREFIX = "sparcl-"
"""How the names of files of spectra begin."""

PER_FILE = 512
"""Spectra of one file."""

OPEN_GROUPS = 16
"""Wavelength arrays for which spectra are held back until a file is full."""


class SpectraWriter:
    """Packs spectra into parquet files, those of one wavelength array together, in the order in which they come.

    Parameters
    ----------
    folder : Path
        Must exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0
        self._files = 0
        self._groups: dict[bytes, tuple[str, np.ndarray, list[Record]]] = {}

    def add(self, record: Record) -> str:
        """Add a spectrum; returns the name of the file that it will be in."""
        record = _common(record)
        # Spectra with and without ivar cannot share a column of lists.
        key = record.wave.tobytes() + (b"-" if record.ivar is None else b"+")
        if key not in self._groups:
            if len(self._groups) == OPEN_GROUPS:
                self._flush(next(iter(self._groups)))
            self._groups[key] = (f"{PREFIX}{self._files:05d}.parquet", record.wave, [])
            self._files += 1
        name, _, waiting = self._groups[key]
        waiting.append(record)
        self.count += 1
        if len(waiting) == PER_FILE:
            self._flush(key)
        return name

    def finish(self) -> None:
        """Write what is held back."""
        for key in list(self._groups):
            self._flush(key)

    def _flush(self, key: bytes) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        name, wave, records = self._groups.pop(key)
        types = {
            **dict.fromkeys(TEXT, pa.string()),
            **dict.fromkeys(WHOLE, pa.int64()),
            **dict.fromkeys(REAL, pa.float64()),
        }
        columns: dict[str, Any] = {
            field: pa.array([record.fields.get(field) for record in records], kind) for field, kind in types.items()
        }
        columns["flux"] = pa.array([record.flux for record in records], pa.list_(pa.float32()))
        if records[0].ivar is not None:
            columns["ivar"] = pa.array([record.ivar for record in records], pa.list_(pa.float32()))
        columns["mask"] = pa.array([record.mask for record in records], pa.list_(pa.bool_()))
        about = {
            "wave": json.dumps(wave.tolist()),
            "medium": "vacuum",
            "frame": "observed",
            "units": "1e-17 erg/s/cm2/A",
        }
        pq.write_table(
            pa.table(columns).replace_schema_metadata(about),
            self.folder / name,
            compression="zstd",
            write_page_checksum=True,
        )


def _common(record: Record) -> Record:
    wave, flux, ivar, mask = on_common_pixels(record.wave, record.flux, record.ivar, record.mask)
    return Record(record.fields, wave, flux, ivar, mask)


def write_csv(path: Path, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table atomically; None and NaN become empty cells."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        for row in rows:
            writer.writerow(["" if value is None or value != value else value for value in row])
