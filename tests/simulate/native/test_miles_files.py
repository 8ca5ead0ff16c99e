import numpy as np
import pytest
from astropy.io import fits

from transtar.errors import InputError
from transtar.labels import read_labels
from transtar.simulate.native import compilations, miles
from transtar.surveys import get_survey, read

from .. import made_samples as made


def test_round_trip(tmp_path):
    batch = made.batch(miles.wavelengths(), [1, 2], "miles", frame="rest")
    paths = miles.write_miles(batch, np.array([7, 985]), tmp_path)
    assert [path.name for path in paths] == ["MILES_res2.50_star_m0007V.fits", "MILES_res2.50_star_m0985V.fits"]
    for i, path in enumerate(paths):
        back = read(get_survey("miles"), path)
        np.testing.assert_allclose(back.wave, batch.wave, rtol=1e-12)
        np.testing.assert_array_equal(back.flux[0], np.where(batch.mask[i], 0, batch.flux[i]))
        np.testing.assert_array_equal(back.mask[0], batch.mask[i])
    assert back.ids.tolist() == [985]
    assert (back.frame, back.medium) == ("rest", "air")


def test_structure_of_genuine_files(tmp_path, data):
    (path,) = miles.write_miles(made.batch(miles.wavelengths(), [1], "miles", frame="rest"), np.array([1]), tmp_path)
    genuine = data / "miles/spectra/MILES_res2.50_star_m0006V.fits"
    with fits.open(path) as ours, fits.open(genuine) as theirs:
        for key in ("BITPIX", "NAXIS", "NAXIS1", "TPLLIB", "FWHM", "CRPIX1", "CRVAL1", "CDELT1"):
            assert ours[0].header[key] == theirs[0].header[key]


def test_refused(tmp_path):
    with pytest.raises(InputError, match="rest frame"):
        miles.write_miles(made.batch(miles.wavelengths(), [1], "miles"), np.array([1]), tmp_path)
    with pytest.raises(InputError, match="pixels of miles"):
        miles.write_miles(made.batch(miles.wavelengths() + 1, [1], "miles", frame="rest"), np.array([1]), tmp_path)


def test_labels(tmp_path):
    stars = made.draw(30, 0)
    labels = read_labels(miles.write_labels(stars, np.arange(1, 31), tmp_path / "labels.csv"))
    np.testing.assert_allclose(labels["feh"], stars["feh"], atol=0.5)
    assert np.isfinite(labels["mg_fe"]).sum() == 3


def test_compilations(tmp_path):
    stars = made.draw(40, 0)
    pastel, saga = compilations.write_compilations(stars, tmp_path)
    lines = pastel.read_text().splitlines()
    assert len(lines) == 1 + 40 + 4
    assert lines[1].endswith(f",{stars['source_id'][0]}")
    assert len(saga.read_text().splitlines()) > 1
    assert "[C/Fe]" in saga.read_text()
