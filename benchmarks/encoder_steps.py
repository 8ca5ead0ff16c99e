"""How fast encoders train: steps per second, and on a GPU the share of the card's peak, reading of the spectra included.

Run from the project root as ``python -m benchmarks.encoder_steps [--encoder lrs] [--size paper] [--steps 100]``, or by ``torchrun
--nproc-per-node 8 -m benchmarks.encoder_steps``. With a GPU it trains at the paper's size in bf16, without one at the small size.

A share counts the products of matrices that the network needs, forwards and twice as many backwards, not what is computed again
to save memory. For each token of a transformer these are 2 for each weight of its layers, and 4 * tokens * width for attention in
each block (Kaplan et al. 2020, https://arxiv.org/abs/2001.08361, section 2.1).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import nn

from benchmarks.common import write_set
from transtar.encoders.specclip import PREPARED, new_encoder
from transtar.networks.lrs import LRSTransformer
from transtar.train.large import EncoderTraining, Ranks, SetStream, joined_processes, open_source, train_large
from transtar.train.large.encoder_runs import KINDS

PEAKS = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "V100": 125e12}
"""Dense products in half precision per second, of the makers' data sheets, by a part of the card's name."""

AIM = 0.4

BATCHES = {"paper": {"lrs": 512, "xp": 4096}, "small": {"lrs": 64, "xp": 256}}


def operations(network: nn.Module) -> float:
    """Multiplications and additions of one spectrum in a step, forwards and backwards."""
    weights = sum(layer.weight.numel() for layer in network.modules() if isinstance(layer, nn.Linear))
    if not isinstance(network, LRSTransformer):
        return 3 * 2 * weights
    settings, tokens = network.settings, network.n_tokens
    return 3 * tokens * (2 * weights + 4 * tokens * settings.width * settings.layers)


def write_noise(path: Path, kind: str, n: int) -> None:
    """A prepared set of noise."""
    random, settings = np.random.default_rng(0), PREPARED[kind]
    sizes = (min(512, n - start) for start in range(0, n, 512))
    write_set(path, settings, (random.normal(1, 0.05, (size, settings.wavelengths.size)) for size in sizes))


def measure(kind: str, size: str, settings: EncoderTraining, folder: Path) -> tuple[float, float]:
    """Spectra per second over all processes, and operations of one spectrum; the first steps do not count."""
    write_noise(folder / f"{Ranks.current().rank}", kind, 4 * settings.batch_size)
    source = open_source([folder / f"{Ranks.current().rank}"])
    encoder = new_encoder(kind, size, source.preprocessing)
    objective = KINDS[kind](encoder.network)
    train_large(objective, SetStream(source, settings), settings.with_({"steps": 3}))
    return train_large(objective, SetStream(source, settings), settings).samples_per_second, operations(encoder.network)


def main() -> None:
    """Measure and print one line."""
    on_gpu = torch.cuda.is_available()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.encoder_steps", description=__doc__)
    parser.add_argument("--encoder", choices=("lrs", "xp"), default="lrs")
    parser.add_argument("--size", choices=("small", "paper"), default="paper" if on_gpu else "small")
    parser.add_argument("--device", default="cuda" if on_gpu else "cpu")
    parser.add_argument("--precision", choices=("float32", "bf16"), default="bf16" if on_gpu else "float32")
    parser.add_argument("--batch-size", type=int, help="over all devices")
    parser.add_argument("--accumulate", type=int, default=1)
    parser.add_argument("--steps", type=int, default=100 if on_gpu else 10)
    parser.add_argument("--peak", type=float, help="of one device, in TFLOP/s, if its name is not known here")
    options = parser.parse_args()
    with joined_processes(options.device) as ranks, TemporaryDirectory() as folder:
        batch = options.batch_size or BATCHES[options.size][options.encoder] * ranks.size
        settings = EncoderTraining(
            steps=options.steps, batch_size=batch, accumulate=options.accumulate, precision=options.precision,
            device=options.device, validation_fraction=0.0, check_every=options.steps,
        )  # fmt: skip
        speed, needed = measure(options.encoder, options.size, settings, Path(folder))
        if ranks.is_first:
            print(told(options, ranks, batch, speed, needed))


def told(options: argparse.Namespace, ranks: Ranks, batch: int, speed: float, needed: float) -> str:
    """What was measured, in one line."""
    name = torch.cuda.get_device_name() if options.device.startswith("cuda") else "CPU"
    rate = speed * needed / ranks.size
    line = (
        f"{options.encoder}, size {options.size}, {options.precision}, {ranks.size} x {name}: {speed / batch:.3g} steps of "
        f"{batch} spectra per second, {speed:,.0f} spectra per second, {rate / 1e12:.3g} TFLOP/s each"
    )
    peak = options.peak * 1e12 if options.peak else next((peak for part, peak in PEAKS.items() if part in name), None)
    if name == "CPU" and not options.peak:
        return f"{line} (there is no GPU here: no share of a peak, which is aimed to be {AIM:.0%} in bf16 at the paper's size)"
    if peak is None:
        return f"{line} (peak of this card not known: give --peak)"
    return f"{line}, {rate / peak:.0%} of the peak (aim {AIM:.0%})"


if __name__ == "__main__":
    main()
