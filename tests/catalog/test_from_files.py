import json
import threading

import numpy as np
import pytest
from astropy.io import fits

from transtar.catalog import predict_files, predict_set, read_columns, read_metadata
from transtar.datasets import prepare, read_set
from transtar.errors import InputError, MismatchError, SettingsError
from transtar.flags import Flag, has
from transtar.models import load_estimator
from transtar.models.trunks import Passes
from transtar.preprocess import Preprocessing
from transtar.quality import Quality
from transtar.seal import sealed
from transtar.surveys import Stated, get_survey

from ..made_surveys import FIRST_ID, made_lamost, write_csv
from ..models.examples import small_estimator

LAMOST = get_survey("lamost")
MODELS = ("mock-feh", "mock-teff")

pytestmark = pytest.mark.usefixtures("unquestioned")


@pytest.fixture(scope="module")
def spectra(tmp_path_factory):
    folder = made_lamost(tmp_path_factory.mktemp("lamost"), n=6) / "spectra"
    (folder / "spec-002b.fits").write_text("no")
    return folder


@pytest.fixture(scope="module")
def target(spectra, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets") / "set"
    prepare(LAMOST, spectra, folder, quality={"good_fraction": 0.99})
    return folder


def assert_same(one, other):
    assert list(one) == list(other)
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name], err_msg=name)
        assert values.dtype.kind == other[name].dtype.kind


@pytest.mark.parametrize("ending", ["parquet", "fits", "csv", "ecsv", "vot"])
def test_what_is_given_is_what_is_written(spectra, tmp_path, ending):
    out = tmp_path / f"c.{ending}"
    written = predict_files(MODELS, "lamost", spectra, out, batch_size=2)
    given = predict_files(MODELS, LAMOST, [str(spectra)], batch_size=2)
    assert written.columns is None
    read = read_columns(out)
    assert_same({name: given.columns[name] for name in read}, read)
    assert list(read) == list(given.columns)
    assert (given.n_spectra, given.flags, given.skipped) == (written.n_spectra, written.flags, written.skipped)
    assert given.n_spectra == len(given.columns["feh"]) == 6
    ((file, why),) = given.skipped
    assert "spec-002b.fits" in file
    assert "not a FITS file" in why
    if ending != "csv":
        metadata = read_metadata(out)
        assert metadata["models"] == list(MODELS)
        assert metadata["quality"] == Quality().to_dict()
        assert len(metadata["provenance"]) == 2


def test_models_that_are_loaded_already(spectra):
    model = load_estimator("mock-feh")
    assert_same(predict_files(model, LAMOST, spectra).columns, predict_files("mock-feh", LAMOST, spectra).columns)
    both = predict_files([model, "mock-feh"], LAMOST, spectra).columns
    np.testing.assert_array_equal(both["feh_ens_std"], 0)


def test_settings_of_the_run(spectra, tmp_path):
    write_csv(tmp_path / "stars.csv", [{"obsid": FIRST_ID + i} for i in range(3)])
    write_csv(tmp_path / "rv.csv", [{"obsid": FIRST_ID, "rv": 5.0}])
    seen, told = [], []
    result = predict_files(
        "mock-teff", "lamost", spectra, quality={"hot": 1000.0}, stars=tmp_path / "stars.csv",
        velocities=f"{tmp_path / 'rv.csv'}:rv", on_skip=lambda *what: told.append(what),
        progress=lambda *n: seen.append(n),
    )  # fmt: skip
    assert result.columns["id"].tolist() == [FIRST_ID, FIRST_ID + 1, FIRST_ID + 2]
    assert np.isfinite(result.columns["teff"]).tolist() == [True, False, False]
    assert has(result.columns["flags"], Flag.HOT_STAR).tolist() == [True, False, False]
    assert len(result.lines) == 2
    assert told == result.skipped
    assert seen == [(3, 7)]
    with pytest.raises(SettingsError, match="leave medium 'air' out"):
        predict_files("mock-teff", "lamost", spectra, stated=Stated("air"))


def test_nothing_usable_leaves_nothing(tmp_path, spectra):
    for out in (tmp_path / "c.parquet", None):
        with pytest.raises(InputError, match="no spectrum could be used, so no catalog was"):
            predict_files("mock-feh", LAMOST, spectra / "spec-002b.fits", out)
    with pytest.raises(SettingsError, match="a catalog ends in one of"):
        predict_files("mock-feh", LAMOST, spectra, tmp_path / "c.txt")
    (tmp_path / "notes.csv").write_text("mine")
    with pytest.raises(InputError, match=r"notes\.csv"):
        predict_files("mock-feh", LAMOST, spectra, tmp_path / "notes.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.csv"]


def test_a_style_is_for_files(spectra, tmp_path):
    with pytest.raises(SettingsError, match="style 'vizier' is for a catalog in a file; name one with out"):
        predict_files("mock-feh", "lamost", spectra, style="vizier")
    with pytest.raises(SettingsError, match="style 'sdss' is not known"):
        predict_files("mock-feh", "lamost", spectra, tmp_path / "c.fits", style="sdss")


def test_models_must_fit(spectra, target, tmp_path):
    plain = small_estimator()
    with pytest.raises(MismatchError, match="model 1: has no preprocessing, so its inputs are no spectra"):
        predict_files(plain, LAMOST, spectra)
    with pytest.raises(MismatchError, match="has no preprocessing"):
        predict_files(["mock-feh", plain], LAMOST, spectra)
    with pytest.raises(MismatchError, match="has no preprocessing"):
        predict_set(plain, target)
    prepare(LAMOST, spectra, tmp_path / "observed", Preprocessing(frame="observed"))
    with pytest.raises(MismatchError, match="frame is rest against observed"):
        predict_set("mock-feh", tmp_path / "observed")
    with pytest.raises(InputError, match="at least one model"):
        predict_files([], LAMOST, spectra)


def test_an_error_in_the_middle_leaves_neither_file_nor_thread(spectra, tmp_path, monkeypatch):
    calls = []

    def fail(self, model):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return np.zeros((len(self.flux), 1)), np.zeros(len(self.flux))

    monkeypatch.setattr(Passes, "predict_with_distance", fail)
    with pytest.raises(KeyboardInterrupt):
        predict_files("mock-feh", LAMOST, spectra, tmp_path / "c.parquet", batch_size=2)
    assert not list(tmp_path.iterdir())
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("transtar")]


def test_a_set_keeps_its_flags_unless_other_thresholds_are_given(target, tmp_path, caplog):
    """Stars below a strict threshold keep their flux, so that a looser one gives them labels."""
    good = read_set(target).columns["good_fraction"]
    assert (good < 0.99).all()
    assert (good >= 0.8).all()
    strict = predict_set("mock-feh", target, tmp_path / "c.parquet")
    assert strict.flags["LOW_GOOD_FRACTION"] == 6
    assert np.isnan(read_columns(tmp_path / "c.parquet")["feh"]).all()
    assert not caplog.records
    loose = predict_set("mock-feh", target, quality={"good_fraction": 0.8})
    assert "LOW_GOOD_FRACTION" not in loose.flags
    assert np.isfinite(loose.columns["feh"]).all()
    assert "set again" in caplog.text
    assert "good_fraction 0.8" in caplog.text
    low = predict_set("mock-feh", target, quality=Quality(snr=1e6))
    assert low.flags["LOW_SNR"] == 6
    assert np.isfinite(low.columns["feh"]).all()


def test_a_set_and_its_files_give_one_catalog(spectra, tmp_path):
    prepare(LAMOST, spectra, tmp_path / "set")
    one = predict_files(MODELS, LAMOST, spectra, quality={"snr": 40}).columns
    other = predict_set(MODELS, tmp_path / "set", quality={"snr": 40}).columns
    for name in ("id", "snr", "flags", "feh", "teff"):
        np.testing.assert_array_equal(one[name], other[name])


def test_thresholds_that_an_older_set_holds_count(target, tmp_path):
    prepare(LAMOST, get_files(target), tmp_path / "set")
    file = tmp_path / "set" / "set.json"
    description = json.loads(file.read_text())
    del description["provenance"]["quality"]
    description["preprocessing"] |= {"good_fraction": 0.8, "snr": 5.0}
    file.write_text(json.dumps(sealed(description)))
    assert read_set(tmp_path / "set").preprocessing == Preprocessing()
    result = predict_set("mock-feh", tmp_path / "set", quality={"snr": 5})
    assert np.isfinite(result.columns["feh"]).all()


def get_files(target):
    """The files that a set was made of."""
    return json.loads((target / "set.json").read_text())["provenance"]["spectra"]


def test_models_may_come_from_an_iterator(spectra, tmp_path):
    predict_files(iter(MODELS), "lamost", spectra, tmp_path / "c.csv")
    assert {"feh", "teff"} <= set(read_columns(tmp_path / "c.csv"))


@pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"batch_size": 1.5}, {"threads": 0}])
def test_sizes_that_cannot_be_are_refused(spectra, wrong):
    # A batch of no spectra would never be full, and the run never end.
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        predict_files("mock-feh", "lamost", spectra, **wrong)


def test_who_keeps_the_traceback_of_an_interrupt_keeps_no_thread(spectra):
    def stop(*_):
        raise KeyboardInterrupt

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt) as kept:
        predict_files("mock-feh", "lamost", spectra, batch_size=1, progress=stop)
    assert threading.active_count() == before
    assert kept.traceback


@pytest.mark.parametrize("batch_size", [1, 2, 50])
@pytest.mark.parametrize("ending", ["parquet", "fits", "csv", ""])
def test_rows_of_one_star_are_flagged_whatever_the_batches(tmp_path, ending, batch_size):
    folder = made_lamost(tmp_path / "lamost", n=5) / "spectra"
    for number in (2, 4):
        with fits.open(folder / f"spec-{number:03d}.fits", mode="update") as hdus:
            hdus[0].header["DESIG"] = "LAMOST J000000"
    out = tmp_path / f"c.{ending}" if ending else None
    result = predict_files("mock-feh", LAMOST, folder, out, batch_size=batch_size)
    columns = result.columns if out is None else read_columns(out)
    wanted = [True, False, True, False, True]
    assert has(columns["flags"], Flag.DUPLICATE).tolist() == wanted
    assert result.flags["DUPLICATE"] == 3
    assert columns["id"].tolist() == [FIRST_ID + row for row in range(5)]
    report = prepare(LAMOST, folder, tmp_path / "set", batch_size=batch_size)
    assert has(read_set(tmp_path / "set").columns["flags"], Flag.DUPLICATE).tolist() == wanted
    assert report.flags["DUPLICATE"] == 3
    assert_same(predict_set("mock-feh", tmp_path / "set").columns, predict_files("mock-feh", LAMOST, folder).columns)
