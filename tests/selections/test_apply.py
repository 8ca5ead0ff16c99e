"""Selections on the mock surveys give the counts that those were designed to, and the very stars."""

import numpy as np
import pytest
from astropy.table import Table

from transtar.errors import InputError, SettingsError
from transtar.selections import load_selection, select

from ..made_catalogs import write_catalogs, write_flags


def made(folder, scale):
    world = write_catalogs(folder / "sky", scale)
    world.spectra = write_flags(world, folder / "predicted.parquet")
    world.test = folder / "finetuning.parquet"
    columns = finetuning(world).columns
    Table({name: columns[name] for name in ("source_id", "split")}).write(world.test)
    return world


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return made(tmp_path_factory.mktemp("small"), "small")


@pytest.fixture(scope="module", params=["small", pytest.param("paper", marks=pytest.mark.slow)])
def world(request, tmp_path_factory):
    """What is counted, is counted at the scale of the paper, too."""
    if request.param == "small":
        return request.getfixturevalue("small")
    return made(tmp_path_factory.mktemp("paper"), request.param)


def finetuning(world, name="desi-finetuning", **settings):
    return select(load_selection(name, {"metal_rich": world.scale.train_rich, **settings}), [world.folder])


def rows_left(selected, table, start):
    (step,) = [step for step in selected.steps if step.table == table and step.name.startswith(start)]
    return step.rows


def truth(world, role):
    stars = world.plan.stars
    return stars["source_id"][np.char.startswith(np.asarray(stars["role"]), role)]


def test_finetuning_and_test_stars(world):
    scale, selected = world.scale, finetuning(world)
    assert rows_left(selected, "desi", "in apogee") == scale.common
    split = selected.columns["split"]
    assert (split == "pool").sum() == scale.train_poor + scale.train_rich
    assert (split == "test").sum() == scale.test
    assert len(selected) == scale.common - scale.common_cool
    np.testing.assert_array_equal(
        np.sort(selected.columns["source_id"]), np.setdiff1d(truth(world, "common"), truth(world, "common:cool"))
    )
    poor = np.isin(selected.columns["source_id"], truth(world, "common:train_poor"))
    assert (split[poor] == "pool").all()
    assert (split[np.isin(selected.columns["source_id"], truth(world, "common:test_poor"))] == "test").all()


def test_each_cut_loses_its_own_rows(small):
    steps = finetuning(small).steps
    lost = {step.name: step.lost for step in steps if step.table == "apogee"}
    faults = small.plan.apogee["fault"].tolist()
    expected = {
        "STARFLAG = 0": "starflag", "FE_H_FLAG = 0": "fe_h_flag", "MG_FE_FLAG = 0": "mg_fe_flag",
        "SNR > 40": "low_apogee_snr", "EXTRATARG without DUPLICATE": "duplicate", "GAIAEDR3_SOURCE_ID known": "no_gaia",
    }  # fmt: skip
    assert {name: lost[name] for name in expected} == {name: faults.count(fault) for name, fault in expected.items()}
    desi = small.plan.desi[small.plan.desi["in_dr1"]]["fault"].tolist()
    lost = {step.name: step.lost for step in steps if step.table == "desi"}
    assert lost["RVTAB.TARGETID >= 0"] == desi.count("negative")
    assert lost["RVTAB.RVS_WARN = 0"] == desi.count("rvs_warn")
    assert lost["RVTAB.PRIMARY is true or missing"] == desi.count("not_primary") + desi.count("duplicate")
    assert lost["GAIA.SOURCE_ID known"] == desi.count("no_match")


def test_labels_belong_to_their_stars(small):
    columns = finetuning(small).columns
    stars = small.plan.stars
    order = np.argsort(stars["source_id"])
    place = order[np.searchsorted(stars["source_id"], columns["source_id"], sorter=order)]
    for label, native in (("teff", "teff"), ("feh", "fe_h"), ("mg_fe", "mg_fe")):
        np.testing.assert_allclose(columns[label], stars[f"apogee_{native}"][place], rtol=2e-6, atol=1e-6)
    alpha = stars["apogee_alpha_m"] + stars["apogee_m_h"] - stars["apogee_fe_h"]
    np.testing.assert_allclose(columns["alphafe"], alpha[place], atol=1e-5)
    # Of a star observed twice the primary observation is taken, of several runs of the pipeline the one of its row.
    desi = small.plan.desi
    rows = {int(t): (p, f, v) for t, p, f, v in desi["targetid", "program", "sp_feh", "vrad"] if p != "backup"}
    for i in range(0, len(columns["targetid"]), 97):
        program, feh, vrad = rows[int(columns["targetid"][i])]
        assert (columns["program"][i], columns["feh_desi"][i], columns["vrad"][i]) == (program, feh, vrad)
    np.testing.assert_allclose(columns["feh_desi_err"][np.isin(columns["program"], "bright")] > 0, True)


def test_one_seed_one_draw(small):
    one, same, other = (finetuning(small, seed=seed).columns for seed in (0, 0, 1))
    np.testing.assert_array_equal(one["split"], same["split"])
    assert (one["split"] != other["split"]).any()


def test_clean_stars_keep_their_side(world):
    main, clean = finetuning(world), finetuning(world, "desi-finetuning-clean")
    assert len(main) - len(clean) == world.scale.clean_removed
    sides = dict(zip(main.columns["targetid"].tolist(), main.columns["split"].tolist(), strict=True))
    assert [sides[i] for i in clean.columns["targetid"].tolist()] == clean.columns["split"].tolist()
    assert any("left of each part" in line for line in clean.lines)


def test_edr(world):
    selected = select(load_selection("desi-edr"), [world.folder, world.spectra])
    assert rows_left(selected, "desi", "SCORES.MEDIAN_COADD_SNR_B") == world.scale.edr
    assert len(selected) == world.scale.edr_final == len(np.unique(selected.columns["targetid"]))
    clean = select(load_selection("desi-edr-clean"), [world.folder, world.spectra])
    assert len(clean) == world.scale.edr_clean
    assert np.isfinite(clean.columns["feh_desi_dr1_calibrated"]).all()
    # Without the spectra the last cut is told to be missing.
    blind = select(load_selection("desi-edr"), [world.folder])
    spoilt = (world.plan.desi["fault"] == "bad_normalisation").sum()
    assert len(blind) == world.scale.edr_final + spoilt
    assert any("left out" in line and "good normalisation" in line for line in blind.lines)


@pytest.mark.parametrize("label", ["feh", "alphafe"])
def test_pretraining_sets(world, label):
    scale, lamost = world.scale, world.plan.lamost
    kept = select(load_selection(f"pretraining-{label}", {"keep_overlap": True}), [world.folder, world.test])
    assert len(kept) == (scale.lamost if label == "feh" else scale.lamost_apogee)
    assert len(np.unique(kept.columns["source_id"])) == len(kept)
    usable = ~np.isin(lamost["fault"], ["no_labels", "no_match", "low_snr"])
    assert set(kept.columns["source_id"].tolist()) <= set(lamost["source_id"][usable].tolist())
    dropped = select(load_selection(f"pretraining-{label}"), [world.folder, world.test])
    columns = finetuning(world).columns
    test = columns["source_id"][columns["split"] == "test"]
    assert not np.isin(dropped.columns["source_id"], test).any()
    overlap = int(np.isin(kept.columns["source_id"], test).sum())
    assert 0 < overlap == len(kept) - len(dropped)
    assert np.isfinite(dropped.columns[label]).all()
    assert any(f"{overlap} rows are test stars" in line and "kept" in line for line in kept.lines)


def test_metal_poor_labels_are_of_compilations(small):
    selected = select(load_selection("pretraining-feh", {"keep_overlap": True}), [small.folder])
    assert set(selected.columns["label_source"].tolist()) == {"apogee", "pastel"}
    source, feh = selected.columns["label_source"], selected.columns["feh"]
    assert (source == "apogee").sum() == small.scale.lamost_apogee
    assert feh[source == "apogee"].min() > -2 >= feh[source == "pastel"].max()
    share = 100 * small.scale.lamost_apogee / small.scale.lamost
    assert any(f"apogee ({share:.1f} %)" in line for line in selected.lines)
    # The truth, but for the scatter of its authors.
    stars = small.plan.stars
    order = np.argsort(stars["source_id"])
    place = order[np.searchsorted(stars["source_id"], selected.columns["source_id"], sorter=order)]
    assert np.nanstd((feh - stars["feh"][place])[source == "pastel"]) < 0.2


def test_test_stars_must_be_given(small):
    with pytest.raises(InputError, match=r"no test stars were given .* keep_overlap=true"):
        select(load_selection("pretraining-feh"), [small.folder])


def test_missing_catalogs_are_named(small):
    with pytest.raises(InputError, match=r"needs a desi-dr1 catalog .*given: .*fuji.fits \(desi-edr\)") as error:
        select(load_selection("desi-finetuning"), [small.folder / "apogee", small.folder / "desi/mwsall-pix-fuji.fits"])
    assert "allStar-dr17.fits (apogee-dr17)" in str(error.value)


def test_too_few_stars_for_the_draw(small):
    with pytest.raises(InputError, match=r"100000 stars asked and \d+ there .* --set metal_rich=NUMBER"):
        finetuning(small, metal_rich=100000)


def test_a_cut_that_leaves_nothing_is_named(small, tmp_path):
    (tmp_path / "own.yaml").write_text(
        "extends: desi-edr\ncuts: [{column: desi.SPTAB.TEFF, above: 4000}, {column: desi.SPTAB.LOGG, above: 9}]\n"
    )
    with pytest.raises(InputError, match=r"no row is left after 'desi.SPTAB.LOGG > 9'; \d+ were there before it"):
        select(load_selection(str(tmp_path / "own.yaml")), [small.folder])
    (tmp_path / "none.yaml").write_text(
        "extends: desi-edr\ntables: {desi: {cuts: [{column: SCORES.MEDIAN_COADD_SNR_B, above: 9999}]}}\n"
    )
    with pytest.raises(InputError, match=r"fuji.fits: no row is left after 'SCORES.MEDIAN_COADD_SNR_B > 9999'"):
        select(load_selection(str(tmp_path / "none.yaml")), [small.folder])


def test_a_definition_of_alpha_that_does_not_exist(small):
    with pytest.raises(SettingsError, match="alphafe: no definition 'mg'; definitions: aspcap, mg-si-ca"):
        finetuning(small, alphafe="mg")
    with pytest.raises(InputError, match="no column SI_FE"):
        finetuning(small, alphafe="mg-si-ca")
