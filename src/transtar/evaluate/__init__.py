"""Measuring: metrics, regimes, and the evaluation of catalogs."""

from .bootstrap import bootstrap, bootstrap_errors
from .catalog import Evaluation, evaluate_catalog, evaluate_files, format_table, write_metrics
from .metrics import bias, r2, sigma
from .mmd import GAMMA, Discrepancy, halves_floor, squared_mmd
from .regimes import evaluate, regimes
from .summary import RESULT_COLUMNS, read_results, select, summarise

__all__ = [
    "GAMMA",
    "RESULT_COLUMNS",
    "Discrepancy",
    "Evaluation",
    "bias",
    "bootstrap",
    "bootstrap_errors",
    "evaluate",
    "evaluate_catalog",
    "evaluate_files",
    "format_table",
    "halves_floor",
    "r2",
    "read_results",
    "regimes",
    "select",
    "sigma",
    "squared_mmd",
    "summarise",
    "write_metrics",
]
