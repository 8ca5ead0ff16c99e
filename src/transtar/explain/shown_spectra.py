"""Spectra of some stars of a prepared set, with all that is said about them: twin, gradients, and labelled stars like them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..datasets.nearest import top_k
from ..datasets.prepared import PreparedSet, star_names, usable
from ..datasets.set_files import describe_set
from ..datasets.set_reader import columns_of, read_stars, stream_set
from ..encoders import load_encoder
from ..errors import InputError, TranstarError, shown
from ..labels import compound_key, join
from ..models import load_models
from ..preprocess import Preprocessing, require_same
from ..trust import witnesses_for
from .saliency import gradients
from .worst_misfits import second_wants

N_NEAREST, FURTHER = 5, 8
"""Labelled stars shown beside a star, and how many more are looked at, which may be of the star itself."""

THROUGH = "through"
"""The encoder by which spectra are compared where it takes them."""


class Neighbours(NamedTuple):
    """Labelled stars whose spectra are most like those shown.

    Parameters
    ----------
    by : str
        What was compared, in words.
    columns : dict of str to ndarray, shape (n_labelled,)
        ``name`` and labels of the labelled stars that any spectrum here is like.
    places : ndarray, shape (n_shown, N_NEAREST), int64
        Which they are, the most alike first; -1 where there are fewer.
    cosines : ndarray, shape (n_shown, N_NEAREST), float64
    """

    by: str
    columns: dict[str, np.ndarray]
    places: np.ndarray
    cosines: np.ndarray


@dataclass(frozen=True, eq=False)
class ShownSpectra:
    """Spectra that a page shows.

    Parameters
    ----------
    rows : ndarray, shape (n_shown,), int64
        Row of each in the columns of the page.
    wave : ndarray, shape (n_pixels,), float64
        Vacuum wavelength in Angstrom.
    flux : ndarray, shape (n_shown, n_pixels), float32
        Flux over continuum.
    error : ndarray of the shape of `flux`, float32, or None
        1 sigma; NaN where a pixel is bad. None where the survey gives none.
    twin : ndarray of the shape of `flux`, float32, or None
        What the emulator makes of the labels.
    gradients : dict of str to ndarray of the shape of `flux`, float32
        Of labels with respect to the flux, in the unit of the label.
    neighbours : Neighbours or None
    absent : dict of str to str
        What is left out, and why.
    """

    rows: np.ndarray
    wave: np.ndarray
    flux: np.ndarray
    error: np.ndarray | None = None
    twin: np.ndarray | None = None
    gradients: dict[str, np.ndarray] = field(default_factory=dict)
    neighbours: Neighbours | None = None
    absent: dict[str, str] = field(default_factory=dict)

    def select(self, rows: np.ndarray) -> ShownSpectra:
        """Some of the spectra."""
        near = self.neighbours
        return replace(
            self,
            rows=self.rows[rows],
            flux=self.flux[rows],
            error=None if self.error is None else self.error[rows],
            twin=None if self.twin is None else self.twin[rows],
            gradients={name: values[rows] for name, values in self.gradients.items()},
            neighbours=None if near is None else near._replace(places=near.places[rows], cosines=near.cosines[rows]),
        )


class SpectraOfSet:
    """The prepared set that spectra are taken from, which is read batch by batch.

    Parameters
    ----------
    folder : path
        The set.
    models : sequence of str, path or Estimator
        Models whose gradients are shown; of several for one label, their mean.
    labelled : path, optional
        Prepared set whose labelled stars are compared with; that of the spectra if not given.
    encoders : sequence of str or path
        As of `transtar.predict_files`.

    Attributes
    ----------
    stars : dict of str to ndarray
        All columns of the set.

    Raises
    ------
    InputError
        If a set or a model cannot be read.
    MismatchError
        If a model wants its spectra otherwise than the set has them.
    """

    def __init__(
        self,
        folder: str | Path,
        models: Sequence = (),
        labelled: str | Path | None = None,
        encoders: Sequence[str | Path] = (),
    ):
        self.folder, self.labelled = Path(folder), Path(labelled or folder)
        self.stars, self.labels = _columns(self.folder)
        self._models = _loaded(models, self.folder, encoders)

    @property
    def has_labels(self) -> bool:
        """Whether any star of the set has a label."""
        return any(np.isfinite(self.stars[name]).any() for name in self.labels)

    def places(self, catalog: Mapping[str, np.ndarray]) -> np.ndarray:
        """Row of the set for each row of a catalog, shape (n,), int64; -1 where it has none.

        Raises
        ------
        InputError
            If the set has none of them.
        """
        n = len(next(iter(catalog.values())))
        try:
            rows, _ = join(
                self.stars,
                file=np.asarray(catalog.get("file", np.full(n, ""))),
                ids=np.asarray(catalog.get("id", np.full(n, -1))),
                labels=(),
                star=catalog.get("star"),
                keys=compound_key(catalog),
            )
        except InputError as error:
            raise InputError(f"{self.folder}: has no spectrum of the catalog; {error}") from None
        return rows

    def misfits(self, places: np.ndarray, predicted: Mapping[str, np.ndarray]) -> np.ndarray | None:
        """How far spectra are from what their labels call for (see `transtar.trust`), shape (n,), float64.

        Parameters
        ----------
        places : ndarray, shape (n,), int64
            Rows in the set.
        predicted : mapping of str to ndarray, shape (n,)
            Their labels.

        Returns
        -------
        ndarray or None
            None where the spectra are prepared otherwise than the second opinion wants them.
        """
        part = _rows_of_set(self.folder, places)
        second = witnesses_for(part.preprocessing).second
        return None if second is None else second.look(part.flux, part.ivar, predicted).misfit

    def read(self, places: np.ndarray, rows: np.ndarray, predicted: Mapping[str, np.ndarray]) -> ShownSpectra:
        """Read spectra, and compute what is shown with them.

        Parameters
        ----------
        places : ndarray, shape (n,), int64
            Rows in the set.
        rows : ndarray, shape (n,), int64
            Rows on the page.
        predicted : mapping of str to ndarray, shape (n,)
            Labels that the twins are made of.

        Returns
        -------
        ShownSpectra
        """
        part = _rows_of_set(self.folder, places)
        absent: dict[str, str] = {}
        error = None
        if part.ivar is None:
            absent["error"] = "the survey gives no errors of the flux"
        else:
            with np.errstate(divide="ignore", invalid="ignore"):
                error = np.where(part.ivar > 0, 1 / np.sqrt(part.ivar), np.nan).astype(np.float32)
        twin = None
        second = witnesses_for(part.preprocessing).second
        if second is None:
            absent["twin"] = f"the emulator's spectra are prepared otherwise than those of the set ({second_wants()})"
        else:
            twin = second.look(part.flux, part.ivar, predicted, want_twins=True).twin
        slopes: dict[str, Any] = {}
        for label, models in self._models.items():
            with np.errstate(invalid="ignore"):
                slopes[label] = np.mean(
                    [gradients(model, part.flux, label) for model in models], axis=0, dtype=np.float32
                )
        if not slopes:
            absent["gradients"] = "no model was given (--model)"
        near = _neighbours(part, self.labelled, absent)
        return ShownSpectra(rows, part.wave, part.flux, error, twin, slopes, near, absent)


def _columns(folder: Path) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    description = describe_set(folder)
    return columns_of(folder, read_stars(folder, description), description), tuple(description["labels"])


def _loaded(models: Sequence, folder: Path, encoders: Sequence[str | Path]) -> dict[str, list]:
    """Models by label."""
    if not len(models):
        return {}
    preprocessing = Preprocessing.from_stored(describe_set(folder)["preprocessing"])
    by_label: dict[str, list] = {}
    for model, name in zip(*load_models(list(models), encoders), strict=True):
        require_same(model.preprocessing, name, preprocessing, str(folder))
        for label in model.label_names:
            by_label.setdefault(label, []).append(model)
    return by_label


def _rows_of_set(folder: Path, places: np.ndarray) -> PreparedSet:
    """Some rows of a set, in the order asked for, without the others in memory."""
    order = np.argsort(places, kind="stable")
    wanted, start, parts = places[order], 0, []
    for batch in stream_set(folder):
        here = wanted[(wanted >= start) & (wanted < start + len(batch))] - start
        parts.append(batch.select(here))
        start += len(batch)
    # A batch without any errors has none at all, beside others that have some.
    ivar = None
    if any(part.ivar is not None for part in parts):
        ivar = np.concatenate([np.zeros_like(part.flux) if part.ivar is None else part.ivar for part in parts])
    back = np.argsort(order, kind="stable")
    columns = {name: np.concatenate([part.columns[name] for part in parts])[back] for name in parts[0].columns}
    flux = np.concatenate([part.flux for part in parts])[back]
    return replace(parts[0], flux=flux, ivar=None if ivar is None else ivar[back], columns=columns)


def _neighbours(part: PreparedSet, folder: Path, absent: dict[str, str]) -> Neighbours | None:
    """The labelled stars of a set that spectra are most like; None, with a reason, where there are none."""
    try:
        vectors, by, stars, labels = _vectors(part, folder)
    except TranstarError as error:
        absent["neighbours"] = shown(error, 300)
        return None
    if not len(vectors[1]):
        absent["neighbours"] = f"no star of {folder.name} has a label"
        return None
    queries, candidates = vectors
    nearest = top_k(queries, [candidates], N_NEAREST + FURTHER)
    names, here = star_names(stars), star_names(part.columns)
    places = np.full((len(here), N_NEAREST), -1)
    cosines = np.full((len(here), N_NEAREST), np.nan)
    for number, (rows, scores) in enumerate(zip(nearest.rows, nearest.scores, strict=True)):
        others = np.flatnonzero((rows >= 0) & (names[rows] != here[number]))[:N_NEAREST]
        places[number, : len(others)], cosines[number, : len(others)] = rows[others], scores[others]
    used = np.unique(places[places >= 0])
    places[places >= 0] = np.searchsorted(used, places[places >= 0])
    columns = {"name": names[used]} | {name: stars[name][used].astype(np.float32) for name in labels}
    return Neighbours(by, columns, places, cosines)


def _vectors(part: PreparedSet, folder: Path):
    """What spectra and the labelled stars of a set are compared by: queries and candidates, in words, and who the latter are."""
    encoder = load_encoder(THROUGH)
    encoded = encoder.preprocessing == part.preprocessing
    make = encoder.encode if encoded else np.asarray
    blocks: list[np.ndarray] = []
    columns: list[dict[str, np.ndarray]] = []
    labels: tuple[str, ...] = ()
    for batch in stream_set(folder):
        require_same(part.preprocessing, "the spectra shown", batch.preprocessing, str(folder))
        labels = tuple(batch.labels)
        with_label = np.zeros(len(batch), bool)
        for name in labels:
            with_label |= np.isfinite(batch.columns[name])
        rows = np.flatnonzero(usable(batch) & with_label)
        blocks.append(make(batch.flux[rows]))
        columns.append(
            {name: batch.columns[name][rows] for name in ("file", "id", "star", *labels) if name in batch.columns}
        )
    candidates = np.concatenate(blocks)
    stars = {name: np.concatenate([one[name] for one in columns]) for name in columns[0]}
    queries = make(part.flux)
    by = f"embeddings of the encoder {THROUGH}"
    if not encoded:
        by, mean = "differences from the mean spectrum", candidates.mean(axis=0) if len(candidates) else 0
        queries, candidates = queries - mean, candidates - mean
    return (queries, candidates), by, stars, labels
