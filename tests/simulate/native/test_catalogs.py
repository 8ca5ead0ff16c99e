import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from transtar.errors import InputError, TranstarError
from transtar.simulate.native import apogee, mws, pipeline, schemas, sizes, tables, targets

from .. import made_samples as made


def stars(n=4000, seed=0):
    return made.draw(n, seed)


def test_recipe_of_the_release_paper_takes_the_metallicity_bias_out():
    truth = stars()
    truth["teff"] = np.clip(truth["teff"], 4300, 6300)
    simulated = pipeline.simulate_pipeline(truth, np.full(len(truth), 60.0), 1)
    # Koposov et al. 2025 as released: SP, giants below log g 3.5.
    x = np.log10(simulated["sp_teff"] / 5000) / 0.1
    giants, dwarfs = 0.113 + 0.215 * x - 0.146 * x**2, 0.116 - 0.216 * x - 0.081 * x**2
    bias = np.where(simulated["sp_logg"] < 3.5, giants, dwarfs)
    raw, corrected = simulated["sp_feh"] - truth["feh"], simulated["sp_feh"] - bias - truth["feh"]
    hot, cool = truth["teff"] > 6000, truth["teff"] < 4600
    assert abs(np.mean(raw[hot]) - np.mean(raw[cool])) > 0.03
    for group in (hot, cool):
        assert abs(np.mean(corrected[group])) < 0.02


def test_alpha_of_the_simulated_pipeline_hides_the_two_sequences():
    rng = np.random.default_rng(0)
    truth = stars()
    truth["feh"] = rng.uniform(-0.6, -0.2, len(truth))
    truth["alphafe"] = np.where(rng.uniform(size=len(truth)) < 0.5, 0.05, 0.22)
    simulated = pipeline.simulate_pipeline(truth, np.full(len(truth), 25.0), 1)
    aspcap = apogee.simulate_aspcap(truth, np.full(len(truth), 100.0), 1)
    apart = 0.22 - 0.05
    low = truth["alphafe"] < 0.1
    assert np.std(simulated["sp_alphafe"][low]) > 0.6 * apart
    assert np.std((aspcap["apogee_alpha_m"] + aspcap["apogee_m_h"] - aspcap["apogee_fe_h"])[low]) < 0.25 * apart


def test_allstar(tmp_path):
    rows = stars(6)
    for name, values in apogee.simulate_aspcap(rows, np.full(6, 100.0), 0).items():
        rows[name] = values
    rows["apogee_snr"] = 100.0
    rows["source_id"][0] = 2**62 + 1
    rows["fault"] = ["", "no_gaia", "duplicate", "starflag", "fe_h_flag", "mg_fe_flag"]
    table = Table.read(apogee.write_allstar(rows, tmp_path / "allStar.fits"), hdu=1)
    assert table["GAIAEDR3_SOURCE_ID"].tolist() == [2**62 + 1, 0, *rows["source_id"][2:].tolist()]
    assert table["EXTRATARG"].tolist() == [0, 0, 16, 0, 0, 0]
    for row, column in ((3, "STARFLAG"), (4, "FE_H_FLAG"), (5, "MG_FE_FLAG")):
        assert np.flatnonzero(table[column]).tolist() == [row]
    assert table["APOGEE_ID"][0].startswith("2M10")
    np.testing.assert_allclose(table["FE_H"], rows["apogee_fe_h"], rtol=1e-6)
    assert apogee.apogee_id(51.035791, 46.534635) == "2M03240858+4632046"
    del rows["apogee_snr"]
    with pytest.raises(InputError, match="no column apogee_snr"):
        apogee.write_allstar(rows, tmp_path / "again.fits")


def test_columns_of_rvtab_are_those_of_a_genuine_pipeline(data):
    with fits.open(data / "desi/rvtab-64-5607.fits") as hdus:
        genuine = {c.name: (c.format, c.unit) for c in hdus["RVTAB"].columns}
    ours = {c.name: (c.format, c.unit or None) for c in schemas.RVTAB}
    shared = set(genuine) & set(ours)
    # The genuine file is of 2018: keys of single exposures have gone since.
    assert set(genuine) - shared == {"NEXP", "FIBER", "EXPID"}
    assert {name: ours[name] for name in shared} == {name: genuine[name] for name in shared}
    with fits.open(data / "desi/sptab-64-5607.fits") as hdus:
        names = {c.name.upper(): c.unit for c in hdus["SPTAB"].columns}
    units = {c.name: c.unit or None for c in schemas.SPTAB}
    assert {name: unit for name, unit in names.items() if name not in ("FID", "MICRO")}.items() <= units.items()


def test_mwsall_needs_its_columns(tmp_path):
    rows = stars(3)
    with pytest.raises(InputError, match="no column targetid, survey, program, healpix, fault"):
        mws.write_mwsall(rows, tmp_path / "a.fits")


def test_tables_in_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "ROWS", 3)
    columns = tables.parse_columns("I K # a number\nS 4A\nM 2x3D km s-1\nL L")
    values = {
        "I": np.array([2**62 + 1, -1, 3, 4], np.int64),
        "S": np.array(["a", "bcde", "", "x"]),
        "M": np.arange(24.0).reshape(4, 2, 3),
        "L": np.array([b"T", b"F", b"", b"T"]),
    }
    hdu = tables.TableHdu("T", columns, 4, tables.block_of(values))
    with fits.open(tables.write_hdus(tmp_path / "t.fits", [hdu]), logical_as_bytes=True) as hdus:
        hdus.verify("exception")
        back = hdus["T"].data
        assert back["I"].tolist() == values["I"].tolist()
        assert back["S"].tolist() == values["S"].tolist()
        np.testing.assert_array_equal(back["M"], values["M"])
        assert hdus["T"].columns["M"].unit == "km s-1"
        assert hdus["T"].header["TCOMM1"] == "a number"
    for wrong, message in (({"X": values["I"]}, "no column X"), ({"S": np.full(4, "abcdef")}, "4 characters, not 6")):
        with pytest.raises(InputError, match=message):
            tables.write_hdus(tmp_path / "u.fits", [tables.TableHdu("T", columns, 4, tables.block_of(wrong))])
    assert [path.name for path in tmp_path.iterdir()] == ["t.fits"]


def test_disk_space_is_told_and_checked(tmp_path):
    size = sizes.estimate({"desi": 1000}, {"desi": 2000}, {"desi": 10})
    assert sizes.estimate({"desi": 1000}, {"desi": 2000}, {"desi": 10}, resolution=True) > 4 * size
    line = sizes.check_disk(tmp_path / "new" / "folder", size)
    assert "MB to write" in line
    with pytest.raises(TranstarError, match=r"too little; choose a smaller scale, --catalogs-only"):
        sizes.check_disk(tmp_path, 10**18)
    assert not (tmp_path / "new").exists()


def test_mock_targetids_are_positive_and_distinct():
    pixel, number = np.meshgrid(np.arange(0, 49152, 4000), np.arange(1, 50))
    ids = targets.mock_targetids(pixel.ravel(), number.ravel())
    assert ids.dtype == np.int64
    assert ids.min() > 0
    assert len(np.unique(ids)) == ids.size
