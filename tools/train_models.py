"""Make the models that ship with transtar, which have seen mock LAMOST spectra and no real one but through the line correction.

    python -m tools.train_models --out FOLDER [--stars 120000] [--seed 0]

trains one network for all labels together, which serves each of them better than one of its own. It is written once, to
FOLDER/joint/mock, and the description and card of each label to FOLDER/shipped/mock-feh and so on. The shipped ones are those of
the defaults, with FOLDER src/transtar/models; what the cards say of real stars was added by hand.
"""

from __future__ import annotations

import argparse
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from tqdm import tqdm

from transtar.datasets import Stars
from transtar.models import check_replaceable
from transtar.models.estimator import Estimator
from transtar.preprocess import Preprocessing
from transtar.simulate.emulator.emulator_storage import load_emulator
from transtar.simulate.mocks.line_correction import load_lines
from transtar.simulate.mocks.mock_sets import MockSet, MockSettings, mock_set
from transtar.train import Augmentation, Pretrain, pretrain

NAME = "mock"

LABELS = ("feh", "alphafe", "teff", "logg")

SETTINGS = Pretrain(
    epochs=12,
    batch_size=64,
    learning_rate=5e-4,
    average_last=3,
    validation_fraction=0.05,
    augmentation=Augmentation(
        shift_kms=15.0, smoothing_pixels=(0.0, 1.2), continuum_order=5, continuum_amplitude=0.005
    ),
)
"""Settings of the training. Mock spectra have noise of their own."""


ERRORS = {"feh": 0.18, "alphafe": 0.11, "teff": 180.0, "logg": 0.38}
"""Error of each label (dex, K), bias included: what 68 % of MILES stars are within, 723 with labels of Cenarro et al. (2007),
and for [alpha/Fe] 85 with [Mg/Fe]. Those labels' own errors are in it. To be measured anew when the models are."""


def train_mock_model(mock: MockSet, labels: tuple[str, ...] = LABELS, seed: int = 0, progress=None) -> Estimator:
    """Train a network on mock stars.

    Parameters
    ----------
    mock : MockSet
        Its stars are not recorded with the model: no survey holds them.
    labels : tuple of str
        Of the emulator's labels.
    seed : int
    progress : callable, optional
        See `transtar.train.loop.train`.
    """
    columns = [mock.names.index(label) for label in labels]
    stars = Stars(
        mock.flux,
        mock.labels[:, columns],
        labels,
        names=mock.ids.astype(str),
        survey="mock",
        feh=mock.labels[:, mock.names.index("feh")],
        preprocessing=Preprocessing(),
    )
    return pretrain(stars, settings=replace(SETTINGS, seed=seed), progress=progress)


def seen_stars(settings: MockSettings) -> dict[str, np.ndarray]:
    """The real stars that decided something: those of the line correction. Mock stars are in no survey."""
    stars = load_lines(settings.lines).stars if settings.lines else {}
    n = len(next(iter(stars.values()), ()))
    return {**stars, "role": np.full(n, "lines")} if n else {}


def write_models(model: Estimator, out: Path) -> list[Path]:
    """Write a network once, and what its outputs need to be models of their own (see `transtar.models.named.joint_network`).

    Parameters
    ----------
    model : Estimator
    out : Path
        Gets ``joint/mock``, and ``shipped/mock-LABEL`` of each label.

    Returns
    -------
    list of Path
        All folders.
    """
    folders = [out / "joint" / NAME]
    model.save(folders[0], dtype="float16")
    for label in model.label_names:
        folders.append(out / "shipped" / f"{NAME}-{label}")
        folders[-1].mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory() as whole:
            model.only(label).save(Path(whole) / "model", dtype="float16")
            for name in ("config.json", "README.md"):
                shutil.copyfile(Path(whole) / "model" / name, folders[-1] / name)
    return folders


def main(arguments: list[str] | None = None) -> None:
    """Make and write the models."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--stars", type=int, default=MockSettings.stars)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    check_replaceable(given.out / "joint" / NAME)
    settings = MockSettings(stars=given.stars, seed=given.seed)
    with tqdm(total=settings.stars, unit="star", desc="observe", disable=None) as bar:
        mock = mock_set(settings, load_emulator(), progress=bar.update)
    poor = int(np.sum(mock.labels[:, mock.names.index("feh")] < -1))
    print(f"{len(mock.ids)} of {settings.stars} stars within the emulator's range, {poor} of them below [Fe/H] = -1")
    model = train_mock_model(mock, seed=given.seed)
    model.provenance[-1]["mock"] = asdict(settings)
    model = replace(model, trained_on=seen_stars(settings))
    print(f"validation loss {min(model.provenance[-1]['validation_loss']):.4f}")
    errors = np.array([ERRORS[label] for label in model.label_names])
    for folder in write_models(replace(model, label_error=errors), given.out):
        print(folder)


if __name__ == "__main__":
    main()
