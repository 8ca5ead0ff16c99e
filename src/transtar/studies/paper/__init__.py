"""The tables, figures and words of the paper's study, from the stored results of a study with `experiments`."""

from .explained import explained_sections
from .sections import paper_sections

__all__ = ["explained_sections", "paper_sections"]
