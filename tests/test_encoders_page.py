"""docs/encoders.md: what it shows runs, with an encoder of its own in the place of the shipped one where there is none."""

import sys

import numpy as np
import pyarrow.parquet as pq
import pytest

from transtar import Estimator, read_set
from transtar.encoders import encoder_names, save_encoder

from .datasets.test_embed import network
from .made_surveys import made_lamost, made_miles
from .test_readme import ROOT, before, blocks, run

STAND_IN = """
from dataclasses import replace
from pathlib import Path

from transtar.encoders import load_encoder

ENCODER = replace(load_encoder(Path(__file__).parent / "through"), place="through")
"""


def stand_in(site):
    """A package that offers an encoder of the name of the shipped one."""
    save_encoder(network(), site / "through")
    (site / "standin.py").write_text(STAND_IN)
    info = site / "standin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: standin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[transtar.encoders]\nthrough = standin:ENCODER\n")


@pytest.mark.slow
def test_everything_the_page_shows_runs(tmp_path):
    page = ROOT / "docs" / "encoders.md"
    package, site = tmp_path / "package", tmp_path / "site"
    package.mkdir()
    shown = blocks(page, "toml", "python", "bash")
    of_package = next(number for number, (language, _) in enumerate(shown) if language == "toml")
    (package / "pyproject.toml").write_text(shown.pop(of_package)[1])
    (package / "transtar_lines.py").write_text(shown.pop(of_package)[1])
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--no-build-isolation"]
    run([*pip, "--target", str(site), "."], package)
    if "through" not in encoder_names():
        stand_in(site)
    for make, survey, name in ((made_lamost, "lamost", "source"), (made_miles, "miles", "target")):
        folder = make(tmp_path / survey, n=26)
        given = ["--spectra", str(folder / "spectra"), "--labels", str(folder / "labels.csv")]
        run(["transtar", "prepare", "--survey", survey, *given, "--out", f"sets/{name}"], tmp_path)
    printed = ""
    assert [language for language, _ in shown] == ["bash", "bash", "python", "bash"]
    for language, content in shown:
        command = ["bash", "-euc", content] if language == "bash" else ["python", "-c", content]
        printed += run(command, tmp_path, PYTHONPATH=before(site))
    assert "inputs       through (encoder " in printed
    assert Estimator.load(tmp_path / "models" / "target").encoders["through"]["place"] == "through"
    assert np.isfinite(pq.read_table(tmp_path / "catalog.parquet")["feh"].to_numpy()).sum() > 20
    both = read_set(tmp_path / "sets" / "both")
    assert set(both.inputs) == {"flux", "through", "lines"}
    assert both.inputs["lines"].shape == (26, 4)
    assert np.isfinite(both.inputs["lines"]).all()
    assert Estimator.load(tmp_path / "models" / "both").input == "through+lines"
