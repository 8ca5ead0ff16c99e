"""Figures, tables and the HTML report; the numbers come from `transtar.evaluate`."""

# Before anything imports matplotlib.
from . import backend  # noqa: F401  # isort: skip
from .arrange import Table, paper_table
from .evaluation import EVALUATION_FILES, write_evaluation
from .figures import Panel, one_to_one
from .inputs_figure import against_inputs, start_of
from .landscape_figure import draw_landscapes
from .page import FigureFile, Section, write_report
from .plane_figure import Plane, abundance_plane
from .saliency_figure import saliency_maps
from .sample_size import against_sample_size, regime_dots
from .spectrum_figure import plot_spectrum
from .style import in_order, save
from .tables import rows_html, settings_html, to_csv, to_html, to_latex, write_table, write_tables

__all__ = [
    "EVALUATION_FILES",
    "FigureFile",
    "Panel",
    "Plane",
    "Section",
    "Table",
    "abundance_plane",
    "against_inputs",
    "against_sample_size",
    "draw_landscapes",
    "in_order",
    "one_to_one",
    "paper_table",
    "plot_spectrum",
    "regime_dots",
    "rows_html",
    "saliency_maps",
    "save",
    "settings_html",
    "start_of",
    "to_csv",
    "to_html",
    "to_latex",
    "write_evaluation",
    "write_report",
    "write_table",
    "write_tables",
]
