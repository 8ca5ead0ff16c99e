"""Stars whose label a small network can learn, as two surveys see them."""

import numpy as np

from transtar.networks import MLPSettings

N_PIXELS = 60
MLP = MLPSettings((24, 16, 8))


def stars(n=120, seed=0, survey=0, n_labels=1):
    """Flux (n, N_PIXELS), labels (n, n_labels): [Fe/H] and Teff."""
    lines = np.random.default_rng(99)
    profile, other = lines.uniform(0, 0.3, N_PIXELS), lines.normal(0, 0.1, N_PIXELS)
    random = np.random.default_rng(seed)
    feh, teff = random.uniform(-2.5, 0.5, n), random.normal(0, 1, n)
    flux = np.exp(-profile * np.exp(0.5 * feh[:, None]) + other * teff[:, None] * (1 + 0.2 * survey))
    flux += random.normal(0, 0.005, flux.shape) + 0.01 * survey
    labels = np.stack([feh + 0.1 * survey, 5000 + 500 * teff], axis=1)[:, :n_labels]
    return flux.astype(np.float32), labels
