import numpy as np
import pytest
from astropy.table import Table

from transtar.errors import InputError, SettingsError
from transtar.simulate.universe import catalog_rows
from transtar.simulate.universe.samples import plan
from transtar.simulate.universe.scales import SCALES, Scale, get_scale, resized

from .. import made_samples as made

DRAWS = {"lamost": made.draw, "desi": made.draw, "miles": made.draw}


@pytest.fixture(scope="module")
def small():
    return plan(DRAWS, get_scale("small"), seed=3)


def test_paper_scale_has_the_counts_of_the_paper():
    paper = get_scale("paper").counts()
    assert list(paper.values()) == [8104, 2069, 5539, 7608, 134137, 126253, 86412, 90106, 85400]
    assert get_scale("medium").counts()["test sample"] == 5539
    with pytest.raises(SettingsError, match="no scale 'huge'; scales: small, medium, paper"):
        get_scale("huge")


def test_identifiers_are_int64_and_distinct(small):
    for table in (small.stars, small.desi, small.apogee, small.lamost):
        assert table["source_id"].dtype == np.int64
    assert len(np.unique(small.stars["source_id"])) == len(small.stars)
    assert small.stars["source_id"].min() > 2**62
    assert small.desi["targetid"].dtype == np.int64
    assert len(np.unique(small.lamost["obsid"])) == len(small.lamost) == len(np.unique(small.lamost["file"]))


def test_lamost_counts(small):
    scale = small.scale
    labelled = small.lamost[small.lamost["fault"] == ""]
    assert len(labelled) == scale.lamost
    good = small.apogee[small.apogee["fault"] == ""]
    assert np.isin(labelled["source_id"], good["source_id"]).sum() == scale.lamost_apogee
    poor = labelled[~np.isin(labelled["source_id"], good["source_id"])]
    np.testing.assert_array_equal(np.sort(poor["star"]), small.compilation)
    assert (poor["feh"] < -2).all()
    assert {"no_labels", "no_match", "low_snr", "repeat"} <= set(small.lamost["fault"].tolist())


def test_overlap_of_pretraining_and_test_stars(small):
    both = np.intersect1d(small.lamost["source_id"], small.desi["source_id"][small.desi["in_dr1"]])
    assert len(both) == small.scale.overlap
    stars = small.apogee[np.isin(small.apogee["source_id"], both) & (small.apogee["fault"] == "")]
    in_test = (stars["apogee_teff"] > 4000) & ~((stars["apogee_teff"] > 4500) & (stars["apogee_fe_h"] < -0.7))
    assert in_test.any()


def test_every_fault_is_there_often_enough(small):
    desi, apogee = (table["fault"].tolist() for table in (small.desi, small.apogee))
    wanted = {
        *catalog_rows.DESI_FAULTS,
        *catalog_rows.CLEAN_FAULTS,
        *catalog_rows.EDR_FAULTS,
        *catalog_rows.FINAL_FAULTS,
    }
    for fault in (*wanted, "negative", "duplicate", "no_match"):
        assert desi.count(fault) >= small.scale.faults
    for fault in (*catalog_rows.APOGEE_FAULTS, "no_gaia", "duplicate"):
        assert apogee.count(fault) >= small.scale.faults
    assert (small.desi["targetid"] < 0).sum() == desi.count("negative")
    assert (small.desi["primary"] == b"").sum() >= 3


def test_poor_test_stars_are_oversampled_and_said_so(small):
    assert small.scale.test_poor >= 60
    assert "60 of 1025 test stars" in small.scale.describe()
    assert "oversampled" not in get_scale("paper").describe()


def test_one_seed_one_plan():
    tiny = Scale("tiny", 60, 50, 40, 3, 4, 10, 5, 12, 60, 50, 30, miles=3, overlap=3)
    first, second, other = (plan(DRAWS, tiny, seed) for seed in (1, 1, 2))
    assert first.stars["source_id"].tolist() == second.stars["source_id"].tolist()
    assert first.desi["sp_feh"].tolist()[:9] == second.desi["sp_feh"].tolist()[:9]
    assert first.stars["source_id"].tolist() != other.stars["source_id"].tolist()
    assert first.size() > first.size(catalogs_only=True) > 0
    assert first.size(resolution=True) > first.size()


def test_stars_that_a_population_lacks_are_named():
    def warm(n, seed):
        table = made.draw(n, seed)
        table["teff"] = np.maximum(table["teff"], 5200)
        return table

    with pytest.raises(InputError, match=r"APOGEE-DESI lacks 92 of class common:cool, 60 of class common:test_poor"):
        plan({**DRAWS, "desi": warm}, SCALES["small"])


def test_truth_table_is_checked():
    with pytest.raises(InputError, match="no column source_id, ra"):
        plan({**DRAWS, "desi": lambda n, seed: Table({"teff": np.zeros(n)})}, SCALES["small"])

    def floats(n, seed):
        table = made.draw(n, seed)
        table["source_id"] = table["source_id"].astype(float)
        return table

    with pytest.raises(InputError, match="source_id must be int64, not float64"):
        plan({**DRAWS, "desi": floats}, SCALES["small"])


@pytest.mark.parametrize("sample", ["lamost", "common", "edr"])
def test_too_few_stars_for_the_faults_are_refused(sample):
    with pytest.raises(SettingsError, match=f"{sample} must be at least 20, not 5"):
        resized(SCALES["small"], {sample: 5})


def test_stars_of_one_birth_come_after_all_others_and_change_none(small):
    def related(seed):
        members, both = made.draw(6, seed), made.draw(4, seed + 1)
        members["cluster"], both["pair"] = ["a"] * 6, [1, 1, 2, 2]
        return {"cluster": members, "pair": both}

    more = plan(DRAWS, get_scale("small"), seed=3, related=related)
    n, n_desi = len(small.stars), len(small.desi)
    assert (len(more.stars), len(more.desi)) == (n + 10, n_desi + 10)
    for name in small.stars.colnames:
        np.testing.assert_array_equal(more.stars[name][:n], small.stars[name])
    for name in small.desi.colnames:
        np.testing.assert_array_equal(more.desi[name][:n_desi], small.desi[name])
    for table in ("lamost", "apogee"):
        np.testing.assert_array_equal(getattr(more, table)["source_id"], getattr(small, table)["source_id"])
    for part in ("miles", "compilation", "xp"):
        np.testing.assert_array_equal(getattr(more, part), getattr(small, part))
    new = more.desi[n_desi:]
    assert new["in_dr1"].all()
    assert not new["in_edr"].any()
    assert len(np.unique(more.desi["targetid"])) == len(np.unique(small.desi["targetid"])) + 10
    assert len(np.unique(more.stars["source_id"])) == n + 10
    assert new["cluster"].tolist() == ["a"] * 6 + [""] * 4
    assert new["pair"].tolist() == [0] * 6 + [1, 1, 2, 2]


def test_related_stars_are_in_proportion_and_said():
    small = get_scale("small")
    assert (small.clusters, small.cluster_members, small.wide_pairs) == (10, 12, 50)
    assert "10 clusters of 12 members each and 50 wide pairs" in small.describe()
    half = resized(small, {"common": 750})
    assert (half.clusters, half.cluster_members, half.wide_pairs) == (10, 6, 25)
    none = resized(small, {"clusters": 0, "wide_pairs": 0})
    assert "wide pairs" not in none.describe()
    assert "clusters of" not in none.describe()
    for name in ("medium", "paper"):
        assert (get_scale(name).clusters, get_scale(name).wide_pairs) == (10, 500)


def test_stars_of_lamost_have_xp_spectra_if_wanted(small):
    more = plan(DRAWS, get_scale("small"), seed=3, xp_lamost=True)
    roles = [{str(role).partition(":")[0] for role in one.stars["role"][one.xp]} for one in (small, more)]
    assert roles == [{"common", "fail"}, {"common", "fail", "lamost"}]
    # The first ones are the same, and so are their files.
    np.testing.assert_array_equal(more.xp[: len(small.xp)], small.xp)
    np.testing.assert_array_equal(more.stars["source_id"], small.stars["source_id"])
