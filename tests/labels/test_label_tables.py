import gzip

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn, Table

from transtar.errors import InputError
from transtar.labels import read_labels, read_split, read_velocities

BIG = 2**62 + 1


@pytest.fixture(params=["csv", "csv.gz", "ecsv", "fits", "parquet", "text-id.csv", "text-id.parquet"])
def table_file(request, tmp_path):
    """The same table in every format, one identifier and one label missing."""
    path = tmp_path / f"labels.{request.param}"
    ids = MaskedColumn([BIG, 1, BIG + 2], mask=[False, True, False])
    table = Table({"obsid": ids, "TEFF": [5000.0, -9999.0, 6000.0], "[Fe/H]": [-0.5, 0.0, np.nan]})
    table["e_TEFF"] = [50.0, -9999.0, 60.0]
    table["n"] = MaskedColumn([1, 2, 3], mask=[False, False, True])
    text = f"obsid,TEFF,[Fe/H],e_TEFF,n\n{BIG},5000,-0.5,50,1\n,-9999,0,-9999,2\n{BIG + 2},6000,,60,\n"
    if request.param == "csv":
        path.write_text("# a comment\n" + text)
    elif request.param == "csv.gz":
        path.write_bytes(gzip.compress(text.encode()))
    elif request.param == "text-id.csv":
        path.write_text(text.replace(f"{BIG}", f'"Gaia DR3 {BIG}"'))
    elif request.param.endswith("parquet"):
        columns = {
            name: pa.array(np.ma.filled(table[name], 0), mask=np.ma.getmaskarray(table[name])) for name in table.columns
        }
        if request.param.startswith("text"):
            columns["obsid"] = columns["obsid"].cast(pa.string())
        pq.write_table(pa.table(columns), path)
    else:
        table.write(path, format="ascii.ecsv" if request.param == "ecsv" else "fits")
    return path


def test_every_format(table_file):
    labels = read_labels(table_file)
    assert labels["id"].dtype == np.int64
    assert labels["id"].tolist() == [BIG, -1, BIG + 2]
    np.testing.assert_array_equal(labels["teff"], [5000, np.nan, 6000])
    np.testing.assert_array_equal(labels["teff_err"], [50, np.nan, 60])
    np.testing.assert_array_equal(labels["feh"], [-0.5, 0, np.nan])
    assert labels["n"].tolist() == [1, 2, -1]


def write(tmp_path, text):
    path = tmp_path / "table.csv"
    path.write_text(text)
    return path


def test_keys(tmp_path):
    table = read_labels(
        write(tmp_path, "file,designation,feh,age\n/x/a.fits.gz, LAMOST J1+2 ,0.1,3\nb.fits,J3,99.99,-9999\n")
    )
    assert table["file"].tolist() == ["a.fits.gz", "b.fits"]
    assert table["star"].tolist() == ["J1+2", "J3"]
    np.testing.assert_array_equal(table["feh"], [0.1, np.nan])
    assert table["age"].tolist() == [3, -9999]
    table = read_labels(tmp_path / "table.csv", extra=("age",))
    np.testing.assert_array_equal(table["age"], [3, np.nan])


def test_a_column_that_turns_to_decimals_late(tmp_path):
    rows = [f"{i},5000" for i in range(200_000)] + ["7,5000.5"]
    table = read_labels(write(tmp_path, "id,teff\n" + "\n".join(rows)))
    assert table["teff"][-1] == 5000.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty file"),
        ("id,feh\n", "no rows; columns found: id, feh"),
        ("name,feh\na,1\n", "no column tells which spectrum.*columns found: name, feh"),
        ("id,colour\n1,1\n", "no label column.*columns found: id, colour"),
        ("id,feh_err\n1,1\n", "no label column"),
        ("id,feh,[Fe/H]\n1,1,1\n", "feh and .* both mean feh"),
        ("id,feh\n1.5,1\n", "column id: '1.5' is not an integer"),
        (f"id,feh\n{2**63},1\n", "column id: "),
        ("id,feh\n1,high\n", "column feh: could not convert"),
        ("id,feh\n1\n", "cannot be read as a CSV"),
    ],
)
def test_bad_tables(tmp_path, text, message):
    with pytest.raises(InputError, match=message) as caught:
        read_labels(write(tmp_path, text))
    assert "table.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bad_files(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_labels(tmp_path / "no.csv")
    path = tmp_path / "a.fits"
    Table({"id": np.arange(1000), "feh": np.zeros(1000)}).write(path)
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(InputError, match=r"a\.fits"):
        read_labels(path)


def test_split(tmp_path):
    split = read_split(write(tmp_path, "file,split\na,pool\nb,test\n"))
    assert split["split"].tolist() == ["pool", "test"]
    with pytest.raises(InputError, match="must be pool or test, found 'train'"):
        read_split(write(tmp_path, "file,split\na,pool\nb,train\n"))
    with pytest.raises(InputError, match="no column split"):
        read_split(write(tmp_path, "file,set\na,pool\n"))


def test_velocities(tmp_path):
    path = write(tmp_path, "TARGETID,VRAD,RV_SP\n5,-12.5,1\n6,-9999,2\n")
    np.testing.assert_array_equal(read_velocities(path)["velocity"], [-12.5, np.nan])
    assert read_velocities(f"{path}:rv_sp")["velocity"].tolist() == [1, 2]
    with pytest.raises(InputError, match="no velocity column Z"):
        read_velocities(f"{path}:Z")
    with pytest.raises(InputError, match="no such file"):
        read_velocities(f"{path}x:Z")


def test_real_tables(data):
    lamost = read_labels(data / "lamost_dr10/labels.csv")
    assert (len(lamost["id"]), (lamost["feh"] < -1).sum()) == (926, 98)
    miles = read_labels(data / "miles/labels.csv")
    assert (np.isfinite(miles["feh"]).sum(), np.isfinite(miles["mg_fe"]).sum()) == (946, 85)
    split = read_split(data / "miles/split.csv")
    assert np.unique(split["split"], return_counts=True)[1].tolist() == [400, 323]
    benchmark = read_labels(data / "labels/gaia_benchmark_stars_v3.csv")
    assert benchmark["id"][0] == 6904703228801028864


def mwsall(path, second=(2**62 + 1, 2**62 + 2), **sptab):
    """Tables that match row by row, as in the catalogs of the Milky Way Survey."""
    ids = np.array([2**62 + 1, 2**62 + 2])
    rvtab = {"TARGETID": ids, "VRAD": [1.0, 2.0], "FEH": [-1.0, 0.0], "SURVEY": ["main", "sv3"], "HEALPIX": [5, -1]}
    tables = {
        "RVTAB": rvtab,
        "SPTAB": {"TARGETID": np.array(second), "RV_ADOP": [3.0, -9999.0][: len(second)], **sptab},
    }
    hdus = [fits.BinTableHDU(Table(columns), name=name) for name, columns in tables.items()]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path, overwrite=True)
    return path


def test_velocities_of_a_catalog_of_several_tables(tmp_path):
    path = mwsall(tmp_path / "mwsall.fits")
    table = read_velocities(path)
    assert table["velocity"].tolist() == [1, 2]
    assert table["id"].tolist() == [2**62 + 1, 2**62 + 2]
    assert (table["SURVEY"].tolist(), table["HEALPIX"].tolist()) == (["main", "sv3"], [5, -1])
    np.testing.assert_array_equal(read_velocities(f"{path}:rv_adop")["velocity"], [3, np.nan])
    with pytest.raises(InputError, match="no velocity column V; columns found: TARGETID, VRAD"):
        read_velocities(f"{path}:V")
    mwsall(path, second=[2**62 + 1])
    with pytest.raises(InputError, match="SPTAB, which has the column RV_ADOP, has 1 rows and RVTAB 2"):
        read_velocities(f"{path}:RV_ADOP")
    mwsall(path, second=[2**62 + 1, 2**62 + 3])
    with pytest.raises(InputError, match="RVTAB and SPTAB differ in TARGETID"):
        read_velocities(f"{path}:RV_ADOP")


def test_velocities_of_redrock(tmp_path):
    path = write(tmp_path, "TARGETID,Z,ZWARN,SPECTYPE\n9,1e-4,0,STAR\n3,-1e-4,4,STAR\n5,1e-3,0,GALAXY\n4,0.5,0,STAR\n")
    table = read_velocities(path)
    assert table["id"].tolist() == [3, 4, 5, 9]
    np.testing.assert_allclose(table["velocity"], [np.nan, np.nan, np.nan, 29.9792458])
    path = write(tmp_path, "obsid,z\n9,1e-4\n")
    np.testing.assert_allclose(read_velocities(f"{path}:z")["velocity"], 29.9792458)
    with pytest.raises(InputError, match="give it as FILE:COLUMN"):
        read_velocities(path)


def test_real_tables_of_desi(data):
    table = read_velocities(data / "desi/rvtab-64-5607.fits")
    assert len(table["id"]) == 12
    assert np.isfinite(table["velocity"]).all()
    redrock = read_velocities(data / "desi/redrock-special-dark-27247.fits")
    assert redrock["id"].tolist() == [39089837499744649]
    assert np.isnan(redrock["velocity"]).all()


@pytest.mark.parametrize(
    ("head", "told"),
    [
        ("id,teff,metallicity", "--columns feh=metallicity"),
        ("id,teff,Metallicity_gspphot", "--columns feh=Metallicity_gspphot"),
        ("id,Temperature,feh", "--columns teff=Temperature"),
        ("id,teff,alphafe_flag", None),
        ("id,feh,metallicity", None),
        ("id,teff,mean_height", None),
    ],
)
def test_a_column_that_looks_like_a_label_is_asked_about(tmp_path, caplog, head, told):
    (tmp_path / "t.csv").write_text(f"{head}\n1,5000,0.1\n2,5100,0.2\n")
    labels = read_labels(tmp_path / "t.csv")
    assert ("looks like it" in caplog.text) == (told is not None)
    if told is not None:
        assert told in caplog.text
        label, _, name = told.removeprefix("--columns ").partition("=")
        assert read_labels(tmp_path / "t.csv", columns={label: name})[label].tolist() == labels[name].tolist()
