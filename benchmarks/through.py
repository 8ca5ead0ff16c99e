"""What an embedding is worth beside the flux: folds of LAMOST, LAMOST to MILES, repeats of mock stars.

Run from the project root as ``python -m benchmarks.through [--encoder through] [--seeds 5]``. Networks on the flux are those of
the study lamost-to-miles-alone; those on an embedding are smaller. ``--encoder FOLDER`` gives the rows of another encoder, such
as one that has not seen an instrument (`tools.train_encoder --views`). Needs the real spectra in `TRANSTAR_DATA`.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.common import DATA
from transtar.datasets import PreparedSet, Stars, prepare, read_set, usable
from transtar.encoders import Encoder, load_encoder, note_of
from transtar.evaluate.metrics import r2, sigma
from transtar.models import Estimator, load_estimator
from transtar.networks import MLPSettings
from transtar.simulate.emulator.emulator_storage import load_emulator
from transtar.simulate.mocks.views import ViewSettings, make_views
from transtar.train import Augmentation, Pretrain, pretrain

FOLDS = 10
INPUTS = ("flux", "through", "flux+through")

_COMMON = {"schedule": "cosine", "average_last": 10, "validation_fraction": 0.0}
SETTINGS = {
    "flux": Pretrain(
        epochs=50,
        learning_rate=2e-4,
        augmentation=Augmentation(noise=(40, 300)),
        mlp=MLPSettings(dropout=0.2),
        **_COMMON,
    ),
    "through": Pretrain(epochs=60, learning_rate=1e-3, batch_size=64, mlp=MLPSettings(hidden=(256, 64)), **_COMMON),
    "flux+through": Pretrain(epochs=50, learning_rate=2e-4, mlp=MLPSettings(dropout=0.2), **_COMMON),
}


def scores(predicted: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """R2 of all, metal-poor and metal-rich stars, sigma."""
    poor = reference < -1
    return np.array(
        [*(r2(reference[rows], predicted[rows]) for rows in (poor | ~poor, poor, ~poor)), sigma(reference, predicted)]
    )


def stars_of(inputs: dict[str, np.ndarray], name: str, feh: np.ndarray, encoder: Encoder, like: PreparedSet) -> Stars:
    """Stars of one input, or of two side by side, with [Fe/H] (n,)."""
    parts = [inputs[part] for part in name.split("+")]
    notes = {"through": note_of(encoder)} if "through" in name else {}
    sizes = tuple(part.shape[1] for part in parts)
    return Stars(
        np.concatenate(parts, axis=1), feh, ("feh",), survey="lamost", preprocessing=like.preprocessing,
        input=name, input_sizes=sizes, encoders=notes,
    )  # fmt: skip


def train(stars: Stars, seed: int) -> Estimator:
    """A network of the settings of its input."""
    return pretrain(stars, settings=replace(SETTINGS[stars.input], seed=seed))


def real_set(survey: str, folder: str, scratch: Path) -> PreparedSet:
    """Usable stars of a survey with [Fe/H]."""
    split = DATA / folder / "split.csv"
    prepare(
        survey, DATA / folder / "spectra", scratch / survey, labels=DATA / folder / "labels.csv",
        split=split if split.is_file() else None,
    )  # fmt: skip
    prepared = read_set(scratch / survey)
    return prepared.select(np.flatnonzero(usable(prepared) & np.isfinite(prepared.targets(["feh"])[:, 0])))


def folds(lamost: PreparedSet, inputs: dict[str, np.ndarray], encoder: Encoder, seeds: range) -> None:
    """LAMOST stars, each judged by networks that have not seen it."""
    feh = lamost.targets(["feh"])[:, 0]
    for name in INPUTS:
        rows = []
        for seed in seeds:
            part = np.random.default_rng(seed).permutation(len(feh)) % FOLDS
            predicted = np.empty(len(feh))
            stars = stars_of(inputs, name, feh, encoder, lamost)
            for fold in range(FOLDS):
                model = train(stars.select(part != fold), seed)
                predicted[part == fold] = model.predict(stars.inputs[part == fold])[:, 0]
            rows.append(scores(predicted, feh))
        _say(f"LAMOST, {FOLDS} folds", name, rows)


def carried(lamost: PreparedSet, miles: PreparedSet, encoder: Encoder, seeds: range) -> None:
    """LAMOST labels on MILES test stars, zero-shot."""
    feh, test = lamost.targets(["feh"])[:, 0], miles.columns["split"] == "test"
    source, target = inputs_of(lamost, encoder), inputs_of(miles, encoder)
    reference = miles.targets(["feh"])[test, 0]
    for name in INPUTS:
        stars = stars_of(source, name, feh, encoder, lamost)
        given = np.concatenate([target[part] for part in name.split("+")], axis=1)[test]
        _say("LAMOST -> MILES test", name, [scores(train(stars, s).predict(given)[:, 0], reference) for s in seeds])


def repeats(models: list[str], n: int = 3000) -> None:
    """How far two views of a mock star lie apart in [Fe/H]: independent noise, velocity, continuum and calibration."""
    emulator = load_emulator()
    for name in ("lamost", "miles", "desi"):
        views = make_views(ViewSettings(stars=n, seed=902, views=(name, name), snr=(15, 100)), emulator)
        truth = views.labels[:, views.names.index("feh")]
        for model in models:
            one, two = (
                load_estimator(model).only("feh").predict(views.views[:, number].astype(np.float32))[:, 0]
                for number in range(2)
            )
            apart = 1.48 * np.median(np.abs(one - two)) / 2**0.5
            error = np.sqrt(np.mean((np.concatenate([one, two]) - np.tile(truth, 2)) ** 2))
            print(f"mock repeats, {name:7s} {model:30s} scatter {apart:.4f} dex, rms error {error:.4f} dex", flush=True)


def inputs_of(prepared: PreparedSet, encoder: Encoder) -> dict[str, np.ndarray]:
    """The parts of all inputs."""
    return {"flux": np.asarray(prepared.flux), "through": encoder.encode(prepared.flux)}


def _say(row: str, name: str, results: list[np.ndarray]) -> None:
    mean, spread = np.mean(results, axis=0), np.std(results, axis=0)
    r2s = " / ".join(f"{value:.3f}" for value in mean[:3])
    print(f"{row:22s} {name:13s} {r2s}, {mean[3]:.3f} (+- {spread[0]:.3f} over {len(results)} seeds)", flush=True)


def main() -> None:
    """Print all rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default="through", help="name or folder")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--models", nargs="+", default=["mock-feh"], help="for the repeats, names or folders")
    parser.add_argument("--rows", nargs="+", default=["folds", "carried", "repeats"])
    given = parser.parse_args()
    encoder, seeds = load_encoder(given.encoder), range(given.seeds)
    with TemporaryDirectory() as scratch:
        lamost = real_set("lamost", "lamost_dr10", Path(scratch))
        miles = real_set("miles", "miles", Path(scratch))
    if "folds" in given.rows:
        folds(lamost, inputs_of(lamost, encoder), encoder, seeds)
    if "carried" in given.rows:
        carried(lamost, miles, encoder, seeds)
    if "repeats" in given.rows:
        repeats(given.models)


if __name__ == "__main__":
    main()
