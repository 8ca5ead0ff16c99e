"""Scores for a card: only of a catalog that the very model made, and only where a star is scored."""

import numpy as np
import pytest

from transtar.catalog import write_catalog
from transtar.catalog.provenance import model_hash
from transtar.errors import InputError
from transtar.evaluate import score_model

from ..models.examples import small_estimator


@pytest.fixture
def made(tmp_path):
    """A model, what it might have predicted, and a label table."""
    random = np.random.default_rng(3)
    n = 40
    feh = random.uniform(-2, 0.4, n)
    lines = [f"s{i}.fits,{value:.6f}" for i, value in enumerate(feh)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,feh", *lines]) + "\n")
    columns = {
        "file": np.array([f"s{i}.fits" for i in range(n)]),
        "survey": np.full(n, "miles"),
        "feh": feh + random.normal(0, 0.1, n),
        "teff": random.uniform(4500, 6000, n),
        "flags": np.zeros(n, np.int32),
    }
    return small_estimator(), columns, tmp_path / "labels.csv"


def write(columns, path, models):
    write_catalog(
        path, columns, {"models": ["m"] * len(models), "model_hashes": [model_hash(model) for model in models]}
    )
    return path


def test_scores_are_of_the_labels_that_both_have(made, tmp_path):
    model, columns, labels = made
    columns["flags"][:4] = 1 << 8
    (one,) = score_model(model, write(columns, tmp_path / "c.parquet", [model]), labels)
    assert (one.label, one.survey, one.stars) == ("feh", "miles", "c.parquet against labels.csv")
    assert one.regimes["all"]["n"] == 36
    assert one.left_out == {"seen by a model (TRAINED_ON)": 4}
    residuals = columns["feh"][4:] - np.loadtxt(labels, delimiter=",", skiprows=1, usecols=1)[4:]
    assert one.regimes["all"]["bias"] == pytest.approx(np.mean(residuals), abs=0.02)
    # Models of other labels in the same catalog are no matter.
    other = small_estimator(seed=2)
    assert score_model(model, write(columns, tmp_path / "d.fits", [other, model]), labels)


def test_of_another_model_there_are_none(made, tmp_path):
    model, columns, labels = made
    others = [small_estimator(seed=2), small_estimator(label_std=np.array([0.41, 700.0]))]
    with pytest.raises(InputError, match="was made by m, m, not by this model"):
        score_model(model, write(columns, tmp_path / "c.parquet", others), labels)
    columns["feh_ens_std"] = np.full(len(columns["feh"]), 0.1)
    with pytest.raises(InputError, match="the mean of several models"):
        score_model(model, write(columns, tmp_path / "d.parquet", [model, others[0]]), labels)


def test_where_no_star_is_scored_it_says_why(made, tmp_path):
    model, columns, labels = made
    columns["flags"][:] = 1 << 8
    with pytest.raises(InputError, match=r"none of its rows can be scored for feh: 40 seen by a model"):
        score_model(model, write(columns, tmp_path / "c.parquet", [model]), labels)
