"""Predicted labels by which kinds of stars are told apart, also beside a model that predicts none of them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from ..models import Estimator, load_estimator
from ..models.error_table import AXES
from ..models.named import JOINT
from ..models.trunks import Passes
from ..preprocess import Preprocessing


@lru_cache(maxsize=1)
def mock_network() -> Estimator:
    """The shipped network of Teff, log g, [Fe/H] and [alpha/Fe]."""
    return load_estimator(JOINT / "mock")


def who_tells(preprocessing: Preprocessing | None) -> str:
    """Whose predictions tell kinds of stars whose spectra are prepared so: 'mock', or 'model' where that network cannot."""
    return "mock" if preprocessing is not None and preprocessing == mock_network().preprocessing else "model"


def telling_labels(
    told_by: str, flux: np.ndarray | None, predicted: Mapping[str, np.ndarray], passes: Passes | None = None
) -> dict[str, np.ndarray]:
    """Labels that tell kinds of stars.

    Parameters
    ----------
    told_by : {'mock', 'model'}
        As in `transtar.models.error_table.ErrorTable`.
    flux : ndarray, shape (n, n_grid), or None
        Needed by 'mock' alone.
    predicted : mapping of str to ndarray, shape (n,)
        By the model.
    passes : Passes, optional
        Over the same flux.

    Returns
    -------
    dict of str to ndarray, shape (n,)
        Those of the axes that can be had.
    """
    if told_by == "mock" and flux is not None:
        network = mock_network()
        labels = network.predict(flux) if passes is None else passes.predict(network)
        predicted = dict(zip(network.label_names, labels.T, strict=True))
    return {label: np.asarray(predicted[label]) for label, _ in AXES if label in predicted}
