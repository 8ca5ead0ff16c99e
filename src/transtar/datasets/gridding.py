"""From batches of native spectra to the grid, whatever becomes of one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from ..errors import InputError, TranstarError, said
from ..glossary import DESI_KEYS
from ..preprocess import GridSpectra, Preprocessing, preprocess
from ..quality import Quality
from ..spectra import SpectrumBatch
from ..surveys import Survey, get_survey
from .velocity_source import FromTable, VelocitySource


def preprocess_batch(
    batch: SpectrumBatch,
    survey: Survey | str,
    settings: Preprocessing,
    velocity_table=None,
    threads: int | None = None,
    quality: Quality | None = None,
) -> GridSpectra:
    """Preprocess a batch, as `transtar.preprocess.preprocess` does, with the properties of its survey.

    Parameters
    ----------
    batch : SpectrumBatch
    survey : Survey or str
        Its sky lines and resolution are used.
    settings : Preprocessing
    velocity_table : dict, optional
        As from `transtar.labels.read_velocities`; its velocities replace those of the batch.
    threads : int, optional
        All processors if not given.
    quality : Quality, optional
        Thresholds of the flags; the defaults if not given.

    Returns
    -------
    GridSpectra

    Raises
    ------
    InputError
        If the batch does not overlap the wavelength grid, or a resolution is needed but unknown.

    Examples
    --------
    >>> import transtar as ts
    >>> batch = next(ts.stream("miles", "miles/spectra"))
    >>> spectra = ts.preprocess_batch(batch, "miles", ts.Preprocessing())
    >>> spectra.flux.shape, spectra.grid.name
    ((30, 1462), 'blue')
    """
    survey = get_survey(survey)
    if velocity_table is not None:
        batch = FromTable(velocity_table).give(batch)
    return preprocess(
        batch, settings, sky_lines=survey.sky_lines, resolution=survey.resolution, threads=threads, quality=quality
    )


def grid_spectra(
    batches: Iterable[SpectrumBatch],
    survey: Survey | str,
    settings: Preprocessing,
    *,
    velocities: VelocitySource | None = None,
    threads: int | None = None,
    quality: Quality | None = None,
    on_error: Callable[[Path, str], None] | None = None,
) -> Iterator[tuple[SpectrumBatch, GridSpectra]]:
    """Bring batches to the wavelength grid; what cannot be costs its file and a line.

    Parameters
    ----------
    batches : iterable of SpectrumBatch
        As from `transtar.surveys.stream`.
    survey : Survey or str
    settings : Preprocessing
    velocities : VelocitySource, optional
        Gives the batches other velocities than those of their survey.
    threads : int, optional
        All processors if not given.
    quality : Quality, optional
        Thresholds of the flags; the defaults if not given.
    on_error : callable, optional
        Called with the name of a file and a message of one line for each file whose spectra cannot be brought to the grid; they
        are then left out.

    Yields
    ------
    SpectrumBatch, GridSpectra
        Row by row the same spectra.

    Raises
    ------
    InputError
        For such a file, if there is no `on_error`.
    SettingsError, MismatchError
        For what is wrong with the settings, and so with every file.
    """
    survey = get_survey(survey)
    for batch in batches:
        if velocities is not None:
            batch = velocities.give(batch)
        try:
            spectra = _preprocess(batch, survey, settings, threads, quality)
        except InputError:
            # One file of a batch must not cost the others their place.
            yield from _file_by_file(batch, survey, settings, threads, quality, on_error)
        else:
            yield batch, spectra


def _file_by_file(batch, survey, settings, threads, quality, on_error) -> Iterator[tuple[SpectrumBatch, GridSpectra]]:
    names = batch.meta["file"]
    for name in dict.fromkeys(names.tolist()):
        part = batch.select(names == name)
        try:
            spectra = _preprocess(part, survey, settings, threads, quality)
        except InputError as error:
            if on_error is None:
                raise InputError(f"{name}: {error}") from error
            on_error(Path(name), f"{name}: {error}")
        else:
            yield part, spectra


def _preprocess(
    batch: SpectrumBatch, survey: Survey, settings: Preprocessing, threads: int | None, quality: Quality | None
) -> GridSpectra:
    """As `preprocess_batch`; whatever is raised on account of the spectra is an `InputError`."""
    try:
        return preprocess_batch(batch, survey, settings, threads=threads, quality=quality)
    except TranstarError:
        raise
    except MemoryError as error:
        raise InputError("does not fit into memory on the way to the grid; split it") from error
    except Exception as error:
        raise InputError(f"cannot be brought to the grid ({said(error)})") from error


def star_columns(batch: SpectrumBatch, spectra: GridSpectra) -> dict[str, np.ndarray]:
    """What is known of each spectrum besides its flux."""
    return {
        "file": batch.meta["file"].astype(str),
        "id": batch.ids,
        "survey": np.full(len(batch), batch.survey),
        **{
            key_name(name, batch.keys): column
            for name, column in batch.meta.items()
            if name not in ("file", "survey_flags")
        },
        "snr": spectra.snr,
        "good_fraction": spectra.good_fraction,
        "noise_correlation": np.full(len(batch), np.nan, np.float32)
        if spectra.correlation is None
        else spectra.correlation,
        "flags": spectra.flags,
    }


def key_name(name: str, keys: Sequence[str]) -> str:
    """What a part of the survey's key is called in a set: DESI's SURVEY differs from our survey by case only."""
    return DESI_KEYS.get(name, name) if name in keys else name
