import csv

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from transtar.errors import InputError
from transtar.grids import SPEED_OF_LIGHT
from transtar.labels import read_labels
from transtar.simulate.native import lamost
from transtar.simulate.pipelines.lasp import simulate_lasp
from transtar.surveys import get_survey, read
from transtar.surveys.lamost import NATIVE

from .. import made_samples as made


@pytest.fixture(scope="module")
def rows():
    stars = made.draw(5, 1)
    for name, values in lamost.fiber_places(5, 3998).items():
        stars[name] = values
    stars["snrg"] = [20.0, 30, 40, 50, 5]
    stars["fault"] = ["", "no_labels", "no_match", "repeat", "low_snr"]
    for name, values in simulate_lasp(stars, np.asarray(stars["snrg"]), 0).items():
        stars[name] = values
    return stars


@pytest.fixture(scope="module")
def written(rows, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lamost")
    batch = made.batch(NATIVE.wave, rows["obsid"], "lamost")
    return batch, lamost.write_lamost(batch, rows, folder)


def test_round_trip_through_the_reader(rows, written):
    batch, paths = written
    assert paths[0].name == "spec-59000-MOCK000000_sp16-249.fits.gz"
    assert paths[2].name == "spec-59001-MOCK000001_sp01-001.fits.gz"
    for i, path in enumerate(paths):
        back = read(get_survey("lamost"), path)
        np.testing.assert_array_equal(back.wave, NATIVE.wave)
        np.testing.assert_array_equal(back.flux[0], batch.flux[i])
        np.testing.assert_array_equal(back.ivar[0], batch.ivar[i])
        np.testing.assert_array_equal(back.mask[0], batch.mask[i])
        assert back.ids.tolist() == [rows["obsid"][i]]
        assert back.meta["velocity"][0] == pytest.approx(rows["z"][i] * SPEED_OF_LIGHT, abs=0.01)
        assert back.meta["snr_survey"][0] == pytest.approx(rows["snrg"][i])


def test_same_spectrum_same_bytes(rows, written, tmp_path):
    batch, paths = written
    assert lamost.write_lamost(batch, rows, tmp_path)[1].read_bytes() == paths[1].read_bytes()


def test_identifiers_beyond_the_reach_of_floats(rows, tmp_path):
    rows = rows.copy()
    rows["obsid"][0] = 2**62 + 1
    (path, *_) = lamost.write_lamost(made.batch(NATIVE.wave, rows["obsid"], "lamost"), rows, tmp_path)
    assert read(get_survey("lamost"), path).ids.tolist() == [2**62 + 1]
    with fits.open(path) as hdus:
        assert hdus[0].header["OBJNAME"] == str(rows["source_id"][0])


def test_labels(rows, tmp_path):
    path = lamost.write_labels(rows, tmp_path / "labels.csv")
    with path.open() as file:
        lines = list(csv.DictReader(file))
    assert [line["gaia_source_id"] for line in lines] == [
        "" if fault == "no_match" else str(i) for i, fault in zip(rows["source_id"], rows["fault"], strict=True)
    ]
    labels = read_labels(path)
    np.testing.assert_array_equal(np.isnan(labels["teff"]), rows["fault"] == "no_labels")
    assert labels["file"].tolist() == rows["file"].tolist()
    np.testing.assert_array_equal(labels["id"], rows["obsid"])


def test_structure_of_genuine_files(written, data):
    ours = fits.open(written[1][0])
    for path in sorted((data / "lamost_dr10/spectra").iterdir())[:3]:
        with fits.open(path) as theirs:
            assert [hdu.name for hdu in ours] == [hdu.name for hdu in theirs]
            assert [(c.name, c.format) for c in ours[1].columns] == [(c.name, c.format) for c in theirs[1].columns]
            kinds = {key: type(value) for key, value in theirs[0].header.items()}
            for key, value in ours[0].header.items():
                if key not in ("SIMULATE", "CREATOR", "MEDFLUX"):
                    assert kinds[key] is type(value), key
            for key in ("COEFF0", "COEFF1", "TELESCOP", "DATA_V", "VACUUM", "CLASS", "WFITTYPE"):
                assert ours[0].header[key] == theirs[0].header[key]
            wave = theirs[1].data["WAVELENGTH"][0]
            np.testing.assert_allclose(ours[1].data["WAVELENGTH"][0][: len(wave)], wave, rtol=3e-6)


def test_columns_of_the_genuine_catalog(data):
    with (data / "lamost_dr10/labels.csv").open() as file:
        genuine = next(csv.reader(file))
    assert set(genuine) <= set(lamost.CATALOG)


def test_names():
    assert lamost.designation(51.035791, 46.534635) == "J032408.58+463204.6"
    assert lamost.designation(0.0, -0.5) == "J000000.00-003000.0"
    assert [lamost.subclass(t) for t in (12000, 5800, 3500)] == ["B6", "G5", "M2"]


def test_refused(rows):
    batch = made.batch(NATIVE.wave, [1, 2], "lamost")
    with pytest.raises(InputError, match="2 LAMOST spectra for 5 rows"):
        lamost.write_lamost(batch, rows, "nowhere")
    assert isinstance(rows, Table)
