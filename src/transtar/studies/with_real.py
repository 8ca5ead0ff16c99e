"""An encoder trained as `through`, on mock stars, that sees spectra of a study without their labels beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ..datasets import PreparedSet, read_set, star_names, usable
from ..encoders import Encoder
from ..progress import progress_bar
from .study_encoder import StudyEncoder

VIEW_SEED = 11
"""The first of the seeds of the views that `through` has seen."""


def pool_spectra(sets: Sequence[PreparedSet]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Spectra of the pools of sets, and which stars they are of.

    Parameters
    ----------
    sets : sequence of PreparedSet

    Returns
    -------
    flux : ndarray, shape (n, n_grid), float32
        Those that nothing speaks against.
    stars : dict of str to ndarray
        As of `transtar.encoders.Encoder.trained_on`.
    """
    flux, stars = [], []
    for prepared in sets:
        rows = np.flatnonzero(usable(prepared) & (prepared.columns["split"] == "pool"))
        flux.append(prepared.flux[rows])
        one = {name: prepared.columns[name][rows] for name in ("survey", "id", "file")}
        stars.append(one | {"star": star_names(prepared.columns)[rows], "role": np.full(len(rows), "train")})
    return np.concatenate(flux), {name: np.concatenate([one[name] for one in stars]) for name in stars[0]}


def encoder_with_real(given: StudyEncoder, part: str, sets: Sequence[Path], say: Callable[[str], None]) -> Encoder:
    """Train the encoder; ten minutes for 40,000 mock stars on a free core.

    Parameters
    ----------
    given : StudyEncoder
    part : str
        Its name.
    sets : sequence of Path
        Prepared sets whose pools it sees; without labels, which are not even read.
    say : callable

    Raises
    ------
    MismatchError
        If the spectra are prepared otherwise than those that the line correction was learnt from.
    TranstarError
        If the training diverges.
    """
    from ..simulate.emulator.emulator_storage import load_emulator
    from ..simulate.mocks.views import ViewSettings, make_views
    from ..train.see_through import SeeThrough
    from .through import train_through

    prepared = [read_set(folder) for folder in sets]
    preprocessing = prepared[0].preprocessing
    real, stars = pool_spectra(prepared) if given.share else (None, None)
    n_real = 0 if real is None else len(real)
    say(f"training the encoder '{part}': {given.stars:,} mock stars and {n_real:,} spectra without labels")
    settings = ViewSettings(stars=given.stars, seed=VIEW_SEED + given.seed)
    with progress_bar(total=given.stars, unit="star", desc="views") as bar:
        views = make_views(settings, load_emulator(), preprocessing, progress=bar.update)
    training = SeeThrough(epochs=given.epochs, seed=given.seed, unlabelled_share=given.share)
    with progress_bar(total=given.epochs, unit="epoch", desc="train") as bar:

        def advance(*_: float) -> None:
            bar.update()

        return train_through(
            views, [settings], training, preprocessing, name=part, unlabelled=real, unlabelled_stars=stars,
            progress=advance,
        )  # fmt: skip
