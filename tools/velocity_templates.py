"""Make the templates that velocities are measured with.

    python -m tools.velocity_templates --out src/transtar/velocity/data/templates.safetensors

Cool stars are those of the shipped emulator at fixed nodes, hot ones come from `tools.hot_stars`. Nothing is drawn at random:
the same emulator gives the same file.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d

from tools.hot_stars import HOT_NODES, hot_spectrum
from transtar.simulate import load_emulator, vmic_relation
from transtar.simulate.stars.abundances import birth_carbon, carbon_depletion, mean_alpha
from transtar.velocity.templates import FORMAT, RESOLUTION, STEP, WINDOW

TEFF = (4000.0, 4250.0, 4500.0, 4750.0, 5000.0, 5500.0, 6000.0, 6500.0, 7000.0)
FEH = (0.2, -0.6, -1.5, -2.5)
DWARF = 4.5
GIANT = 2.5
WARMEST = 7000.0
METALS = ((7000.0, 8000.0, 9000.0, 10_000.0, 12_000.0, 16_000.0), (1.0, 0.55, 0.3, 0.18, 0.08, 0.0))
"""Teff in K, and the share of the lines at 7000 K that a star has; roughly the blue iron lines of dwarfs of solar metallicity."""

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


def hot_spectra(wave: np.ndarray) -> np.ndarray:
    """Flux over continuum (n, n_pixels) of `HOT_NODES`.

    `hot_spectrum` knows no iron. What the warmest stars of the emulator have beyond it are the lines of iron and other metals;
    they are lent to hotter stars of a gravity that those have, the weaker the hotter.
    """
    gravities = {logg for _, logg in HOT_NODES if logg < 5}
    metals = {}
    for logg in gravities:
        _, cool = cool_spectra(np.array([(WARMEST, logg, 0.0)]))
        metals[logg] = np.log(np.clip(cool[0] / hot_spectrum(WARMEST, logg, wave, RESOLUTION), 0.2, 1))
    spectra = []
    for teff, logg in HOT_NODES:
        share = np.interp(teff, *METALS) if logg in metals else 0.0
        spectra.append(hot_spectrum(teff, logg, wave, RESOLUTION) * np.exp(share * metals.get(logg, 0.0)))
    return np.array(spectra)


def main(arguments: list[str] | None = None) -> None:
    """Make and write the templates."""
    from safetensors.numpy import save

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="file to write, NAME.safetensors")
    given = parser.parse_args(arguments)
    nodes = cool_nodes()
    wave, flux = cool_spectra(nodes)
    log_wave = np.log(wave[0]) + STEP * np.arange(len(wave))
    assert np.abs(np.exp(log_wave) / wave - 1).max() < 1e-9
    assert WINDOW[0] - 1 < wave[0] < wave[-1] < WINDOW[1] + 1
    names = [f"teff={teff:.0f} logg={logg:.1f} feh={feh:.1f}" for teff, logg, feh in nodes]
    hot = hot_spectra(wave)
    names += [f"hot {teff:.0f} logg={logg:.1f}" for teff, logg in HOT_NODES]
    labels = np.concatenate([nodes, [(teff, logg, 0.0) for teff, logg in HOT_NODES]])
    depth = 1 - np.concatenate([flux, hot])
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
