"""The physical test on stars of a prepared set: the one way in which the command line and studies run it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ..datasets import PreparedSet
from ..errors import InputError
from ..models import Estimator
from ..simulate import load_emulator
from ..simulate.instruments.instrument import INSTRUMENTS
from ..simulate.mocks.line_correction import LineCorrection
from ..simulate.mocks.moved import NEEDED, MovedSpectra, move_labels
from .chosen_stars import labels_of
from .response import PhysicalTest, physical_test


def run_physical_test(
    models: Mapping[str, Estimator],
    label: str,
    stars: PreparedSet,
    regimes: Mapping[str, np.ndarray],
    *,
    instrument: str = "",
    lines: LineCorrection | None = None,
    ivar: np.ndarray | None = None,
    progress: Callable[[int], object] = lambda n: None,
) -> tuple[PhysicalTest, MovedSpectra]:
    """Give synthetic spectra of stars to models, with one label moved at a time.

    Parameters
    ----------
    models : mapping of str to Estimator
    label : str
        Label whose prediction is tested.
    stars : PreparedSet
        Whose labels the synthetic spectra have.
    regimes : mapping of str to ndarray of bool, shape (n_stars,)
        Kinds of stars that are told apart.
    instrument : str
        Of `transtar.simulate.instruments.instrument.INSTRUMENTS`; that of the survey of the set if not given.
    lines : LineCorrection, optional
        As in `move_labels`.
    ivar : ndarray, shape (n_spectra, n_pixels), optional
        Inverse variances that say where noise is; those of the stars if not given.
    progress : callable
        Is told the number of spectra made.

    Returns
    -------
    PhysicalTest, MovedSpectra

    Raises
    ------
    InputError
        If the instrument cannot be simulated, a label is missing, or no star is left.
    MismatchError
        If the line correction was learnt on spectra prepared otherwise.
    """
    name, labels = instrument or stars.survey, labels_of(stars)
    require_testable(name, labels)
    spectra = move_labels(
        labels,
        load_emulator(),
        INSTRUMENTS[name],
        stars.preprocessing,
        stars.columns.get("velocity"),
        lines,
        progress,
    )
    return physical_test(models, label, spectra, regimes, stars.ivar if ivar is None else ivar), spectra


def require_testable(instrument: str, labels: Mapping[str, np.ndarray]) -> None:
    """Refuse what the test cannot be made of.

    Raises
    ------
    InputError
        If the instrument cannot be simulated, or a label that it needs is missing.
    """
    if instrument not in INSTRUMENTS:
        raise InputError(f"'{instrument}' is not one of {', '.join(INSTRUMENTS)}")
    if absent := [label for label in NEEDED if label not in labels]:
        raise InputError(f"the set has no {', '.join(absent)}")
