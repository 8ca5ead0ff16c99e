"""Make the models that ship with transtar, which have seen mock LAMOST spectra and nothing else.

    python -m transtar.simulate.train_models --out FOLDER [--label feh ...] [--stars 40000] [--seed 0]

writes FOLDER/mock-feh and so on. The shipped ones are those of the defaults.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ..models.estimator import Estimator
from ..preprocess import Preprocessing
from ..train import Augmentation, Pretrain, pretrain
from .emulator_storage import load_emulator
from .mock_sets import MockSet, mock_set, training_stars

LABELS = ("feh", "alphafe", "teff", "logg")

SETTINGS = Pretrain(
    epochs=20,
    batch_size=64,
    learning_rate=5e-4,
    average_last=3,
    validation_fraction=0.05,
    augmentation=Augmentation(
        noise=(20.0, 300.0),
        shift_kms=15.0,
        smoothing_pixels=(0.0, 1.2),
        continuum_order=5,
        continuum_amplitude=0.005,
    ),
)
"""Settings of the training: those of a pre-training on a survey, with more noise, for mock spectra have none of their own."""


def train_mock_model(mock: MockSet, label: str, seed: int = 0, progress=None) -> Estimator:
    """Train a network on mock stars.

    Parameters
    ----------
    mock : MockSet
        Its stars are not recorded with the model: no survey holds them.
    label : str
        One of the emulator's labels.
    seed : int
    progress : callable, optional
        See `transtar.train.loop.train`.
    """
    return pretrain(
        mock.flux,
        mock.labels[:, mock.names.index(label)],
        label_names=(label,),
        stars=mock.ids.astype(str),
        preprocessing=Preprocessing(),
        survey="mock",
        feh=mock.labels[:, mock.names.index("feh")],
        settings=replace(SETTINGS, seed=seed),
        progress=progress,
    )


def main(arguments: list[str] | None = None) -> None:
    """Make and write the models."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--label", nargs="+", choices=LABELS, default=LABELS)
    parser.add_argument("--stars", type=int, default=40_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    stars = training_stars(given.stars, given.seed)
    with tqdm(total=len(stars), unit="star", desc="observe", disable=None) as bar:
        mock = mock_set(stars, load_emulator(), progress=bar.update)
    poor = int(np.sum(mock.labels[:, mock.names.index("feh")] < -1))
    print(f"{len(mock.ids)} of {len(stars)} stars within the emulator's range, {poor} of them below [Fe/H] = -1")
    for label in given.label:
        model = train_mock_model(mock, label, given.seed)
        model.save(given.out / f"mock-{label}", dtype="float16")
        print(f"{given.out / f'mock-{label}'}: validation loss {min(model.provenance[-1]['validation_loss']):.4f}")


if __name__ == "__main__":
    main()
