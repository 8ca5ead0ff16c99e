"""docs/inside-encoders.md: what it shows runs, from commands and Python alike."""

import csv

import numpy as np
import pytest

from transtar import Estimator, read_set
from transtar.cli import main
from transtar.datasets import Stars
from transtar.encoders import load_encoder, note_of, save_encoder
from transtar.explain.reconstruction import COLUMNS
from transtar.networks import MLPSettings
from transtar.train import TrainSettings, pretrain

from .made_surveys import made_miles
from .models.encoded import small_encoder
from .test_readme import ROOT, blocks, run


@pytest.mark.slow
def test_everything_the_page_shows_runs(tmp_path):
    miles = tmp_path / "miles"
    made_miles(miles, n=36)
    command = ["prepare", "--survey", "miles", "--spectra", miles / "spectra", "--labels", miles / "labels.csv"]
    sets = ["--split", miles / "split.csv", "--out", tmp_path / "sets" / "miles"]
    assert main([str(part) for part in (*command, *sets)]) == 0
    stars = read_set(tmp_path / "sets" / "miles")
    save_encoder(small_encoder(preprocessing=stars.preprocessing), tmp_path / "encoder")
    encoder = load_encoder(tmp_path / "encoder")
    known = Stars(
        encoder.encode(stars.flux), stars.columns["feh"].astype(float), "feh", preprocessing=stars.preprocessing,
        input="seer", encoders={"seer": note_of(encoder)},
    )  # fmt: skip
    settings = TrainSettings(epochs=3, learning_rate=1e-3)
    pretrain(known, settings=settings, mlp=MLPSettings((12, 6))).save(tmp_path / "models" / "lamost")
    page = ROOT / "docs" / "inside-encoders.md"
    shown = blocks(page, "bash", "python")
    assert [language for language, _ in shown] == ["bash", "bash", "bash", "python"]
    for language, content in shown:
        printed = run(["bash", "-euc", content] if language == "bash" else ["python", "-c", content], tmp_path)
    assert printed.splitlines() == ["flux 1462", "the same predictions: True"]
    with (tmp_path / "explained" / "reconstruction.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert len(table) == 36
    assert tuple(table[0]) == COLUMNS
    text = page.read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in COLUMNS)
    adapted = Estimator.load(tmp_path / "models" / "miles")
    assert adapted.input == "flux"
    assert np.isfinite(adapted.predict(stars.flux)).all()
