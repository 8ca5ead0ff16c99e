"""Measuring: metrics, regimes, and the evaluation of catalogs."""

from .asked import parse_ranges
from .bootstrap import bootstrap, bootstrap_errors
from .catalog import Evaluation, evaluate_catalog, format_table
from .metrics import bias, r2, sigma
from .mmd import GAMMA, GAMMAS, Discrepancy, halves_floor, squared_mmd, squared_mmds
from .model_scores import score_model
from .regimes import evaluate, regimes
from .results import RESULT_COLUMNS, Results, read_results, write_results
from .score_files import evaluate_files, write_metrics
from .summaries import select, summarise
from .three_corners import Noise, ThreeCorners, three_corners

__all__ = [
    "GAMMA",
    "GAMMAS",
    "RESULT_COLUMNS",
    "Discrepancy",
    "Evaluation",
    "Noise",
    "Results",
    "ThreeCorners",
    "bias",
    "bootstrap",
    "bootstrap_errors",
    "evaluate",
    "evaluate_catalog",
    "evaluate_files",
    "format_table",
    "halves_floor",
    "parse_ranges",
    "r2",
    "read_results",
    "regimes",
    "score_model",
    "select",
    "sigma",
    "squared_mmd",
    "squared_mmds",
    "summarise",
    "three_corners",
    "write_metrics",
    "write_results",
]
