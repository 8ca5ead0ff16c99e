"""Fetching: spectra of a list of stars from a service, cached; and which of them the files at hand hold already."""

from .ask import Ask, from_ids, from_positions, from_table
from .cache import Answers
from .fetching import FetchReport, Search, fetch_sparcl
from .sparcl import Sparcl
from .transport import Patience, Service

__all__ = [
    "Answers",
    "Ask",
    "FetchReport",
    "Patience",
    "Search",
    "Service",
    "Sparcl",
    "fetch_sparcl",
    "from_ids",
    "from_positions",
    "from_table",
]
