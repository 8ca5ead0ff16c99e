"""Studies: a file that says what to compare, and the runs, tables and figures that follow."""

from .load import load_study, shipped_studies, study_schema
from .outputs import CLOSING
from .run import check_out, run_study
from .spec import DATA_VARIABLE, Study

__all__ = [
    "CLOSING",
    "DATA_VARIABLE",
    "Study",
    "check_out",
    "load_study",
    "run_study",
    "shipped_studies",
    "study_schema",
]
