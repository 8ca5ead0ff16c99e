"""From the files of a survey, or from a prepared set, to a catalog: all that ``transtar predict`` does."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..datasets import Repeats, Report, describe_set, given_table, open_flow, stream_set, tell_no_velocities
from ..encoders import find_encoder
from ..errors import InputError, MismatchError, SettingsError
from ..files import check_files
from ..flags import Flag, count, has
from ..glossary import Column
from ..models import Estimator, check_ensemble, load_models
from ..preprocess import GridSpectra, require_same
from ..progress import followed
from ..quality import Quality
from ..spectra import SpectrumBatch
from ..summary import Summarised, Summary, counted
from ..surveys import Stated, Survey
from ..telling import tell
from ..trust.star_errors import coverage_of
from .astropy_table import to_table
from .calibrated import read_calibration, with_calibrated
from .catalog_columns import first_columns
from .memory import CatalogInMemory
from .predict import predict_batches
from .provenance import inputs_record, run_record
from .styles import STYLES, check_style
from .writers import CatalogWriter, check_suffix

if TYPE_CHECKING:
    from astropy.table import QTable

ModelLike = Estimator | str | Path
PathLike = str | os.PathLike


@dataclass(repr=False)
class Prediction(Summarised, Report):
    """A catalog, and what became of the spectra; the other fields are those of `transtar.datasets.Report`.

    Parameters
    ----------
    columns : dict of str to ndarray, shape (n_spectra,), or None
        The catalog, as `read_columns` gives it; None where it was written to a file.
    metadata : dict
        Models, their provenance, and thresholds, as a catalog in a file has them.
    described : list of transtar.glossary.Column
        What the columns of a file are, by the names that they have there.
    """

    columns: dict[str, np.ndarray] | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    described: list[Column] = field(default_factory=list)

    def _summary(self) -> Summary:
        return Summary(
            f"Prediction: {self.n_spectra:,} spectra",
            {
                "columns": "in a file" if self.columns is None else ", ".join(self.columns),
                "flags": counted(self.flags) or "none",
                "left out": counted(self.left_out),
                "skipped": None
                if not self.skipped
                else f"{len(self.skipped):,} files; the first: {': '.join(self.skipped[0])}",
            },
            first_columns(self.columns or {}),
        )

    def to_table(self) -> QTable:
        """The catalog as an astropy table, with units and descriptions; see `transtar.read_catalog`.

        Returns
        -------
        astropy.table.QTable

        Raises
        ------
        InputError
            If the catalog was written to a file; `transtar.read_catalog` reads it.
        """
        if self.columns is None:
            raise InputError("the catalog was written to a file; transtar.read_catalog reads it")
        return to_table(self.columns, self.metadata)


def predict_files(
    models: ModelLike | Sequence[ModelLike],
    survey: Survey | str,
    paths: PathLike | Iterable[PathLike],
    out: PathLike | None = None,
    *,
    quality: Quality | Mapping[str, float] | None = None,
    stars: PathLike | None = None,
    velocities: str | None = None,
    columns: Mapping[str, str] | None = None,
    stated: Stated | None = None,
    encoders: Sequence[PathLike] = (),
    style: str = "transtar",
    calibration: PathLike | None = None,
    command: str | None = None,
    batch_size: int = 2048,
    threads: int | None = None,
    on_skip: Callable[[str, str], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Prediction:
    """Read native files, prepare their spectra as the models need them, predict, and return or write a catalog.

    Parameters
    ----------
    models : Estimator, str or path, or sequence of these
        Models, or their names or folders; those of the same label form an ensemble.
    survey : Survey or str
    paths : path or iterable of paths
        Files, folders or patterns.
    out : path, optional
        Catalog to write: .parquet, .fits, .vot, .ecsv, .csv or .tex. The file appears when everything is done, or not at
        all. Without `out`, the catalog is in the result and must fit into memory.
    quality : Quality, or mapping of str to float, optional
        Thresholds of the flags; those that a mapping does not name are the defaults.
    stars : path, optional
        Table of the stars that are wanted; others are passed over.
    velocities : str, optional
        ``FILE`` or ``FILE:COLUMN``, radial velocities in km/s that replace the survey's; or ``measure``, to have them measured
        in the spectra (see `transtar.velocity.measure_velocities`).
    columns : mapping of str to str, optional
        Which column of the tables is which, if their names do not say: ``{"id": "TARGETID"}``.
    stated : Stated, optional
        What the files do not say about themselves: medium, frame and unit of their wavelengths, and which of their columns
        is which.
    encoders : sequence of path
        Folders, or names, of encoders that the models need and that have moved.
    style : str
        Naming style of the columns in the file: 'transtar', 'desi' or 'vizier'.
    calibration : str or path, optional
        Name, or file written by `transtar calibrate`. It adds the calibrated [Fe/H] beside the raw one, as ``feh_cal``, and
        needs models of feh, teff and logg.
    command : str, optional
        The command line, to be recorded in the file.
    batch_size : int
        Spectra in memory at a time; twice as many while others are read ahead.
    threads : int, optional
        All processors if not given.
    on_skip : callable, optional
        Called with file and reason for each file that cannot be used. The run goes on without it.
    progress : callable, optional
        Called with the number of spectra done and the number of files.

    Returns
    -------
    Prediction

    Raises
    ------
    InputError
        If a model or table cannot be read, no spectrum can be used, or something that transtar did not write is at `out`.
    MismatchError
        If the models need different inputs, or inputs that are not prepared spectra, or an encoder is not the one that a
        model needs.
    SettingsError
        If the survey is unknown, or a setting is impossible.

    Examples
    --------
    >>> import transtar as ts
    >>> catalog = ts.predict_files("mock-feh", "miles", "miles/spectra")
    >>> catalog.columns["feh"].shape
    (30,)
    """
    paths = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    estimators, names = load_agreeing(models, out, [*paths, stars, given_table(velocities)], encoders)
    settings = estimators[0].preprocessing
    if settings is None:
        raise MismatchError(
            f"{names[0]}: has no preprocessing, so its inputs are no spectra of a survey; "
            "predict from Python with the inputs that it was trained on"
        )
    # Before the work, too.
    for estimator in estimators:
        for note in estimator.encoders.values():
            find_encoder(note)
    flow = open_flow(
        survey, paths, settings, quality=quality, stars=stars, velocities=velocities, columns=columns, stated=stated,
        batch_size=batch_size, threads=threads,
    )  # fmt: skip
    result = Prediction()
    # Reading in a thread may leave the filters of warnings changed; they become the caller's again. The batches are closed lest
    # the thread waits for as long as somebody keeps the traceback of an error or of Ctrl-C.
    with (
        warnings.catch_warnings(),
        followed(progress, "predict") as moved,
        closing(flow.batches(result, on_skip=on_skip, progress=moved)) as batches,
    ):
        record = run_record(estimators, command, inputs_record(flow.files, survey=flow.survey.name))
        predict_into(result, estimators, names, batches, out, flow.quality, style, record, threads, calibration)
    tell_no_velocities(flow.survey, result.flags, result.n_spectra, velocities)
    return result


def predict_set(
    models: ModelLike | Sequence[ModelLike],
    path: PathLike,
    out: PathLike | None = None,
    *,
    quality: Quality | Mapping[str, float] | None = None,
    encoders: Sequence[PathLike] = (),
    style: str = "transtar",
    calibration: PathLike | None = None,
    threads: int | None = None,
    command: str | None = None,
) -> Prediction:
    """Predict labels for the spectra of a prepared set.

    Parameters
    ----------
    models : Estimator, str or path, or sequence of these
        As in `predict_files`.
    path : path
        Folder of the prepared set.
    out : path, optional
        As in `predict_files`.
    quality : Quality, or mapping of str to float, optional
        Thresholds by which LOW_SNR and LOW_GOOD_FRACTION are set again; those that a mapping does not name, or all by
        default, are those of the set.
    encoders, style, calibration, threads, command
        As in `predict_files`.

    Returns
    -------
    Prediction

    Raises
    ------
    InputError
        If a model or the set cannot be read, or something that transtar did not write is at `out`.
    MismatchError
        If the set was not preprocessed as the models need it, or has an input from another encoder.
    SettingsError
        If a threshold is impossible.

    Examples
    --------
    >>> import transtar as ts
    >>> prediction = ts.predict_set(["mock-feh", "mock-teff"], "sets/miles")
    >>> prediction.to_table()["teff"].unit
    Unit("K")
    """
    estimators, names = load_agreeing(models, out, [path], encoders)
    description = describe_set(path)
    wanted, anew = thresholds_for(path, description, quality)

    def parts() -> Iterator[tuple[Mapping[str, np.ndarray], GridSpectra]]:
        done = 0
        for part in stream_set(path):
            require_same(estimators[0].preprocessing, names[0], part.preprocessing, str(path))
            spectra = part.grid_spectra()
            yield part.columns, flagged_anew(spectra, wanted) if anew else spectra
            done += len(spectra)
            if moved is not None:
                moved(done, description["n_spectra"])

    result = Prediction()
    inputs = {"data": str(path), "flux_sha256": description["flux_sha256"]}
    record = run_record(estimators, command, inputs)
    with followed(None, "predict") as moved:
        predict_into(
            result, estimators, names, parts(), out, wanted, style, record, calibration=calibration, threads=threads
        )
    return result


def thresholds_for(
    path: PathLike, description: Mapping[str, Any], quality: Quality | Mapping[str, float] | None
) -> tuple[Quality, bool]:
    """The thresholds for a set, and whether flags are to be set by others than those that it was prepared with, which is told."""
    recorded = Quality.recorded(description)
    wanted = quality if isinstance(quality, Quality) else recorded.changed(quality or {})
    anew = (wanted.snr, wanted.good_fraction) != (recorded.snr, recorded.good_fraction)
    if anew:
        tell(
            f"{path}: LOW_SNR and LOW_GOOD_FRACTION are set again, with {wanted}; the set was prepared with {recorded}"
        )
    return wanted, anew


def flagged_anew(spectra: GridSpectra, quality: Quality) -> GridSpectra:
    """Spectra with LOW_SNR and LOW_GOOD_FRACTION by other thresholds."""
    return replace(spectra, flags=quality.flags(spectra.snr, spectra.good_fraction, spectra.flags))


def load_agreeing(
    models, out: PathLike | None = None, inputs: Sequence = (), encoders: Sequence[PathLike] = ()
) -> tuple[list[Estimator], list[str]]:
    """The models, which agree, and their names; `out` is checked before they are loaded."""
    given = [models] if isinstance(models, Estimator | str | Path) else list(models)
    if out is not None:
        check_suffix(out)
        # Before the work, and as itself: a catalog may take hours, and must not be written over what it is made from.
        check_files([out], [*(model for model in given if not isinstance(model, Estimator)), *inputs, *encoders])
    estimators, names = load_models(given, [Path(place) for place in encoders])
    check_ensemble(estimators, names, same_labels=False)
    return estimators, names


def catalog_metadata(estimators: Sequence[Estimator], names: Sequence[str], quality: Quality) -> dict[str, Any]:
    """What a catalog says of itself: the models, what they learnt from, thresholds and errors."""
    metadata: dict[str, Any] = {
        "models": list(names),
        "provenance": [list(model.provenance) for model in estimators],
        "quality": quality.to_dict(),
    }
    if coverage := coverage_of(estimators):
        metadata["errors"] = coverage
    if any(model.encoders for model in estimators):
        metadata["encoders"] = [model.encoders for model in estimators]
    return metadata


def predict_into(
    result: Prediction,
    estimators: Sequence[Estimator],
    names: Sequence[str],
    batches: Iterable[tuple[SpectrumBatch | Mapping[str, np.ndarray], GridSpectra]],
    out: PathLike | None,
    quality: Quality,
    style: str = "transtar",
    record: Mapping[str, Any] | None = None,
    threads: int | None = None,
    calibration: PathLike | None = None,
) -> None:
    """Predict batch by batch, write or gather the rows, and tell the result of them; `record` goes into the metadata."""
    if check_style(style) != STYLES[0] and out is None:
        raise SettingsError(f"style '{style}' is for a catalog in a file; name one with out")
    by, about = read_calibration(calibration)
    metadata = {**(record or run_record(estimators)), **catalog_metadata(estimators, names, quality), **about}
    sink: AbstractContextManager[CatalogWriter | CatalogInMemory]
    sink = CatalogInMemory() if out is None else CatalogWriter(out, metadata, style=style)
    n = 0
    repeats = Repeats()

    def mark_late(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        late = repeats.mark_late(columns) & ~has(columns["flags"], Flag.DUPLICATE)
        result.flags[str(Flag.DUPLICATE.name)] += int(late.sum())
        columns["flags"][late] |= Flag.DUPLICATE
        return columns

    predicted = predict_batches(estimators, batches, quality=quality, repeats=repeats, threads=threads)
    # Closed lest its threads wait for as long as somebody keeps the traceback of an error.
    with sink as catalog, closing(predicted):
        for columns in predicted:
            catalog.append(with_calibrated(columns, by, "the catalog"))
            n += len(columns["flags"])
            for name, some in count(columns["flags"]).items():
                result.flags[name] = result.flags.get(name, 0) + some
        if not n:
            raise InputError(f"no spectrum could be used, so no catalog was {'made' if out is None else 'written'}")
        if repeats.came_again:
            catalog.revise(mark_late)
    result.n_spectra, result.metadata = n, metadata
    if isinstance(catalog, CatalogInMemory):
        result.columns = catalog.columns()
    else:
        result.described = catalog.columns
