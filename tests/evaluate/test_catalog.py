import json

import numpy as np
import pytest

from transtar.catalog import write_catalog
from transtar.errors import InputError, SettingsError
from transtar.evaluate import evaluate_catalog, evaluate_files, format_table, parse_ranges, write_metrics
from transtar.evaluate.catalog import _stars, match
from transtar.evaluate.score_files import read_second
from transtar.flags import BAD, Flag
from transtar.labels import read_labels

BIG = 2**62 + 1


def tables(n=60):
    rng = np.random.default_rng(1)
    feh = rng.uniform(-2, 0.4, n)
    ids = BIG + np.arange(n)
    reference = {"id": ids, "feh": feh, "teff": rng.uniform(4000, 7000, n), "logg": rng.uniform(1, 5, n)}
    order = rng.permutation(n)
    catalog = {"id": ids[order], "feh": feh[order] + rng.normal(0, 0.1, n), "flags": np.zeros(n, np.int32)}
    return catalog, reference


def test_rows_the_model_saw_and_rows_without_label_are_left_out_and_counted():
    catalog, reference = tables()
    catalog["flags"][:5] = Flag.TRAINED_ON
    catalog["flags"][5:8] = Flag.NO_VELOCITY
    catalog["feh"][5:9] = np.nan
    catalog["flags"][20:22] = Flag.OUT_OF_DOMAIN | Flag.DUPLICATE
    catalog["flags"][21:24] |= Flag.HOT_STAR
    catalog["flags"][23:26] |= Flag.LOW_SNR
    catalog["id"][30] = 7
    reference["feh"][reference["id"] == catalog["id"][31]] = np.nan
    result = evaluate_catalog(catalog, reference, n_boot=50)
    assert result.left_out["feh"] == {
        "seen by a model (TRAINED_ON)": 5,
        "no predicted value (NO_VELOCITY)": 3,
        "no predicted value": 1,
        "no entry in the label table": 1,
        "no reference value": 1,
        "flagged bad": 4,
    }
    assert result.bad_flags["feh"] == {"HOT_STAR": 3, "OUT_OF_DOMAIN": 2}
    assert result.metrics["feh"]["all"]["n"] == 60 - 15
    assert result.scored_flags["feh"] == {"LOW_SNR": 2}
    assert result.metrics["feh"]["all"]["r2"] > 0.9
    text = format_table(result)
    assert "45 of 60 rows scored, 15 left out" in text
    assert "5  seen by a model (TRAINED_ON)" in text
    assert "4  flagged bad: 3 HOT_STAR, 2 OUT_OF_DOMAIN" in text
    every = evaluate_catalog(catalog, reference, n_boot=50, keep_bad=True)
    assert every.metrics["feh"]["all"]["n"] == 60 - 11
    assert every.scored_flags["feh"] == {"LOW_SNR": 3, "HOT_STAR": 3, "OUT_OF_DOMAIN": 2, "DUPLICATE": 2}


@pytest.mark.parametrize("flag", [flag for flag in Flag if flag in BAD])
def test_predictions_of_bad_rows_cannot_change_the_score_unless_asked_for(flag):
    catalog, reference = tables()
    catalog["flags"][:10] = flag
    honest = evaluate_catalog(catalog, reference, n_boot=20).metrics
    catalog["feh"][:10] += 100
    assert evaluate_catalog(catalog, reference, n_boot=20).metrics == honest
    assert evaluate_catalog(catalog, reference, n_boot=20, keep_bad=True).metrics["feh"]["all"]["r2"] < 0


def test_predictions_of_seen_stars_cannot_change_the_score():
    catalog, reference = tables()
    catalog["flags"][:10] = Flag.TRAINED_ON
    honest = evaluate_catalog(catalog, reference, n_boot=20).metrics
    catalog["feh"][:10] += 100
    assert evaluate_catalog(catalog, reference, n_boot=20).metrics == honest


def test_match_by_file_without_folder():
    catalog, reference = tables()
    names = np.array([f"spec-{number % 2**20}.fits" for number in reference["id"]])
    reference = {"file": names, "feh": reference["feh"]}
    catalog["file"] = np.array([f"/somewhere/spec-{number % 2**20}.fits.gz" for number in catalog["id"]])
    del catalog["id"]
    assert evaluate_catalog(catalog, reference, n_boot=0).metrics["feh"]["all"]["n"] == 60


def test_spectra_that_share_a_file_are_told_apart_by_id():
    catalog, reference = tables()
    catalog["file"] = np.full(60, "coadd.fits")
    reference["file"] = np.full(60, "coadd.fits")
    scores = evaluate_catalog(catalog, reference, n_boot=0).metrics["feh"]["all"]
    assert scores["n"] == 60
    assert scores["r2"] > 0.9


def test_regimes_are_told_by_reference_labels_not_by_predicted_ones():
    catalog, reference = tables()
    catalog["feh"][:] = 0.0
    scores = evaluate_catalog(catalog, reference, n_boot=0).metrics["feh"]
    assert scores["poor"]["n"] == (reference["feh"] < -1).sum()


def test_labels_may_be_chosen_and_must_exist():
    catalog, reference = tables()
    with pytest.raises(InputError, match="the catalog has no column 'teff'"):
        evaluate_catalog(catalog, reference, ["teff"])
    more = {"snr": np.ones(60)}
    with pytest.raises(InputError, match="'snr' is no label that can be scored; those are teff, logg, feh"):
        evaluate_catalog(catalog | more, reference | more, ["snr"])
    with pytest.raises(InputError, match="no label in common"):
        evaluate_catalog({"id": catalog["id"]}, reference)
    with pytest.raises(InputError, match="no spectrum matches"):
        evaluate_catalog(catalog | {"id": np.arange(60)}, reference)


def test_a_catalog_without_flags_says_what_is_not_known():
    catalog, reference = tables()
    del catalog["flags"]
    assert "whether a model saw its stars is not known" in format_table(evaluate_catalog(catalog, reference))


def test_flags_of_another_origin_are_refused_or_told():
    catalog, reference = tables()
    catalog["flags"][3] = 1 << 20
    with pytest.raises(
        InputError, match="not one that predict writes: 1 rows have bits that no flag has, the first 1048576"
    ):
        evaluate_catalog(catalog, reference, n_boot=10)
    catalog["flags"][3] = Flag.LOW_GOOD_FRACTION
    (note,) = evaluate_catalog(catalog, reference, n_boot=10).notes
    assert note == "the column 'flags' is taken for one that predict wrote: 1 LOW_GOOD_FRACTION"
    assert evaluate_catalog(catalog | {"survey": np.full(60, "miles")}, reference, n_boot=10).notes == []


@pytest.mark.parametrize("suffix", ["parquet", "fits", "csv"])
def test_files_to_metrics_json(tmp_path, suffix):
    catalog, reference = tables()
    write_catalog(tmp_path / f"catalog.{suffix}", catalog)
    write_catalog(tmp_path / "labels.csv", reference)
    result = evaluate_files(tmp_path / f"catalog.{suffix}", tmp_path / "labels.csv", tmp_path / "out", ["feh"])
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["feh"]["all"]["n"] == 60
    assert set(metrics["feh"]["poor"]) == {"r2", "r2_err", "sigma", "bias", "n", "n_clipped"}
    assert "60 of 60 rows scored, 0 left out" in format_table(result)


def test_metrics_json_holds_null_for_what_is_no_number(tmp_path):
    write_metrics(tmp_path / "m.json", {"feh": {"poor": {"r2": float("nan"), "n": 0}}})
    assert json.loads((tmp_path / "m.json").read_text()) == {"feh": {"poor": {"r2": None, "n": 0}}}


@pytest.mark.parametrize("names", [("SURVEY", "PROGRAM"), ("desi_survey", "desi_program")])
@pytest.mark.parametrize("reference_names", [("SURVEY", "PROGRAM"), ("desi_survey", "desi_program")])
def test_rows_of_two_programs_are_scored_by_their_own_labels(names, reference_names):
    """Whether a transtar of today or an older one wrote either."""
    catalog = {
        "file": np.array(["a", "a", "b"]), "id": np.array([2**62 + 1] * 3), "feh": np.zeros(3),
        "survey": np.full(3, "desi"), names[0]: np.full(3, "main"), names[1]: np.array(["dark", "bright", "backup"]),
    }  # fmt: skip
    reference = {
        "id": np.array([2**62 + 1] * 2), "survey": np.full(2, "desi"), "flags": np.zeros(2, int),
        reference_names[0]: np.full(2, "main"), reference_names[1]: np.array(["bright", "dark"]),
        "feh": np.array([1.0, 2.0]),
    }  # fmt: skip
    assert match(catalog, reference, ["feh"]).tolist() == [1, 0, -1]


def test_hot_stars_that_no_flag_told_are_told():
    catalog, reference = tables()
    reference["teff"][:7] = 9000
    catalog["feh"][np.isin(catalog["id"], reference["id"][:7])] = -3
    result = evaluate_catalog(catalog, reference, n_boot=0)
    (note,) = result.notes
    assert note.startswith(
        "[Fe/H]: 7 scored rows are hotter than 7500 K by the label table, and not flagged; without them R2"
    )
    catalog["flags"][np.isin(catalog["id"], reference["id"][:7])] = Flag.HOT_STAR
    catalog["survey"] = np.full(60, "miles")
    without = evaluate_catalog(catalog, reference, n_boot=0)
    assert not without.notes
    (every,) = evaluate_catalog(catalog, reference, n_boot=0, keep_bad=True).notes
    assert "by the label table, 7 of them flagged bad; without them" in every
    assert f"R2 is {without.metrics['feh']['all']['r2']:.3f}" in note


def with_second(n=200):
    rng = np.random.default_rng(3)
    catalog, reference = tables(n)
    second = {"id": reference["id"][::2], "feh": reference["feh"][::2] + rng.normal(0, 0.05, len(reference["id"][::2]))}
    reference["feh"] = reference["feh"] + rng.normal(0, 0.08, n)
    return catalog, reference, second


def test_a_second_catalog_tells_the_noise_of_the_stars_that_are_scored_each_once():
    catalog, reference, second = with_second()
    catalog["flags"][:20] = Flag.OUT_OF_DOMAIN
    n = np.isin(catalog["id"][20:], second["id"]).sum()
    names = np.array([f"star {number}" for number in range(200)])
    by_id = names[catalog["id"] - BIG]
    noise = evaluate_catalog(catalog, reference, second=second).noise["feh"]
    assert noise.n == n
    for one, sigma in ((noise.reference, 0.08), (noise.second, 0.05), (noise.predicted, 0.1)):
        assert abs(one.sigma - sigma) < 3 * one.sigma_err
    twice = {name: np.concatenate([column, column]) for name, column in catalog.items()}
    assert evaluate_catalog(twice, reference, second=second).noise["feh"] == noise
    # By another entry of the label table and under the same name.
    visits = {name: np.concatenate([column, column]) for name, column in (reference | {"star": names}).items()}
    visits["id"][200:] += 1000
    twice = {name: np.concatenate([column, column]) for name, column in catalog.items()} | {"star": np.tile(by_id, 2)}
    twice["id"][200:] += 1000
    both = {name: np.concatenate([column, column]) for name, column in second.items()}
    both["id"][100:] += 1000
    assert evaluate_catalog(twice, visits, second=both).noise["feh"] == noise
    assert "noise by the three-cornered hat" in format_table(evaluate_catalog(catalog, reference, second=second))


def test_a_second_catalog_that_cannot_serve_is_refused_or_told():
    catalog, reference, second = with_second()
    with pytest.raises(InputError, match=r"the second table has none of the labels that are scored \(feh\)"):
        evaluate_catalog(catalog, reference, second={"id": second["id"], "logg": second["feh"]})
    with pytest.raises(InputError, match="the second table: no spectrum matches"):
        evaluate_catalog(catalog, reference, second=second | {"id": np.arange(100)})
    with pytest.raises(InputError, match="both catalogs have the same labels for all 200 stars"):
        evaluate_catalog(catalog, reference, second=reference)
    both = evaluate_catalog(
        catalog | {"logg": np.ones(200)}, reference, n_boot=10, second=second | {"logg": np.ones(100)}
    )
    assert list(both.noise) == ["feh"]
    assert "log g: second and prediction have the same labels for all 100 stars" in format_table(both)
    few = {name: column[:9] for name, column in second.items()}
    result = evaluate_catalog(catalog, reference, second=few)
    assert not result.noise
    assert "[Fe/H]: 9 stars have all three labels, and 10 are needed" in format_table(result)


def test_a_column_of_the_second_catalog_is_named(tmp_path):
    catalog, reference, second = with_second()
    reference["other"] = np.full(200, np.nan)
    reference["other"][::2] = second["feh"]
    for table, name in ((catalog, "catalog"), (reference, "labels")):
        write_catalog(tmp_path / f"{name}.csv", table)
    given = (tmp_path / "catalog.csv", tmp_path / "labels.csv", tmp_path / "out")
    result = evaluate_files(*given, ["feh"], second=f"{tmp_path / 'labels.csv'}:other")
    wanted = evaluate_catalog(catalog, reference, ["feh"], second=second).noise["feh"]
    assert result.noise["feh"].n == wanted.n == 100
    assert result.noise["feh"].reference.variance == pytest.approx(wanted.reference.variance, rel=1e-4)
    assert "feh" in read_labels(tmp_path / "labels.csv")
    with pytest.raises(InputError, match="no column others; columns found: id"):
        evaluate_files(*given, ["feh"], second=f"{tmp_path / 'labels.csv'}:others")
    catalog["teff"] = np.full(200, 5000.0)
    write_catalog(tmp_path / "catalog.csv", catalog)
    with pytest.raises(SettingsError, match=r"one column is of one label, and 2 are scored \(teff, feh\)"):
        evaluate_files(*given, second=f"{tmp_path / 'labels.csv'}:other")


def test_a_colon_without_a_column_is_refused():
    with pytest.raises(SettingsError, match="no column is named after the colon"):
        read_second("second.csv:", ["feh"])


def test_visits_of_a_star_are_one_star_by_entry_or_by_name():
    star, survey = np.array(["a", "a", "", "", "b", "b", "a", ""]), np.array(["x"] * 6 + ["y", "x"])
    stars = _stars({"star": star, "survey": survey}, np.array([0, 1, 1, 2, 3, -1, 4, -1]))
    assert [np.flatnonzero(stars == stars[row]).tolist() for row in range(8)] == [
        [0, 1, 2], [0, 1, 2], [0, 1, 2], [3], [4, 5], [4, 5], [6], [7],
    ]  # fmt: skip
    assert len(np.unique(_stars({}, np.array([5, 5, -1, -1])))) == 3


def test_only_the_stars_asked_for_are_scored():
    """Test stars of a split, and reference labels in a range; whatever else may be wrong with the others."""
    catalog, reference = tables()
    teff = reference["teff"][np.searchsorted(reference["id"], catalog["id"])]
    part = np.where(np.arange(60) % 3 == 0, "test", "pool")
    catalog["feh"][part == "pool"] = 9.0
    split = {"id": catalog["id"][:-1], "split": part[:-1]}
    cool = (teff >= 4500) & (teff <= 6000)
    result = evaluate_catalog(
        catalog, reference, ["feh"], n_boot=50, split=split, within={"teff": (4500, 6000), "logg": (-np.inf, 9)}
    )
    n = int((cool & (part == "test")).sum())
    assert result.left_out["feh"] == {
        "no test star of the split": int((part == "pool").sum()),
        "reference teff not in 4500:6000": int((~cool & (part == "test")).sum()),
    }
    assert result.metrics["feh"]["all"]["n"] == n > 8
    assert result.metrics["feh"]["all"]["sigma"] < 0.2
    with pytest.raises(InputError, match="label table has no alphafe"):
        evaluate_catalog(catalog, reference, ["feh"], within={"alphafe": (0, 1)})
    with pytest.raises(InputError, match="no row of the catalog as a test star"):
        evaluate_catalog(catalog, reference, ["feh"], split=split | {"split": np.full(59, "pool")})


def test_ranges_as_they_are_typed():
    assert parse_ranges(["teff=4000:7000", "feh=:-1", "logg=3.5:"]) == {
        "teff": (4000.0, 7000.0),
        "feh": (-np.inf, -1.0),
        "logg": (3.5, np.inf),
    }
    for text in ("teff=4000", "teff=7000:4000", "teff=nan:1", "teff=a:b", "teff"):
        with pytest.raises(SettingsError, match="--range: teff takes LOW:HIGH"):
            parse_ranges([text])
    with pytest.raises(SettingsError, match="'age' is no label"):
        parse_ranges(["age=1:2"])
    with pytest.raises(SettingsError, match="teff is given twice"):
        parse_ranges(["teff=1:2", "teff=2:3"])
