"""Surveys: native files to `SpectrumBatch`. The only code that knows a file format of spectra."""

from . import desi, gaia_xp, generic, lamost, miles, sparcl
from .archive import find_star_files
from .base import Survey, get_survey, register, survey_names
from .native import read, read_all
from .stated import Stated
from .stream import find_files, stream, stream_files

for _survey in (
    lamost.SURVEY,
    desi.SURVEY,
    desi.ALL_CAMERAS,
    miles.SURVEY,
    gaia_xp.SURVEY,
    generic.SURVEY,
    sparcl.SURVEY,
):
    register(_survey)

__all__ = [
    "Stated",
    "Survey",
    "find_files",
    "find_star_files",
    "get_survey",
    "read",
    "read_all",
    "register",
    "stream",
    "stream_files",
    "survey_names",
]
