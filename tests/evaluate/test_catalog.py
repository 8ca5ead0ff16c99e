import json

import numpy as np
import pytest

from transtar.catalog import write_catalog
from transtar.errors import InputError
from transtar.evaluate import evaluate_catalog, evaluate_files, format_table, write_metrics
from transtar.evaluate.catalog import match
from transtar.flags import Flag

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
    catalog["flags"][20:22] = Flag.OUT_OF_DOMAIN
    catalog["id"][30] = 7
    reference["feh"][reference["id"] == catalog["id"][31]] = np.nan
    result = evaluate_catalog(catalog, reference, n_boot=50)
    assert result.left_out["feh"] == {
        "seen by a model (TRAINED_ON)": 5,
        "no predicted value (NO_VELOCITY)": 3,
        "no predicted value": 1,
        "no entry in the label table": 1,
        "no reference value": 1,
    }
    assert result.metrics["feh"]["all"]["n"] == 60 - 11
    assert result.scored_flags["feh"] == {"OUT_OF_DOMAIN": 2}
    assert result.metrics["feh"]["all"]["r2"] > 0.9
    text = format_table(result)
    assert "49 of 60 rows scored, 11 left out" in text
    assert "5  seen by a model (TRAINED_ON)" in text


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
    with pytest.raises(InputError, match="no label in common"):
        evaluate_catalog({"id": catalog["id"]}, reference)
    with pytest.raises(InputError, match="no spectrum matches"):
        evaluate_catalog(catalog | {"id": np.arange(60)}, reference)


def test_a_catalog_without_flags_says_what_is_not_known():
    catalog, reference = tables()
    del catalog["flags"]
    assert "whether a model saw its stars is not known" in format_table(evaluate_catalog(catalog, reference))


@pytest.mark.parametrize("suffix", ["parquet", "fits", "csv"])
def test_files_to_metrics_json(tmp_path, suffix):
    catalog, reference = tables()
    write_catalog(tmp_path / f"catalog.{suffix}", catalog)
    write_catalog(tmp_path / "labels.csv", reference)
    result = evaluate_files(tmp_path / f"catalog.{suffix}", tmp_path / "labels.csv", tmp_path / "out", ["feh"])
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["feh"]["all"]["n"] == 60
    assert set(metrics["feh"]["poor"]) == {"r2", "r2_err", "sigma", "bias", "n"}
    assert "60 of 60 rows scored, 0 left out" in format_table(result)


def test_metrics_json_holds_null_for_what_is_no_number(tmp_path):
    write_metrics(tmp_path / "m.json", {"feh": {"poor": {"r2": float("nan"), "n": 0}}})
    assert json.loads((tmp_path / "m.json").read_text()) == {"feh": {"poor": {"r2": None, "n": 0}}}


def test_rows_of_two_programs_are_scored_by_their_own_labels():
    catalog = {
        "file": np.array(["a", "a", "b"]), "id": np.array([2**62 + 1] * 3), "feh": np.zeros(3),
        "survey": np.full(3, "desi"), "SURVEY": np.full(3, "main"), "PROGRAM": np.array(["dark", "bright", "backup"]),
    }  # fmt: skip
    reference = {
        "id": np.array([2**62 + 1] * 2), "SURVEY": np.full(2, "main"), "PROGRAM": np.array(["bright", "dark"]),
        "feh": np.array([1.0, 2.0]),
    }  # fmt: skip
    assert match(catalog, reference, ["feh"]).tolist() == [1, 0, -1]
