"""Make `through`, the encoder that ships: it has seen mock spectra, and no real one but through the line correction.

    python -m tools.train_encoder --out FOLDER [--stars 40000] [--view-seeds 11 12] [--seed 0]

writes it to FOLDER; the shipped one is that of the defaults, with FOLDER src/transtar/encoders/shipped/through. It takes an hour
on two processors, half of it to make the views.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tqdm import tqdm

from transtar.encoders import save_encoder
from transtar.simulate.emulator.emulator_storage import load_emulator
from transtar.simulate.mocks.views import ViewSettings, join_views, make_views
from transtar.studies.through import train_through
from transtar.train.see_through import SeeThrough


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

        def advance(*_: float) -> None:
            bar.update()

        encoder = train_through(views, settings, training, progress=advance)
    print(
        f"loss {encoder.provenance[-1]['train_loss'][-1]:.4f} after {given.epochs} epochs of {len(views.target)} stars"
    )
    save_encoder(encoder, given.out)
    print(given.out)


if __name__ == "__main__":
    main()
