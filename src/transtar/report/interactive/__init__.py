"""A page to look into: plots that are linked by selection, the spectrum of each star, and a table of what is selected."""

from .bokeh_figures import require_bokeh
from .interactive_page import write_page
from .look_into import report_catalog

__all__ = ["report_catalog", "require_bokeh", "write_page"]
