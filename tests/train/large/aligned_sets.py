"""Prepared sets of LRS and XP spectra of the same stars."""

from dataclasses import replace

import numpy as np

from transtar.networks import alignment_settings
from transtar.train.large import EncoderTraining

from ...encoders.aligned import SETTINGS, star_spectra
from .large_sets import LRS, XP, write_set

ID = 2**62

QUICK = EncoderTraining(epochs=8, batch_size=32, learning_rate=3e-3, weight_decay=0.01, patience=None, warmup_steps=4)


def write_pairs(folder, n=200, seed=0, **more):
    """Sets 'lrs' and 'xp' of the same stars, in another order; ids are those of Gaia in both."""
    lrs, xp = star_spectra(n, seed)
    ids = ID + np.arange(n)
    order = np.random.default_rng(seed).permutation(n)
    write_set(folder / "lrs", preprocessing=LRS, ids=ids, flux=lrs, group=64, **more)
    write_set(
        folder / "xp", preprocessing=XP, ids=ids[order], flux=xp[order], group=64, seed=1, survey=np.full(n, "gaia-xp")
    )
    return folder / "lrs", folder / "xp"


def quick(**more):
    return replace(QUICK, **more)


def tiny_sizes(monkeypatch, dropout=0.0):
    """Let the size 'small' be a tiny one."""
    tiny = {name: replace(one, dropout=dropout) for name, one in SETTINGS.items()}
    monkeypatch.setitem(alignment_settings.ALIGNMENT_SIZES, "small", tiny)
