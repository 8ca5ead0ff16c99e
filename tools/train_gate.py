"""Make the two witnesses that ship with transtar: the gate, and the twin of the second opinion.

    python -m tools.train_gate --templates REDROCK_TEMPLATES --out FOLDER [--stars 24000] [--epochs 16] [--seed 0]

writes FOLDER/gate and FOLDER/twin; the shipped ones are those of the defaults, with FOLDER src/transtar/trust/shipped. Both learn
from mock stars, the gate from the templates of redrock and from made-up spectra, too (`tools.strange_spectra`); neither has seen
a real spectrum, but through the line correction of mock stars. It takes a quarter of an hour on two processors.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from transtar.encoders import Encoder, save_encoder
from transtar.grids import BLUE
from transtar.networks import MLPSettings
from transtar.networks.mlp import build_mlp
from transtar.preprocess import Preprocessing
from transtar.simulate import Emulator, load_emulator
from transtar.simulate.mocks.views import Views, ViewSettings, join_views, make_views
from transtar.studies.through import line_stars
from transtar.train.augment import Augmentation, augment_flux
from transtar.trust.gate import KINDS

from . import strange_spectra as strange

HOT, DWARF, COOL, NOT_A_STAR, NO_SPECTRUM, SHIFTED = range(1, len(KINDS))

CHANGES = Augmentation(
    shift_kms=12.0, smoothing_pixels=(0.0, 2.0), continuum_order=6, continuum_amplitude=0.012, probability=0.7
)
"""What spectra go through in each epoch; and a third of them have defects (`with_defects`)."""

KMS_PER_PIXEL = 299_792.458 * BLUE.step * np.log(10)

FAR = 150.0
"""km/s; an ordinary star whose lines are further off is of the kind 'shifted'. Nearer ones do not teach."""

HIDDEN, LEARNING_RATE, DROPOUT, BATCH = (256, 64), 1.5e-3, 0.1, 256


@dataclass
class Taught:
    """Spectra to learn from.

    Parameters
    ----------
    views : Tensor, shape (n_stars, n_views, n_grid), float16
        Ordinary stars.
    teff : ndarray, shape (n_stars,)
    flux : Tensor, shape (n, n_grid), float32
        Strange ones.
    kinds : Tensor, shape (n,), int64
    mixed : dict of str to (Tensor, ndarray)
        'A' and 'M': cool A stars and M stars, and the views that they are, for mixtures with ordinary stars.
    diluted : Tensor, shape (n, n_grid), float32
        A stars of which the lines are to be diluted.
    """

    views: torch.Tensor
    teff: np.ndarray
    flux: torch.Tensor
    kinds: torch.Tensor
    mixed: dict[str, tuple[torch.Tensor, np.ndarray]]
    diluted: torch.Tensor


def teach(folder: Path, emulator: Emulator, views: Views, seed: int) -> Taught:
    """Make the strange spectra beside the ordinary ones."""
    generator = np.random.default_rng([seed, 91])
    normal, uniform = generator.normal, generator.uniform
    parts: list[tuple[np.ndarray, int, np.ndarray]] = []

    def add(kind: int, flux: np.ndarray, off: float, vsini=None, snr=(8.0, 200.0)) -> None:
        made, places = strange.seen(
            flux, generator, 100 + len(parts) + 1000 * seed, vsini, normal(0, off, len(flux)), snr
        )
        usable = np.isfinite(made).all(axis=1)
        parts.append((made[usable], kind, places[usable]))
        print(f"{KINDS[kind]}: {int(usable.sum())} of {len(flux)}", flush=True)

    def turning(n: int, most: float) -> np.ndarray:
        return np.where(uniform(size=n) < 0.3, 0.0, uniform(0, most, n))

    add(HOT, strange.stars(folder, "A", 2500, generator), 10, turning(2500, 300))
    add(HOT, strange.stars(folder, "B", 1500, generator), 10, turning(1500, 300))
    add(COOL, strange.stars(folder, "M", 2000, generator), 10, turning(2000, 30))
    add(DWARF, strange.stars(folder, "WD", 2500, generator, strange.white_dwarf_rows(False)), 30, 0.0)
    add(NOT_A_STAR, strange.variables(folder, 600, generator), 10, 0.0)
    for kind in ("LOZ", "HIZ"):
        add(NOT_A_STAR, strange.quasars(folder, kind, 800, generator), 10, 0.0)
    add(NOT_A_STAR, strange.galaxies(folder, emulator, 2000, generator, 302 + seed), 20, 0.0, (8.0, 300.0))
    flux, _ = strange.mock_stars(emulator, 1500, 303 + seed)
    redshift = np.where(uniform(size=len(flux)) < 0.6, 0, uniform(-0.1, 0.3, len(flux)))
    strength, width = (
        np.exp(uniform(np.log(2), np.log(60), len(flux))),
        np.exp(uniform(np.log(20), np.log(400), len(flux))),
    )
    shining = [
        strange.with_emission(one, generator, *given)
        for one, *given in zip(flux, redshift, strength, width, strict=True)
    ]
    add(NOT_A_STAR, np.array(shining), 5, None, (8.0, 300.0))
    add(NO_SPECTRUM, strange.featureless(1200, generator), 5, 0.0, (8.0, 300.0))
    add(NO_SPECTRUM, strange.featureless(800, generator), 5, 0.0, (0.7, 8.0))
    flux, _ = strange.mock_stars(emulator, 1500, 305 + seed)
    add(NO_SPECTRUM, flux[:, ::-1], 5, None, (8.0, 300.0))
    add(NO_SPECTRUM, np.maximum(2 * strange.smoothed(flux, 800) - flux, 1e-3), 5, None, (8.0, 300.0))
    flux, _ = strange.mock_stars(emulator, 3000, 301 + seed)
    off = np.where(uniform(size=len(flux)) < 0.5, -1, 1) * np.exp(uniform(np.log(FAR), np.log(1500), len(flux)))
    made, places = strange.seen(flux, generator, 301 + 1000 * seed, None, off)
    usable = np.isfinite(made).all(axis=1)
    parts.append((made[usable], SHIFTED, places[usable]))
    rows = strange.coolest_a_stars(folder)
    cool_a, places_a = strange.seen(
        strange.stars(folder, "A", 1500, generator, rows),
        generator,
        911 + 1000 * seed,
        turning(1500, 200),
        normal(0, 8, 1500),
        (20, 300),
    )
    usable = np.isfinite(cool_a).all(axis=1)
    flux = np.concatenate([made for made, _, _ in parts])
    return Taught(
        torch.from_numpy(views.views),
        views.labels[:, views.names.index("teff")],
        torch.from_numpy(flux),
        torch.from_numpy(np.concatenate([np.full(len(made), kind) for made, kind, _ in parts])),
        {"A": (torch.from_numpy(cool_a[usable]), places_a[usable]), "M": (torch.from_numpy(parts[2][0]), parts[2][2])},
        torch.from_numpy(parts[0][0]),
    )


def train_gate(taught: Taught, epochs: int, seed: int) -> Encoder:
    """Train the network that tells kinds apart."""
    mean, std = _scalers(taught.views)
    torch.manual_seed(seed)
    network = build_mlp(BLUE.size, len(KINDS), MLPSettings(hidden=HIDDEN, dropout=DROPOUT), activation="gelu")
    generator, numbers = torch.Generator().manual_seed(seed), np.random.default_rng([seed, 92])
    n_epoch = len(_epoch(taught, torch.Generator().manual_seed(0), np.random.default_rng(0))[1])
    _run(
        network,
        epochs,
        n_epoch,
        lambda: _epoch(taught, generator, numbers),
        nn.functional.cross_entropy,
        mean,
        std,
        generator,
    )
    plain = build_mlp(BLUE.size, len(KINDS), MLPSettings(hidden=HIDDEN), activation="gelu")
    # Dropout is for training alone; what is stored has none.
    for one, other in zip(_linear(plain), _linear(network), strict=True):
        one.load_state_dict(other.state_dict())
    step = {
        "step": "gate", "kinds": list(KINDS), "n_train": [int((taught.kinds == kind).sum()) for kind in range(len(KINDS))],
        "ordinary": len(taught.views), "epochs": epochs, "seed": seed,
        "templates": "redrock-templates (DESI Collaboration, BSD-3): A, B, M, WD (a block of 500 in five kept aside), CV, QSO",
    }  # fmt: skip
    return Encoder(
        "gate",
        plain.eval(),
        mean.numpy(),
        std.numpy(),
        Preprocessing(),
        provenance=(step,),
        trained_on=line_stars("lamost-dr10"),
    )


def _epoch(
    taught: Taught, generator: torch.Generator, numbers: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Spectra of an epoch, and their kinds."""
    n, n_views, size = taught.views.shape
    first, second = (
        taught.views[torch.arange(n), torch.randint(n_views, (n,), generator=generator)].float() for _ in range(2)
    )
    some = torch.randperm(n, generator=generator)[: n // 4]
    off = torch.exp(torch.rand(len(some), generator=generator) * np.log(20) + np.log(FAR))
    off *= torch.where(torch.rand(len(some), generator=generator) < 0.5, -1, 1)
    parts = [
        (first, 0), (second, 0), (taught.flux, taught.kinds), (taught.flux, taught.kinds),
        (_shifted(second[some], off / KMS_PER_PIXEL), SHIFTED), (_noise(800, size, generator), NO_SPECTRUM),
        _mixture(taught, "A", taught.teff > 6700, (0.25, 0.4), HOT, 1800, numbers),
        _mixture(taught, "M", taught.teff < 4350, (0.0, 0.2), COOL, 1500, numbers),
        (_diluted(taught.diluted, 500, numbers), HOT),
    ]  # fmt: skip
    kinds = [kind if isinstance(kind, torch.Tensor) else torch.full((len(flux),), kind) for flux, kind in parts]
    flux = torch.cat([flux for flux, _ in parts])
    with_defects(flux, numbers)
    return flux, torch.cat(kinds)


def _shifted(flux: torch.Tensor, pixels: torch.Tensor) -> torch.Tensor:
    place = torch.arange(flux.shape[1])[None] - pixels[:, None]
    left = place.floor().clamp(0, flux.shape[1] - 2).long()
    share = (place - left).clamp(0, 1)
    return flux.gather(1, left) * (1 - share) + flux.gather(1, left + 1) * share


def _noise(n: int, size: int, generator: torch.Generator) -> torch.Tensor:
    """Nothing but noise: of one pixel, or correlated over some."""
    noise = torch.randn(n, size, generator=generator) * torch.exp(
        torch.rand(n, 1, generator=generator) * np.log(40) + np.log(0.03)
    )
    for row in range(n // 2):
        reach = 1 + int(8 * torch.rand(1, generator=generator))
        noise[row] = (
            nn.functional.avg_pool1d(noise[row][None, None], 2 * reach + 1, 1, reach)[0, 0] * (2 * reach + 1) ** 0.5
        )
    # An envelope lies above the noise.
    noise[::3] -= 1.5 * noise[::3].std(dim=1, keepdim=True)
    return 1 + noise


def _mixture(taught: Taught, name: str, ordinary: np.ndarray, edges: tuple[float, float], kind: int, n: int, numbers):
    """Mixtures of strange and ordinary stars, seen by the same instrument.

    They are ordinary below the first share of `edges`, strange above the second; what is between does not teach.
    """
    flux, places = taught.mixed[name]
    strange_rows, rows = numbers.integers(len(flux), size=n), numbers.choice(np.flatnonzero(ordinary), n)
    share = numbers.uniform(0, 1, n)
    keep = (share < edges[0]) | (share > edges[1])
    strange_rows, rows, share = strange_rows[keep], rows[keep], share[keep]
    weight = torch.from_numpy(share[:, None].astype(np.float32))
    mixed = (1 - weight) * taught.views[rows, places[strange_rows]].float() + weight * flux[strange_rows]
    return mixed, torch.from_numpy(np.where(share > edges[1], kind, 0))


def _diluted(flux: torch.Tensor, n: int, numbers) -> torch.Tensor:
    """A stars with weaker lines, as supergiants and unresolved companions have them."""
    share = torch.from_numpy(numbers.uniform(0.35, 1, (n, 1)).astype(np.float32))
    return 1 + share * (flux[numbers.integers(len(flux), size=n)] - 1)


def with_defects(flux: torch.Tensor, numbers: np.random.Generator) -> None:
    """Give a third of the spectra spikes, straight lines where pixels are missing, steps, and ends that bend; changes `flux`."""
    n, size = flux.shape
    for row in np.flatnonzero(numbers.uniform(size=n) < 0.35):
        for _ in range(numbers.integers(1, 4)):
            kind, first = numbers.integers(4), numbers.integers(0, size - 62)
            length = numbers.integers(1, 4) if kind == 0 else numbers.integers(5, 60)
            part = flux[row, first : first + length]
            if kind == 0:
                part += float(numbers.normal(0, 0.3))
            elif kind == 1:
                part[:] = torch.linspace(float(part[0]), float(part[-1]), len(part))
            elif kind == 2:
                part *= float(1 + numbers.normal(0, 0.03))
            else:
                bend = torch.linspace(float(1 + numbers.normal(0, 0.06)), 1, int(length))
                if numbers.uniform() < 0.5:
                    flux[row, :length] *= bend
                else:
                    flux[row, size - length :] *= bend.flip(0)


def train_twin(views: Views, emulator: Emulator, epochs: int, seed: int) -> Encoder:
    """Train the network that makes labels of spectra, and the one that makes spectra of labels."""
    mean, std = _scalers(torch.from_numpy(views.views))
    label_mean, label_std = views.labels.mean(axis=0), views.labels.std(axis=0)
    labels = torch.from_numpy((views.labels - label_mean) / label_std).float()
    target_mean, target_std = views.target.mean(axis=0), np.full(BLUE.size, views.target.std(axis=0).mean(), np.float32)
    targets = torch.from_numpy((views.target - target_mean) / target_std).float()
    generator, numbers = torch.Generator().manual_seed(seed), np.random.default_rng([seed, 93])
    torch.manual_seed(seed)
    n, n_views, _ = views.views.shape
    stored = torch.from_numpy(views.views)

    def look() -> tuple[torch.Tensor, torch.Tensor]:
        flux = torch.cat(
            [stored[torch.arange(n), torch.randint(n_views, (n,), generator=generator)].float() for _ in range(2)]
        )
        with_defects(flux, numbers)
        return flux, torch.cat([labels, labels])

    reader = build_mlp(BLUE.size, len(label_mean), MLPSettings(hidden=HIDDEN), activation="gelu")
    _run(reader, epochs, 2 * n, look, nn.functional.mse_loss, mean, std, generator)
    writer = build_mlp(len(label_mean), BLUE.size, MLPSettings(hidden=(192, 192, 192)), activation="gelu")
    zero, one = torch.zeros(len(label_mean)), torch.ones(len(label_mean))
    held = torch.arange(n) % 20 == 0
    _run(
        writer,
        6 * epochs,
        int((~held).sum()),
        lambda: (labels[~held], targets[~held]),
        nn.functional.mse_loss,
        zero,
        one,
        generator,
        False,
    )
    with torch.inference_mode():
        off = (writer(labels[held]) - targets[held]).numpy() * target_std
    rms = np.sqrt((off**2).mean(axis=1))
    print(
        f"twins of stars kept aside: rms {np.median(rms):.5f} in the median, {np.quantile(rms, 0.95):.5f} at 95 %",
        flush=True,
    )
    step = {
        "step": "twin", "labels": list(views.names), "label_mean": label_mean.tolist(), "label_std": label_std.tolist(),
        "range": emulator.grid_range.to_dict(), "stars": n, "epochs": epochs, "seed": seed,
        "rms": [float(np.median(rms)), float(np.quantile(rms, 0.95))],
    }  # fmt: skip
    return Encoder(
        "twin", reader.eval(), mean.numpy(), std.numpy(), Preprocessing(), writer.eval(),
        target_mean.astype(np.float32), target_std, provenance=(step,), trained_on=line_stars("lamost-dr10"),
    )  # fmt: skip


def _run(
    network: nn.Module,
    epochs: int,
    n_epoch: int,
    look,
    loss,
    mean,
    std,
    generator: torch.Generator,
    change: bool = True,
) -> None:
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=1e-2 if change else 0.0)
    n_steps = epochs * -(-n_epoch * 21 // 20 // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=int(n_steps))
    network.train()
    for epoch in range(epochs):
        inputs, wanted = look()
        total = 0.0
        batches = torch.randperm(len(inputs), generator=generator).split(BATCH)
        for rows in batches:
            given = augment_flux(inputs[rows], CHANGES, BLUE.step, generator) if change else inputs[rows]
            value = loss(network((given - mean) / std), wanted[rows])
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            if schedule.last_epoch < n_steps - 1:
                schedule.step()
            total += value.item()
        print(f"epoch {epoch + 1} of {epochs}: loss {total / len(batches):.4f}", flush=True)


def _scalers(views: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    flux = views[:: max(1, len(views) // 5000)].reshape(-1, views.shape[2]).float()
    return flux.mean(dim=0), torch.full((views.shape[2],), float(flux.var(dim=0).mean().sqrt()))


def _linear(network: nn.Module) -> Iterator[nn.Linear]:
    return (layer for layer in network if isinstance(layer, nn.Linear))  # type: ignore[attr-defined]


def main(arguments: list[str] | None = None) -> None:
    """Make and write both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(os.environ.get("TRANSTAR_DATA", ".")) / "redrock_templates"
    parser.add_argument("--templates", type=Path, default=default, help="folder of rrtemplate-*.fits")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--stars", type=int, default=24_000)
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    emulator = load_emulator()
    views = make_views(ViewSettings(stars=given.stars, seed=21 + given.seed), emulator)
    print(f"ordinary: {len(views.target)} stars, {views.views.shape[1]} views each", flush=True)
    save_encoder(train_twin(views, emulator, given.epochs, given.seed), given.out / "twin")
    # Strange spectra that are made of mock stars have no line correction: what has none must not be strange for that.
    plain = make_views(ViewSettings(stars=given.stars // 2, seed=22 + given.seed, lines=None), emulator)
    print(f"ordinary, lines as the emulator has them: {len(plain.target)} stars", flush=True)
    taught = teach(given.templates, emulator, join_views([views, plain]), given.seed)
    save_encoder(train_gate(taught, given.epochs, given.seed), given.out / "gate")
    print(given.out)


if __name__ == "__main__":
    main()
