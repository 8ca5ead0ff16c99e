"""From spectra in memory to labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..datasets import preprocess_batch, tell_no_velocities
from ..datasets.velocity_source import MEASURE, Measured
from ..errors import InputError, MismatchError, SettingsError, shown
from ..preprocess import GridSpectra
from ..quality import Quality
from ..spectra import SpectrumBatch
from ..surveys import Survey, get_survey
from .from_files import ModelLike, PathLike, Prediction, load_agreeing, predict_into


def predict_spectra(
    models: ModelLike | Sequence[ModelLike],
    spectra: Any,
    survey: Survey | str | None = None,
    *,
    velocities: str | None = None,
    quality: Quality | Mapping[str, float] | None = None,
    encoders: Sequence[PathLike] = (),
    threads: int | None = None,
    **stated: Any,
) -> Prediction:
    """Prepare spectra in memory as the models need them, and predict labels.

    Parameters
    ----------
    models : Estimator, str or path, or sequence of these
        As in `predict_files`.
    spectra : SpectrumBatch or specutils.Spectrum, or sequence of either
        The spectra may differ in wavelengths.
    survey : Survey or str, optional
        By default that of each `SpectrumBatch`, and 'generic' for `specutils.Spectrum`.
    velocities : 'measure', optional
        Measure velocities in the spectra, in place of those that they contain.
    quality : Quality, or mapping of str to float, optional
        Thresholds of the flags; those that a mapping does not name are the defaults.
    encoders : sequence of path
        As in `predict_files`.
    threads : int, optional
        All processors if not given.
    **stated
        `medium`, `frame`, `velocity`, `ids` and `file` of `specutils.Spectrum`, as in `transtar.from_spectrum`.

    Returns
    -------
    Prediction
        Its `columns` hold the catalog, one row per spectrum in the order given; `to_table` gives it as an astropy table.

    Raises
    ------
    InputError
        If there is no spectrum, one cannot be converted or brought to the grid, or something is stated about a
        `SpectrumBatch`, which says it itself.
    MismatchError
        If the models need different inputs, or inputs that are not prepared spectra.
    SettingsError
        If the survey is unknown, a threshold is impossible, or `velocities` is not 'measure'.

    Examples
    --------
    >>> import transtar as ts
    >>> batch = next(ts.stream("miles", "miles/spectra"))
    >>> ts.predict_spectra("mock-feh", batch).columns["feh"].shape
    (30,)
    """
    if velocities not in (None, MEASURE):
        raise SettingsError(
            f"velocities must be '{MEASURE}', not {shown(repr(velocities))}; known ones are stated with the spectra"
        )
    estimators, names = load_agreeing(models, encoders=encoders)
    settings = estimators[0].preprocessing
    if settings is None:
        raise MismatchError(f"{names[0]}: has no preprocessing, so its inputs are no spectra")
    batches = _batches(spectra, survey, stated)
    thresholds = quality if isinstance(quality, Quality) else Quality().changed(quality or {})

    def prepared() -> Iterator[tuple[SpectrumBatch, GridSpectra]]:
        for batch in batches:
            known = get_survey(batch.survey if survey is None else survey)
            if velocities is not None:
                source = sources.setdefault(known.name, Measured(known, threads, settings))
                batch = source.give(batch)
            yield batch, preprocess_batch(batch, known, settings, threads=threads, quality=thresholds)

    result = Prediction()
    sources: dict[str, Measured] = {}
    predict_into(result, estimators, names, prepared(), None, thresholds, threads=threads)
    result.lines += [line for source in sources.values() for line in source.lines()]
    known = get_survey(batches[0].survey if survey is None else survey)
    tell_no_velocities(known, result.flags, result.n_spectra, velocities, in_memory=True)
    return result


def _batches(spectra: Any, survey: Survey | str | None, stated: Mapping[str, Any]) -> list[SpectrumBatch]:
    listed = list(spectra) if isinstance(spectra, list | tuple) else [spectra]
    n_batches = sum(isinstance(one, SpectrumBatch) for one in listed)
    if n_batches == len(listed) > 0:
        if stated:
            raise InputError(f"a SpectrumBatch says its {', '.join(stated)} itself; leave that out")
        return [_with_file(batch) for batch in listed]
    if n_batches:
        raise InputError("give either SpectrumBatch or specutils.Spectrum, not some of each")
    from ..surveys.specutils_bridge import from_spectra, from_spectrum

    if isinstance(spectra, list | tuple):
        return from_spectra(listed, survey or "generic", **stated)
    return [from_spectrum(spectra, survey or "generic", **stated)]


def _with_file(batch: SpectrumBatch) -> SpectrumBatch:
    """A batch of one's own need not name files."""
    from dataclasses import replace

    return batch if "file" in batch.meta else replace(batch, meta={"file": np.full(len(batch), ""), **batch.meta})
