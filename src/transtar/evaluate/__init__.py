"""Measuring: metrics, regimes, and the evaluation of catalogs."""

from .bootstrap import bootstrap, bootstrap_errors
from .catalog import Evaluation, evaluate_catalog, evaluate_files, format_table, write_metrics
from .metrics import bias, r2, sigma
from .mmd import GAMMA, GAMMAS, Discrepancy, halves_floor, squared_mmd, squared_mmds
from .regimes import evaluate, regimes
from .results import RESULT_COLUMNS, Results, read_results, write_results
from .summaries import select, summarise

__all__ = [
    "GAMMA",
    "GAMMAS",
    "RESULT_COLUMNS",
    "Discrepancy",
    "Evaluation",
    "Results",
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
    "squared_mmds",
    "summarise",
    "write_metrics",
    "write_results",
]
