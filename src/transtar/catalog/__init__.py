"""Catalogs: predicting for whole surveys, writing and reading the tables."""

from .predict import GridSpectraLike, predict_batches
from .readers import read_catalog, read_metadata
from .trained import trained_on
from .writers import SUFFIXES, CatalogWriter, check_suffix, write_catalog

__all__ = [
    "SUFFIXES",
    "CatalogWriter",
    "GridSpectraLike",
    "check_suffix",
    "predict_batches",
    "read_catalog",
    "read_metadata",
    "trained_on",
    "write_catalog",
]
