"""From prepared spectra to the columns of a catalog."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from functools import partial
from typing import Protocol

import numpy as np

from ..datasets import Repeats
from ..datasets.gathering import Made, gather_input
from ..datasets.inputs import FLUX, Inputs
from ..encoder_notes import Note
from ..errors import InputError
from ..flags import NO_LABEL, Flag, has
from ..glossary import COLUMNS, DESI_KEYS
from ..models.trunks import Passes
from ..preprocess import GridSpectra, Preprocessing
from ..quality import Quality
from ..spectra import SpectrumBatch
from ..telling import tell
from ..trust import Witnesses, witnesses_for
from ..trust.side_by_side import side_by_side
from ..trust.star_errors import SUFFIXES, StarErrors
from .trained import Seen

KEY_COLUMNS = ("file", "id", "survey", "star", "ra", "dec", "velocity")
"""Columns that lead every catalog, filled with '', -1 or NaN where the survey does not know them."""

MEASURED_COLUMNS = ("velocity_err",)
"""Columns that stand beside them where a run measured them."""


class EstimatorLike(Protocol):
    """What a model must offer; see `transtar.models`."""

    @property
    def label_names(self) -> tuple[str, ...]:
        """Names of the k labels."""

    @property
    def label_min(self) -> np.ndarray:
        """Smallest training labels, shape (k,)."""

    @property
    def label_max(self) -> np.ndarray:
        """Largest training labels, shape (k,)."""

    @property
    def domain_limit(self) -> float:
        """Distance from which a spectrum is outside the domain."""

    @property
    def input(self) -> str:
        """Name of the input that it takes, as 'flux'."""

    @property
    def encoders(self) -> Mapping[str, Note]:
        """Which encoders make the parts of that input."""

    @property
    def preprocessing(self) -> Preprocessing | None:
        """How spectra are prepared for it."""

    @property
    def n_inputs(self) -> int:
        """Number of inputs per star."""

    @property
    def trained_on(self) -> Mapping[str, np.ndarray]:
        """What the model saw: `survey`, `id`, `file`, `star`."""

    def predict_with_distance(self, flux: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Labels, shape (n, k), and distances from the training spectra, shape (n,)."""


class GridSpectraLike(Protocol):
    """What prepared spectra must offer; see `transtar.preprocess.GridSpectra`."""

    @property
    def flux(self) -> np.ndarray:
        """Shape (n, n_grid), float32."""

    @property
    def good_fraction(self) -> np.ndarray:
        """Shape (n,), float32."""

    @property
    def snr(self) -> np.ndarray:
        """Shape (n,), float32."""

    @property
    def flags(self) -> np.ndarray:
        """Shape (n,), int32."""


def key_columns(keys: SpectrumBatch | Mapping[str, np.ndarray], n: int, extra: Sequence[str] = ()) -> dict:
    """Columns that say which spectrum a row is.

    Parameters
    ----------
    keys : SpectrumBatch or mapping of str to ndarray, shape (n,)
        Of a mapping, `survey` may be one str. The parts of a compound key are added, DESI's by our names (`DESI_KEYS`).
    n : int
    extra : sequence of str
        Further columns to carry.

    Returns
    -------
    dict of str to ndarray, shape (n,)

    Raises
    ------
    InputError
        If a column asked for is missing or has another length.
    """
    if isinstance(keys, SpectrumBatch):
        extra = (*(DESI_KEYS.get(name, name) for name in keys.keys), *extra)
        parts = {DESI_KEYS.get(name, name): keys.meta[name] for name in keys.keys}
        keys = {**keys.meta, **parts, "id": keys.ids, "survey": np.full(len(keys), keys.survey)}
    else:
        extra = (*(name for name in DESI_KEYS.values() if name in keys), *extra)
    columns = {}
    measured = [name for name in MEASURED_COLUMNS if name in keys]
    for name in dict.fromkeys((*KEY_COLUMNS, *measured, *extra)):
        if name in keys:
            array = np.asarray(keys[name])
            columns[name] = np.full(n, array) if array.ndim == 0 else array
            if len(columns[name]) != n:
                raise InputError(f"column {name} has {len(columns[name])} rows, the spectra are {n}")
        elif name in KEY_COLUMNS:
            filler = {"str": "", "int64": -1}.get(COLUMNS[name].dtype, np.nan)
            columns[name] = np.full(n, filler)
        else:
            raise InputError(f"no column '{name}' to carry into the catalog")
    return columns


def predict_batches(
    estimators: Sequence[EstimatorLike],
    prepared: Iterable[tuple[SpectrumBatch | Mapping[str, np.ndarray], GridSpectraLike]],
    extra: Sequence[str] = (),
    quality: Quality | None = None,
    repeats: Repeats | None = None,
    witnesses: Witnesses | None = None,
    threads: int | None = None,
) -> Generator[dict[str, np.ndarray], None, None]:
    """Predict labels batch by batch.

    Models of the same label form an ensemble: the catalog holds their mean, and their standard deviation (n - 1) as
    ``<label>_ens_std``. Errors are those of `transtar.trust.star_errors`. Rows with a flag of `flags.NO_LABEL`, with flux
    that is not finite, or that the gate is sure are not of an ordinary star, get NaN.

    Parameters
    ----------
    estimators : sequence of EstimatorLike
    prepared : iterable of (SpectrumBatch or mapping, GridSpectraLike)
        As from `transtar.datasets.Flow.batches`; see `key_columns` for the first of each pair.
    extra : sequence of str
        Further columns to carry.
    quality : Quality, optional
        Its `hot`, `gate`, `doubt` and `misfit` decide flags; by default the default thresholds. The flags for S/N and good
        pixels come with the spectra.
    repeats : Repeats, optional
        Decides DUPLICATE. Rows of a star that occurs again in a later batch can be flagged only at the end, by its
        `mark_late`.
    witnesses : Witnesses, optional
        The checks of whether stars are ordinary; by default those that ship with transtar, as far as they apply to the
        spectra.
    threads : int, optional
        All processors if not given.

    Yields
    ------
    dict of str to ndarray, shape (n,)
        The key columns, `snr`, `good_fraction`, labels (float32) with their errors, ensemble spreads, `strange`, `misfit`, and
        `flags` (int32), to which LABEL_EXTRAPOLATED, OUT_OF_DOMAIN, HOT_STAR, MISFIT, DOUBTFUL, NO_GATE, NO_INPUT,
        FEW_CALIBRATORS, TRAINED_ON and DUPLICATE are added. LABEL_EXTRAPOLATED, and OUT_OF_DOMAIN by distance, are set if they
        hold for any of the models.

    Raises
    ------
    InputError
        If there is no estimator, a column is missing, or an input is not available.
    MismatchError
        If an input was made by another encoder than that of a model, or an encoder is not the one that a model needs.

    Examples
    --------
    >>> import transtar as ts
    >>> settings = ts.Preprocessing()
    >>> pairs = ((batch, ts.preprocess_batch(batch, "miles", settings)) for batch in ts.stream("miles", "miles/spectra"))
    >>> for columns in ts.predict_batches([ts.Estimator.load("mock-feh")], pairs):
    ...     print(columns["feh"].shape)
    (30,)
    """
    if not estimators:
        raise InputError("predicting needs at least one model")
    seen = Seen([estimator.trained_on for estimator in estimators])
    quality = quality or Quality()
    witnesses = witnesses or witnesses_for(estimators[0].preprocessing, waived_kinds(estimators))
    errors = StarErrors(estimators)
    repeats = Repeats() if repeats is None else repeats
    with side_by_side(threads) as run:
        for keys, spectra in prepared:
            columns = key_columns(keys, len(spectra.flags), extra)
            # Whether another row holds the star depends on the rows of this catalog, not on those of a set that they may be from.
            flags = np.array(spectra.flags, np.int32) & np.int32(~int(Flag.DUPLICATE))
            flags[repeats.mark(columns)] |= Flag.DUPLICATE
            flux = np.asarray(spectra.flux)
            usable = ~has(flags, NO_LABEL) & np.isfinite(flux).all(axis=1)
            rows = slice(None) if usable.all() else np.flatnonzero(usable)
            chosen = _chosen(spectra, flux, rows)
            native = (lambda rows=rows, keys=keys: keys.select(rows)) if isinstance(keys, SpectrumBatch) else None
            inputs = _inputs(estimators, chosen, native)
            look = partial(_look, estimators, chosen, inputs, columns["survey"][rows], quality, errors, witnesses)
            known, new_flags = _put_together(run(look, len(chosen)))
            flags[usable] |= new_flags
            flags[seen.rows(columns)] |= Flag.TRAINED_ON
            columns |= {"snr": spectra.snr, "good_fraction": spectra.good_fraction}
            for name, values in known.items():
                columns[name] = np.full(len(flags), np.nan, np.float32)
                columns[name][usable] = values
            yield columns | {"flags": flags}


def _look(
    estimators: Sequence[EstimatorLike],
    chosen: GridSpectra,
    inputs: Sequence[np.ndarray],
    survey: np.ndarray,
    quality: Quality,
    errors: StarErrors,
    witnesses: Witnesses,
    rows: slice,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """All columns that are predicted of some of the usable spectra, and their flags."""
    some = chosen.select(rows)
    passes = errors.trunks.over(some.flux)
    labels, new_flags = _predict(estimators, [taken[rows] for taken in inputs], quality, passes)
    means = {name: values for name, values in labels.items() if not name.endswith("_ens_std")}
    known, few = errors.columns(some, means, survey[rows], passes)
    verdict = witnesses.judge(some.flux, some.ivar, means, quality)
    # Where no label is left, there is no error of it either.
    flags = new_flags | np.where(verdict.no_label, 0, few) | verdict.flags
    columns = {
        name: np.where(verdict.no_label, np.nan, (labels | known)[name]) for name in _in_order(means, labels | known)
    }
    return columns | {"strange": verdict.strange, "misfit": verdict.misfit}, flags


def _put_together(
    parts: Sequence[tuple[dict[str, np.ndarray], np.ndarray]],
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    columns = {name: np.concatenate([part[name] for part, _ in parts]) for name in parts[0][0]}
    return columns, np.concatenate([flags for _, flags in parts])


ORDINARY_TEFF = (3900.0, 7500.0)
"""K: a model that has learnt from cooler or hotter stars knows those that the gate does not."""


def waived_kinds(estimators: Sequence[EstimatorLike]) -> tuple[str, ...]:
    """Kinds of the gate that are not held against a star, because all models of Teff in a run have learnt from such stars."""
    ranges = [
        (float(one.label_min[place]), float(one.label_max[place]))
        for one in estimators
        for place, label in enumerate(one.label_names)
        if label == "teff"
    ]
    cool = bool(ranges) and all(low < ORDINARY_TEFF[0] for low, _ in ranges)
    hot = bool(ranges) and all(high > ORDINARY_TEFF[1] for _, high in ranges)
    return ("cool",) * cool + ("hot",) * hot


def _chosen(spectra: GridSpectraLike, flux: np.ndarray, rows: slice | np.ndarray) -> GridSpectra:
    """Rows of prepared spectra with all that they bring."""
    ivar, correlation = (getattr(spectra, name, None) for name in ("ivar", "correlation"))
    return GridSpectra(
        flux[rows], None if ivar is None else ivar[rows], spectra.good_fraction[rows], spectra.snr[rows], spectra.flags[rows],
        Inputs(getattr(spectra, "inputs", {})).select(rows), getattr(spectra, "grid", None),
        None if correlation is None else correlation[rows],
    )  # fmt: skip


def _in_order(labels: Iterable[str], columns: Iterable[str]) -> list[str]:
    """The columns of each label behind it."""
    endings = ("", *SUFFIXES, "_ens_std")
    return [f"{label}{ending}" for label in labels for ending in endings if f"{label}{ending}" in columns]


def _inputs(estimators, chosen: GridSpectra, native: Callable[[], SpectrumBatch] | None) -> list[np.ndarray]:
    """What each model takes, of the usable spectra: each part of an input is read or computed once, whoever takes it.

    Raises
    ------
    InputError
        If an input is not to be had, or has another number of values than a model was trained with.
    """
    if all(estimator.input == FLUX.name for estimator in estimators):
        return [chosen.flux] * len(estimators)
    made: Made = {}
    known: dict[tuple, np.ndarray] = {}
    taken = []
    for estimator in estimators:
        name, notes = estimator.input, getattr(estimator, "encoders", None)
        key = (name, notes is None, *(note["sha256"] for _, note in sorted((notes or {}).items())))
        if key not in known:
            known[key] = gather_input(name, chosen, estimator.preprocessing, notes, native, made).inputs
            n_without = int((~np.isfinite(known[key]).all(axis=1)).sum())
            if n_without:
                tell(
                    f"{n_without} of {len(chosen)} spectra are without the input '{name}': no labels by a model that takes it"
                )
        if len(chosen) and known[key].shape[1] != estimator.n_inputs:
            raise InputError(
                f"the model takes {estimator.n_inputs} values per star of its input '{name}', the spectra have "
                f"{known[key].shape[1]}; were they made by another encoder, or on another grid?"
            )
        taken.append(known[key])
    return taken


def _predict(
    estimators: Sequence[EstimatorLike], inputs: Sequence[np.ndarray], quality: Quality, passes: Passes
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Labels and their spreads, and the flags that follow, of spectra that are all usable."""
    n = len(inputs[0])
    flags = np.zeros(n, np.int32)
    members: dict[str, list[np.ndarray]] = {}
    limits: dict[str, list[tuple[float, float]]] = {}
    for estimator, taken in zip(estimators, inputs, strict=True):
        if n:
            if passes.know(estimator):
                labels, distance = passes.predict_with_distance(estimator)
            else:
                labels, distance = estimator.predict_with_distance(taken)
            predicted = np.asarray(labels, np.float64).reshape(n, -1)
            flags[np.asarray(distance) > estimator.domain_limit] |= Flag.OUT_OF_DOMAIN
            if estimator.input != FLUX.name:
                flags[~np.isfinite(taken).all(axis=1)] |= Flag.NO_INPUT
        else:
            predicted = np.empty((0, len(estimator.label_names)))
        for number, label in enumerate(estimator.label_names):
            members.setdefault(label, []).append(predicted[:, number])
            limits.setdefault(label, []).append((estimator.label_min[number], estimator.label_max[number]))
    predictions = {}
    for label, values in members.items():
        mean = np.mean(values, axis=0)
        lower, upper = max(low for low, _ in limits[label]), min(high for _, high in limits[label])
        flags[(mean < lower) | (mean > upper)] |= Flag.LABEL_EXTRAPOLATED
        if label == "teff":
            flags |= quality.hot_flags(mean)
        predictions[label] = mean
        if len(values) > 1:
            predictions[f"{label}_ens_std"] = np.std(values, axis=0, ddof=1)
    return predictions, flags
