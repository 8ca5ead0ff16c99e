"""Networks that have learnt from other mock stars, for `benchmarks.metal_poor`: what of a training set makes giants err.

A network takes the leading principal components of its own training spectra, so that one is made in seconds. Mock stars are made
once, without line correction; all else is changed afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from transtar.datasets import Stars
from transtar.networks import MLPSettings
from transtar.preprocess import Preprocessing
from transtar.simulate.emulator.emulator import Emulator
from transtar.simulate.mocks.balmer_cores import CORES, deepen_cores
from transtar.simulate.mocks.line_correction import LineCorrection, load_lines
from transtar.simulate.mocks.views import ViewSettings, make_views
from transtar.train import Pretrain, pretrain

if TYPE_CHECKING:
    from benchmarks.metal_poor import Judged

LABELS = ("teff", "logg", "feh")

COMPONENTS = 120

HELD_OUT = 0.1
"""Share of the mock stars that judge."""

SETTINGS = Pretrain(
    epochs=15, batch_size=128, learning_rate=1e-3, average_last=3, validation_fraction=0.02, augmentation=None,
    mlp=MLPSettings(hidden=(256, 64)),
)  # fmt: skip


class MockStars(NamedTuple):
    """Spectra (n, n_grid) and labels (n, 6) of mock stars, in the order of `names`."""

    flux: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]


Predict = Callable[[np.ndarray], np.ndarray]


def mock_stars(n: int, emulator: Emulator, seed: int = 11) -> MockStars:
    """Stars, each seen by LAMOST, MILES or DESI at S/N 8 to 300, without line correction."""
    views = make_views(ViewSettings(stars=n, seed=seed, views=("lamost", "miles", "desi"), lines=None), emulator)
    rows = np.arange(len(views.labels))
    flux = views.views[rows, np.random.default_rng(0).integers(views.views.shape[1], size=len(rows))]
    return MockStars(flux.astype(np.float32), views.labels, views.names)


def network(flux: np.ndarray, labels: np.ndarray, seed: int) -> Predict:
    """Train on spectra (n, n_grid) with labels (n, 3); a function from spectra to labels."""
    torch.manual_seed(seed)
    mean = flux.mean(axis=0)
    axes = torch.svd_lowrank(torch.from_numpy(flux[:4000] - mean), q=COMPONENTS)[2].numpy()
    stars = Stars((flux - mean) @ axes, labels, LABELS, survey="mock", feh=labels[:, 2], preprocessing=Preprocessing())
    settings = Pretrain(**{**vars(SETTINGS), "seed": seed})
    model = pretrain(stars, settings=settings)
    return lambda given: model.predict((given - mean) @ axes)


def hidden(flux: np.ndarray, wave: np.ndarray, reach: float, seed: int = 0) -> np.ndarray:
    """Balmer lines to `reach` (Angstrom) exchanged between stars, each line for itself, so that nothing can be learnt of them."""
    generator, changed = np.random.default_rng(seed), flux.copy()
    for line in CORES:
        pixels = np.abs(wave - line) < reach
        changed[:, pixels] = changed[generator.permutation(len(flux))][:, pixels]
    return changed


def without_giant_term(lines: LineCorrection) -> LineCorrection:
    """The same correction for giants as for dwarfs."""
    dwarf = np.array([1, 1, 0], np.float32)[:, None]
    return LineCorrection(lines.name, lines.depth * dwarf, lines.added * dwarf, lines.preprocessing)


def unfading(flux: np.ndarray, labels: dict[str, np.ndarray], lines: LineCorrection, wave: np.ndarray) -> np.ndarray:
    """Spectra corrected as if absorption that is added within 8 A of the Balmer lines did not fade with metallicity."""
    cores = np.any([np.abs(wave - line) < 8 for line in CORES], axis=0)
    solar = {**labels, "feh": np.zeros(len(flux))}
    return np.where(cores, lines.apply(flux, solar), lines.apply(flux, labels))


def changes(mock: MockStars, wave: np.ndarray) -> dict[str, Callable[[], tuple[np.ndarray, np.ndarray]]]:
    """What is trained on: by name, a function that gives spectra and which stars to learn from."""
    columns = {name: mock.labels[:, mock.names.index(name)] for name in LABELS}
    lines = load_lines("lamost-dr10")
    every = np.ones(len(mock.flux), bool)
    poor_giants = (columns["logg"] < 3.5) & (columns["feh"] < -0.5)
    all_giants = {**columns, "logg": np.zeros(len(every))}
    carbon = ((wave > 4280) & (wave < 4310)) | ((wave > 4140) & (wave < 4216))

    def corrected() -> np.ndarray:
        return lines.apply(mock.flux, columns)

    def no_carbon() -> np.ndarray:
        flux = corrected()
        flux[:, carbon] = flux[np.random.default_rng(0).permutation(len(flux))][:, carbon]
        return flux

    def deeper(most: float, labels: dict[str, np.ndarray]) -> np.ndarray:
        return deepen_cores(corrected(), labels, most, Preprocessing(), [0])

    return {
        "as shipped": lambda: (corrected(), every),
        "Balmer cores hidden, 7 A": lambda: (hidden(corrected(), wave, 7.0), every),
        "Balmer cores deeper by 0 to 0.12": lambda: (deeper(0.12, all_giants), every),
        "giants' cores deeper by 0 to 0.06": lambda: (deeper(0.06, columns), every),
        "giants' cores deeper by 0 to 0.12": lambda: (deeper(0.12, columns), every),
        "giants' cores deeper by 0 to 0.2": lambda: (deeper(0.2, columns), every),
        "correction of Balmer cores not fading": lambda: (unfading(mock.flux, columns, lines, wave), every),
        "Balmer lines hidden, 30 A": lambda: (hidden(corrected(), wave, 30.0), every),
        "no line correction": lambda: (mock.flux, every),
        "line correction of dwarfs for all": lambda: (without_giant_term(lines).apply(mock.flux, columns), every),
        "G band and CN hidden": lambda: (no_carbon(), every),
        "without giants below -0.5": lambda: (corrected(), ~poor_giants),
    }


def judge(
    miles: Judged, lamost: Judged, benchmark: Judged, emulator: Emulator, stars: int, seeds: int, say: Callable
) -> None:
    """Print a table of each change: mock stars held out, LAMOST, benchmark stars, the pool of MILES."""
    mock = mock_stars(stars, emulator)
    wave = Preprocessing().wavelengths.wave
    order = np.random.default_rng(0).permutation(len(mock.flux))
    judged = np.isin(np.arange(len(order)), order[: int(HELD_OUT * len(order))])
    labels = np.stack([mock.labels[:, mock.names.index(name)] for name in LABELS], axis=1)
    plain = load_lines("lamost-dr10").apply(mock.flux, dict(zip(LABELS, labels.T, strict=True)))
    for name, make in changes(mock, wave).items():
        flux, chosen = make()
        learn = chosen & ~judged
        networks = [network(flux[learn], labels[learn], seed) for seed in range(seeds)]
        for sample, given, reference in (
            ("mock", plain[judged], labels[judged]),
            *((one.name, one.flux, one.labels) for one in (lamost, benchmark, miles)),
        ):
            say(sample, name, np.mean([one(given) for one in networks], axis=0) - reference, reference)
