"""A set of mock stars in memory, to look at what `mock_batches` makes."""

from typing import NamedTuple

import numpy as np

from transtar.simulate.mocks.mock_sets import mock_batches


class MockSet(NamedTuple):
    """Usable mock stars: flux (n, n_grid), labels (n, 6) in the order of names, and ids (n,)."""

    flux: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]
    ids: np.ndarray


def mock_set(settings, emulator, preprocessing=None) -> MockSet:
    """All batches, one after the other."""
    fluxes, labels, ids = [], [], []
    for batch, spectra, columns in mock_batches(settings, emulator, preprocessing):
        usable = np.isfinite(spectra.flux).all(axis=1)
        fluxes.append(spectra.flux[usable])
        labels.append(np.stack([columns[name] for name in emulator.label_names], axis=1)[usable])
        ids.append(batch.ids[usable])
    names = tuple(emulator.label_names)
    return MockSet(np.concatenate(fluxes), np.concatenate(labels), names, np.concatenate(ids))
