"""Studies: a file that says what to compare, and the runs, tables and figures that follow."""

from .draw import redraw
from .layout import CLOSING, check_out
from .load import load_study, shipped_studies, study_schema
from .run import run_study
from .spec import DATA_VARIABLE, Study

__all__ = [
    "CLOSING",
    "DATA_VARIABLE",
    "Study",
    "check_out",
    "load_study",
    "redraw",
    "run_study",
    "shipped_studies",
    "study_schema",
]
