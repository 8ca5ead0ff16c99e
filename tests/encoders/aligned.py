"""Tiny encoders to align, and spectra of two kinds that share what the star is."""

import numpy as np
import torch

from transtar.encoders import Encoder
from transtar.encoders.alignment import Alignment, new_alignment
from transtar.encoders.specclip import new_encoder
from transtar.networks.alignment_settings import AlignmentSettings
from transtar.networks.lrs import LRSSettings
from transtar.networks.xp_autoencoder import XPSettings

LRS = LRSSettings(width=32, layers=1, heads=2, token=200, stride=100, positions=20, chunks=2, chunk_tokens=2)
XP = XPSettings(hidden=32, latent=24, blocks=1)

SETTINGS = {
    "base": AlignmentSettings("base", width=8, heads=2, block=12),
    "pr": AlignmentSettings("pr", width=8, heads=2, block=12),
    "split": AlignmentSettings("split", width=8, private_width=4, heads=2, private_heads=1, block=12),
}


def tiny_encoders(**changes) -> tuple[Encoder, Encoder]:
    """An LRS transformer and an XP autoencoder, untrained."""
    return new_encoder("lrs", LRS, seed=1, **changes), new_encoder("xp", XP, seed=2)


def tiny_alignment(variant="pr", seed=0) -> Alignment:
    """An alignment of them, untrained but for what shows that buffers are stored."""
    alignment = new_alignment(*tiny_encoders(), SETTINGS[variant], seed)
    if alignment.crossings is not None:
        generator = torch.Generator().manual_seed(seed)
        for name, buffer in alignment.crossings.named_buffers():
            if name.endswith("running_var"):
                buffer.uniform_(0.5, 2, generator=generator)
    return alignment


def star_spectra(n=40, seed=0, noise=0.002, n_factors=3) -> tuple[np.ndarray, np.ndarray]:
    """LRS and XP spectra of the same stars: smooth shapes in each, with the same coefficients; float32."""
    generator = np.random.default_rng(seed)
    factors = generator.normal(size=(n, n_factors))
    spectra = []
    for n_pixels, level, size in ((1462, 0.9, 0.05), (343, 1.0, 0.2)):
        x = np.linspace(0, 1, n_pixels)
        shapes = np.stack([np.sin((3 + 5 * k) * x + k) for k in range(n_factors)])
        shapes -= shapes[:, [n_pixels * 107 // 343]]
        flux = level + size / n_factors * factors @ shapes + generator.normal(scale=noise, size=(n, n_pixels))
        spectra.append(flux.astype(np.float32))
    return spectra[0], spectra[1]
