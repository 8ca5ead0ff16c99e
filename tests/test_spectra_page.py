"""docs/spectra.md: what it shows runs, and its table of names is current."""

import csv
import re

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from scipy.ndimage import gaussian_filter1d

from transtar.simulate import load_emulator
from transtar.surveys import get_survey, read
from transtar.surveys.air import vacuum_to_air
from transtar.surveys.generic_names import as_markdown

from .made_surveys import made_miles
from .test_readme import ROOT, blocks, run

PAGE = ROOT / "docs" / "spectra.md"


def synthetic_stars(labels):
    """Wavelengths in vacuum and flux at R = 2000 of stars of the emulator."""
    emulator = load_emulator()
    pixel = np.median(np.diff(np.log(emulator.wave)))
    return [
        (emulator.wave, gaussian_filter1d(flux, 1 / 2000 / 2.355 / pixel)) for flux in emulator.flux(np.array(labels))
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two stars in each of the forms that the page shows."""
    folder = tmp_path_factory.mktemp("page")
    made_miles(folder / "miles", n=2)
    for name in ("text", "images", "tables", "nameless"):
        (folder / name).mkdir()
    stars = synthetic_stars([(5600, 4.2, -0.4, 0.1, 1.1, 0.0), (4900, 3.0, -0.8, 0.2, 1.3, 0.0)])
    velocities = [("file", "velocity")]
    for number, path in enumerate(sorted((folder / "miles" / "spectra").iterdir())):
        batch = read(get_survey("miles"), path)
        good = ~batch.mask[0]
        wave = batch.wave[good]
        flux = np.interp(wave, *stars[number])
        air = vacuum_to_air(wave)
        np.savetxt(folder / "text" / f"{number}.txt", np.c_[air / 10, flux], fmt="%.10g")
        np.savetxt(folder / "nameless" / f"{number}.txt", np.c_[wave, flux, flux / 100], fmt="%.10g")
        Table({"WAVE": wave, "FLUX": np.ones(len(wave)), "FLUX_CAL": flux}).write(folder / "tables" / f"{number}.fits")
        image = fits.PrimaryHDU(flux)
        # 100 km/s away, as heliocentric spectra are.
        away = 1 + 100 / 299792.458
        image.header.update(
            CRVAL1=air[0] * away, CDELT1=(air[1] - air[0]) * away, CRPIX1=1.0, CTYPE1="AWAV", CUNIT1="Angstrom"
        )
        image.writeto(folder / "images" / f"{number}.fits")
        velocities.append((f"{number}.fits", 100))
    with open(folder / "velocities.csv", "w", newline="") as file:
        csv.writer(file).writerows(velocities)
    return folder


def test_everything_the_page_shows_runs(folder, served):
    shown = blocks(PAGE, "bash", "python")
    assert [language for language, _ in shown] == ["bash"] * 5 + ["python"]
    for language, content in shown:
        command = ["bash", "-euc", content] if language == "bash" else ["python", "-c", content]
        printed = run(command, folder, served)
    assert printed == "2\n"
    found = {}
    for name in ("text.csv", "nameless.csv"):
        with open(folder / name, newline="") as file:
            found[name] = [float(row["feh"]) for row in csv.DictReader(file)]
    from transtar import read_set
    from transtar.catalog import read_columns

    np.testing.assert_allclose(found["text.csv"], found["nameless.csv"], atol=1e-4)
    np.testing.assert_allclose(read_columns(folder / "images.parquet")["feh"], found["text.csv"], atol=0.02)
    with open(folder / "measured.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    np.testing.assert_allclose([float(row["velocity"]) for row in rows], 100, atol=2)
    assert all(0 < float(row["velocity_err"]) < 5 for row in rows)
    np.testing.assert_allclose([float(row["feh"]) for row in rows], found["text.csv"], atol=0.05)
    sets = [read_set(folder / name) for name in ("set", "set-of-text")]
    np.testing.assert_allclose(sets[0].flux, sets[1].flux, atol=1e-4)


def test_the_names_of_columns_are_current():
    (shown,) = re.findall(r"<!-- names -->\n(.*?)<!-- end -->", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert shown == as_markdown()
