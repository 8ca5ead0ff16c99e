"""Catalogs: predicting for whole surveys, writing and reading the tables."""

from .astropy_table import plain_columns, read_catalog, to_table
from .from_files import Prediction, predict_files, predict_set
from .from_spectra import predict_spectra
from .hats_folder import write_hats
from .join_catalogs import Joined, join_catalog
from .merge_shards import merge_shards
from .next_stars import Plan, plan_stars
from .predict import GridSpectraLike, predict_batches
from .readers import read_columns, read_metadata
from .search import Neighbours, search_set
from .set_run import predict_large_set
from .star_rows import Recommended, recommend
from .survey_run import SurveyRun, predict_survey
from .trained import trained_on
from .writers import SUFFIXES, CatalogWriter, check_suffix, write_catalog

__all__ = [
    "SUFFIXES",
    "CatalogWriter",
    "GridSpectraLike",
    "Joined",
    "Neighbours",
    "Plan",
    "Prediction",
    "Recommended",
    "SurveyRun",
    "check_suffix",
    "join_catalog",
    "merge_shards",
    "plain_columns",
    "plan_stars",
    "predict_batches",
    "predict_files",
    "predict_large_set",
    "predict_set",
    "predict_spectra",
    "predict_survey",
    "read_catalog",
    "read_columns",
    "read_metadata",
    "recommend",
    "search_set",
    "to_table",
    "trained_on",
    "write_catalog",
    "write_hats",
]
