"""Errors of predicted spectra, computed again by hand; and their table and figure."""

import csv

import numpy as np
import pytest

from transtar.encoders import save_alignment
from transtar.errors import InputError, MismatchError
from transtar.explain.translation import explain_translation, format_translations, translation_errors

from ..encoders.aligned import star_spectra, tiny_alignment
from ..train.large.aligned_sets import ID, write_pairs
from ..train.large.large_sets import LRS, XP, write_set


def test_errors_are_as_computed_by_hand():
    true = np.array([[1.0, 2, 4], [2, 2, np.nan], [4, 2, -1], [5, 2, 4]])
    given = np.array([[1.1, 2, 4], [1.8, 2, 4], [4.8, 3, 4], [5, 1, 3]])
    good = np.ones((4, 3), bool)
    good[3, 0] = False
    errors = translation_errors(given, true, good)
    assert errors.n.tolist() == [3, 4, 2]
    # Relative errors 0.1, -0.1, 0.2; 0, 0, 0.5, -0.5; 0, -0.25.
    np.testing.assert_allclose(errors.bias, [0.1, 0, -0.125])
    np.testing.assert_allclose(errors.error, [0.1, 0.25, 0.125])
    np.testing.assert_allclose(errors.scatter, 1.4826 * np.array([0.1, 0.25, 0.125]))
    # The median spectrum is 2, 2, 4.
    np.testing.assert_allclose(errors.error_of_median, [0.5, 0, 0])


def test_what_is_not_known_is_nan_without_a_warning():
    errors = translation_errors(np.ones((2, 2)), np.array([[np.nan, 1], [0, 1]]))
    assert errors.n.tolist() == [0, 2]
    for name in ("bias", "error", "scatter", "error_of_median"):
        assert np.isnan(getattr(errors, name)).tolist() == [True, False]
    with pytest.raises(InputError, match=r"shape \(2, 2\), true ones of \(2, 3\)"):
        translation_errors(np.ones((2, 2)), np.ones((2, 3)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("translation")
    save_alignment(tiny_alignment(), folder / "aligned", dtype="float32")
    write_pairs(folder, n=30, split=np.repeat(["pool", "test"], 15))
    return folder


def test_both_directions(folder, tmp_path):
    told = []
    sets = (folder / "xp", folder / "lrs")
    translations = explain_translation(folder / "aligned", sets, tmp_path, split="all", say=told.append)
    assert [one.direction for one in translations] == ["lrs-to-xp", "xp-to-lrs"]
    lrs, xp = star_spectra(30)
    alignment = tiny_alignment()
    expected = translation_errors(alignment.translate(lrs, "lrs", "xp"), xp / xp[:, 107:108])
    np.testing.assert_allclose(translations[0].errors.error, expected.error, rtol=1e-4)
    np.testing.assert_allclose(translations[0].errors.error_of_median, expected.error_of_median, rtol=1e-4, atol=1e-6)
    expected = translation_errors(alignment.translate(xp, "xp", "lrs"), lrs)
    np.testing.assert_allclose(translations[1].errors.bias, expected.bias, rtol=1e-4)
    assert told[-1] == "30 pairs of 30 LRS and 30 XP spectra"
    rows = list(csv.DictReader((tmp_path / "translation.csv").open()))
    assert len(rows) == 1462 + 343
    assert rows[0]["direction"] == "lrs-to-xp"
    assert float(rows[0]["wavelength"]) == 3360
    assert float(rows[0]["error"]) == pytest.approx(translations[0].errors.error[0], rel=1e-5)
    text = format_translations(translations)
    assert f"{100 * np.median(expected.error):8.2f}" in text


def test_other_spectra_than_pairs_are_left_out(folder, tmp_path):
    told = []
    # Only the LRS set has test stars of its own.
    with pytest.raises(InputError, match="no star of split 'test' is left"):
        explain_translation(folder / "aligned", (folder / "lrs", folder / "xp"), tmp_path, say=told.append)
    lrs, xp = star_spectra(12)
    xp[3, 107], xp[4, 5] = -1, np.nan
    write_set(tmp_path / "lrs", ids=7 + np.arange(12), flux=lrs, preprocessing=LRS)
    write_set(tmp_path / "xp", ids=ID + np.arange(12), flux=xp, preprocessing=XP, survey=np.full(12, "gaia-xp"))
    sets = (tmp_path / "lrs", tmp_path / "xp")
    with pytest.raises(InputError, match="--pairs"):
        explain_translation(folder / "aligned", sets, tmp_path / "out", split="all")
    table = "\n".join(["obsid,gaia_source_id", *(f"{7 + star},{ID + star}" for star in range(9))])
    (tmp_path / "pairs.csv").write_text(table)
    translations = explain_translation(
        folder / "aligned", sets, tmp_path / "out", split="all", pairs=tmp_path / "pairs.csv"
    )
    assert [one.n_pairs for one in translations] == [7, 7]


def test_wrong_sets_are_told(folder, tmp_path):
    lrs, xp = folder / "lrs", folder / "xp"

    def explain(*sets, model=folder / "aligned"):
        return explain_translation(model, sets, tmp_path / "out", split="all")

    with pytest.raises(InputError, match="a second set of lrs spectra"):
        explain(lrs, lrs)
    with pytest.raises(InputError, match="needs a set of LRS and one of XP"):
        explain(xp)
    write_set(tmp_path / "other", n=5, preprocessing=LRS.__class__(frame="observed"))
    with pytest.raises(MismatchError, match="frame is rest against observed"):
        explain(tmp_path / "other", xp)
    save_alignment(tiny_alignment("base"), tmp_path / "base")
    with pytest.raises(InputError, match="variant 'base' gives no spectra"):
        explain(lrs, xp, model=tmp_path / "base")
    with pytest.raises(InputError, match="is no alignment"):
        explain(lrs, xp, model=lrs)
    assert not (tmp_path / "out" / "translation.csv").exists()
