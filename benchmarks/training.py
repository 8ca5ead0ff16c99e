"""Fine-tuning against the plain loop a user would write: one wall-time ratio per strategy, measured in one run.

The plain side is torch or peft modules, a DataLoader without workers, AdamW as constructed by default, validation after
every epoch, and the best state kept by copying the state_dict. Both sides start from the same pre-trained network, see
the same stars for the same number of epochs at the same learning rate, and run in turns.

A second line per strategy says what the gradients by hand (`transtar.train.fast`) gain: the wall time of the same fine-tuning
with them over that without, by automatic differentiation.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from transtar.datasets import Stars
from transtar.models import Estimator
from transtar.networks import build_mlp
from transtar.networks.residual import build_head
from transtar.train import Full, LoRA, Residual, Scratch, TrainSettings, finetune, fit, pretrain

BARS = {"residual": 0.5, "lora": 0.5, "full": 0.9, "scratch": 0.9}
STRATEGIES = {"residual": Residual, "lora": LoRA, "full": Full, "scratch": Scratch}
AS_PLAIN: dict[str, Any] = {"schedule": "constant", "augmentation": None, "average_last": 0}
N_STARS, N_PIXELS, N_HELD_OUT, EPOCHS = 2069, 1462, 207, 200


def mock_stars(n: int, seed: int, survey: int) -> tuple[np.ndarray, np.ndarray]:
    """Spectra of absorption lines whose depth follows a label, with noise and a survey's own distortion."""
    lines = np.random.default_rng(0)
    pixels = np.arange(N_PIXELS)
    centres, widths = lines.uniform(0, N_PIXELS, 120), lines.uniform(1.5, 4, 120)
    profiles = np.exp(-0.5 * ((pixels - centres[:, None]) / (widths[:, None] + 0.5 * survey)) ** 2)
    strength, slope = lines.uniform(0.02, 0.3, 120), lines.normal(0, 0.3, (120, 2))
    stars = np.random.default_rng(seed)
    feh, teff = stars.uniform(-2.5, 0.5, n), stars.normal(0, 1, n)
    depth = strength * np.exp(0.5 * feh[:, None] + slope[:, 0] * feh[:, None] * 0.3 + slope[:, 1] * teff[:, None])
    flux = np.exp(-depth @ profiles) * (1 + 0.01 * survey * np.sin(pixels / 200 + stars.normal(0, 1, (n, 1))))
    flux += stars.normal(0, 0.02, flux.shape)
    return flux.astype(np.float32), feh + stars.normal(0, 0.05, n)


class FrozenPlusHead(nn.Module):
    """The residual head as a user would write it."""

    def __init__(self, base: nn.Module):
        super().__init__()
        self.base = base.requires_grad_(False)
        self.head = build_head(N_PIXELS, 1)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Add the head's output to the frozen one."""
        with torch.no_grad():
            frozen = self.base(inputs)
        return frozen + self.head(inputs)


def plain_module(name: str, base: nn.Module) -> nn.Module:
    """The module that the plain loop trains."""
    if name == "residual":
        return FrozenPlusHead(copy.deepcopy(base))
    if name == "lora":
        from peft import LoraConfig, get_peft_model

        return get_peft_model(copy.deepcopy(base), LoraConfig(r=128, lora_alpha=256, target_modules=["0", "2", "4"]))
    return copy.deepcopy(base) if name == "full" else build_mlp(N_PIXELS, 1)


def plain_loop(name: str, base: Estimator, data, epochs: int, learning_rate: float, seed: int) -> float:
    """Train as a user would; return the best validation loss in squared standard deviations of the label."""
    torch.manual_seed(seed)
    inputs, targets, held_out, held_out_targets = data
    module = plain_module(name, base.network)
    loader = DataLoader(TensorDataset(inputs, targets), batch_size=32, shuffle=True, num_workers=0)
    optimiser = torch.optim.AdamW(
        [p for p in module.parameters() if p.requires_grad], lr=learning_rate, weight_decay=1e-4
    )
    best, best_state = float("inf"), {}
    for _ in range(epochs):
        module.train()
        for batch, labels in loader:
            optimiser.zero_grad()
            loss = nn.functional.mse_loss(module(batch), labels)
            loss.backward()
            optimiser.step()
        module.eval()
        with torch.no_grad():
            validation = nn.functional.mse_loss(module(held_out), held_out_targets).item()
        if validation < best:
            best, best_state = validation, {key: value.clone() for key, value in module.state_dict().items()}
    module.load_state_dict(best_state)
    return best


def time_pair(name: str, base: Estimator, stars, epochs: int, learning_rate: float, seed: int):
    """Train once on each side, on the same split; return wall times and best validation losses, ours first."""
    # What the plain loop does, whatever the defaults: constant rate, spectra as they are, best single epoch.
    settings = STRATEGIES[name](epochs=epochs, learning_rate=learning_rate, seed=seed, **AS_PLAIN)
    # What the plain side gets for nothing: inputs standardised and split as ours will split them.
    start = time.perf_counter()
    ours = finetune(base, stars, strategy=settings)
    ours_time = time.perf_counter() - start
    ours_loss = min(ours.provenance[-1]["validation_loss"][1:])
    held_out = np.isin(np.arange(len(stars)), _validation_rows(ours))
    scaled = torch.from_numpy((stars.inputs - ours.input_mean) / ours.input_std)
    target = torch.from_numpy(((stars.labels - ours.label_mean) / ours.label_std).astype(np.float32))
    data = (scaled[~held_out], target[~held_out], scaled[held_out], target[held_out])
    start = time.perf_counter()
    plain_loss = plain_loop(name, base, data, epochs, learning_rate, seed)
    return ours_time, time.perf_counter() - start, ours_loss, plain_loss


def time_hand(name: str, base: Estimator, stars: Stars, epochs: int, learning_rate: float, seed: int) -> float:
    """Wall time of a fine-tuning with the gradients by hand over that of the same one by automatic differentiation."""
    settings = STRATEGIES[name](epochs=epochs, learning_rate=learning_rate, seed=seed, **AS_PLAIN)
    seconds = []
    for door in (fit.accelerated, lambda *given: None):
        with mock.patch.object(fit, "accelerated", door):
            start = time.perf_counter()
            finetune(base, stars, strategy=settings)
            seconds.append(time.perf_counter() - start)
    return seconds[0] / seconds[1]


def _validation_rows(estimator: Estimator) -> np.ndarray:
    seen = estimator.trained_on
    rows = (seen["role"] == "validation") & (seen["survey"] == "target")
    return seen["star"][rows].astype(int)


def report(
    strategies: Sequence[str], epochs: int, seeds: int, learning_rate: float, log: Callable[[str], None] = print
) -> dict[str, float]:
    """Run the benchmark; print a line and return the median ratio per strategy."""
    base = pretrain(
        Stars(*mock_stars(900, seed=1, survey=0), "feh", survey="source"),
        settings=TrainSettings(epochs=8, **AS_PLAIN),
    )
    ratios = {}
    # The paper's 2,069 stars train; a tenth on top of them validates.
    stars = Stars(*mock_stars(N_STARS + N_HELD_OUT, seed=2, survey=1), "feh", survey="target")
    fraction = "" if epochs == EPOCHS else f"; {epochs} of {EPOCHS} epochs, a fraction of {epochs / EPOCHS:g}"
    log(f"training/ {N_STARS} stars x {N_PIXELS}, {torch.get_num_threads()} threads, {seeds} seed(s){fraction}")
    for name in strategies:
        time_pair(name, base, stars, 1, learning_rate, 0)  # warm up both sides
        pairs = [time_pair(name, base, stars, epochs, learning_rate, seed) for seed in range(seeds)]
        ours, plain, ours_loss, plain_loss = (statistics.median(column) for column in zip(*pairs, strict=True))
        ratios[name] = statistics.median(pair[0] / pair[1] for pair in pairs)
        log(
            f"training/{name} ratio {ratios[name]:.2f} (bar {BARS[name]:.2f}) ours {ours:.1f} s plain {plain:.1f} s "
            f"val loss {ours_loss:.4f} vs {plain_loss:.4f}"
        )
        gain = statistics.median(time_hand(name, base, stars, epochs, learning_rate, seed) for seed in range(seeds))
        log(f"training/{name} by hand over autograd, ratio {gain:.2f} of the wall time of the same fine-tuning")
        if seeds > 1:
            for label, column in (("ours", 2), ("plain", 3)):
                losses = [pair[column] for pair in pairs]
                log(f"  {label} val loss per seed " + " ".join(f"{loss:.4f}" for loss in losses))
    return ratios


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; exit status 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strategies", nargs="+", choices=list(BARS), default=list(BARS))
    parser.add_argument("--epochs", type=int, default=20, help="epochs to time; the full length is 200")
    parser.add_argument("--seeds", type=int, default=3, help="A/B pairs, one per seed")
    parser.add_argument("--lr", type=float, default=1e-4)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    ratios = report(options.strategies, options.epochs, options.seeds, options.lr)
    return int(any(ratio > BARS[name] for name, ratio in ratios.items()))


if __name__ == "__main__":
    raise SystemExit(main())
