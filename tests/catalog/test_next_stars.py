"""Which stars may be chosen, and what a plan says of them."""

import numpy as np
import pytest

from transtar.catalog import Prediction, read_columns
from transtar.catalog import next_stars as module
from transtar.catalog.next_stars import plan_stars
from transtar.datasets import SetWriter
from transtar.errors import InputError, SettingsError
from transtar.flags import Flag
from transtar.glossary import PLAN_COLUMNS
from transtar.preprocess import GridSpectra, Preprocessing

N = 60


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A set of 60 spectra: the first two of one star, the last ten not in its pool."""
    folder = tmp_path_factory.mktemp("plan") / "set"
    settings = Preprocessing()
    flux = np.ones((N, settings.wavelengths.size), np.float32)
    columns = {
        "file": np.array([f"spectra/{row}.fits.gz" for row in range(N)]), "id": 2**62 + np.arange(N),
        "survey": np.full(N, "made"), "star": np.array(["twin", "twin", *(f"star {row}" for row in range(2, N))]),
        "snr": np.full(N, 30.0, np.float32), "good_fraction": np.ones(N, np.float32), "flags": np.zeros(N, np.int32),
    }  # fmt: skip
    columns["snr"][1] = 60
    with SetWriter(folder, settings, {"by": "test"}) as writer:
        spectra = GridSpectra(flux, flux, columns["good_fraction"], columns["snr"], columns["flags"])
        writer.append(spectra, columns)
        writer.finish(writer.columns() | {"split": np.where(np.arange(N) < 50, "pool", "test")}, ())
    return folder


@pytest.fixture
def predicted(monkeypatch):
    """What is predicted of the spectra, in place of models; tests change it."""
    generator = np.random.default_rng(0)
    columns = {
        "feh": generator.uniform(-2, 0.3, N).astype(np.float32), "teff": generator.uniform(4200, 6500, N).astype(np.float32),
        "logg": generator.uniform(1, 5, N).astype(np.float32), "flags": np.zeros(N, np.int32),
    }  # fmt: skip

    def predict(models, path, encoders=()):
        return Prediction(columns=columns, metadata={"models": list(models)})

    monkeypatch.setattr(module, "predict_set", predict)
    return columns


def test_all_that_nothing_rules_out_can_be_chosen_once(data, predicted):
    predicted["flags"][5:9] = [Flag.HOT_STAR, Flag.LOW_SNR, Flag.DOUBTFUL, Flag.TRAINED_ON]
    predicted["flags"][9] = Flag.NO_GATE  # no more than that nobody could be asked
    predicted["logg"][10] = np.nan
    plan = plan_stars(data, 44)
    assert plan.n_candidates == 44
    # Of the two spectra of one star the better one.
    assert sorted(plan.columns["set_row"].tolist()) == [1, 2, 3, 4, 9, *range(11, 50)]
    assert plan.left_out == {
        "not in the pool": 10, "flagged bad or without label": 2, "of low S/N": 1, "of doubtful stars": 1,
        "of stars that a model has learnt from": 1, "of stars that are known": 0, "second visits": 1,
    }  # fmt: skip
    with pytest.raises(
        InputError, match=r"44 stars to choose from, and 45 are wanted \(left out: 10 not in the pool, 2 flagged"
    ):
        plan_stars(data, 45)


def test_the_table(data, predicted, tmp_path):
    plan = plan_stars(data, 12, tmp_path / "plan.fits", seed=3)
    table = read_columns(tmp_path / "plan.fits")
    assert list(table)[:3] == list(PLAN_COLUMNS)
    assert table["plan_rank"].tolist() == list(range(1, 13))
    rows = table["set_row"]
    np.testing.assert_array_equal(table["id"], 2**62 + rows)
    np.testing.assert_array_equal(table["feh"], predicted["feh"][rows])
    assert table["stands_for"].sum() == pytest.approx(1)
    assert plan.to_table()["teff"].unit == "K"
    assert plan.metadata["plan"]["units"] == {"teff": 500.0, "logg": 0.7, "feh": 0.5}
    again, other = (plan_stars(data, 12, seed=seed).columns["set_row"].tolist() for seed in (3, 4))
    assert again == rows.tolist()
    assert other != again


def test_a_sparse_regime_is_not_passed_over(data, predicted):
    predicted["feh"][:] = 0.0
    predicted["teff"][:] = 5500
    predicted["logg"][:] = 4.4
    predicted["feh"][[20, 30]] = -2.5
    for seed in range(5):
        rows = plan_stars(data, 25, seed=seed).columns["set_row"].tolist()
        assert len(set(rows)) == 25
    predicted["feh"] += np.random.default_rng(1).normal(0, 0.05, N).astype(np.float32)
    chosen = [set(plan_stars(data, 20, seed=seed).columns["set_row"].tolist()) & {20, 30} for seed in range(10)]
    # Drawn at random, one in six plans would have both.
    assert sum(bool(one) for one in chosen) >= 5


def test_known_stars_stand_for_what_is_like_them(data, predicted, tmp_path):
    predicted["feh"][:25], predicted["feh"][25:] = -2.0, 0.0
    (tmp_path / "by_id.csv").write_text("id\n" + "".join(f"{2**62 + row}\n" for row in range(3, 25)))
    (tmp_path / "by_file.csv").write_text("file\n" + "".join(f"{row}.fits\n" for row in range(1, 25)))
    plans = {name: plan_stars(data, 5, known=tmp_path / f"{name}.csv") for name in ("by_id", "by_file")}
    assert plans["by_id"].left_out["of stars that are known"] == 22
    # One spectrum of the twin is in the table, so that the other is of a known star, too.
    assert plans["by_file"].left_out["of stars that are known"] == 25
    assert plans["by_file"].columns["set_row"].min() >= 25
    (tmp_path / "others.csv").write_text("id\n7\n8\n")
    with pytest.raises(InputError, match="none of its 2 stars is in"):
        plan_stars(data, 5, known=tmp_path / "others.csv")


def test_what_cannot_be_is_refused_before_the_work(data, predicted, tmp_path):
    with pytest.raises(SettingsError, match="n must be"):
        plan_stars(data, 0)
    with pytest.raises(SettingsError, match="ends in one of"):
        plan_stars(data, 5, tmp_path / "plan.txt")
    with pytest.raises(InputError, match="not a prepared set"):
        plan_stars(tmp_path, 5)
    assert not list(tmp_path.iterdir())


def test_a_label_without_a_unit_counts_by_its_scatter(data, predicted):
    predicted["mg_fe"] = np.random.default_rng(2).normal(0, 0.1, N).astype(np.float32)
    units = plan_stars(data, 5).metadata["plan"]["units"]
    assert 0.05 < units["mg_fe"] < 0.2
    assert "10 not in the pool, 1 second visits" in repr(plan_stars(data, 5))
