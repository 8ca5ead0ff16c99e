"""Errors of spectra that an alignment predicts, over wavelength."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from ..explain.translation import Translation
from .style import BLACK, GREY, PAGE_WIDTH, VERMILION, new_figure, paper_style

PANEL = 2.0
"""Inches of height for each direction."""

NAMES = {"lrs": "LRS", "xp": "XP"}


def draw_translations(translations: Sequence[Translation]) -> Figure:
    """Draw a panel for each direction: error and bias, and the error of one who always gives the median spectrum.

    Parameters
    ----------
    translations : sequence of Translation
        As from `transtar.explain.translation.explain_translation`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with paper_style():
        figure = new_figure(PAGE_WIDTH, 0.45 + PANEL * len(translations))
        panels = figure.subplots(len(translations), 1, squeeze=False)[:, 0]
        for panel, one in zip(panels, translations, strict=True):
            errors = one.errors
            panel.axhline(0, color=GREY, lw=0.5)
            panel.plot(one.wave, 100 * errors.error_of_median, color=GREY, lw=0.8, label="error of the median spectrum")
            panel.plot(one.wave, 100 * errors.error, color=VERMILION, lw=0.9, label="median absolute error")
            panel.plot(one.wave, 100 * errors.bias, color=BLACK, lw=0.6, label="bias")
            panel.set_title(f"{NAMES[one.to]} from {NAMES[one.from_]}, {one.n_pairs} pairs", loc="left", pad=3)
            panel.set_ylabel("per cent of the flux")
            panel.set_xlim(one.wave[0], one.wave[-1])
        panels[-1].set_xlabel(r"vacuum wavelength ($\mathrm{\AA}$)")
        figure.align_ylabels(panels)
        figure.legend(handles=panels[0].get_lines()[1:], loc="outside upper right", ncols=3)
    return figure
