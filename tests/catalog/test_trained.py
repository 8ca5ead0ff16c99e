import numpy as np

from transtar.catalog import trained_on

BIG = 2**62 + 1


def table(survey, ids, files=None, stars=None):
    n = len(ids)
    return {
        "survey": np.full(n, survey),
        "id": np.array(ids, np.int64),
        "file": np.array(files or [""] * n),
        "star": np.array(stars or [""] * n),
        "role": np.full(n, "train"),
    }


def test_ids_count_within_their_survey_only():
    keys = table("lamost", [BIG, BIG + 1, 5])
    np.testing.assert_array_equal(trained_on(keys, [table("lamost", [BIG, 7])]), [True, False, False])
    assert not trained_on(keys, [table("miles", [BIG, 5])]).any()


def test_neighbouring_large_ids_are_told_apart():
    assert not trained_on(table("desi", [BIG]), [table("desi", [BIG + 1, BIG - 1])]).any()


def test_without_an_id_the_file_speaks():
    keys = table("csv", [-1, -1, 3], ["/new/a.csv", "b.csv", "a.csv"])
    seen = trained_on(keys, [table("csv", [-1], ["old/a.csv.gz"])])
    np.testing.assert_array_equal(seen, [True, False, True])


def test_different_ids_in_one_file_are_different_spectra():
    assert not trained_on(table("desi", [1], ["coadd.fits"]), [table("desi", [2], ["coadd.fits"])]).any()


def test_no_id_and_no_file_match_nothing():
    assert not trained_on(table("csv", [-1]), [table("csv", [-1])]).any()


def test_repeat_visits_of_a_star_count():
    keys = table("lamost", [1, 2], stars=["J1", "J2"])
    np.testing.assert_array_equal(trained_on(keys, [table("lamost", [9], stars=["J2"])]), [False, True])


def test_any_of_several_models_counts_and_a_model_may_have_no_list():
    keys = table("lamost", [1, 2, 3])
    seen = trained_on(keys, [{}, table("lamost", [1]), table("lamost", [3])])
    np.testing.assert_array_equal(seen, [True, False, True])
