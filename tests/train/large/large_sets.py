"""Small prepared sets, and networks that train on them in no time."""

from dataclasses import replace

import numpy as np

from transtar.datasets import SetWriter
from transtar.networks.lrs import LRSSettings
from transtar.preprocess import GridSpectra, Preprocessing
from transtar.train.large import EncoderTraining

LRS, XP = Preprocessing(), Preprocessing(grid="xp", frame="observed", continuum="none")

TINY = LRSSettings(width=16, layers=1, heads=2, token=100, stride=50, chunks=3, chunk_tokens=2, positions=40)

QUICK = EncoderTraining(epochs=2, batch_size=8, learning_rate=3e-3, warmup_steps=2, check_every=1, patience=None)


def quick(**more):
    """Settings of a training of a few steps."""
    return replace(QUICK, **more)


def fluxes(n, size, seed=0):
    """Spectra (n, size) of three numbers each, and a little noise."""
    random = np.random.default_rng(seed)
    x = np.arange(size) / size
    shapes = np.stack([np.sin(7 * x), np.cos(23 * x), x])
    return (2 + random.normal(size=(n, 3)) @ shapes * 0.2 + random.normal(0, 0.02, (n, size))).astype(np.float32)


def write_set(path, n=60, group=7, preprocessing=LRS, seed=0, ids=None, flux=None, **more):
    """Write a set of `n` spectra in row groups of `group`; `more` are columns."""
    flux = fluxes(n, preprocessing.wavelengths.size, seed) if flux is None else flux
    n = len(flux)
    columns = {
        "file": np.array([f"{seed}-{i}.fits" for i in range(n)]),
        "id": np.arange(n, dtype=np.int64) + 2**62 if ids is None else np.asarray(ids, np.int64),
        "survey": np.full(n, "lamost"), "velocity": np.zeros(n), "snr": np.full(n, 50.0), "good_fraction": np.ones(n),
        "flags": np.zeros(n, np.int32),
    }  # fmt: skip
    columns |= {name: np.asarray(column) for name, column in more.items() if name != "split"}
    with SetWriter(path, preprocessing, {"by": "test"}) as writer:
        for start in range(0, n, group):
            rows = slice(start, start + group)
            part = {name: column[rows] for name, column in columns.items()}
            good, snr, flags = part["good_fraction"], part["snr"], part["flags"]
            writer.append(GridSpectra(flux[rows], np.ones_like(flux[rows]), good, snr, flags), part)
        writer.finish(writer.columns() | {"split": np.asarray(more.get("split", np.full(n, "pool")))}, ())
    return flux
