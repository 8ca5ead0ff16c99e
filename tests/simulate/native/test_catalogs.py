import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from transtar.errors import InputError
from transtar.simulate.native import apogee, fits_blocks, mws, schemas, targets
from transtar.simulate.pipelines.aspcap import simulate_aspcap

from .. import made_samples as made


def stars(n=4000, seed=0):
    return made.draw(n, seed)


def test_allstar(tmp_path):
    rows = stars(6)
    for name, values in simulate_aspcap(rows, np.full(6, 100.0), 0).items():
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
    monkeypatch.setattr(fits_blocks, "ROWS", 3)
    columns = fits_blocks.parse_columns("I K # a number\nS 4A\nM 2x3D km s-1\nL L")
    values = {
        "I": np.array([2**62 + 1, -1, 3, 4], np.int64),
        "S": np.array(["a", "bcde", "", "x"]),
        "M": np.arange(24.0).reshape(4, 2, 3),
        "L": np.array([b"T", b"F", b"", b"T"]),
    }
    hdu = fits_blocks.TableHdu("T", columns, 4, fits_blocks.block_of(values))
    with fits.open(fits_blocks.write_hdus(tmp_path / "t.fits", [hdu]), logical_as_bytes=True) as hdus:
        hdus.verify("exception")
        back = hdus["T"].data
        assert back["I"].tolist() == values["I"].tolist()
        assert back["S"].tolist() == values["S"].tolist()
        np.testing.assert_array_equal(back["M"], values["M"])
        assert hdus["T"].columns["M"].unit == "km s-1"
        assert hdus["T"].header["TCOMM1"] == "a number"
    for wrong, message in (({"X": values["I"]}, "no column X"), ({"S": np.full(4, "abcdef")}, "4 characters, not 6")):
        with pytest.raises(InputError, match=message):
            fits_blocks.write_hdus(
                tmp_path / "u.fits", [fits_blocks.TableHdu("T", columns, 4, fits_blocks.block_of(wrong))]
            )
    assert [path.name for path in tmp_path.iterdir()] == ["t.fits"]


def test_mock_targetids_are_positive_and_distinct():
    pixel, number = np.meshgrid(np.arange(0, 49152, 4000), np.arange(1, 50))
    ids = targets.mock_targetids(pixel.ravel(), number.ravel())
    assert ids.dtype == np.int64
    assert ids.min() > 0
    assert len(np.unique(ids)) == ids.size
