import json

import numpy as np
import pytest

from transtar.catalog import read_columns
from transtar.flags import Flag, has

WITNESSES = {"gate": 0.8, "doubt": 0.2, "misfit": 5.5}
"""Thresholds that were not given."""

pytestmark = pytest.mark.usefixtures("unquestioned")


def test_thresholds_of_a_run(world, transtar, tmp_path):
    spectra = ("--survey", "lamost", "--spectra", world.lamost / "spectra")
    done = transtar("prepare", *spectra, "--quality", "snr=1e5", "good_fraction=0.99", "--out", tmp_path / "set")
    assert done.code == 0, done.err
    assert "40 LOW_SNR" in done.out
    description = json.loads((tmp_path / "set" / "set.json").read_text())
    assert description["provenance"]["quality"] == {"snr": 1e5, "good_fraction": 0.99, "hot": 7500, **WITNESSES}
    # The flags of the set, those of a run of its own, and those of its files.
    runs = {
        "own": (("--data", tmp_path / "set"), True),
        "anew": (("--data", tmp_path / "set", "--quality", "snr=10", "good_fraction=0.5"), False),
        "files": ((*spectra, "--quality", "snr=1e5"), True),
        "usual": (spectra, False),
    }
    for name, (arguments, low) in runs.items():
        out = tmp_path / f"{name}.parquet"
        done = transtar("predict", "--model", world.model, *arguments, "--out", out)
        assert done.code == 0, done.err
        assert ("set again" in done.err) == (name == "anew")
        assert has(read_columns(out)["flags"], Flag.LOW_SNR).all() == low
    kept = has(read_columns(tmp_path / "own.parquet")["flags"], Flag.LOW_GOOD_FRACTION)
    assert kept.any()
    np.testing.assert_array_equal(np.isnan(read_columns(tmp_path / "own.parquet")["feh"]), kept)
    assert np.isfinite(read_columns(tmp_path / "anew.parquet")["feh"]).all()


def test_impossible_thresholds(world, fails, tmp_path):
    spectra = ("--survey", "lamost", "--spectra", world.lamost / "spectra", "--out", tmp_path / "out.csv")
    assert "quality: unknown key S/N" in fails("prepare", *spectra, "--quality", "S/N=3", code=2)
    line = fails("predict", "--model", world.model, *spectra, "--quality", "good_fraction=80", code=2)
    assert "good_fraction must be between 0 and 1, not 80" in line
    assert "--quality takes key=value, not '3'" in fails("prepare", *spectra, "--quality", "3", code=2)
    assert "--quality: snr is given twice" in fails("prepare", *spectra, "--quality", "snr=1", "snr=2", code=2)
    assert not list(tmp_path.iterdir())
