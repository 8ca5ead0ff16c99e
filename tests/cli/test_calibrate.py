import re

import numpy as np
from astropy.table import Table

from transtar.labels.calibration import load_calibration
from transtar.simulate.pipelines import desi_pipeline

BIG = 2**62 + 1


def write(path, n=3000, **more):
    rng = np.random.default_rng(0)
    teff, logg, feh = rng.uniform(4100, 6600, n), rng.uniform(0.5, 5.1, n), rng.uniform(-2, 0.4, n)
    measured = feh + desi_pipeline.metallicity_bias(teff, logg, desi_pipeline.SP) + rng.normal(0, 0.03, n)
    table = {"source_id": BIG + np.arange(n), "feh": feh, "feh_desi": measured, "teff_desi": teff, "logg_desi": logg}
    Table({**table, **more}).write(path)
    return path


def test_a_survey_is_calibrated_on_its_pool(transtar, tmp_path):
    split = np.where(np.arange(3000) % 3 == 0, "test", "pool")
    stars = write(tmp_path / "stars.csv", split=split)
    done = transtar("calibrate", "--catalog", stars, "--reference", stars, "--out", tmp_path / "own.yaml")
    assert done.code == 0, done.err
    assert "1000 test stars" in done.err
    fitted = load_calibration(tmp_path / "own.yaml")
    published = load_calibration("koposov2025-sp")
    np.testing.assert_allclose(fitted.giants, published.giants, atol=0.01)
    assert (fitted.gravity, fitted.teff, fitted.logg) == (published.gravity, published.teff, published.logg)
    number, rows = map(int, re.match(r"(\d+) of (\d+) rows have both labels", done.out).groups())
    assert (number, rows) == (2000, 3000)
    assert re.search(r"giants: \d+ stars, .* [+-]0\.000 after", done.out)


def test_mistakes(fails, tmp_path):
    stars = write(tmp_path / "stars.csv")
    Table({"id": [1], "feh": [0.0]}).write(tmp_path / "other.csv")
    out = ["--out", tmp_path / "own.yaml"]
    assert "share no identifier" in fails("calibrate", "--catalog", stars, "--reference", tmp_path / "other.csv", *out)
    assert "no column feh_lamost" in fails(
        "calibrate", "--catalog", stars, "--reference", stars, "--suffix", "_lamost", *out
    )
    assert "no such file" in fails("calibrate", "--catalog", tmp_path / "x.csv", "--reference", stars, *out)
    assert "a fit needs 20" in fails("calibrate", "--catalog", stars, "--reference", stars, "--teff", 1, 2, *out)
    assert not (tmp_path / "own.yaml").exists()
