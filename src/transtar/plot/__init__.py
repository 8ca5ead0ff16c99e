"""Plots on axes of matplotlib, for notebooks and figures of your own.

Each function draws on the axes that it is given, or on those of a new figure, and returns them. The look is that of your own
settings; nothing else of the figure is touched. Whole figures of transtar's style are made by `transtar.report`.
"""

from .on_axes import one_to_one, spectrum

__all__ = ["one_to_one", "spectrum"]
