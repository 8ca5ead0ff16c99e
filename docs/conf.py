"""Settings of the site: ``make docs``, or ``python -m sphinx -W docs build/docs`` where the extra `docs` is installed.

Pages that follow from the code (columns, flags, commands, the Python reference) are written into docs/generated before
Sphinx reads the others. Tutorials and gallery are executed, on a mock universe that is simulated once: see `tools.site_data`.
"""

import os
import sys
from datetime import date
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
# This checkout is described and run, whatever else is installed; the second line is for the cells.
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT / "src"), str(ROOT), os.environ.get("PYTHONPATH")]))

import transtar  # noqa: E402
from tools import site_data, site_pages  # noqa: E402

citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
project = "transtar"
author = ", ".join(
    one.get("name") or f"{one.get('given-names', '')} {one.get('family-names', '')}".strip()
    for one in citation["authors"]
)
copyright = (
    f"{date.fromisoformat(str(citation['date-released'])).year}, {author}" if "date-released" in citation else author
)
version = release = transtar.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["emulator/README.md", "results/*", "schemas/*"]
# A single pair of backticks in a docstring names a thing of Python where there is one of that name, and is code elsewhere.
default_role = "py:obj"
add_module_names = False
toc_object_entries_show_parents = "hide"
autodoc_member_order = "bysource"
autodoc_typehints = "none"
autosummary_generate = False
numpydoc_show_class_members = False

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3

nb_execution_mode = "force"
nb_execution_timeout = 900
nb_execution_raise_on_error = True
nb_merge_streams = True
# What the cells print of warnings belongs to what they show.
nb_output_stderr = "show"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "pydata_sphinx_theme"
html_title = "transtar"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "transtar"},
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
# Pages without others below them.
html_sidebars = {"index": [], "gallery": [], "develop": []}


# Links of pages to files that the site has elsewhere.
MOVED = {"../src/transtar/simulate/data/emulator/README.md": "generated/cards/emulator.md"}


def follow_moved(app, docname, source):
    """Have links lead to where the site has what they name."""
    for old, new in MOVED.items():
        source[0] = source[0].replace(f"]({old})", f"]({new})")


def setup(app):
    """Write what follows from the code, and make the data of the tutorials where they are executed."""
    site_pages.write(Path(app.srcdir) / "generated")
    app.connect("source-read", follow_moved)
    if app.config.nb_execution_mode != "off":
        os.environ["TRANSTAR_SITE"] = str(site_data.make(ROOT / "build" / "site-data"))
    # Cells run `transtar` as a user would, whatever environment builds the site.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    os.environ.setdefault("OMP_NUM_THREADS", "2")
