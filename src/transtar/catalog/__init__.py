"""Catalogs: predicting for whole surveys, writing and reading the tables."""

from .astropy_table import plain_columns, read_catalog, to_table
from .from_files import Prediction, predict_files, predict_set
from .from_spectra import predict_spectra
from .hats_folder import write_hats
from .next_stars import Plan, plan_stars
from .predict import GridSpectraLike, predict_batches
from .readers import read_columns, read_metadata
from .search import Neighbours, search_set
from .trained import trained_on
from .writers import SUFFIXES, CatalogWriter, check_suffix, write_catalog

__all__ = [
    "SUFFIXES",
    "CatalogWriter",
    "GridSpectraLike",
    "Neighbours",
    "Plan",
    "Prediction",
    "check_suffix",
    "plain_columns",
    "plan_stars",
    "predict_batches",
    "predict_files",
    "predict_set",
    "predict_spectra",
    "read_catalog",
    "read_columns",
    "read_metadata",
    "search_set",
    "to_table",
    "trained_on",
    "write_catalog",
    "write_hats",
]
