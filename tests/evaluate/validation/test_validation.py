"""All checks of all labels at once: what is made, what becomes a note, and what an error."""

import numpy as np
import pytest

from transtar.errors import InputError
from transtar.evaluate.validation.validation import Further, Wanted, validate_catalog
from transtar.evaluate.validation.validation_lines import validation_metrics, validation_rows


@pytest.fixture
def catalog():
    rng = np.random.default_rng(0)
    star = np.repeat(np.arange(200), 2)
    feh, teff = rng.normal(-0.5, 0.5, 200)[star], rng.uniform(4500, 6500, 200)[star]
    return {
        "id": star + 2**62 + 1,
        "snr": rng.uniform(20, 60, 400),
        "teff": teff,
        "feh": feh + rng.normal(0, 0.08, 400),
        "feh_err": np.full(400, 0.08),
        "truth": feh,
    }


def further(catalog, name, noise, label="feh"):
    values = catalog["truth"] + np.random.default_rng(len(name)).normal(0, noise, 400)
    return Further(name, {label: values}, lambda labels: np.arange(400))


def test_known_variances_come_back_from_three_corners(catalog):
    result = validate_catalog(
        catalog, Wanted(seconds=(further(catalog, "one", 0.05), further(catalog, "three", 0.12))), ["feh"]
    )
    noise = result.labels["feh"].noise
    assert noise.n == 200
    for member, sigma in {"predicted": 0.08, "reference": 0.05, "second": 0.12}.items():
        one = getattr(noise, member)
        assert one.sigma == pytest.approx(sigma, abs=4 * one.sigma_err)
    rows = [row for row in validation_rows(result) if row["check"] == "three corners"]
    assert [row["subset"] for row in rows] == ["catalog", "one", "three"]


def test_repeats_are_measured_of_themselves(catalog):
    result = validate_catalog(catalog)
    scatter = result.labels["feh"].repeats["all"]
    assert scatter.spread.mad == pytest.approx(0.08, abs=4 * scatter.spread.mad_err)
    assert result.labels["feh"].constant
    text = repr(result)
    assert "repeats       400 visits of 200 stars" in text
    assert "[Fe/H]: the stated error is one number for all stars, 0.08" in text
    assert "Teff: no errors are stated (teff_err)" in text
    assert validation_metrics(result)["feh"]["repeats"]["all"]["n"] == 400


def test_members_and_pairs_use_the_best_visit_of_each_star(catalog):
    rows = np.arange(400) // 2
    members = Further(
        "members", {"cluster": np.repeat(["a", "b"], 100), "feh": np.full(200, -0.5)}, lambda labels: rows
    )
    pairs = np.arange(0, 400, 4), np.arange(2, 402, 4)
    pairs[0][:3] = -1
    result = validate_catalog(catalog, Wanted(members=members, pairs=pairs), ["feh"])
    checks = result.labels["feh"]
    assert checks.clusters.pooled.spread.n == 200
    assert checks.clusters.n_literature == 2
    assert len(checks.pairs.differences) == 97
    best = checks.rows.best()
    assert set(checks.pairs.first.tolist()) | set(checks.pairs.second.tolist()) <= set(best.tolist())
    assert "3 of 100 pairs left out: of 3 a star is not in the catalog" in repr(result)


def test_a_check_that_one_label_lacks_is_a_note_and_of_all_an_error(catalog):
    second = (further(catalog, "one", 0.05), further(catalog, "three", 0.12))
    result = validate_catalog(catalog, Wanted(seconds=second))
    assert result.labels["teff"].noise is None
    assert any("noise: Teff: one and three: no column teff" in note for note in result.notes)
    with pytest.raises(InputError, match="noise: Teff: one and three: no column teff"):
        validate_catalog(catalog, Wanted(seconds=second), ["teff"])
    few = np.array([0, 2, -1]), np.array([4, 6, 8])
    with pytest.raises(
        InputError,
        match="2 pairs have this label on both sides, and 10 are needed; of 3 pairs 1 have a star that is not",
    ):
        validate_catalog(catalog, Wanted(pairs=few), ["feh"])
    copy = Further("copy", {"feh": catalog["feh"]}, lambda labels: np.arange(400))
    with pytest.raises(
        InputError,
        match=r"have the same labels for all 200 stars: .* \(reference: copy, second: one, prediction: the catalog\)",
    ):
        validate_catalog(catalog, Wanted(seconds=(copy, second[0])), ["feh"])


def test_catalogs_that_cannot_be_checked(catalog):
    single = {name: values[::2] for name, values in catalog.items()}
    with pytest.raises(InputError, match=r"repeats: \[Fe/H\]: none of 200 stars has two visits"):
        validate_catalog(single, labels=["feh"])
    members = Further("members", {"cluster": np.full(200, "a")}, lambda labels: np.arange(200))
    assert validate_catalog(single, Wanted(members=members), ["feh"]).labels["feh"].clusters is not None
    with pytest.raises(InputError, match=r"repeats: .* none of 200 stars"):
        validate_catalog(single, Wanted(repeats=True, members=members), ["feh"])
    with pytest.raises(InputError, match="no column id or star, which tell its stars apart"):
        validate_catalog({"feh": np.zeros(3)})
    with pytest.raises(InputError, match="the catalog has no label"):
        validate_catalog({"id": np.arange(3)})
    with pytest.raises(InputError, match="'truth' is no label"):
        validate_catalog(catalog, labels=["truth"])
