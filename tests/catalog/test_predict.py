from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from transtar.catalog import CatalogWriter, predict_batches, read_columns
from transtar.errors import InputError
from transtar.flags import Flag, has
from transtar.preprocess import GridSpectra, Preprocessing
from transtar.spectra import SpectrumBatch

from ..models.examples import small_estimator
from ..models.test_error_table import made_table

pytestmark = pytest.mark.usefixtures("unquestioned")


@dataclass
class Fake:
    """Labels that are offset + the first pixel; the distance is the second pixel."""

    label_names: tuple = ("feh",)
    offset: tuple = (0.0,)
    label_min: tuple = (-2.5,)
    label_max: tuple = (0.5,)
    domain_limit: float = 10.0
    trained_on: dict = field(default_factory=dict)
    input: str = "flux"
    n_inputs: int = 20
    preprocessing: Preprocessing | None = None

    def predict_with_distance(self, flux):
        assert np.isfinite(flux).all()
        return flux[:, :1] + np.array(self.offset, np.float32), flux[:, 1]


def prepared(values, distance=0.0, flags=0):
    n = len(values)
    flux = np.ones((n, 20), np.float32)
    flux[:, 0], flux[:, 1] = values, distance
    ones = np.ones(n, np.float32)
    return GridSpectra(flux, None, ones, 30 * ones, np.broadcast_to(np.int32(flags), n))


def one(estimators, spectra, keys=None):
    keys = keys or {"survey": "lamost", "id": np.arange(len(spectra.flags)), "velocity": np.zeros(len(spectra.flags))}
    return next(predict_batches(estimators, [(keys, spectra)]))


def test_columns_of_a_single_model():
    columns = one([Fake()], prepared([-1.0, 0.0]))
    expected = ["file", "id", "survey", "star", "ra", "dec", "velocity", "snr", "good_fraction"]
    expected += ["feh", "feh_err", "feh_lo", "feh_hi", "feh_noise", "strange", "misfit", "flags"]
    assert list(columns) == expected
    np.testing.assert_allclose(columns["feh"], [-1, 0])
    assert columns["feh"].dtype == np.float32
    assert columns["flags"].dtype == np.int32
    assert not columns["flags"].any()
    assert np.isnan(columns["ra"]).all()
    np.testing.assert_array_equal(columns["survey"], ["lamost", "lamost"])


def test_errors_of_stars():
    """By the model's table, beside the label; NaN without label, and of a model without a table, whatever its one number says."""
    model = small_estimator(error_tables={"feh": made_table(1)}, label_error=np.array([0.1, 90.0]))
    spectra = prepared([-1.0, np.nan], flags=[0, int(Flag.NO_VELOCITY)])
    columns = one([model], spectra)
    assert list(columns)[9:] == [
        "feh", "feh_err", "feh_lo", "feh_hi", "feh_noise", "teff", "teff_err", "teff_lo", "teff_hi", "teff_noise",
        "strange", "misfit", "flags",
    ]  # fmt: skip
    assert columns["feh_lo"][0] < columns["feh"][0] - columns["feh_err"][0] < columns["feh"][0] < columns["feh_hi"][0]
    assert np.isnan([columns[name] for name in ("teff_err", "teff_lo", "teff_hi", "feh_noise")]).all()
    assert np.isnan(columns["feh_err"][1])
    assert np.isnan(one([model, Fake()], spectra)["feh_err"]).all()


def test_errors_are_those_of_the_survey_of_each_row():
    """Also behind a row without a label."""
    cells = tuple(replace(cell, elsewhere=5.0) for cell in made_table(1).cells)
    model = small_estimator(error_tables={"feh": made_table(1, cells=cells, survey="lamost")})
    spectra = prepared([-1.0, np.nan, -1.0], flags=[0, int(Flag.NO_VELOCITY), 0])
    keys = {"survey": np.array(["desi", "lamost", "lamost"]), "id": np.arange(3), "velocity": np.zeros(3)}
    errors = one([model], spectra, keys)["feh_err"]
    assert errors[0] > 4
    assert errors[2] < 1


@pytest.mark.parametrize("flag", [Flag.LOW_GOOD_FRACTION, Flag.NO_VELOCITY, Flag.CONTINUUM_FAILED, Flag.NON_STELLAR])
def test_flags_without_label_give_nan_and_keep_the_flag(flag):
    spectra = prepared([-1.0, np.nan], flags=[0, int(flag)])
    columns = one([Fake(), Fake()], spectra)
    np.testing.assert_array_equal(np.isnan(columns["feh"]), [False, True])
    np.testing.assert_array_equal(np.isnan(columns["feh_ens_std"]), [False, True])
    assert columns["flags"][1] == flag


def test_other_bad_flags_keep_their_label():
    assert np.isfinite(one([Fake()], prepared([-1.0], flags=int(Flag.BAD_FIBER)))["feh"]).all()


def test_the_input_flags_are_not_written_to():
    spectra = prepared([9.0])
    one([Fake()], spectra)
    assert not spectra.flags.any()


def test_ensemble_of_one_label_beside_a_single_other():
    estimators = [
        Fake(offset=(0.1,)),
        Fake(offset=(0.3,)),
        Fake(("teff",), (5000.0,), (4000.0,), (7000.0,)),
    ]
    columns = one(estimators, prepared([-1.0]))
    assert columns["feh"][0] == pytest.approx(-0.8)
    assert columns["feh_ens_std"][0] == pytest.approx(np.std([0.1, 0.3], ddof=1), rel=1e-5)
    assert columns["teff"][0] == pytest.approx(4999)
    assert "teff_ens_std" not in columns


def test_extrapolation_and_domain():
    columns = one([Fake(), Fake(label_max=(0.2,))], prepared([-3.0, 0.3, 0.0], distance=[0, 0, 11]))
    np.testing.assert_array_equal(has(columns["flags"], Flag.LABEL_EXTRAPOLATED), [True, True, False])
    np.testing.assert_array_equal(has(columns["flags"], Flag.OUT_OF_DOMAIN), [False, False, True])


def test_hot_stars_are_flagged_by_their_predicted_teff():
    teff = Fake(("teff", "logg"), (7000.0, 4.0), (4000.0, 0.0), (9000.0, 1000.0))
    columns = one([teff], prepared([400.0, 600.0]))
    np.testing.assert_array_equal(has(columns["flags"], Flag.HOT_STAR), [False, True])
    assert "logg" in columns


def test_trained_on_holds_for_any_model():
    seen = {"survey": np.array(["lamost"]), "id": np.array([1])}
    columns = one([Fake(), Fake(trained_on=seen)], prepared([0.0, 0.0, 0.0]))
    np.testing.assert_array_equal(has(columns["flags"], Flag.TRAINED_ON), [False, True, False])


def test_batch_without_any_usable_spectrum():
    columns = one([Fake(), Fake()], prepared([np.nan, np.nan], flags=int(Flag.NO_VELOCITY)))
    assert np.isnan(columns["feh"]).all()


def test_spectrum_batches_bring_their_keys_and_stream_into_a_catalog(tmp_path):
    def stream():
        for start in (0, 3):
            ids = 2**62 + 1 + np.arange(start, start + 3)
            wave = np.linspace(3900.0, 5700.0, 8)
            flux = np.ones((3, 8), np.float32)
            meta = {"file": np.array(["f"] * 3), "velocity": np.zeros(3), "PROGRAM": np.array(["bright"] * 3)}
            batch = SpectrumBatch(wave, flux, None, flux < 0, ids, "desi", meta=meta, keys=("PROGRAM",))
            yield batch, prepared([0.0, -1.0, -2.0])

    with CatalogWriter(tmp_path / "c.fits") as writer:
        for columns in predict_batches([Fake()], stream()):
            writer.append(columns)
    read = read_columns(tmp_path / "c.fits")
    np.testing.assert_array_equal(read["id"], 2**62 + 1 + np.arange(6))
    assert set(read["desi_program"]) == {"bright"}
    assert set(read["survey"]) == {"desi"}


def test_errors():
    with pytest.raises(InputError, match="at least one model"):
        next(predict_batches([], []))
    with pytest.raises(InputError, match="column id has 2 rows, the spectra are 1"):
        one([Fake()], prepared([0.0]), {"id": np.arange(2)})
    with pytest.raises(InputError, match="no column 'TILE'"):
        next(predict_batches([Fake()], [({"id": np.arange(1)}, prepared([0.0]))], extra=["TILE"]))


def test_threads_and_blocks_change_nothing():
    """To the last bit, but for the share of blocks in a product of matrices."""
    model = small_estimator(error_tables={"feh": made_table(1)})
    flux = np.random.default_rng(5).normal(1, 0.1, (1300, 20)).astype(np.float32)
    ones = np.ones(len(flux), np.float32)
    spectra = GridSpectra(flux, np.full(flux.shape, 400, np.float32), ones, 30 * ones, np.zeros(len(flux), np.int32))
    keys = {"survey": "lamost", "id": np.arange(len(flux))}
    expected = next(predict_batches([model], [(keys, spectra)], threads=1))
    for threads in (2, 3):
        columns = next(predict_batches([model], [(keys, spectra)], threads=threads))
        for name, values in expected.items():
            np.testing.assert_array_equal(columns[name], values)
    parts = [
        ({**keys, "id": np.arange(100) + start}, spectra.select(slice(start, start + 100)))
        for start in range(0, 1300, 100)
    ]
    columns = list(predict_batches([model], parts, threads=2))
    for name in ("feh", "teff", "feh_err", "feh_noise", "teff_noise", "flags"):
        np.testing.assert_allclose(np.concatenate([part[name] for part in columns]), expected[name], rtol=1e-6)
