"""The emulator against the one matrix product that nothing of its size can do without, in turns in one run.

The product is (spectra x components) times (components x wavelengths), as torch does it in single precision: what it costs
to put spectra together from known coefficients. The ratio is the time of `Emulator.flux`, checks and copies included, over
that of the product, over the same spectra in the same batches.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence

import numpy as np
import torch

from transtar.simulate import Emulator, load_emulator, vmic_relation

BAR = 3.0


def stars(n: int, seed: int = 0) -> np.ndarray:
    """Labels of dwarfs and giants inside the grid."""
    random = np.random.default_rng(seed)
    teff, logg = random.uniform(4100, 6900, n), random.uniform(3.5, 4.5, n)
    abundances = random.uniform(-3, 0.5, n), random.uniform(-0.2, 0.6, n), random.uniform(-0.4, 0.5, n)
    return np.stack([teff, logg, abundances[0], abundances[1], vmic_relation(teff, logg), abundances[2]], axis=1)


def product(coefficients: torch.Tensor, basis: torch.Tensor, batch_size: int) -> np.ndarray:
    """Coefficients (n, k) times the basis (k, P), batch after batch into one array."""
    result = np.empty((len(coefficients), basis.shape[1]), dtype=np.float32)
    with torch.inference_mode():
        for start in range(0, len(coefficients), batch_size):
            result[start : start + batch_size] = (coefficients[start : start + batch_size] @ basis).numpy()
    return result


def report(emulator: Emulator, n: int, batch_size: int, rounds: int) -> float:
    """Time both sides in turns; print a line and return the median ratio."""
    labels = stars(n)
    basis = emulator.head("flux").basis
    coefficients = torch.randn(n, len(basis), generator=torch.Generator().manual_seed(0))
    times = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        emulator.flux(labels, batch_size=batch_size)
        middle = time.perf_counter()
        product(coefficients, basis, batch_size)
        times.append((middle - start, time.perf_counter() - middle))
    ours, plain = (statistics.median(column) for column in zip(*times[1:], strict=True))
    ratio = statistics.median(a / b for a, b in times[1:])
    print(
        f"emulator/ ratio {ratio:.2f} (bar {BAR:.2f}) {n / ours:.0f} spectra/s, product {n / plain:.0f} spectra/s; {n} spectra "
        f"x {basis.shape[1]} wavelengths from {basis.shape[0]} components, batches of {batch_size}, "
        f"{torch.get_num_threads()} thread(s)",
        flush=True,
    )
    return ratio


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; exit status 1 if the bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=2048, help="spectra")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    return int(report(load_emulator(), options.n, options.batch_size, options.rounds) > BAR)


if __name__ == "__main__":
    raise SystemExit(main())
