"""docs/velocities.md: what it shows runs, and its velocities and labels are right."""

import numpy as np

from transtar import read_set
from transtar.catalog import read_columns
from transtar.grids import SPEED_OF_LIGHT

from .test_readme import ROOT, blocks, run
from .test_spectra_page import synthetic_stars

VELOCITIES = (-140.0, 85.0)


def test_everything_the_page_shows_runs(tmp_path, served):
    (tmp_path / "spectra").mkdir()
    stars = synthetic_stars([(5600, 4.2, -0.4, 0.1, 1.1, 0.0), (4900, 3.0, -0.8, 0.2, 1.3, 0.0)])
    for number, ((rest, flux), velocity) in enumerate(zip(stars, VELOCITIES, strict=True)):
        wave = np.arange(3870.0, 5720.0, 0.9)
        seen = np.interp(wave / (1 + velocity / SPEED_OF_LIGHT), rest, flux)
        columns = np.c_[wave, seen, np.full(len(wave), 0.01)]
        np.savetxt(
            tmp_path / "spectra" / f"{number}.csv",
            columns,
            "%.8g",
            ",",
            header="# medium: vacuum\nwave,flux,err",
            comments="",
        )
    shown = blocks(ROOT / "docs" / "velocities.md", "bash", "python")
    assert [language for language, _ in shown] == ["bash", "python"]
    for language, content in shown:
        command = ["bash", "-euc", content] if language == "bash" else ["python", "-c", content]
        printed = run(command, tmp_path, served)
    assert printed.count("teff=") == 2
    assert "velocity_err" in printed
    catalog = read_columns(tmp_path / "catalog.parquet")
    np.testing.assert_allclose(catalog["velocity"], VELOCITIES, atol=2)
    assert (catalog["velocity_err"] < 3).all()
    np.testing.assert_allclose(catalog["feh"], [-0.4, -0.8], atol=0.3)
    np.testing.assert_allclose(read_set(tmp_path / "set").columns["velocity"], catalog["velocity"], rtol=1e-6)
