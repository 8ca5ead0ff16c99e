"""DESI files, tables of velocities and labels, as one set: each row gets what belongs to it."""

from importlib import import_module

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import Table

from transtar.datasets import prepare, read_set
from transtar.errors import InputError
from transtar.flags import Flag, has
from transtar.grids import BLUE, SPEED_OF_LIGHT
from transtar.surveys import get_survey

from ..made_surveys import line_spectrum, write_csv
from ..surveys.desi_files import FIRST, WAVES, fibermap, write_coadd, write_redrock

DESI = get_survey("desi")
STARS = FIRST + np.arange(8)
VELOCITY = np.linspace(-400, 400, 8)
FEH = np.linspace(-2, 0.4, 8)


def spectra(rows):
    wave = WAVES["B"]
    flux = np.array([line_spectrum(wave / (1 + VELOCITY[i] / SPEED_OF_LIGHT), FEH[i]) for i in rows], np.float32)
    return {"B": (wave, 20 * flux, np.full(flux.shape, 25, np.float32), np.zeros(flux.shape, np.int32))}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Eight stars in main/bright, three of them in main/dark too; two rows of each file are no targets."""
    folder = tmp_path_factory.mktemp("desi")
    for program, stars in (("bright", range(8)), ("dark", range(3))):
        rows = [*stars, 0, 0]
        targets = fibermap(len(rows), TARGETID=STARS[rows], OBJTYPE=["TGT"] * (len(rows) - 1) + ["SKY"], REF_CAT=None)
        targets["TARGETID"][-2] = -7
        targets["COADD_FIBERSTATUS"][1] = 1 << 9
        path = folder / f"healpix/main/{program}/98/9850/coadd-main-{program}-9850.fits"
        write_coadd(path, len(rows), cameras=spectra(rows), targets=targets, PROGRAM=program, resolution=False)
        (path.parent / f"spectra-main-{program}-9850.fits").write_text("not looked at")
    return folder


@pytest.fixture(scope="module")
def mwsall(tmp_path_factory):
    """Row-matched tables; labels and velocities of the two programs differ by 0.1 dex and 5 km/s."""
    rows = np.array([*range(7), 0, 1])
    dark = np.arange(9) >= 7
    common = {"TARGETID": STARS[rows]}
    rvtab = common | {"VRAD": VELOCITY[rows] + 5 * dark, "FEH": FEH[rows] + 0.1 * dark, "HEALPIX": np.full(9, 9850),
                      "SURVEY": np.full(9, "main"), "PROGRAM": np.where(dark, "dark", "bright")}  # fmt: skip
    sptab = common | {"RV_ADOP": -VELOCITY[rows]}
    hdus = [fits.BinTableHDU(Table(columns), name=name) for name, columns in (("RVTAB", rvtab), ("SPTAB", sptab))]
    path = tmp_path_factory.mktemp("tables") / "mwsall-pix-iron.fits"
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
    return path


def test_sets_of_an_older_transtar_have_the_names_of_today(tmp_path, folder, mwsall, monkeypatch):
    """It kept DESI's own, of which SURVEY differs from our survey by case only."""
    with monkeypatch.context() as context:
        context.setattr(import_module("transtar.datasets.gridding"), "DESI_KEYS", {})
        prepare(DESI, folder, tmp_path / "old", labels=mwsall, velocities=mwsall)
    assert {"SURVEY", "PROGRAM", "HEALPIX"} <= set(pq.read_schema(tmp_path / "old" / "stars.parquet").names)
    prepare(DESI, folder, tmp_path / "new", labels=mwsall, velocities=mwsall)
    assert "desi_survey" in pq.read_schema(tmp_path / "new" / "stars.parquet").names
    old, new = (read_set(tmp_path / name).columns for name in ("old", "new"))
    assert list(old) == list(new)
    for name, values in new.items():
        np.testing.assert_array_equal(old[name], values, err_msg=name)


def test_each_program_gets_its_own_row(tmp_path, folder, mwsall):
    report = prepare(DESI, folder, tmp_path / "set", labels=mwsall, velocities=mwsall, batch_size=6)
    columns = read_set(tmp_path / "set").columns
    assert report.left_out == {"negative TARGETID": 2, "OBJTYPE not TGT": 2}
    assert report.lines == [
        "velocities: 9 spectra have one in the table (joined by id, SURVEY, PROGRAM, HEALPIX), 2 have none",
        "labels: 9 spectra have labels (joined by id, SURVEY, PROGRAM, HEALPIX), 2 have none; 0 rows of labels are unused",
    ]
    assert columns["id"].tolist() == [*STARS.tolist(), *STARS[:3].tolist()]
    assert columns["desi_program"].tolist() == ["bright"] * 8 + ["dark"] * 3
    assert columns["desi_healpix"].tolist() == [9850] * 11
    np.testing.assert_allclose(columns["velocity"], [*VELOCITY[:7], np.nan, *(VELOCITY[:2] + 5), np.nan])
    np.testing.assert_allclose(columns["feh"], [*FEH[:7], np.nan, *(FEH[:2] + 0.1), np.nan])
    assert columns["star"][0] == columns["star"][8] == f"DESI {FIRST}"
    assert has(columns["flags"], Flag.BAD_FIBER).tolist() == [i in (1, 9) for i in range(11)]
    assert has(columns["flags"], Flag.NO_VELOCITY).tolist() == [i in (7, 10) for i in range(11)]
    assert "survey_flags" not in columns


def test_lines_come_to_rest(tmp_path, folder, mwsall):
    prepare(DESI, folder, tmp_path / "set", velocities=mwsall)
    prepared = read_set(tmp_path / "set")
    expected = np.array([line_spectrum(BLUE.wave, feh) for feh in FEH[:7]])
    # From 5550 A on, the sky line is bridged in the observed frame.
    blue = BLUE.wave < 5550
    for ours, theirs in zip(prepared.flux[:7, blue], expected[:, blue], strict=True):
        assert np.corrcoef(ours, theirs)[0, 1] > 0.995
        assert 1 - ours.min() == pytest.approx(1 - theirs.min(), rel=0.15)


def test_a_column_of_another_table_and_labels_that_do_not_know_programs(tmp_path, folder, mwsall):
    write_csv(tmp_path / "apogee.csv", [{"targetid": i, "fe_h": v} for i, v in zip(STARS[:5], FEH[:5], strict=True)])
    report = prepare(DESI, folder, tmp_path / "set", labels=tmp_path / "apogee.csv", velocities=f"{mwsall}:RV_ADOP")
    columns = read_set(tmp_path / "set").columns
    np.testing.assert_allclose(columns["velocity"][:7], -VELOCITY[:7])
    np.testing.assert_allclose(columns["feh"], [*FEH[:5], *[np.nan] * 3, *FEH[:3]])
    assert "8 spectra have labels (joined by id), 3 have none" in report.lines[1]
    write_csv(tmp_path / "two.csv", [{"targetid": STARS[0], "feh": v} for v in (0, 1)])
    with pytest.raises(InputError, match="keep one row for each, or name its SURVEY, PROGRAM, HEALPIX"):
        prepare(DESI, folder, tmp_path / "set", labels=tmp_path / "two.csv")


def test_redrock_gives_velocities_and_classes_by_default(tmp_path):
    path = tmp_path / "coadd-main-bright-9850.fits"
    write_coadd(path, 8, cameras=spectra(range(8)), targets=fibermap(8, TARGETID=STARS), resolution=False)
    kinds = np.array(["GALAXY"] + ["STAR"] * 7)
    beside = write_redrock(
        tmp_path / "redrock-main-bright-9850.fits", STARS[:7], Z=VELOCITY[:7] / SPEED_OF_LIGHT, SPECTYPE=kinds[:7]
    )
    report = prepare(DESI, tmp_path, tmp_path / "set")
    columns = read_set(tmp_path / "set").columns
    np.testing.assert_allclose(columns["velocity"], [np.nan, *VELOCITY[1:7], np.nan])
    assert (report.n_spectra, report.flags["NON_STELLAR"], report.flags["NO_VELOCITY"]) == (8, 1, 2)
    prepare(DESI, path, tmp_path / "set", velocities=beside)
    np.testing.assert_array_equal(read_set(tmp_path / "set").columns["velocity"], columns["velocity"])


def test_a_bad_file_among_good_ones_and_a_table_of_other_stars(tmp_path, folder, mwsall):
    (tmp_path / "coadd-cut.fits").write_bytes((next(folder.rglob("coadd-main-dark*"))).read_bytes()[:40_000])
    report = prepare(DESI, [folder, tmp_path], tmp_path / "set", velocities=mwsall)
    assert [path.rsplit("/", 1)[-1] for path, _ in report.skipped] == ["coadd-cut.fits"]
    assert report.n_spectra == 11
    write_csv(tmp_path / "v.csv", [{"targetid": 4, "vrad": 1}])
    with pytest.raises(InputError, match=r"v\.csv: none of 11 spectra is in this table"):
        prepare(DESI, folder, tmp_path / "other", velocities=tmp_path / "v.csv")
    assert not (tmp_path / "other").exists()


def test_a_folder_of_sky_only(tmp_path):
    write_coadd(tmp_path / "coadd-a.fits", 2, targets=fibermap(2, OBJTYPE=["SKY", "SKY"]), resolution=False)
    with pytest.raises(InputError, match="none of the 1 files could be used; rows left out: 2 OBJTYPE not TGT"):
        prepare(DESI, tmp_path, tmp_path / "set")


def test_only_the_stars_of_a_list(tmp_path, folder, mwsall):
    """Of a list, the rows that have spectra, each from its own program; files of other pixels are not opened."""
    rows = [
        {"TARGETID": STARS[i], "SURVEY": "main", "PROGRAM": p, "HEALPIX": 9850} for i, p in ((5, "bright"), (1, "dark"))
    ]
    rows.append({"TARGETID": 3, "SURVEY": "main", "PROGRAM": "dark", "HEALPIX": 77})
    write_csv(tmp_path / "stars.csv", rows)
    told = []
    report = prepare(
        DESI,
        folder / "healpix",
        tmp_path / "set",
        labels=mwsall,
        stars=tmp_path / "stars.csv",
        on_skip=lambda *a: told.append(a),
    )
    columns = read_set(tmp_path / "set").columns
    assert list(zip(columns["id"].tolist(), columns["desi_program"].tolist(), strict=True)) == [
        (STARS[5], "bright"), (STARS[1], "dark"),
    ]  # fmt: skip
    np.testing.assert_allclose(columns["feh"], [FEH[5], FEH[1] + 0.1])
    assert report.lines[0].startswith(
        "stars: 2 of 3 in stars.csv have spectra here; 1 have none, the first of them id 3"
    )
    assert [name for name, _ in told] == ["main/dark/0/77/coadd-main-dark-77.fits"]
    write_csv(tmp_path / "others.csv", [{"TARGETID": 3}])
    with pytest.raises(InputError, match=r"others\.csv: none of its 1 stars has a spectrum here"):
        prepare(DESI, folder, tmp_path / "set", stars=tmp_path / "others.csv")
    assert len(read_set(tmp_path / "set")) == 2
