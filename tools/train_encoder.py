"""Make `through`, the encoder that ships: it has seen mock spectra, and no real one but through the line correction.

    python -m tools.train_encoder --out FOLDER [--stars 40000] [--view-seeds 11 12] [--seed 0]

writes it to FOLDER; the shipped one is that of the defaults, with FOLDER src/transtar/encoders/shipped/through. It takes an hour
on two processors, half of it to make the views.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from transtar.encoders import Encoder, save_encoder
from transtar.preprocess import Preprocessing
from transtar.simulate.emulator.emulator_storage import load_emulator
from transtar.simulate.mocks.line_correction import load_lines
from transtar.simulate.mocks.views import Views, ViewSettings, join_views, make_views
from transtar.train.see_through import SeeThrough, train_encoder

LABELS = ("teff", "logg", "feh", "alphafe")
"""What the embedding is to tell beside the spectrum."""


def train_through(views: Views, settings: list[ViewSettings], training: SeeThrough, progress=None) -> Encoder:
    """Train the encoder on mock stars and note what decided something.

    Parameters
    ----------
    views : Views
    settings : list of ViewSettings
        By which they were made, of one line correction.
    training : SeeThrough
    progress : callable, optional
        See `transtar.train.loop.train`.
    """
    columns = [views.names.index(name) for name in LABELS]
    encoder = train_encoder(
        views.views, views.target, Preprocessing(), training, labels=views.labels[:, columns],
        provenance={"survey": "mock", "views": [asdict(one) for one in settings]}, progress=progress,
    )  # fmt: skip
    lines = settings[0].lines
    stars = load_lines(lines).stars if lines else {}
    n = len(next(iter(stars.values()), ()))
    return replace(encoder, trained_on={**stars, "role": np.full(n, "lines")} if n else {})


def main(arguments: list[str] | None = None) -> None:
    """Make and write the encoder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--stars", type=int, default=40_000, help="drawn for each of the seeds of views")
    parser.add_argument("--view-seeds", type=int, nargs="+", default=[11, 12])
    parser.add_argument("--epochs", type=int, default=SeeThrough.epochs)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--views", nargs="+", default=list(ViewSettings.views), help="to leave an instrument out")
    given = parser.parse_args(arguments)
    settings = [ViewSettings(stars=given.stars, seed=seed, views=tuple(given.views)) for seed in given.view_seeds]
    with tqdm(total=given.stars * len(settings), unit="star", desc="views", disable=None) as bar:
        views = join_views([make_views(one, load_emulator(), progress=bar.update) for one in settings])
    training = SeeThrough(epochs=given.epochs, seed=given.seed)
    with tqdm(total=given.epochs, unit="epoch", desc="train", disable=None) as bar:
        encoder = train_through(views, settings, training, lambda *_: bar.update() and None)
    print(
        f"loss {encoder.provenance[-1]['train_loss'][-1]:.4f} after {given.epochs} epochs of {len(views.target)} stars"
    )
    save_encoder(encoder, given.out)
    print(given.out)


if __name__ == "__main__":
    main()
