"""Loss landscapes against a plain loop over the points of the grid: one wall-time ratio per strategy, measured in one run.

The plain side sets the moved weights in a copied module and runs it, point by point, as a user would. Sizes are the
paper's: 79 stars, 21 x 21 points, its networks at 1462 inputs. Both sides give the same losses.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from transtar.explain.moving import TrainedPart, filter_directions, trained_part
from transtar.explain.surface import plane_losses
from transtar.models import Estimator
from transtar.networks import ResidualNetwork, add_lora, build_head, build_mlp, merge_lora
from transtar.networks.lora import LoRALinear, lora_factors

N_STARS, N_PIXELS, N_POINTS, EXTENT = 79, 1462, 21, 3.0


def models() -> dict[str, Estimator]:
    """One model per strategy at the paper's sizes; what they have learnt is of no concern here."""
    torch.manual_seed(0)
    one = np.ones(1)
    network = build_mlp(N_PIXELS, 1)
    base = Estimator(
        network=network, input_mean=np.zeros(N_PIXELS, np.float32), input_std=np.ones(N_PIXELS, np.float32),
        label_names=("feh",), label_mean=0 * one, label_std=one, label_min=-one, label_max=one,
    )  # fmt: skip
    head = build_head(N_PIXELS, 1)
    nn.init.normal_(head[-1].weight, std=0.05)
    wrapped = add_lora(network)
    for layer in wrapped:
        if isinstance(layer, LoRALinear):
            nn.init.normal_(layer.B, std=0.02)
    return {
        "residual": replace(base, network=ResidualNetwork(network, head)),
        "lora": replace(base, network=merge_lora(wrapped), adapter=lora_factors(wrapped)),
        "full": base,
    }


@torch.inference_mode()
def plain_losses(part: TrainedPart, directions, inputs, targets, points) -> torch.Tensor:
    """The same losses, one point after the other."""
    part = copy.deepcopy(part)
    centre = [{name: weight.detach().clone() for name, weight in weights.items()} for weights in part.weights()]
    fixed = sum((network(inputs) for network in part.fixed), torch.zeros(len(inputs), 1))
    losses = []
    for alpha, beta in points.tolist():
        for weights, start, moved in zip(part.weights(), centre, directions, strict=True):
            for name, weight in weights.items():
                weight.data = start[name] + alpha * moved[name][0] + beta * moved[name][1]
        outputs = sum((network(inputs) for network in part.moving), fixed)
        losses.append((outputs[:, 0].double() - targets).square().mean())
    return torch.stack(losses)


def report(repeats: int, log: Callable[[str], None] = print) -> dict[str, float]:
    """Run the benchmark; print a line and return the median ratio per strategy."""
    random = np.random.default_rng(0)
    inputs = torch.from_numpy(random.standard_normal((N_STARS, N_PIXELS), dtype=np.float32))
    targets = torch.from_numpy(random.normal(0, 1, N_STARS))
    axis = np.linspace(-EXTENT, EXTENT, N_POINTS)
    points = torch.from_numpy(np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2))
    log(f"landscape/ {N_STARS} stars x {N_PIXELS}, {len(points)} points, {torch.get_num_threads()} threads")
    ratios = {}
    for name, model in models().items():
        part = trained_part(model)
        directions = filter_directions(part, 0)
        times, worst = [], 0.0
        for _ in range(repeats):
            start = time.perf_counter()
            ours = plane_losses(part, directions, inputs, targets, points)
            middle = time.perf_counter()
            plain = plain_losses(part, directions, inputs, targets, points)
            times.append((middle - start, time.perf_counter() - middle))
            worst = max(worst, float((ours / plain - 1).abs().max()))
        ratios[name] = statistics.median(own / other for own, other in times)
        own, other = (statistics.median(column) for column in zip(*times, strict=True))
        log(
            f"landscape/{name} ratio {ratios[name]:.3f} ours {own:.2f} s plain {other:.2f} s, "
            f"losses agree to {worst:.1e}"
        )
    return ratios


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    report(options.repeats)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
