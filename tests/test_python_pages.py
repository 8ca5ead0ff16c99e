"""docs/python.md and docs/new-label.md: what they show runs, as one session."""

import csv
import re

import numpy as np
import pytest
from astropy.table import Table

from transtar.models import load_estimator

from .made_surveys import made_miles, star_spectrum
from .test_readme import ROOT, blocks, run


@pytest.fixture
def folder(tmp_path):
    made_miles(tmp_path / "miles", n=30, spectrum=star_spectrum)
    return tmp_path


def test_the_page_from_python_runs(folder):
    pytest.importorskip("specutils")
    shown = blocks(ROOT / "docs" / "python.md", "python", "bash")
    assert {language for language, _ in shown} == {"python"}
    printed = run(["python", "-c", "\n".join(content for _, content in shown)], folder)
    assert "Estimator of feh" in printed
    assert "Prediction: 30 spectra" in printed
    assert "PreparedSet: 30 spectra of miles" in printed
    assert "effective temperature K [['pretrain (mlp) on" in printed
    for name in ("plots", "spectra", "saliency", "landscape", "one-to-one"):
        assert (folder / f"{name}.png").stat().st_size > 5000
    assert len(Table.read(folder / "good.parquet")) == 30
    assert load_estimator(folder / "adapted").label_names == ("feh",)


def test_the_page_on_new_labels_runs(folder, served):
    with open(folder / "miles" / "labels.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    with open(folder / "labels.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "mg_fe"])
        writer.writeheader()
        writer.writerows(row | {"mg_fe": round(0.1 - 0.2 * float(row["feh"]), 3)} for row in rows)
    prepare = "transtar prepare --survey miles --spectra miles/spectra --labels labels.csv --out sets/miles"
    run(["bash", "-euc", prepare], folder, served)
    for language, content in blocks(ROOT / "docs" / "new-label.md", "bash", "python"):
        content = re.sub(r"^(transtar finetune .*)$", r"\1 --epochs 2", content, flags=re.MULTILINE)
        command = ["bash", "-euc", content] if language == "bash" else ["python", "-c", content]
        printed = run(command, folder, served)
    assert printed.startswith("Estimator of mg_fe\n")
    assert "mg_fe by recalibrate, mg_fe from alphafe on 30 stars" in printed
    assert np.isfinite(load_estimator(folder / "models" / "miles-mgfe").label_max).all()
