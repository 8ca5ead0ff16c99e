import numpy as np
import pytest

from transtar.catalog import merge_shards, predict_files, predict_survey, read_catalog, read_columns, read_metadata
from transtar.catalog.calibrated import with_calibrated
from transtar.errors import InputError
from transtar.labels.calibration import load_calibration

from ..made_surveys import made_lamost

MODELS = ("mock-feh", "mock-teff", "mock-logg")

pytestmark = pytest.mark.usefixtures("unquestioned")


@pytest.fixture(scope="module")
def spectra(tmp_path_factory):
    return made_lamost(tmp_path_factory.mktemp("lamost"), n=5) / "spectra"


def by_hand(columns):
    """Koposov et al. 2025 (arXiv:2505.14787): c0 + c1 x + c2 x^2 is taken off, x = log10(Teff / 5000 K) / 0.1."""
    rule = load_calibration("koposov2025-rvs")
    wanted = []
    for feh, teff, logg in zip(columns["feh"], columns["teff"], columns["logg"], strict=True):
        x = np.log10(float(teff) / 5000) / 0.1
        c = rule.giants if logg < rule.gravity else rule.dwarfs
        inside = rule.teff[0] <= teff < rule.teff[1] and rule.logg[0] <= logg < rule.logg[1]
        wanted.append(feh - (c[0] + c[1] * x + c[2] * x**2) if inside else np.nan)
    return np.array(wanted)


def test_raw_and_calibrated_side_by_side(spectra, tmp_path):
    out = tmp_path / "c.fits"
    predict_files(MODELS, "lamost", spectra, out, calibration="koposov2025-rvs")
    columns = read_columns(out)
    names = list(columns)
    assert names[names.index("feh") + 1] == "feh_cal"
    np.testing.assert_allclose(columns["feh_cal"], by_hand(columns), rtol=1e-5, atol=1e-5)
    assert np.isfinite(columns["feh_cal"]).any()
    assert np.nanmax(np.abs(columns["feh_cal"] - columns["feh"])) > 0.01
    assert read_metadata(out)["calibration"]["name"] == "koposov2025-rvs"
    assert "calibrated" in read_catalog(out)["feh_cal"].info.description
    predict_survey(MODELS, "lamost", spectra, tmp_path / "run", workers=1)
    merge_shards(tmp_path / "run", tmp_path / "m.parquet", calibration="koposov2025-rvs")
    np.testing.assert_allclose(
        read_columns(tmp_path / "m.parquet")["feh_cal"], columns["feh_cal"], rtol=1e-5, atol=1e-5
    )


def test_what_cannot_be_calibrated_is_refused(spectra, tmp_path):
    with pytest.raises(InputError, match="a calibration of feh needs teff, logg, too; add a model that predicts it"):
        predict_files("mock-feh", "lamost", spectra, tmp_path / "c.fits", calibration="koposov2025-rvs")
    with pytest.raises(InputError, match="no calibration 'mine'"):
        predict_files(MODELS, "lamost", spectra, tmp_path / "c.fits", calibration="mine")
    assert not list(tmp_path.iterdir())
    columns = {"feh": np.zeros(2)}
    assert list(with_calibrated(columns, None, "x")) == ["feh"]
