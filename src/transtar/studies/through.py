"""The encoder that sees through the instrument, trained on views of mock stars; real spectra without labels may stand beside."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np

from ..encoders import Encoder
from ..preprocess import Preprocessing
from ..simulate.mocks.line_correction import load_lines
from ..simulate.mocks.views import Views, ViewSettings
from ..train.loop import Progress
from ..train.see_through import SeeThrough, train_encoder

LABELS = ("teff", "logg", "feh", "alphafe")
"""What the embedding is to tell beside the spectrum."""


def train_through(
    views: Views,
    settings: list[ViewSettings],
    training: SeeThrough,
    preprocessing: Preprocessing | None = None,
    *,
    name: str = "through",
    unlabelled: np.ndarray | None = None,
    unlabelled_stars: dict[str, np.ndarray] | None = None,
    progress: Progress | None = None,
) -> Encoder:
    """Train the encoder and note which real stars decided something.

    Parameters
    ----------
    views : Views
    settings : list of ViewSettings
        By which they were made, of one line correction.
    training : SeeThrough
    preprocessing : Preprocessing, optional
        That of the views.
    name : str
        Of the encoder.
    unlabelled : ndarray, shape (n_spectra, n_grid), optional
        Real spectra, prepared likewise.
    unlabelled_stars : dict of str to ndarray, optional
        ``survey``, ``id``, ``file``, ``star`` and ``role`` of these, as `transtar.models.Estimator.trained_on` has them.
    progress : callable, optional
        See `transtar.train.loop.train`.

    Returns
    -------
    Encoder
    """
    columns = [views.names.index(label) for label in LABELS]
    encoder = train_encoder(
        views.views, views.target, preprocessing or Preprocessing(), training, name=name, labels=views.labels[:, columns],
        unlabelled=unlabelled, provenance={"survey": "mock", "views": [asdict(one) for one in settings]}, progress=progress,
    )  # fmt: skip
    seen = line_stars(settings[0].lines)
    if unlabelled_stars is not None:
        parts = [seen, unlabelled_stars] if seen else [unlabelled_stars]
        seen = {key: np.concatenate([np.asarray(part[key]) for part in parts]) for key in unlabelled_stars}
    return replace(encoder, trained_on=seen)


def line_stars(lines: str | None) -> dict[str, np.ndarray]:
    """The real stars of a line correction, as `transtar.models.Estimator.trained_on` has them; none without one."""
    stars = load_lines(lines).stars if lines else {}
    n = len(next(iter(stars.values()), ()))
    return {**stars, "role": np.full(n, "lines")} if n else {}
