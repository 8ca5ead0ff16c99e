"""The rules that hold for tables of every format."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, Table
from astropy.time import Time

from transtar.errors import InputError, SettingsError
from transtar.labels import read_labels, read_split, read_stars, read_velocities
from transtar.tables import Choice, open_table, read_table

BIG = 2**62 + 1


def written(path, table):
    if path.suffix == ".parquet":
        # Parquet of astropy needs its own description of units; that of pandas has none.
        table.write(path)
    else:
        table.write(path, format={".vot": "votable", ".ecsv": "ascii.ecsv", ".fits": "fits"}[path.suffix])
    return path


@pytest.mark.parametrize("suffix", [".fits", ".ecsv", ".vot", ".parquet"])
def test_units_of_the_file_are_converted(tmp_path, suffix, caplog):
    table = Table({
        "obsid": [1, 2], "rv": [90000.0, -1190.0] * u.m / u.s, "teff": [5.0, 5.1] * u.kK, "feh": [-1.0, -1.1],
        "ra": [6.0, 12.0] * u.hourangle, "dec": [0.5, -0.5] * u.rad, "pmra": [1.0, -0.5] * u.arcsec / u.yr,
        "pmdec": [0.0, 0.1] * u.arcsec / u.yr, "e_teff": [0.1, 0.05] * u.kK,
    })  # fmt: skip
    if suffix == ".fits":
        # FITS has no unit of hours that astropy would write; others write 'h'.
        table["ra"].unit = "h"
    path = written(tmp_path / f"a{suffix}", table)
    labels = read_labels(path)
    np.testing.assert_allclose(labels["teff"], [5000, 5100])
    np.testing.assert_allclose(labels["teff_err"], [100, 50])
    np.testing.assert_allclose(read_velocities(path)["velocity"], [90, -1.19])
    columns = labels.columns
    np.testing.assert_allclose(columns["ra"].numbers(), [90, 180])
    np.testing.assert_allclose(columns["dec"].numbers(), np.degrees([0.5, -0.5]))
    np.testing.assert_allclose(columns["pmra"].numbers(), [1000, -500])
    assert "column teff: converted from kK to K" in caplog.text


@pytest.mark.parametrize("suffix", [".fits", ".ecsv", ".vot", ".parquet"])
def test_a_unit_that_cannot_be_converted_is_refused_if_the_column_is_used(tmp_path, suffix):
    table = Table({"obsid": [1], "rv": [90.0] * u.kg, "feh": [-1.0]})
    path = written(tmp_path / f"a{suffix}", table)
    assert read_labels(path)["feh"].tolist() == [-1]
    with pytest.raises(InputError, match=r"column rv: the unit 'kg' cannot be converted to km/s"):
        read_velocities(path)


def test_a_unit_in_the_name_of_a_column(tmp_path):
    (tmp_path / "a.csv").write_text("obsid,Teff (kK),rv [m/s],[Fe/H],logg(seis)\n1,5.0,90000,-0.5,2.5\n")
    labels = read_labels(tmp_path / "a.csv")
    assert labels["teff"].tolist() == [5000]
    assert read_velocities(tmp_path / "a.csv")["velocity"].tolist() == [90]
    assert "logg" not in labels


@pytest.mark.parametrize("suffix", [".fits", ".ecsv"])
def test_columns_that_nobody_asked_for_do_not_stop_the_others(tmp_path, suffix):
    """Mixin columns of astropy: places on the sky, times, quantities."""
    table = Table({"obsid": [BIG], "feh": [-0.5]})
    table["where"] = SkyCoord([10.0] * u.deg, [10.0] * u.deg)
    table["when"] = Time([59000.0], format="mjd")
    table["much"] = [3.0] * u.km
    path = written(tmp_path / f"a{suffix}", table)
    labels = read_labels(path)
    assert (labels["id"].tolist(), labels["feh"].tolist()) == ([BIG], [-0.5])


def test_masks_in_columns_of_their_own(tmp_path):
    table = Table({"obsid": [1, 2, 3], "feh": MaskedColumn([-0.5, -0.7, 0.0], mask=[False, True, False])})
    table.write(tmp_path / "a.ecsv", format="ascii.ecsv", serialize_method="data_mask")
    assert "feh.mask" in (tmp_path / "a.ecsv").read_text()
    np.testing.assert_array_equal(read_labels(tmp_path / "a.ecsv")["feh"], [-0.5, np.nan, 0])


def test_null_in_ecsv_of_gaia(tmp_path):
    head = "# %ECSV 1.0\n# ---\n# delimiter: ','\n# datatype:\n# - {name: source_id, datatype: int64}\n"
    head += "# - {name: teff, datatype: float64, unit: K}\n"
    (tmp_path / "a.csv").write_text(head + f"source_id,teff\n{BIG},null\n{BIG + 2},5000.5\n")
    labels = read_labels(tmp_path / "a.csv")
    assert labels["id"].tolist() == [BIG, BIG + 2]
    np.testing.assert_array_equal(labels["teff"], [np.nan, 5000.5])


def test_headers_of_ecsv_make_no_objects(tmp_path):
    head = "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: obsid, datatype: int64}\n# - {name: feh, datatype: float64}\n"
    evil = "# meta: !!python/object/apply:os.system ['touch %s']\n" % (tmp_path / "ran")
    (tmp_path / "a.ecsv").write_text(head + evil + "obsid feh\n1 0.5\n")
    assert read_labels(tmp_path / "a.ecsv")["feh"].tolist() == [0.5]
    assert not (tmp_path / "ran").exists()
    (tmp_path / "b.ecsv").write_text(head + "obsid logg\n1 0.5\n")
    with pytest.raises(InputError, match="is not what its header announces"):
        read_labels(tmp_path / "b.ecsv")


def test_two_columns_that_mean_one_thing(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("obsid,FE_H,FEH,e_FE_H\n1,-0.5,-1.5,0.1\n")
    with pytest.raises(
        InputError, match=r"a\.csv: columns FE_H and FEH both mean feh; choose one, as with --columns feh=FE_H"
    ):
        read_labels(path)
    assert read_labels(path, columns={"feh": "FEH"})["feh"].tolist() == [-1.5]
    path.write_text("obsid,feh,teff,feh\n1,-0.5,5000,-1.5\n")
    with pytest.raises(InputError, match=r"column feh occurs twice \(feh#1, feh#2\)"):
        read_labels(path)
    assert read_labels(path, columns={"feh": "feh#2"})["feh"].tolist() == [-1.5]
    # What nobody needs does not matter.
    path.write_text("obsid,feh,note,note\n1,-0.5,a,b\n")
    assert read_labels(path)["feh"].tolist() == [-0.5]
    pq.write_table(
        pa.table([pa.array([1]), pa.array([0.1]), pa.array([0.2])], names=["obsid", "feh", "feh"]),
        tmp_path / "a.parquet",
    )
    with pytest.raises(InputError, match="column feh occurs twice"):
        read_labels(tmp_path / "a.parquet")
    assert read_labels(tmp_path / "a.parquet", columns={"feh": "feh#2"})["feh"].tolist() == [0.2]


def test_the_surveys_own_identifier_goes_before_a_bare_id(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,miles_id,feh\n1,30,-0.5\n")
    assert read_labels(path)["id"].tolist() == [30]
    assert read_labels(path, ids=("miles_id",))["id"].tolist() == [30]
    assert read_labels(path, ids=())["id"].tolist() == [1]
    assert read_labels(path, columns={"id": "id"}, ids=("miles_id",))["id"].tolist() == [1]
    path.write_text("obsid,targetid,feh\n1,30,-0.5\n")
    assert read_labels(path, ids=("targetid",))["id"].tolist() == [30]
    with pytest.raises(
        InputError, match="columns obsid and targetid both mean id; choose one, as with --columns id=obsid"
    ):
        read_labels(path)


def test_a_key_that_is_not_used_does_not_matter(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("file,obsid,feh\na.fits,9.4e8,-0.5\n")
    labels = read_labels(path)
    assert (labels["file"].tolist(), "id" in labels) == (["a.fits"], False)
    assert "numbers with exponents have lost digits" in labels.unusable["id"]
    path.write_text("ID,feh,ra,dec\n2M08290609+0107019,-0.5,10,10\n")
    assert read_labels(path, keyless=True)["feh"].tolist() == [-0.5]
    with pytest.raises(InputError, match=r"column ID: '2M08290609\+0107019' is not an integer"):
        read_labels(path)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_identifiers_that_lost_digits_are_refused(tmp_path, kind):
    limit = {np.float32: 2**24, np.float64: 2**53}[kind]
    for number, good in ((limit - 1, True), (limit, False), (limit + 2, False)):
        Table({"obsid": np.array([number], kind), "feh": [0.1]}).write(tmp_path / "a.fits", overwrite=True)
        if good:
            assert read_stars(tmp_path / "a.fits")["id"].tolist() == [number]
        else:
            with pytest.raises(
                InputError, match=rf"identifiers are stored as floating point \({np.dtype(kind).name}\)"
            ):
                read_stars(tmp_path / "a.fits")


def test_unsigned_identifiers_of_sdss(tmp_path):
    big = 11000000000000000123
    for name in ("specobjid", "specid", "SPECOBJID"):
        (tmp_path / "a.csv").write_text(f"{name},feh\n{big},-1\n845594848269461504,-2\n")
        assert read_labels(tmp_path / "a.csv")["id"].tolist() == [big - 2**64, 845594848269461504]
    Table({"specobjid": np.array([big], np.uint64), "feh": [0.1]}).write(tmp_path / "a.fits")
    assert read_labels(tmp_path / "a.fits")["id"].tolist() == [big - 2**64]
    (tmp_path / "a.csv").write_text(f"id,feh\n{big},-1\n")
    with pytest.raises(InputError, match=f"'{big}' does not fit a 64-bit integer"):
        read_labels(tmp_path / "a.csv")


def test_text_keys_keep_leading_zeros(tmp_path):
    (tmp_path / "a.csv").write_text("file,star,feh\n00012,007,-0.5\n00013,008,0.5\n")
    labels = read_labels(tmp_path / "a.csv")
    assert labels["file"].tolist() == ["00012", "00013"]
    assert labels["star"].tolist() == ["007", "008"]
    (tmp_path / "b.csv").write_text("file,split\n00012,test\n00013,pool\n")
    assert read_split(tmp_path / "b.csv")["file"].tolist() == ["00012", "00013"]


def test_columns_of_a_query_of_lamost(tmp_path):
    (tmp_path / "a.csv").write_text("combined_obsid|combined_feh\n101001|-0.5\n")
    labels = read_labels(tmp_path / "a.csv")
    assert (labels["id"].tolist(), labels["feh"].tolist()) == ([101001], [-0.5])


def test_choices():
    choice = Choice.parse(["feh=FE_H", " id = recno "])
    assert choice == {"feh": "FE_H", "id": "recno"}
    for texts, message in (
        (["feh"], "takes name=COLUMN"), (["fhe=FE_H"], "unknown name fhe; known names: teff"),
        (["feh=A", "feh=B"], "given twice"),
        (["=A"], "takes name=COLUMN"), (["feh="], "takes name=COLUMN"),
    ):  # fmt: skip
        with pytest.raises(SettingsError, match=message):
            Choice.parse(texts)
    with pytest.raises(SettingsError, match=r"--columns feh=FE_H, id=recno: no such column in a\.csv"):
        choice.require_used(["a.csv"])


def test_tables_of_papers(tmp_path):
    """Machine-readable tables of the AAS journals and of IPAC, by astropy."""
    (tmp_path / "a.txt").write_text(
        "Title: x\nAuthors: y\nTable: z\n" + "=" * 80 + "\nByte-by-byte Description of file: a\n" + "-" * 80 + "\n"
        "   Bytes Format Units  Label  Explanations\n" + "-" * 80 + "\n"
        "   1-  4 I4     ---    obsid  number\n   6- 11 F6.1   kK     Teff   temperature\n" + "-" * 80 + "\n"
        "   1    5.0\n   2    5.5\n"
    )
    _, columns = read_table(tmp_path / "a.txt")
    assert columns["Teff"].numbers().tolist() == [5000, 5500]
    lines = ["\\x = 1", "| obsid |  feh   |", "| long  | double |", "|       | dex    |", "| null  | null   |"]
    (tmp_path / "a.tbl").write_text("\n".join([*lines, "  1       -0.5    ", "  2       null    "]) + "\n")
    np.testing.assert_array_equal(read_labels(tmp_path / "a.tbl")["feh"], [-0.5, np.nan])
    assert open_table(tmp_path / "a.tbl").names == ("obsid", "feh")


def test_public_tables(data):
    """Files as services write them."""
    tables = data / "public/tables"
    gaia = open_table(tables / "1710099405832VAL-result.vot")
    assert gaia.columns(lambda name: name == "source_id")["source_id"].ids().tolist() == [
        4583627001381815936,
        5348723816842275584,
    ]
    assert open_table(tables / "vizier_asu.tsv").columns()["Teff"].numbers()[0] == 4177.6
    apokasc = open_table(tables / "apokasc2.tsv.gz").columns()
    assert (apokasc["FeH"].numbers()[0], apokasc["AFe"].numbers()[0]) == (-0.232, 0.205)
    assert np.isnan(apokasc["logg(seis)"].numbers()[3])
    for name in ("lamost_bar.csv", "lamost_combined.csv"):
        labels = read_labels(tables / name)
        assert (labels["id"][0], labels["feh"][0]) == (938615234, -0.3799999952316284)
        assert np.isfinite(read_velocities(f"{tables / name}:z")["velocity"]).all()
    with pytest.raises(InputError, match="columns FE_H and FEH both mean feh"):
        read_labels(tables / "GALAH_gbs_lbol.fits")
    assert read_labels(tables / "GALAH_gbs_lbol.fits", columns={"feh": "FE_H"})["feh"][0] == pytest.approx(0.13892269)
    with pytest.raises(InputError, match=r"column ID: '2M08290609.*' is not an integer"):
        read_labels(tables / "apogee_table.csv.gz")
