"""Make the models that ship with transtar, which have seen mock spectra and no real one but through the line correction.

    python -m tools.train_models --out FOLDER [--stars 40000] [--view-seeds 11 12] [--seed 0]

trains one network for all labels together on what the encoder `through` makes of the views from which it learnt, and folds the
encoder into it: what is written is a network of the flux. It is written once, to FOLDER/joint/mock, and the description and card
of each label to FOLDER/shipped/mock-feh and so on. The shipped ones are those of the defaults, with FOLDER src/transtar/models;
`tools.model_scores` writes what the cards say of real stars, `tools.error_tables` calibrates their errors.
"""

from __future__ import annotations

import argparse
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from tqdm import tqdm

from transtar.datasets import Stars
from transtar.encoders import Encoder, load_encoder, note_of
from transtar.grids import BLUE
from transtar.models import check_replaceable, folded
from transtar.models.estimator import DOMAIN_CLIP, Estimator, domain_limit
from transtar.networks import MLPSettings
from transtar.networks.merging import as_one_mlp
from transtar.simulate.emulator.emulator_storage import load_emulator
from transtar.simulate.mocks.views import Views, ViewSettings, join_views, make_views
from transtar.studies.through import line_stars
from transtar.train import Pretrain, pretrain
from transtar.train.augment import augment_flux
from transtar.train.see_through import SeeThrough

NAME = "mock"

LABELS = ("feh", "alphafe", "teff", "logg")

SETTINGS = Pretrain(
    epochs=12,
    batch_size=256,
    learning_rate=1e-3,
    schedule="cosine",
    average_last=3,
    validation_fraction=0.03,
    mlp=MLPSettings(hidden=(384, 96)),
)
"""Settings of the training on embeddings; views are changed as for the encoder's training before they are embedded."""

BLOCK = 2048

CONSTANT = {"alphafe": 0.10}
"""What 68 % of real stars are within (dex, bias included), of labels whose errors cannot be calibrated star by star: 80 of MILES
with [Mg/Fe], whose own errors are in it. To be measured anew when models are. The others have those of `tools.error_tables`."""


def train_mock_model(
    views: Views, encoder: Encoder, labels: tuple[str, ...] = LABELS, settings: Pretrain = SETTINGS, progress=None
) -> Estimator:
    """Train a network on embeddings of mock stars, and make it one of the flux.

    Parameters
    ----------
    views : Views
        Its stars are not recorded with the model: no survey holds them.
    encoder : Encoder
    labels : tuple of str
        Of the emulator's labels.
    settings : Pretrain
    progress : callable, optional
        See `transtar.train.loop.train`.
    """
    n, n_views, _ = views.views.shape
    embeddings, distances = np.empty((n_views, n, encoder.width), np.float32), []
    generator, changes = torch.Generator().manual_seed(settings.seed), SeeThrough().augmentation
    assert changes is not None
    step, mean, std = BLUE.step, encoder.flux_mean, encoder.flux_std
    for number in range(n_views):
        for start in range(0, n, BLOCK):
            rows = slice(start, start + BLOCK)
            seen = torch.from_numpy(views.views[rows, number].astype(np.float32))
            flux = augment_flux(seen, changes, step, generator).numpy()
            embeddings[number, rows] = encoder.encode(flux)
            # As `Estimator.domain_distance` has it, of the network to come.
            distances.append(np.square(np.clip((flux - mean) / std, -DOMAIN_CLIP, DOMAIN_CLIP)).mean(axis=1))
    columns = [views.names.index(label) for label in labels]
    truth = np.tile(views.labels[:, columns], (n_views, 1))
    stars = Stars(
        embeddings.reshape(n * n_views, -1),
        truth,
        labels,
        # Views of a star are on one side of the split.
        names=np.tile(np.arange(n), n_views).astype(str),
        survey="mock",
        feh=np.tile(views.labels[:, views.names.index("feh")], n_views),
        preprocessing=encoder.preprocessing,
        input=encoder.name,
        encoders={encoder.name: note_of(encoder)},
    )
    whole = folded(pretrain(stars, settings=settings, progress=progress), encoder)
    return replace(whole, network=as_one_mlp(whole.network), domain_limit=domain_limit(np.concatenate(distances)))


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
        _write(model.only(label), folders[-1], ("config.json", "README.md"))
    return folders


def write_configs(model: Estimator, out: Path) -> None:
    """Write the descriptions of shipped models anew, as `write_models` does, and leave their weights and cards as they are.

    Parameters
    ----------
    model : Estimator
        As it was read from ``joint/mock``, but for what is to be changed.
    out : Path
    """
    _write(model, out / "joint" / NAME, ("config.json",))
    for label in model.label_names:
        _write(model.only(label), out / "shipped" / f"{NAME}-{label}", ("config.json",))


def _write(model: Estimator, folder: Path, names: tuple[str, ...]) -> None:
    """Some of the files that a model is saved as."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as whole:
        model.save(Path(whole) / "model", dtype="float16")
        for name in names:
            shutil.copyfile(Path(whole) / "model" / name, folder / name)


def main(arguments: list[str] | None = None) -> None:
    """Make and write the models."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--encoder", default="through")
    parser.add_argument("--stars", type=int, default=40_000, help="drawn for each of the seeds of views")
    parser.add_argument("--view-seeds", type=int, nargs="+", default=[11, 12])
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    check_replaceable(given.out / "joint" / NAME)
    settings = [ViewSettings(stars=given.stars, seed=seed) for seed in given.view_seeds]
    with tqdm(total=given.stars * len(settings), unit="star", desc="views", disable=None) as bar:
        views = join_views([make_views(one, load_emulator(), progress=bar.update) for one in settings])
    encoder = load_encoder(given.encoder)
    if not isinstance(encoder, Encoder):
        parser.error(f"the encoder '{given.encoder}' is no network")
    for folder in make_models(views, settings, encoder, given.out, given.seed):
        print(folder)


def make_models(views: Views, settings: list[ViewSettings], encoder: Encoder, out: Path, seed: int = 0) -> list[Path]:
    """Train on views made by `settings`, and write all models below `out`."""
    poor = int(np.sum(views.labels[:, views.names.index("feh")] < -1))
    print(f"{len(views.target)} stars within the emulator's range, {poor} of them below [Fe/H] = -1")
    model = train_mock_model(views, encoder, settings=replace(SETTINGS, seed=seed))
    # `mock` is what says with which lines mock stars are to be made that the model is explained with.
    mock = {"stars": sum(one.stars for one in settings), "lines": settings[0].lines}
    model.provenance[-1]["mock"] = mock | {"views": [asdict(one) for one in settings]}
    model.provenance[-1]["encoder"] = note_of(encoder) | {"provenance": list(encoder.provenance)}
    model = replace(model, trained_on=line_stars(settings[0].lines))
    print(f"validation loss {min(model.provenance[-1]['validation_loss']):.4f}")
    constant = np.array([CONSTANT.get(label, np.nan) for label in model.label_names])
    return write_models(replace(model, label_error=constant), out)


if __name__ == "__main__":
    main()
