"""Gaia XP from files to a scored catalog, on its own 343 points; and what does not fit, in one line."""

import csv
import json
import re

import numpy as np
import pytest

from transtar.catalog import read_columns
from transtar.flags import Flag
from transtar.surveys.gaia_xp import SAMPLING_NM

N = 60


@pytest.fixture(scope="module")
def xp(tmp_path_factory):
    """One of the archive's bulk files: black bodies of 4000 to 7000 K, and a table of their temperatures."""
    folder = tmp_path_factory.mktemp("xp")
    rng = np.random.default_rng(2)
    ids = 2**61 + np.arange(N)
    teff = rng.uniform(4000, 7000, N)
    x = 1.4388e7 / (SAMPLING_NM * teff[:, None])
    flux = 1e-16 * (SAMPLING_NM / 600) ** -5 / np.expm1(x) * rng.lognormal(0, 1, (N, 1))
    error = flux / 100
    flux += error * rng.standard_normal(flux.shape)
    with open(folder / "XpSampledMeanSpectrum_000000-003111.csv", "w", newline="") as file:
        file.write("# %ECSV 1.0\n# ---\n# delimiter: ','\n")
        writer = csv.writer(file)
        writer.writerow(["source_id", "flux", "flux_error"])
        for star, values, errors in zip(ids, flux, error, strict=True):
            writer.writerow([star, *("[" + ",".join(f"{v:.6e}" for v in row) + "]" for row in (values, errors))])
    rows = [
        f"{star},{t:.1f},{'test' if i % 3 == 0 else 'pool'}\n"
        for i, (star, t) in enumerate(zip(ids, teff, strict=True))
    ]
    (folder / "labels.csv").write_text("source_id,teff,split\n" + "".join(rows))
    return folder


def test_from_files_to_scores(xp, transtar, tmp_path):
    source, model = tmp_path / "set", tmp_path / "model"
    tables = ("--labels", xp / "labels.csv", "--split", xp / "labels.csv")
    done = transtar("prepare", "--survey", "gaia-xp", "--spectra", xp, *tables, "--out", source)
    assert f"{source}: {N} spectra; labels: {N} teff; flags: none" in done.out
    settings = json.loads((source / "set.json").read_text())["preprocessing"]
    assert (settings["grid"], settings["frame"], settings["continuum"]) == ("xp", "observed", "none")
    done = transtar("pretrain", "--data", source, "--label", "teff", "--epochs", 40, "--lr", "1e-3", "--out", model)
    assert done.code == 0, done.err
    assert "no velocity shifts on the grid 'xp'" in done.err
    native = ("--survey", "gaia-xp", "--spectra", xp)
    for name, data in (("native", native), ("set", ("--data", source))):
        assert transtar("predict", "--model", model, *data, "--out", tmp_path / f"{name}.parquet").code == 0
    one, other = (read_columns(tmp_path / f"{name}.parquet") for name in ("native", "set"))
    np.testing.assert_allclose(one["teff"], other["teff"], rtol=1e-5)
    np.testing.assert_array_equal(one["flags"], other["flags"])
    done = transtar(
        "evaluate",
        "--catalog",
        tmp_path / "native.parquet",
        "--labels",
        xp / "labels.csv",
        "--out",
        tmp_path / "scores",
    )
    assert done.code == 0, done.err
    truth = np.genfromtxt(xp / "labels.csv", delimiter=",", skip_header=1, usecols=1)
    unseen = one["flags"] & Flag.TRAINED_ON == 0
    assert 20 <= unseen.sum() < N
    assert np.corrcoef(one["teff"][unseen], truth[unseen])[0, 1] > 0.98
    done = transtar(
        "explain", "saliency", "--model", model, "--data", source, "--label", "teff", "--out", tmp_path / "ex"
    )
    assert done.code == 0, done.err
    assert re.search("130 of 133 lines .* grid 'xp'", done.err)


def test_a_model_or_settings_for_another_grid_are_refused_in_one_line(xp, world, transtar, tmp_path):
    (tmp_path / "blue.yaml").write_text("grid: blue\n")
    native = ("--survey", "gaia-xp", "--spectra", xp)
    for verb, extra in (
        ("prepare", ("--preprocessing", tmp_path / "blue.yaml", "--out", tmp_path / "set")),
        ("predict", ("--model", world.model, "--out", tmp_path / "c.csv")),
    ):
        done = transtar(verb, *native, *extra)
        assert done.code == 2
        (line,) = done.err.splitlines()
        assert line.startswith(f"transtar {verb}: gaia-xp: ")
        assert re.search(r"grid 'blue' \(80 points for 1462\).* grid 'xp'.*--preprocessing", line)
    assert transtar("prepare", *native, "--out", tmp_path / "set").code == 0
    done = transtar("predict", "--model", world.model, "--data", tmp_path / "set", "--out", tmp_path / "c.csv")
    assert done.code == 1
    assert "grid is blue against xp" in done.err


def test_a_file_of_settings_changes_what_it_names(xp, transtar, tmp_path):
    (tmp_path / "s.yaml").write_text("snr: 5\ndegree: 4\n")
    done = transtar(
        "prepare",
        "--survey",
        "gaia-xp",
        "--spectra",
        xp,
        "--preprocessing",
        tmp_path / "s.yaml",
        "--out",
        tmp_path / "set",
    )
    assert done.code == 0, done.err
    assert "s.yaml: snr: thresholds of a run" in done.err
    description = json.loads((tmp_path / "set" / "set.json").read_text())
    assert (description["preprocessing"]["grid"], description["preprocessing"]["degree"]) == ("xp", 4)
    assert description["provenance"]["quality"] == {
        "snr": 5,
        "good_fraction": 0.8,
        "hot": 7500,
        "gate": 0.8,
        "doubt": 0.2,
        "misfit": 5.5,
    }


def test_galaxies_with_their_velocities_are_told(transtar, tmp_path):
    """z = 0.041 as a velocity: refused for that spectrum, and counted."""
    wave = np.arange(3700.0, 6000.0, 1.0)
    for name, speed in (("a", 12_291), ("b", 20)):
        rows = "".join(f"{w},{1 + 0.1 * np.sin(w)},0.01\n" for w in wave)
        (tmp_path / f"{name}.csv").write_text(
            f"# medium: vacuum\n# frame: observed\n# velocity: {speed}\nwave,flux,error\n{rows}"
        )
    done = transtar("prepare", "--survey", "generic", "--spectra", tmp_path, "--out", tmp_path / "set")
    assert done.code == 0, done.err
    assert "velocities: 1 spectra have one beyond 3000 km/s" in done.err
    assert "1 NO_VELOCITY" in done.out
