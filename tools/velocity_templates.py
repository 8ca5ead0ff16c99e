"""Make the templates that velocities are measured with.

    python -m tools.velocity_templates --out src/transtar/velocity/data/templates.safetensors

They are stars of the shipped emulator at fixed nodes. Nothing is drawn at random:
the same emulator gives the same file.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d

from transtar.files import check_files
from transtar.simulate import load_emulator, vmic_relation
from transtar.simulate.stars.abundances import birth_carbon, carbon_depletion, mean_alpha
from transtar.velocity.templates import FORMAT, RESOLUTION, STEP, WINDOW

TEFF = (4000.0, 4250.0, 4500.0, 4750.0, 5000.0, 5500.0, 6000.0, 6500.0, 7000.0)
FEH = (0.3, -0.3, -1.0, -2.0, -3.0)
DWARF = 4.5
GIANT = 2.5
EVERY = 2
"""Points of the emulator's wavelengths for one of the templates."""


def cool_nodes() -> np.ndarray:
    """Teff, log g and [Fe/H] of the cool templates, shape (n, 3)."""
    nodes = []
    for teff in TEFF:
        # The giant branch runs from log g 0.8 at 4000 K to 3.5 at 5500 K.
        giant = np.interp(teff, (4000, 4500, 5000, 5500), (0.8, 1.8, GIANT, 3.5))
        for logg in (DWARF,) if teff > 6000 else (DWARF, giant):
            nodes += [(teff, logg, feh) for feh in FEH]
    return np.array(nodes)


def cool_spectra(nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vacuum wavelengths (n_pixels,) and flux over continuum (n, n_pixels) of nodes, at the resolving power of the file."""
    emulator = load_emulator()
    teff, logg, feh = nodes.T
    alpha = mean_alpha(feh)
    carbon = birth_carbon(feh, alpha) + carbon_depletion(logg, feh)
    labels = emulator.clip(np.stack([teff, logg, feh, alpha, vmic_relation(teff, logg), carbon], axis=1))
    flux = emulator.flux(labels).astype(np.float64)
    step = np.log(emulator.wave[-1] / emulator.wave[0]) / (len(emulator.wave) - 1)
    sigma = np.sqrt(RESOLUTION**-2.0 - emulator.resolution**-2.0) / 2.3548 / step
    smooth = gaussian_filter1d(flux, sigma, axis=1, mode="nearest")
    return emulator.wave[::EVERY], smooth[:, ::EVERY]


def main(arguments: list[str] | None = None) -> None:
    """Make and write the templates."""
    from safetensors.numpy import save

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="file to write, NAME.safetensors")
    given = parser.parse_args(arguments)
    check_files([given.out], [])
    nodes = cool_nodes()
    wave, flux = cool_spectra(nodes)
    log_wave = np.log(wave[0]) + STEP * np.arange(len(wave))
    assert np.abs(np.exp(log_wave) / wave - 1).max() < 1e-9
    assert WINDOW[0] - 1 < wave[0] < wave[-1] < WINDOW[1] + 1
    names = [f"teff={teff:.0f} logg={logg:.1f} feh={feh:.1f}" for teff, logg, feh in nodes]
    labels, depth = nodes, 1 - flux
    content: dict[str, np.ndarray] = {
        "depth": depth.astype(np.float16),
        "labels": labels.astype(np.float64),
        "start": np.array([log_wave[0]]),
    }
    described = {"format": FORMAT, "content": json.dumps({"names": names, "resolution": RESOLUTION}, sort_keys=True)}
    given.out.write_bytes(save(content, metadata={"transtar": json.dumps(described, sort_keys=True)}))
    print(f"{given.out}: {len(names)} templates of {len(wave)} points, {given.out.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
