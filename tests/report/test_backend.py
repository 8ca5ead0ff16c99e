import os
import subprocess
import sys
from pathlib import Path

import pytest

import transtar

CODE = """
import os
from transtar.report.style import new_figure, save
import matplotlib
new_figure(1, 1).add_subplot()
save(new_figure(1, 1), OUT, "a")
print(os.environ.get("MPLBACKEND"), matplotlib.rcParams["backend"])
"""


@pytest.mark.parametrize("value", ["module://matplotlib_inline_of_another.backend_inline", "banana", "svg", ""])
def test_an_inherited_backend(tmp_path, value):
    """A kernel of another environment leaves its MPLBACKEND; drawing into files needs none, and the caller keeps his."""
    environment = os.environ | {"MPLBACKEND": value, "PYTHONPATH": str(Path(transtar.__file__).parents[1])}
    command = [sys.executable, "-c", CODE.replace("OUT", repr(str(tmp_path)))]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.glob("[!.]*")) == ["a.pdf", "a.png"]
    assert done.stdout.startswith(f"{value} ")
    if value == "svg":
        assert done.stdout == "svg svg\n"


def test_only_here():
    """Nobody else imports matplotlib before the package of figures has done so."""
    source = Path(transtar.__file__).parent
    for path in source.rglob("*.py"):
        if path.parent.name not in ("report", "paper") and path.name != "figures.py":
            assert "\nimport matplotlib" not in path.read_text(encoding="utf-8"), path
            assert "\nfrom matplotlib" not in path.read_text(encoding="utf-8"), path
