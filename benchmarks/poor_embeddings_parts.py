"""What `benchmarks.poor_embeddings` varies: mock spectra, encoders that learn from them, and heads that read their embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from scipy.constants import c as LIGHT
from torch import Tensor, nn

from benchmarks.common import write_set
from transtar.encoders.specclip import PREPARED
from transtar.networks.lrs import LRSSettings, LRSTransformer
from transtar.simulate.emulator.emulator_storage import load_emulator
from transtar.simulate.mocks.views import ViewSettings, make_views
from transtar.train.large import EncoderTraining, MaskedSegments, Objective, SetStream, open_source, train_large

VIEWS = ("lamost", "desi")

DRAWN = 21_000
"""Mock stars; a fifth of them are metal-poor, of whom `chosen` takes as many as are asked for."""

TEST = {True: 400, False: 1200}
"""Stars that judge, metal-poor ones and others."""

LEARNT_FROM = 3000
"""Stars with labels; others than the encoders learn from."""

SHARE = 0.05
"""Metal-poor stars among those that encoders and heads learn from, unless said otherwise."""

SMALLER = {"width": 64, "layers": 2, "heads": 4, "token": 40, "stride": 20, "chunk_tokens": 5, "positions": 75}
SMALL = {**SMALLER, "width": 128, "layers": 3}
"""Settings of the size `small`."""

VELOCITY = 80.0
"""Scatter of velocities that were not taken out, in km/s."""


@dataclass(frozen=True)
class Mocks:
    """Mock stars by what they are for: spectra (n, n_views, n_grid) as seen, without noise (n, n_grid), and [Fe/H] (n,)."""

    seen: np.ndarray
    clean: np.ndarray
    target: np.ndarray
    feh: np.ndarray


@dataclass(frozen=True)
class Case:
    """One way to come from spectra to [Fe/H].

    Parameters
    ----------
    stars : int
        That the encoder learns from.
    share, label_share : float
        Part of them, and of the stars with labels, that is metal-poor.
    network : dict
        Settings of the transformer.
    objective : {'masked', 'spectrum', 'noise-free'}
        Masked segments of tokens; or the whole spectrum, or that without noise at DESI's resolution, from the embedding.
    spectra : {'seen', 'clean', 'noisier', 'velocity'}
        What the encoder learns from; of 'velocity' all spectra are shifted, those with labels and of the test too.
    longer : int
        Times the steps of training.
    pooling : {'mean', 'flux-mean', 'first', 'scatter', 'sections', 'attention', 'all'}
        What the head takes of the output tokens; of 'sections' the means over six equal parts, of 'all' every value.
    """

    stars: int = 3000
    share: float = SHARE
    label_share: float = SHARE
    network: Mapping[str, Any] = field(default_factory=lambda: SMALLER)
    objective: str = "masked"
    spectra: str = "seen"
    longer: int = 1
    pooling: str = "mean"

    @property
    def training(self) -> dict[str, Any]:
        """What decides the encoder."""
        return {name: value for name, value in asdict(self).items() if name not in ("pooling", "label_share")}


def make_mocks(cache: Path) -> Mocks:
    """Draw the stars, or read them where that was done before."""
    if not cache.is_file():
        emulator = load_emulator()
        seen = make_views(ViewSettings(stars=DRAWN, seed=31, views=VIEWS, snr=(15.0, 150.0)), emulator)
        clean = make_views(ViewSettings(stars=DRAWN, seed=31, views=("lamost",), snr=(1e5, 1e5)), emulator)
        if not np.array_equal(seen.labels, clean.labels):
            raise SystemExit("the same stars were not usable in both views: choose another seed")
        feh = seen.labels[:, seen.names.index("feh")]
        np.savez(cache, seen=seen.views, clean=clean.views[:, 0], target=seen.target.astype(np.float16), feh=feh)
    with np.load(cache) as stored:
        return Mocks(**stored)


def parts(mocks: Mocks) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows for encoders, with labels, and of the test, each a list of metal-poor and others in random order."""
    generator, poor = np.random.default_rng(5), mocks.feh < -1
    rows = {kind: generator.permutation(np.flatnonzero(poor == kind)) for kind in (True, False)}
    ends = {kind: (TEST[kind], TEST[kind] + (LEARNT_FROM // 2 if kind else LEARNT_FROM)) for kind in rows}
    test, labelled, others = (
        np.concatenate([rows[kind][slice(*span(kind))] for kind in (True, False)])
        for span in (lambda k: (0, ends[k][0]), lambda k: ends[k], lambda k: (ends[k][1], None))
    )
    return others, labelled, test


def chosen(mocks: Mocks, rows: np.ndarray, n: int, share: float, seed: int) -> np.ndarray:
    """`n` of these rows of which `share` are metal-poor."""
    generator, poor = np.random.default_rng([seed, 7]), mocks.feh[rows] < -1
    n_poor = round(share * n)
    picked = [
        generator.choice(rows[poor], n_poor, replace=False),
        generator.choice(rows[~poor], n - n_poor, replace=False),
    ]
    return generator.permutation(np.concatenate(picked))


def shifted(flux: np.ndarray, seed: int) -> np.ndarray:
    """Spectra (n, n_grid) as they are when the velocities of stars were not taken out."""
    wave = PREPARED["lrs"].wavelengths.wave
    velocity = np.random.default_rng([seed, 9]).normal(0, VELOCITY, len(flux))
    return np.array(
        [np.interp(wave / (1 + 1000 * v / LIGHT), wave, row) for v, row in zip(velocity, flux, strict=True)], np.float32
    )


class GiveBack(Objective):
    """Give a whole spectrum back from the embedding, by one linear layer."""

    def __init__(self, network: LRSTransformer, mean: Tensor, scale: float):
        super().__init__()
        self.network = network
        self.back = nn.Linear(network.n_outputs, len(mean))
        self.register_buffer("mean", mean)
        self.scale = scale

    def forward(self, batch: Mapping[str, Tensor], row_seeds: Tensor) -> dict[str, Tensor]:
        """Squared errors over the mean scatter of a pixel."""
        wanted = (batch["target"] - self.mean) / self.scale
        return {"loss": (self.back(self.network(batch["flux"])) - wanted).square().sum()}

    def counts(self, batch: Mapping[str, Tensor], row_seeds: Tensor) -> dict[str, Tensor | int]:
        """All pixels."""
        return {"loss": batch["flux"].numel()}


def trained(case: Case, mocks: Mocks, rows: np.ndarray, seed: int, steps: int, file: Path) -> LRSTransformer:
    """The transformer of a case, by the engine that `transtar pretrain --encoder` has; kept in a file."""
    if file.is_file():
        network = LRSTransformer(mocks.seen.shape[2], LRSSettings(**case.network))
        network.load_state_dict(load_file(file))
        return network.eval()
    flux = mocks.clean[rows] if case.spectra == "clean" else mocks.seen[rows, 0]
    flux = flux.astype(np.float32)
    if case.spectra == "noisier":
        flux += np.random.default_rng([seed, 8]).normal(0, 0.1, flux.shape).astype(np.float32)
    elif case.spectra == "velocity":
        flux = shifted(flux, seed)
    torch.manual_seed(seed)
    network = LRSTransformer(flux.shape[1], LRSSettings(**case.network))
    settings = EncoderTraining(
        steps=steps, batch_size=32, learning_rate=2e-3, weight_decay=0.05, seed=seed, validation_fraction=0.1,
        check_every=max(steps // 10, 1),
    )  # fmt: skip
    with TemporaryDirectory() as folder:
        write_set(Path(folder) / "set", PREPARED["lrs"], [flux])
        stream = SetStream(open_source([Path(folder) / "set"]), settings)
        objective: Objective = MaskedSegments(network)
        if case.objective != "masked":
            target = torch.from_numpy(flux if case.objective == "spectrum" else mocks.target[rows].astype(np.float32))
            objective = GiveBack(network, target.mean(dim=0), float(target.std(dim=0).square().mean().sqrt()))
            stream.beside["target"] = target
        losses = train_large(objective, stream, settings).losses("validation_loss")
    print(
        f"loss on spectra held out: {losses[0]:.4f} at first, {min(losses):.4f} at best, {losses[-1]:.4f} at last",
        flush=True,
    )
    save_file(network.state_dict(), file)
    return network.eval()


@torch.no_grad()
def tokens_of(network: LRSTransformer, flux: np.ndarray) -> np.ndarray:
    """Output tokens (n, n_tokens, width), float32."""
    return torch.cat([network.tokens(part) for part in torch.from_numpy(flux).split(256)]).numpy()


def pooled(tokens: np.ndarray, how: str) -> np.ndarray:
    """What a head takes of output tokens."""
    if how == "sections":
        return np.concatenate([one.mean(axis=1) for one in np.array_split(tokens[:, 1:], 6, axis=1)], axis=1)
    if how == "all":
        return tokens.reshape(len(tokens), -1)
    if how == "scatter":
        return np.concatenate([tokens.mean(axis=1), tokens.std(axis=1)], axis=1)
    return {"mean": tokens.mean(axis=1), "flux-mean": tokens[:, 1:].mean(axis=1), "first": tokens[:, 0]}.get(
        how, tokens
    )


class Attention(nn.Module):
    """One learned query that looks at all tokens, with four heads."""

    def __init__(self, width: int):
        super().__init__()
        self.query = nn.Parameter(torch.randn(1, 1, width) / width**0.5)
        self.attend = nn.MultiheadAttention(width, 4, batch_first=True)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens (n, n_tokens, width) to (n, width)."""
        return self.attend(self.query.expand(len(tokens), 1, -1), tokens, tokens, need_weights=False)[0][:, 0]


def head(
    values: np.ndarray, feh: np.ndarray, judged: list[np.ndarray], seed: int, epochs: int = 40
) -> list[np.ndarray]:
    """Learn [Fe/H] from embeddings or spectra (n, width), or tokens (n, n_tokens, width), and predict it for others."""
    torch.manual_seed(seed)
    axes = tuple(range(values.ndim - 1))
    # One scale for all, so that pixels which hardly vary are not blown up.
    mean, scale = values.mean(axis=axes), values.std(axis=axes).mean()
    center, spread = feh.mean(), feh.std()
    given, wanted = torch.from_numpy((values - mean) / scale).float(), torch.from_numpy((feh - center) / spread).float()
    first = [Attention(values.shape[-1])] if values.ndim == 3 else []
    network = nn.Sequential(
        *first, nn.Linear(values.shape[-1], 256), nn.GELU(), nn.Linear(256, 64), nn.GELU(), nn.Linear(64, 1)
    )
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs * (len(given) // 64))
    for _ in range(epochs):
        for batch in torch.randperm(len(given))[: len(given) // 64 * 64].split(64):
            optimiser.zero_grad()
            nn.functional.mse_loss(network(given[batch])[:, 0], wanted[batch]).backward()
            optimiser.step()
            schedule.step()
    network.eval()
    with torch.no_grad():
        return [
            torch.cat([network(part)[:, 0] for part in torch.from_numpy((one - mean) / scale).float().split(256)]).numpy()
            * spread + center
            for one in judged
        ]  # fmt: skip
