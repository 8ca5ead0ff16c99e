"""Spectra, what an encoder gives back of them, and the difference."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from ..explain.reconstruction import Reconstruction
from .style import BLACK, GREY, PAGE_WIDTH, VERMILION, as_text, new_figure, paper_style

PANEL = 2.0
"""Inches of height for each star."""


def draw_reconstruction(reconstruction: Reconstruction) -> Figure:
    """Draw the stars that a reconstruction shows, each with its residual below, which has the noise behind it.

    Parameters
    ----------
    reconstruction : Reconstruction
        As from `transtar.explain.reconstruction.reconstruct`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    n = len(reconstruction.shown)
    wave = reconstruction.wave
    with paper_style():
        figure = new_figure(PAGE_WIDTH, 0.45 + PANEL * n)
        panels = figure.subplots(2 * n, 1, sharex=True, squeeze=False, height_ratios=[1.7, 1] * n)[:, 0]
        for place, star in enumerate(reconstruction.shown.tolist()):
            above, below = panels[2 * place], panels[2 * place + 1]
            flux, given = reconstruction.flux[place], reconstruction.given[place]
            above.plot(wave, flux, color=BLACK, lw=0.6, label="spectrum")
            above.plot(
                wave, given, color=VERMILION, lw=0.8, label=f"as {as_text(reconstruction.encoder)} gives it back"
            )
            above.set_ylabel("flux / continuum")
            above.set_title(_title(reconstruction, star), loc="left", pad=3)
            residual = flux - given
            if reconstruction.ivar is not None:
                known = reconstruction.ivar[place] > 0
                sigma = np.where(known, 1 / np.sqrt(np.where(known, reconstruction.ivar[place], 1)), np.nan)
                below.fill_between(wave, -sigma, sigma, color=GREY, alpha=0.35, lw=0, label=r"noise, $\pm 1\,\sigma$")
                residual = np.where(known, residual, np.nan)
            below.axhline(0, color=GREY, lw=0.6)
            below.plot(wave, residual, color=BLACK, lw=0.5)
            reach = 1.1 * max(float(np.max(np.abs(residual), initial=0, where=np.isfinite(residual))), 1e-4)
            below.set_ylim(-reach, reach)
            below.set_ylabel("residual")
        figure.align_ylabels(panels)
        panels[-1].set_xlabel(r"vacuum wavelength ($\mathrm{\AA}$)")
        panels[-1].set_xlim(wave[0], wave[-1])
        handles = [*panels[0].get_lines(), *panels[1].collections]
        figure.legend(handles=handles, loc="outside upper right", ncols=3)
    return figure


def _title(reconstruction: Reconstruction, star: int) -> str:
    """Which star, and how far off."""
    rms, in_noise = reconstruction.rms[star], reconstruction.rms_in_noise[star]
    beside = f", {in_noise:.2f} times the noise" if np.isfinite(in_noise) else ""
    return f"{as_text(str(reconstruction.columns['star'][star]))}: rms {rms:.4f}{beside}"
