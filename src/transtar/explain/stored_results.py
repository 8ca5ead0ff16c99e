"""Saliency and physical test as files, from which figures can be drawn again without a model."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..files import atomic_path, write_text
from .lines import Line, Share, line_shares
from .response import PhysicalTest, Response
from .saliency import Band, Gradients, Saliency

SALIENCY, LINES, RESPONSE, WEIGHTS = "saliency.parquet", "lines.csv", "response.csv", "weights.parquet"

_PARTS = tuple(field.name for field in fields(Band))


def write_saliency(folder: str | Path, saliency: Saliency) -> Path:
    """Write ``saliency.parquet``, one row a pixel.

    Columns are ``wavelength`` (vacuum Angstrom), ``flux_median``, ``flux_lower``, ``flux_upper``, and for each model
    ``MODEL_signed_median`` and so on, the same with ``absolute``, and ``MODEL_mean``.

    Raises
    ------
    TranstarError
        If the disk is full; an older file stays.
    """
    columns = {"wavelength": saliency.wave, **_band("flux", saliency.spectra)}
    for name, one in saliency.models.items():
        columns |= (
            _band(f"{name}_signed", one.signed) | _band(f"{name}_absolute", one.absolute) | {f"{name}_mean": one.mean}
        )
    about = {
        "label": saliency.label,
        "models": list(saliency.models),
        "n_stars": saliency.n_stars,
        "stars": saliency.stars,
    }
    return _write_parquet(Path(folder) / SALIENCY, columns, about)


def read_saliency(folder: str | Path) -> Saliency:
    """Read what `write_saliency` wrote.

    Raises
    ------
    InputError
        If the file is missing or something else.
    """
    path = Path(folder) / SALIENCY
    columns, about = _read_parquet(path)
    try:
        models = {
            name: Gradients(
                _to_band(columns, f"{name}_signed"), _to_band(columns, f"{name}_absolute"), columns[f"{name}_mean"]
            )
            for name in about["models"]
        }
        spectra = _to_band(columns, "flux")
        return Saliency(about["label"], columns["wavelength"], spectra, models, about["n_stars"], about["stars"])
    except KeyError as error:
        raise InputError(f"{path}: has no {error}; run 'transtar explain saliency' again") from None


def shares(saliency: Saliency, lines: Sequence[Line]) -> dict[str, list[Share]]:
    """By model, `line_shares` of the median of the absolute gradient."""
    spread = saliency.spectra.spread
    return {
        name: line_shares(saliency.wave, one.absolute.median, spread, lines) for name, one in saliency.models.items()
    }


def write_shares(folder: str | Path, by_model: Mapping[str, Sequence[Share]]) -> Path:
    """Write ``lines.csv``: by model, elements, the rest and lines, their shares of the gradient, and those of chance."""
    names = (
        "kind",
        "name",
        "wavelength",
        "half_width",
        "share",
        "effect",
        "chance",
        "enhancement",
        "effect_enhancement",
    )
    rows = [
        [model, *(_plain(getattr(one, name)) for name in names)]
        for model, model_shares in by_model.items()
        for one in model_shares
    ]
    return _write_csv(Path(folder) / LINES, ("model", *names), rows)


def write_test(folder: str | Path, test: PhysicalTest, wave: np.ndarray) -> tuple[Path, Path]:
    """Write ``response.csv``, one row per model, regime and moved label, and ``weights.parquet``, one row a pixel.

    Parameters
    ----------
    folder : path
    test : PhysicalTest
    wave : ndarray, shape (n_pixels,)
        Vacuum wavelength in Angstrom.
    """
    names = [field.name for field in fields(Response)]
    rows = [[_plain(value) for value in asdict(one).values()] for one in test.responses]
    about = {"label": test.label, "regimes": list(test.weights), "n_stars": test.n_stars, "left_out": test.left_out}
    columns = {"wavelength": np.asarray(wave), "variance": test.variance, **test.weights}
    folder = Path(folder)
    return _write_csv(folder / RESPONSE, names, rows), _write_parquet(folder / WEIGHTS, columns, about)


def read_test(folder: str | Path) -> PhysicalTest:
    """Read what `write_test` wrote.

    Raises
    ------
    InputError
        If a file is missing or something else.
    """
    columns, about = _read_parquet(Path(folder) / WEIGHTS)
    path = Path(folder) / RESPONSE
    kinds = {"float": float, "int": int, "str": str}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        responses = tuple(
            Response(**{f.name: kinds[str(f.type)](row[f.name] or "nan") for f in fields(Response)}) for row in rows
        )
        weights = {name: columns[name] for name in about["regimes"]}
        return PhysicalTest(
            about["label"], responses, weights, columns["variance"], about["n_stars"], about["left_out"]
        )
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path}: not a table of responses ({error})") from None


def _band(name: str, band: Band) -> dict[str, np.ndarray]:
    return {f"{name}_{part}": getattr(band, part) for part in _PARTS}


def _to_band(columns: Mapping[str, np.ndarray], name: str) -> Band:
    return Band(**{part: columns[f"{name}_{part}"] for part in _PARTS})


def _plain(value) -> str | int:
    """A cell of a CSV file: six significant digits, empty for a missing number."""
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.6g}"
    return value


def _write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence]) -> Path:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_text(path, out.getvalue())
    return path


def _write_parquet(path: Path, columns: Mapping[str, np.ndarray], about: dict) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({name: np.asarray(values, np.float64) for name, values in columns.items()})
    with atomic_path(path) as temporary:
        pq.write_table(
            table.replace_schema_metadata({"transtar": json.dumps(about)}),
            temporary,
            compression="zstd",
            write_page_checksum=True,
        )
    return path


def _read_parquet(path: Path) -> tuple[dict[str, np.ndarray], dict]:
    from ..tables.parquet import read_bounded

    if not path.is_file():
        raise InputError(f"{path}: no such file; 'transtar explain saliency' writes it")
    try:
        table = read_bounded(path)
        about = json.loads((table.schema.metadata or {})[b"transtar"])
    except (KeyError, ValueError) as error:
        raise InputError(f"{path}: not written by 'transtar explain saliency' ({error})") from None
    return {name: table.column(name).to_numpy() for name in table.column_names}, about
