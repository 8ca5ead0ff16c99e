"""Spectra that look least like what their labels call for, and the model spectra of these labels."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from ..explain.worst_misfits import Misfits
from ..glossary import COLUMNS, decimals, display
from .style import BLACK, PAGE_WIDTH, VERMILION, as_text, new_figure, paper_style

COLUMNS_OF_PANELS, PANEL = 2, 1.0
"""Panels side by side, and the inches of height of each."""


def draw_misfits(misfits: Misfits) -> Figure:
    """Draw the spectra that are shown, the worst first, each with its twin.

    Parameters
    ----------
    misfits : Misfits
        As from `transtar.explain.worst_misfits.explain_misfits`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    n = len(misfits.flux)
    n_rows = -(-n // COLUMNS_OF_PANELS)
    with paper_style():
        figure = new_figure(PAGE_WIDTH, 0.55 + PANEL * n_rows)
        panels = figure.subplots(n_rows, COLUMNS_OF_PANELS, sharex=True, squeeze=False)
        for place, panel in enumerate(panels.T.ravel()):
            if place >= n:
                panel.set_visible(False)
                continue
            panel.plot(misfits.wave, misfits.flux[place], color=BLACK, lw=0.5, label="spectrum")
            panel.plot(misfits.wave, misfits.twin[place], color=VERMILION, lw=0.7, label="model spectrum of its labels")
            panel.set_title(_title(misfits, place), loc="left", pad=2, fontsize="small")
            low, high = np.nanquantile(misfits.flux[place], [0.001, 0.999])
            panel.set_ylim(max(low - 0.05, -0.5), min(high + 0.05, 2.0))
        for panel in panels[-1]:
            panel.set_xlabel(r"vacuum wavelength ($\mathrm{\AA}$)")
            panel.set_xlim(misfits.wave[0], misfits.wave[-1])
        figure.supylabel("flux / continuum", fontsize="medium")
        figure.legend(handles=panels[0, 0].get_lines(), loc="outside upper right", ncols=2)
    return figure


def _title(misfits: Misfits, place: int) -> str:
    """Which star, its misfit and labels."""
    columns = misfits.columns
    parts = [
        f"{as_text(str(columns['star'][place]) or str(columns['file'][place]))}: misfit {columns['misfit'][place]:.3g}"
    ]
    for name in misfits.labels:
        unit = f" {COLUMNS[name].unit}" if COLUMNS[name].unit == "K" else ""
        parts.append(f"{display(name, unit=False)} {columns[name][place]:.{min(decimals(name), 2)}f}{unit}")
    return ", ".join(parts)
