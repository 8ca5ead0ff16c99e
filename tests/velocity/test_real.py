"""Bars that velocities of real stars keep; `python -m benchmarks.velocity --judge` prints the whole table."""

import numpy as np
import pytest

from benchmarks.velocity_judge import labels_of, mad, measure_shifted, read_csv, redrock_batch, shifted, spectra_of
from transtar.grids import SPEED_OF_LIGHT
from transtar.spectra import SpectrumBatch
from transtar.velocity import measure_velocities


@pytest.mark.slow
def test_miles(data):
    if not (data / "miles" / "split.csv").is_file():
        pytest.skip("no MILES library among the data")
    batch = spectra_of("miles", data / "miles" / "spectra")
    table = labels_of(batch, read_csv(data / "miles" / "labels.csv"))
    judged = labels_of(batch, read_csv(data / "miles" / "split.csv"))["split"] == "test"
    batch, teff, feh = batch.select(judged), table["teff"][judged], table["feh"][judged]
    difference, measured = measure_shifted(batch, 2000.0, np.zeros(len(batch)))
    assert measured.good.mean() > 0.98
    good = measured.good
    # The library is at rest in air to a few km/s, and the templates are in vacuum.
    zero = np.median(difference[good])
    assert abs(zero) < 3
    assert mad(difference[good]) < 4.5
    bins = [(teff >= low) & (teff < low + 750) for low in (4000, 4750, 5500, 6250)] + [feh < -1, feh >= -1]
    for rows in bins:
        assert rows.sum() > 20
        assert abs(np.median(difference[good & rows]) - zero) < 3


def lamost(data, n=None):
    if not (data / "lamost_dr10" / "labels.csv").is_file():
        pytest.skip("no spectra of LAMOST among the data")
    paths = data / "lamost_dr10" / "spectra"
    if n is not None:
        from transtar.spectra import concatenate
        from transtar.surveys import get_survey, stream

        batches = list(stream(get_survey("lamost"), sorted(paths.iterdir())[:n], batch_size=n))
        batch = concatenate([b for b in batches if len(b.wave) == 3909])
    else:
        batch = spectra_of("lamost", paths)
    table = labels_of(batch, read_csv(data / "lamost_dr10" / "labels.csv"))
    # The other half is that on which settings were tried.
    judged = (batch.ids % 2 == 1) & (table["snrg"] > 20)
    return batch.select(judged), SPEED_OF_LIGHT * table["z"][judged]


@pytest.mark.slow
def test_lamost(data):
    batch, known = lamost(data)
    difference, measured = measure_shifted(batch, 1800.0, known)
    assert measured.good.mean() > 0.98
    assert mad(difference[measured.good]) < 2.5
    assert np.mean(np.abs(difference[measured.good]) > 30) < 0.01


def test_some_of_lamost(data):
    batch, known = lamost(data, 120)
    moved = shifted(batch, 140.0)
    measured = measure_velocities(moved, resolution=1800.0)
    assert measured.good.mean() > 0.95
    difference = measured.velocity - SPEED_OF_LIGHT * ((1 + 140 / SPEED_OF_LIGHT) * (1 + known / SPEED_OF_LIGHT) - 1)
    assert mad(difference[measured.good]) < 3


@pytest.mark.parametrize("kind", ["A", "B"])
@pytest.mark.slow
def test_hot_stars_of_redrock(data, kind):
    """Model spectra of others, of which none went into the templates."""
    if not (data / "redrock_templates").is_dir():
        pytest.skip("no templates of redrock among the data")
    batch, velocity = redrock_batch(kind, 60, 50.0)
    measured = measure_velocities(batch, resolution=1800.0)
    assert measured.good.mean() > 0.95
    difference = (measured.velocity - velocity)[measured.good]
    assert abs(np.median(difference)) < 3
    assert mad(difference) < 8
    assert np.char.startswith(measured.template, "hot").mean() > 0.7


def test_zero_point_is_that_of_other_model_spectra(data):
    """BOSZ: line lists and a code that the emulator does not share, vacuum, at rest."""
    from astropy.io import fits

    paths = sorted((data / "bosz").glob("*.fits.gz"))
    if not paths:
        pytest.skip("no BOSZ spectra among the data")
    for path in paths:
        with fits.open(path) as parts:
            wave, flux = (np.array(parts[1].data[name], float) for name in ("Wavelength", "SpecificIntensity"))
        keep = (wave > 3700) & (wave < 6000)
        wave, first = np.unique(wave[keep], return_index=True)
        flux = flux[keep][first][None]
        batch = SpectrumBatch(wave, flux, None, np.zeros(flux.shape, bool), np.zeros(1, np.int64), "made")
        measured = measure_velocities(batch, resolution=2000.0)
        assert measured.good.all()
        assert abs(measured.velocity[0]) < 2
