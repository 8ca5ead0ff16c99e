"""Selections of stars: catalogs as the surveys publish them, and cuts that each have a name and a source, all counted."""

from .apply import Selected, Step, select
from .selection_spec import Selection, load_selection, selection_schema

__all__ = ["Selected", "Selection", "Step", "load_selection", "select", "selection_schema"]
