"""Catalogs: predicting for whole surveys, writing and reading the tables."""

from .from_files import Prediction, predict_files, predict_set
from .predict import GridSpectraLike, predict_batches
from .readers import read_catalog, read_metadata
from .trained import trained_on
from .writers import SUFFIXES, CatalogWriter, check_suffix, write_catalog

__all__ = [
    "SUFFIXES",
    "CatalogWriter",
    "GridSpectraLike",
    "Prediction",
    "check_suffix",
    "predict_batches",
    "predict_files",
    "predict_set",
    "read_catalog",
    "read_metadata",
    "trained_on",
    "write_catalog",
]
