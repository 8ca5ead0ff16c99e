"""One row per star: means against loops over stars, errors against drawn ones, and what is left out."""

import numpy as np
import pytest

from transtar.catalog import read_columns, read_metadata, recommend, write_catalog
from transtar.datasets import Repeats
from transtar.datasets.repeats import star_numbers
from transtar.errors import InputError
from transtar.flags import Flag

BIG = 2**62 + 1


def made(star, feh, noise, **columns):
    n = len(star)
    base = {
        "file": np.array([f"{row}.fits" for row in range(n)]), "id": np.arange(n) + BIG, "survey": np.full(n, "lamost"),
        "star": np.array(star), "snr": np.full(n, 20.0, np.float32), "flags": np.zeros(n, np.int32),
        "feh": np.array(feh, np.float32), "feh_noise": np.array(noise, np.float32),
    }  # fmt: skip
    return base | columns


def test_means_like_those_of_a_loop_over_stars():
    rng = np.random.default_rng(1)
    n = 500
    star = rng.integers(0, 120, n)
    catalog = made(
        [f"J{one}" for one in star], rng.normal(-1, 0.3, n), rng.uniform(0.02, 0.2, n), snr=rng.uniform(5, 90, n)
    )
    out = recommend(catalog)
    columns = out.columns
    assert len(columns["feh"]) == len(np.unique(star))
    first = list(dict.fromkeys(star.tolist()))
    for place, one in enumerate(first):
        rows = np.flatnonzero(star == one)
        value, noise, snr = (catalog[name][rows].astype(float) for name in ("feh", "feh_noise", "snr"))
        best = rows[np.argmax(snr)]
        # A poor spectrum is never better than the best one.
        noise = np.maximum(noise, noise[np.argmax(snr)] * snr.max() / snr)
        mean = np.average(value, weights=noise**-2)
        assert columns["feh"][place] == pytest.approx(mean, abs=1e-6)
        assert columns["feh_noise"][place] == pytest.approx(np.sum(noise**-2) ** -0.5, rel=1e-6)
        assert columns["snr"][place] == pytest.approx(np.sqrt(np.sum(snr**2)))
        assert (columns["file"][place], columns["id"][place]) == (catalog["file"][best], catalog["id"][best])
        assert columns["n_rows"][place] == columns["n_used"][place] == len(rows)
        if len(rows) > 1:
            assert columns["feh_std"][place] == pytest.approx(value.std(ddof=1), rel=1e-5)
            chi2 = np.sum(((value - mean) / noise) ** 2) / (len(rows) - 1)
            assert columns["feh_chi2"][place] == pytest.approx(chi2, rel=1e-5)
        else:
            assert np.isnan(columns["feh_std"][place])
            assert np.isnan(columns["feh_chi2"][place])


def test_a_star_of_one_row_keeps_all_it_has():
    catalog = made(["a", "b"], [-1, -2], [0.1, 0.2], feh_err=np.array([0.3, 0.4]), feh_lo=np.array([-1.7, -2.5]),
                   feh_hi=np.array([-0.2, -1.5]), feh_ens_std=np.array([0.01, 0.02]), note=np.array(["x", "y"]))  # fmt: skip
    out = recommend(catalog).columns
    assert list(out) == [
        "file", "id", "survey", "star", "snr", "flags", "feh", "feh_err", "feh_lo", "feh_hi", "feh_noise", "feh_ens_std",
        "feh_std", "feh_chi2", "note", "n_rows", "n_used",
    ]  # fmt: skip
    for name, values in catalog.items():
        if values.dtype.kind == "f":
            np.testing.assert_allclose(out[name], values, rtol=1e-6)
        else:
            assert out[name].tolist() == values.tolist()


def drawn(q, systematic, noise, correlation, n=40000):
    """Errors of the weighted means of labels, drawn: systematic errors of given sizes that are correlated, and noise."""
    rng = np.random.default_rng(0)
    common, each = rng.normal(size=(n, 1)), rng.normal(size=(n, len(noise)))
    off = q * systematic * (np.sqrt(correlation) * common + np.sqrt(1 - correlation) * each)
    off = off + q * noise * rng.normal(size=(n, len(noise)))
    return np.average(off, axis=1, weights=noise**-2).std()


@pytest.mark.parametrize("correlation", [1.0, 0.5, 0.0])
def test_errors_of_means_are_those_drawn_or_wider(correlation):
    q, systematic, noise = 1.1, np.array([0.1, 0.1, 0.1]), np.array([0.1, 0.2, 0.15])
    err = q * np.hypot(systematic, noise)
    catalog = made(["a"] * 3, [-1] * 3, noise, feh_err=err, feh_lo=-1 - 2 * err, feh_hi=-1 + 2 * err)

    def of(scales):
        metadata = {"errors": {"feh": [{"least_scale": scales}]}}
        return recommend(Table(catalog, metadata)).columns

    true = drawn(q, systematic, noise, correlation)
    exact = of([q, 2 * q])
    if correlation == 1:
        assert exact["feh_err"][0] == pytest.approx(true, rel=0.02)
        assert exact["feh_hi"][0] - exact["feh"][0] == pytest.approx(2 * true, rel=0.02)
    lower, unknown = of([0.96, 2.0]), recommend(catalog).columns
    errors = [one["feh_err"][0] for one in (exact, lower, unknown)]
    assert true * 0.99 < errors[0] < errors[1] < errors[2] < err.max()
    assert errors[2] == pytest.approx(np.average(err, weights=noise**-2))


class Table(dict):
    """A table of columns with the metadata of its catalog."""

    def __init__(self, columns, meta):
        super().__init__(columns)
        self.meta = meta


def test_different_sizes_of_what_is_systematic():
    q, systematic, noise = 1.0, np.array([0.05, 0.2]), np.array([0.1, 0.1])
    catalog = made(["a", "a"], [0, 0], noise, feh_err=q * np.hypot(systematic, noise))
    metadata = {"errors": {"feh": [{"least_scale": [1.0, 2.0]}, {"least_scale": [1.2, 2.1]}]}}
    told = recommend(Table(catalog, metadata)).columns["feh_err"][0]
    assert told == pytest.approx(drawn(q, systematic, noise, 1.0), rel=0.02)


def test_which_rows_are_left_out():
    bad, low, extra = int(Flag.NON_STELLAR), int(Flag.LOW_SNR), int(Flag.LABEL_EXTRAPOLATED)
    twice = int(Flag.DUPLICATE)
    catalog = made(
        ["a", "a", "a", "b", "b", "c", "c", "d"], [-1, -3, -1.2, np.nan, -2, np.nan, -1, np.nan], [0.1] * 8,
        snr=np.array([10.0, 99, 50, 90, 12, 80, 8, 30]),
        flags=np.array([low | twice, bad | twice, extra | twice, bad, bad, 0, low, bad]),
    )  # fmt: skip
    out = recommend(catalog)
    columns = out.columns
    np.testing.assert_allclose(columns["feh"], [(-4 - 120) / 104, -2, -1, np.nan], rtol=1e-6)
    # Of b the best row is bad: it is told, and of c the row with a label has a low S/N.
    assert columns["flags"].tolist() == [extra, bad, low, bad]
    assert columns["n_rows"].tolist() == [3, 2, 2, 1]
    assert columns["n_used"].tolist() == [2, 1, 1, 0]
    assert columns["file"].tolist() == ["2.fits", "4.fits", "6.fits", "7.fits"]
    np.testing.assert_allclose(columns["snr"], [np.hypot(10, 50), 12, 8, 30])
    assert (out.n_rows, out.n_repeated, out.n_left_out, out.n_bad) == (8, 1, 3, 2)


def test_weights_where_the_noise_is_not_known():
    nan = np.nan
    star = ["s", "s", "n", "n", "p", "p"]
    catalog = made(star, [0, 1, 0, 1, 0, 1], [nan, nan, nan, nan, 0.1, nan], snr=np.array([10.0, 20, nan, 30, 5, 50]),
                   feh_err=np.full(6, 0.2))  # fmt: skip
    columns = recommend(catalog).columns
    np.testing.assert_allclose(columns["feh"], [0.8, 0.5, 0], rtol=1e-6)
    np.testing.assert_allclose(columns["feh_noise"], [nan, nan, 0.1], rtol=1e-6)
    np.testing.assert_allclose(columns["feh_err"], 0.2)
    assert np.isnan(columns["feh_chi2"]).all()


def test_the_scatter_falls_and_the_pull_is_one():
    rng = np.random.default_rng(5)
    n_stars, visits = 20000, 4
    star = np.repeat(np.arange(n_stars), visits)
    noise = rng.uniform(0.05, 0.3, len(star))
    catalog = made(np.char.add("J", star.astype(str)), rng.normal(0, noise), noise, snr=5 / noise)
    out = recommend(catalog)
    columns = out.columns
    pull = columns["feh"] / columns["feh_noise"]
    assert pull.std() == pytest.approx(1, abs=0.02)
    assert out.chi2["feh"] == pytest.approx(1, abs=0.02)
    assert columns["feh"].std() < catalog["feh"].reshape(n_stars, visits).mean(axis=1).std()


def test_stars_are_those_that_duplicate_tells():
    rng = np.random.default_rng(2)
    columns = {
        "survey": rng.choice(["lamost", "desi"], 200), "id": rng.integers(-1, 40, 200), "star": rng.choice(["", "a", "b"], 200),
    }  # fmt: skip
    numbers = star_numbers(columns)
    _, counts = np.unique(numbers, return_counts=True)
    repeats = Repeats()
    marked = repeats.mark(columns)
    assert (counts[numbers] > 1).tolist() == marked.tolist()
    first = [np.flatnonzero(numbers == one)[0] for one in range(len(counts))]
    assert first == sorted(first)


@pytest.mark.parametrize("suffix", ["parquet", "fits"])
def test_a_file_of_stars(tmp_path, suffix):
    catalog = made(["", "", "b"], [-1, -2, -3], [0.1] * 3, id=np.array([BIG, BIG, 7]))
    write_catalog(tmp_path / "catalog.parquet", catalog, {"models": ["some"]})
    out = tmp_path / f"stars.{suffix}"
    recommend(tmp_path / "catalog.parquet", out)
    assert read_columns(out)["id"].tolist() == [BIG, 7]
    metadata = read_metadata(out)
    assert metadata["models"] == ["some"]
    assert metadata["recommended"]["rule"].startswith("one row per star")
    with pytest.raises(InputError, match="has one row per star already"):
        recommend(out)


def test_what_cannot_be_combined(tmp_path):
    with pytest.raises(InputError, match="no labels to combine; it has id"):
        recommend({"id": np.array([1])})
    with pytest.raises(InputError, match="no id and no star"):
        recommend({"feh": np.array([1.0])})
    write_catalog(tmp_path / "c.parquet", made(["a"], [1], [1]))
    with pytest.raises(InputError):
        recommend(tmp_path / "c.parquet", tmp_path / "c.parquet")


def test_a_poor_spectrum_with_a_small_noise_does_not_lead():
    """Gradients of noisy spectra are noisy: one that comes out small would make the worst spectrum the best."""
    out = recommend(made(["a", "a"], [-1, 1], [0.1, 0.01], snr=np.array([100.0, 10.0]))).columns
    assert out["feh"][0] == pytest.approx(-1 + 2 / 101, abs=1e-6)
    assert out["feh_noise"][0] == pytest.approx(0.1 / np.sqrt(1.01), rel=1e-6)
