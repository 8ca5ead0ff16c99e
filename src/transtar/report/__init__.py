"""Figures, tables and the HTML report; the numbers come from `transtar.evaluate`."""

# Before anything imports matplotlib.
from . import backend  # noqa: F401  # isort: skip
from .arrange import Table, inputs_by_size, paper_table, strategies_by_input, strategies_by_size
from .figures import Panel, against_sample_size, one_to_one, regime_dots, residuals_against, save
from .landscape import draw_landscapes
from .learning_curve import learning_curve
from .page import FigureFile, Section, write_report
from .plane import Plane, abundance_plane, normalised_plane
from .style import in_order
from .tables import (
    read_results,
    rows_html,
    settings_html,
    summarise,
    to_csv,
    to_html,
    to_latex,
    write_table,
    write_tables,
)
from .temperatures import Split, poor_temperatures
from .trainable_weights import against_trainable_weights

__all__ = [
    "FigureFile",
    "Panel",
    "Plane",
    "Section",
    "Split",
    "Table",
    "abundance_plane",
    "against_sample_size",
    "against_trainable_weights",
    "draw_landscapes",
    "in_order",
    "inputs_by_size",
    "learning_curve",
    "normalised_plane",
    "one_to_one",
    "paper_table",
    "poor_temperatures",
    "read_results",
    "regime_dots",
    "residuals_against",
    "rows_html",
    "save",
    "settings_html",
    "strategies_by_input",
    "strategies_by_size",
    "summarise",
    "to_csv",
    "to_html",
    "to_latex",
    "write_report",
    "write_table",
    "write_tables",
]
