"""The tables, figures and words of the paper's study, from the stored results of a study with `experiments`."""

from .sections import paper_sections

__all__ = ["paper_sections"]
