"""A package from outside adds a survey, a grid, an input, an encoder and a strategy; the whole chain uses them."""

import json
import os
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest

from transtar import read_set
from transtar.catalog import read_columns
from transtar.errors import MismatchError

OUTSIDE = '''
"""A survey of text files, a short grid, the depths of lines as an input, an encoder, and a strategy with a loss of its own."""

import hashlib
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from transtar import SpectrumBatch, Survey
from transtar.datasets import Input
from transtar.encoders import OutsideEncoder
from transtar.grids import LogGrid
from transtar.train import FineTuning

GRID = LogGrid("short", 3.6125, 1e-4, 400, window=(4050.0, 4550.0))


def read_file(path):
    wave, flux = np.loadtxt(path, unpack=True)
    return SpectrumBatch(
        wave=wave, flux=flux[None], ivar=np.full((1, len(wave)), 1e4), mask=~np.isfinite(flux[None]),
        ids=np.array([int(path.stem)]), survey="pages", frame="rest", medium="vacuum",
        meta={"file": np.array([path.name]), "velocity": np.zeros(1)},
    )


SURVEY = Survey("pages", "pages of numbers", read_file=read_file, patterns=("*.page",), preprocessing={"grid": "short"})

DEPTHS = Input("depths", lambda spectra, preprocessing: 1 - spectra.flux.reshape(len(spectra.flux), 40, 10).min(axis=2))

WEIGHTS = np.random.default_rng(0).normal(size=(400, 3)).astype(np.float32)
ENCODER = OutsideEncoder("random", lambda flux: np.tanh((1 - flux) @ WEIGHTS), hashlib.sha256(WEIGHTS.tobytes()).hexdigest())


@dataclass(frozen=True)
class LogCosh(FineTuning):
    """All weights, with a loss that grows like the distance."""

    name: ClassVar[str] = "log-cosh"
    colour: ClassVar[str] = "#882255"
    rate: ClassVar[float] = 1e-3

    def loss(self, outputs, targets):
        return torch.log(torch.cosh(outputs - targets))
'''

POINTS = """
[transtar.surveys]
pages = transtar_outside:SURVEY
[transtar.grids]
short = transtar_outside:GRID
[transtar.inputs]
depths = transtar_outside:DEPTHS
[transtar.encoders]
random = transtar_outside:ENCODER
[transtar.strategies]
log-cosh = transtar_outside:LogCosh
"""


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    """Runs transtar beside the package, which lies as pip would leave it, in a folder with spectra."""
    folder, site = tmp_path_factory.mktemp("outside"), tmp_path_factory.mktemp("site")
    (site / "transtar_outside.py").write_text(OUTSIDE)
    info = site / "transtar_outside-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: transtar-outside\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(POINTS)
    (folder / "spectra").mkdir()
    rng = np.random.default_rng(0)
    wave = np.arange(4040.0, 4560.0, 0.4)
    labels = ["id,feh"]
    for number in range(40):
        feh = rng.uniform(-2, 0.4)
        depth = 0.1 + 0.2 * (feh + 2)
        flux = 1 - depth * np.exp(-0.5 * (((wave - 4050) % 11 - 5.5) / 0.8) ** 2) + rng.normal(0, 0.01, len(wave))
        np.savetxt(folder / "spectra" / f"{number}.page", np.stack([wave, 3 * flux], axis=1))
        labels.append(f"{number},{feh:.4f}")
    (folder / "labels.csv").write_text("\n".join(labels) + "\n")

    def transtar(*arguments):
        path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH", "")]))
        done = subprocess.run(
            [sys.executable, "-m", "transtar", *map(str, arguments)],
            cwd=folder, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    transtar.folder = folder
    return transtar


def test_all_five_in_one_chain(outside):
    listed = outside("info")
    for name in ("pages", "short", "depths", "random", "log-cosh"):
        assert name in listed
    outside("prepare", "--survey", "pages", "--spectra", "spectra", "--labels", "labels.csv", "--out", "set")
    assert pq.read_schema(outside.folder / "set" / "spectra.parquet").field("flux").type.list_size == 400
    assert json.loads((outside.folder / "set" / "set.json").read_text())["preprocessing"]["grid"] == "short"
    first = outside(
        "pretrain", "--data", "set", "--label", "feh", "--input", "flux+depths+random", "--epochs", 4, "--out", "first"
    )
    assert "feh by mlp on 36 stars" in first
    adapted = outside(
        "finetune", "--model", "first", "--data", "set", "--strategy", "log-cosh", "--epochs", 60, "--out", "model"
    )
    assert "feh by log-cosh on" in adapted
    # Native spectra of the survey, on the grid, with the input computed on the way.
    outside("predict", "--model", "model", "--survey", "pages", "--spectra", "spectra", "--out", "catalog.parquet")
    catalog = read_columns(outside.folder / "catalog.parquet")
    feh = {
        int(row.split(",")[0]): float(row.split(",")[1])
        for row in (outside.folder / "labels.csv").read_text().split()[1:]
    }
    expected = np.array([feh[number] for number in catalog["id"]])
    # The depth of the lines says all: a network of 443 inputs that saw 36 stars finds most of it.
    assert np.corrcoef(catalog["feh"], expected)[0, 1] > 0.9
    model = json.loads((outside.folder / "model" / "config.json").read_text())
    assert (model["input"], model["n_inputs"]) == ("flux+depths+random", 443)
    assert (model["encoders"]["random"]["place"], list(model["encoders"])) == ("random", ["random"])
    assert [step["strategy"] for step in model["provenance"]] == ["mlp", "log-cosh"]
    # Where the package is missing, that is said.
    with pytest.raises(MismatchError, match="no wavelength grid 'short'"):
        read_set(outside.folder / "set")
