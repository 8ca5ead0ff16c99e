import os
import subprocess
import sys
from pathlib import Path

import transtar

VALUES = ("module://matplotlib_inline_of_another.backend_inline", "banana", "svg", "")

CODE = """
import os, sys
# What figures are made of besides matplotlib takes seconds to import, and asks for no backend.
import torch, scipy.stats, astropy.table
import transtar.evaluate, transtar.datasets
assert "matplotlib" not in sys.modules
for number, value in enumerate(VALUES):
    child = os.fork()
    if child:
        assert os.waitpid(child, 0)[1] == 0
        continue
    os.environ["MPLBACKEND"] = value
    from transtar.report.style import new_figure, save
    import matplotlib
    new_figure(1, 1).add_subplot()
    save(new_figure(1, 1), os.path.join(OUT, str(number)), "a")
    print(os.environ.get("MPLBACKEND"), matplotlib.rcParams["backend"], flush=True)
    os._exit(0)
"""


def test_an_inherited_backend(tmp_path):
    """A kernel of another environment leaves its MPLBACKEND; drawing into files needs none, and the caller keeps his."""
    environment = os.environ | {"PYTHONPATH": str(Path(transtar.__file__).parents[1])}
    code = CODE.replace("OUT", repr(str(tmp_path))).replace("VALUES", repr(VALUES))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(VALUES)
    for number, (value, line) in enumerate(zip(VALUES, lines, strict=True)):
        assert sorted(path.name for path in (tmp_path / str(number)).glob("[!.]*")) == ["a.pdf", "a.png"]
        assert line.startswith(f"{value} ")
    assert lines[VALUES.index("svg")] == "svg svg"


def test_only_here():
    """Nobody else imports matplotlib before the package of figures has done so."""
    source = Path(transtar.__file__).parent
    for path in source.rglob("*.py"):
        if path.parent.name not in ("report", "paper") and path.name != "figures.py":
            assert "\nimport matplotlib" not in path.read_text(encoding="utf-8"), path
            assert "\nfrom matplotlib" not in path.read_text(encoding="utf-8"), path
