"""Tables that went wrong in neighbouring tools, each after a public report; found by reading threads, made anew here."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import Table

from transtar.catalog import read_columns
from transtar.errors import InputError
from transtar.fetch.ask import from_table
from transtar.labels import read_labels, read_split, read_stars, read_velocities, table_positions
from transtar.labels.kinds import open_catalog
from transtar.schema import parse
from transtar.selections.cuts import FromFile, passes
from transtar.tables import Column, read_table

BIG = 2**62 + 1
VOTABLE = '<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">'
ROWS = "<DATA><TABLEDATA><TR><TD>7</TD><TD>-0.5</TD></TR></TABLEDATA></DATA>"
FIELDS = '<FIELD name="obsid" datatype="long"/><FIELD name="feh" datatype="double"/>'


def written(path, text):
    path.write_text(text)
    return path


@pytest.mark.parametrize("separator", [",", "\t", "|"])
def test_a_quote_that_is_not_closed(tmp_path, separator):
    """tidyverse/vroom#484, apple/turicreate#1692: rows are swallowed up to the next quote, and labels go to other stars."""
    text = 'obsid,feh,name\n1,-1,"x\n2,-2,y\n3,-3,z"\n4,-4,w\n'.replace(",", separator)
    with pytest.raises(InputError, match=r"4 lines make 2 rows: a quote \(\"\) is not closed"):
        read_labels(written(tmp_path / "a.csv", text))


def test_a_quote_that_is_not_closed_among_blanks(tmp_path):
    """Cut line by line, so that no row is lost."""
    found = read_labels(written(tmp_path / "a.txt", 'obsid feh name\n1 -1 "x\n2 -2 y\n3 -3 z"\n4 -4 w\n'))
    assert (found["id"].tolist(), found["feh"].tolist()) == ([1, 2, 3, 4], [-1, -2, -3, -4])


@pytest.mark.parametrize("separator", [",", "\t", ";", "|", " "])
def test_a_quote_amid_a_row(tmp_path, separator):
    """Text behind the quote that closes a cell: what follows would be cut at other places than were written, as often as not."""
    good = 'obsid,feh,name,star\n1,-1,"x y","a ""b"""\n2,-2,"","c"\r\n3,-3,y,"7\'"\n'.replace(",", separator)
    path = written(tmp_path / "a.csv", good)
    assert read_labels(path)["feh"].tolist() == [-1, -2, -3]
    path.write_text(good.replace('"x y"', '"x "y"'))
    with pytest.raises(InputError, match=r"row '1.-1.\"x \"y.*' has something behind the quote that closes a cell"):
        read_labels(path)


def test_blank_lines_in_a_header_of_ecsv(tmp_path):
    """As a change of line ends leaves them; a line end of old Macintoshes is named."""
    head = "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: obsid, datatype: int64}\n# - {name: feh, datatype: float64}\n"
    text = head + "obsid feh\n7 0.5\n"
    assert read_labels(written(tmp_path / "a.ecsv", text.replace("\n", "\n\n")))["feh"].tolist() == [0.5]
    (tmp_path / "b.ecsv").write_bytes(text.replace("\n", "\r").encode())
    with pytest.raises(InputError, match="lines end in CR alone"):
        read_labels(tmp_path / "b.ecsv")


def test_cells_that_are_not_what_the_header_of_ecsv_announces(tmp_path):
    """A column of numbers does not become text for one of its cells; what stands for 'missing' may stand in it."""
    head = "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: obsid, datatype: int64}\n# - {name: mine, datatype: float64}\n"
    path = written(tmp_path / "a.ecsv", head + "obsid mine\n7 --\n8 0.5\n")
    assert read_table(path)[1]["mine"].natural().tolist() == pytest.approx([np.nan, 0.5], nan_ok=True)
    path.write_text(head + "obsid mine\n7 '1.0'\n8 0.5\n")
    with pytest.raises(InputError, match=r"column mine: could not convert ''1\.0'' to a number"):
        read_table(path)


@pytest.mark.parametrize("status", ["OVERFLOW", "ERROR"])
def test_answers_that_a_service_cut_off(tmp_path, caplog, status):
    """astropy/pyvo#322, astropy/astroquery#1581: the status may stand behind the rows (DALI 1.1)."""
    info = f'<INFO name="QUERY_STATUS" value="{status}">too many rows</INFO>'
    path = written(
        tmp_path / "a.vot",
        f"{VOTABLE}<RESOURCE type='results'><TABLE>{FIELDS}{ROWS}</TABLE>{info}</RESOURCE></VOTABLE>",
    )
    if status == "ERROR":
        with pytest.raises(InputError, match="the service says: too many rows"):
            read_labels(path)
    else:
        assert read_labels(path)["id"].tolist() == [7]
        assert "the service cut its answer off (OVERFLOW): not all rows are in this file; too many rows" in caplog.text


def test_units_of_parquet_with_a_votable_inside(tmp_path):
    """astropy/astropy#18729, astronomy-commons/hats#575: IRSA writes units in a VOTable in the metadata."""
    fields = '<FIELD name="obsid" datatype="long"/><FIELD name="rv" datatype="double" unit="m/s"/>'
    fields += '<FIELD name="logg" datatype="double" unit="log(m.s-2)"/>'
    about = f"{VOTABLE}<RESOURCE><TABLE>{fields}</TABLE></RESOURCE></VOTABLE>".encode()
    table = pa.table({"obsid": [1, 2], "rv": [-1190.0, 900.0], "logg": [2.44, 2.6]})
    pq.write_table(table.replace_schema_metadata({b"IVOA.VOTable-Parquet.content": about}), tmp_path / "a.parquet")
    np.testing.assert_allclose(read_velocities(tmp_path / "a.parquet")["velocity"], [-1.19, 0.9])
    np.testing.assert_allclose(read_labels(tmp_path / "a.parquet")["logg"], [4.44, 4.6])


def test_text_of_fits_ends_at_a_nul(tmp_path):
    """simonrw/rust-fitsio#246, heasarc/cfitsio#7."""
    names = np.array([b"spec-1.fits\0old.fits", b"spec-2.fits"])
    columns = [fits.Column("file", "20A", array=names), fits.Column("feh", "D", array=[-0.1, -0.2])]
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "a.fits")
    assert read_labels(tmp_path / "a.fits")["file"].tolist() == ["spec-1.fits", "spec-2.fits"]


def test_two_tables_of_labels_in_one_file_are_told(tmp_path, caplog):
    """astropy/astropy#9512, lsst/ip_isr#158."""
    tables = [
        fits.BinTableHDU(Table({"obsid": [1], "feh": [feh]}), name=name) for name, feh in (("RV", -0.5), ("SP", -0.7))
    ]
    fits.HDUList([fits.PrimaryHDU(), *tables]).writeto(tmp_path / "a.fits")
    assert read_labels(tmp_path / "a.fits")["feh"].tolist() == [-0.5]
    assert "read is HDU RV; labels stand in SP, too" in caplog.text


def test_limits_are_no_values(tmp_path, caplog):
    """PyLinetools/linetools#222, astrocatalogs/supernovae#68: VizieR marks them in a column l_X."""
    text = "obsid\tTeff\tl_[Fe/H]\t[Fe/H]\n\tK\t\t[-]\n------\t----\t--\t----\n1\t5000\t \t-1.0\n2\t5100\t<\t-3.5\n"
    np.testing.assert_array_equal(read_labels(written(tmp_path / "a.tsv", text))["feh"], [-1, np.nan])
    assert "column [Fe/H]: 1 limits (l_[Fe/H]) are no values and count as missing" in caplog.text
    text = f"source_id,[Fe/H],l_[Fe/H],author\n{BIG},-3.0,,A\n{BIG},-5.0,<,B\n"
    assert open_catalog(written(tmp_path / "c.csv", text), "compilation").numbers("feh").tolist() == [-3]


def test_identifiers_that_a_spreadsheet_cut_to_15_digits(tmp_path):
    """MicrosoftDocs/OfficeDocs-Support#745, pulibrary/orangelight#2695."""
    cut = "TARGETID,feh\n39628483692859200,-1\n39628483692859300,-2\n39628483692858900,-3\n"
    with pytest.raises(
        InputError, match=r"all identifiers end in zeros from the 16th digit on, as a spreadsheet leaves them"
    ):
        read_labels(written(tmp_path / "a.csv", cut))
    whole = cut.replace("859200", "859217")
    assert read_labels(written(tmp_path / "a.csv", whole))["id"][0] == 39628483692859217


def test_right_ascensions_that_may_be_hours_are_told(tmp_path, caplog):
    """astronexus/HYG-Database#12, apace7/local_volume_database#36."""
    rows = "".join(f"s{i},{i % 24}.5,{-60 + 2 * i},-1\n" for i in range(60))
    labels = read_labels(written(tmp_path / "a.csv", "star,ra,dec,feh\n" + rows))
    table_positions(labels.columns, "a.csv")
    assert "a.csv: all right ascensions lie below 24; if they are hours, state the unit" in caplog.text


@pytest.mark.parametrize("form", ["votable", "fits"])
def test_coordinates_of_1950_are_refused(tmp_path, form):
    """brickbots/PiFinder#227: the file says so, in COOSYS or in EQUINOX."""
    path = tmp_path / "a"
    if form == "fits":
        table = Table({"star": ["A"], "ra": [150.0], "dec": [20.0], "feh": [-1.0]})
        table.meta.update(RADESYS="FK4", EQUINOX=1950.0)
        table.write(path, format="fits")
    else:
        fields = '<FIELD name="star" datatype="char" arraysize="*"/><FIELD name="feh" datatype="double"/>'
        fields += "".join(f'<FIELD name="{name}" datatype="double" unit="deg" ref="old"/>' for name in ("ra", "dec"))
        row = "<DATA><TABLEDATA><TR><TD>A</TD><TD>-1</TD><TD>150</TD><TD>20</TD></TR></TABLEDATA></DATA>"
        system = '<COOSYS ID="old" system="eq_FK4" equinox="B1950"/>'
        written(path, f"{VOTABLE}{system}<RESOURCE><TABLE>{fields}{row}</TABLE></RESOURCE></VOTABLE>")
    labels = read_labels(path)
    assert labels["feh"].tolist() == [-1]
    with pytest.raises(InputError, match=r"column ra: coordinates of .*FK4 B?1950.*, not ICRS"):
        table_positions(labels.columns, "a")


def test_identifiers_of_gaia_dr2_by_name(tmp_path):
    """adrn/SIMPLE-db#95, OpenExoplanetCatalogue#1064: the numbers are others than those of DR3."""
    for reader in (read_labels, read_stars):
        with pytest.raises(InputError, match=f"'Gaia DR2 {BIG}' is not of Gaia DR3"):
            reader(written(tmp_path / "a.csv", f"source_id,feh\nGaia DR2 {BIG},-1\n"))


def test_a_byte_order_mark_before_ecsv(tmp_path):
    """astropy/astropy#2940, simonw/sqlite-utils#250: without it the header would be comments, and its units lost."""
    head = "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: obsid, datatype: int64}\n# - {name: teff, unit: kK, datatype: float64}\n"
    text = head + "obsid teff\n1 5.0\n"
    assert read_labels(written(tmp_path / "a.csv", "\ufeff" + text))["teff"].tolist() == [5000]
    with pytest.raises(InputError, match="an ECSV header that does not begin the file"):
        read_labels(written(tmp_path / "a.csv", "# made today\n" + text))


def test_arrays_of_one_value(tmp_path, caplog):
    """astropy/astropy#12892."""
    one = np.array([[-0.5], [-0.7]])
    Table({"obsid": [1, 2], "feh": one}).write(tmp_path / "a.fits")
    pq.write_table(pa.table({"obsid": [1, 2], "feh": [[-0.5], [-0.7]]}), tmp_path / "a.parquet")
    fields = FIELDS.replace('name="feh"', 'name="feh" arraysize="1"')
    rows = ROWS.replace("</TABLEDATA>", "<TR><TD>8</TD><TD>-0.7</TD></TR></TABLEDATA>")
    written(tmp_path / "a.vot", f"{VOTABLE}<RESOURCE><TABLE>{fields}{rows}</TABLE></RESOURCE></VOTABLE>")
    for name in ("a.fits", "a.parquet", "a.vot"):
        assert read_labels(tmp_path / name)["feh"].tolist() == [-0.5, -0.7]
    pq.write_table(
        pa.table({"obsid": [1], "feh": [[-0.5, 1.0]], "rv": [[1.0, 2.0]], "teff": [5000.0]}), tmp_path / "b.parquet"
    )
    assert "feh" not in read_labels(tmp_path / "b.parquet")
    assert "column feh holds several values in a row and is passed over" in caplog.text
    with pytest.raises(InputError, match="column rv holds several values in a row"):
        read_velocities(tmp_path / "b.parquet")


def test_notes_of_vizier_are_no_abundances(tmp_path):
    """n_Fe and o_Fe are remarks and numbers of lines; A(Fe) is on another scale than [alpha/Fe]."""
    labels = read_labels(written(tmp_path / "a.csv", "obsid,[Fe/H],n_Fe,o_Fe,n_[Fe/H]\n1,-0.5,3,2,1\n"))
    assert not {"n_fe", "o_fe"} & set(labels)
    with pytest.raises(InputError, match="none of 3 values is a alphafe between -3 and 3 dex"):
        read_labels(written(tmp_path / "a.csv", "obsid,A_Fe\n1,7.5\n2,7.1\n3,6.9\n"))


def test_columns_that_say_different_things(tmp_path):
    with pytest.raises(InputError, match="columns rv and vrad both mean velocity"):
        read_velocities(written(tmp_path / "a.csv", "obsid,vrad,rv\n1,3,10\n"))
    labels = read_labels(written(tmp_path / "a.csv", "obsid,RA,_RAJ2000,DEC,feh\n1,10,150,0,-1\n"))
    with pytest.raises(InputError, match="columns RA and _RAJ2000 both mean ra"):
        table_positions(labels.columns, "a.csv")


def test_logarithmic_units_are_not_converted_by_a_factor(tmp_path):
    table = Table({"obsid": [1], "teff": [3.76], "feh": [-1.0]})
    table.write(tmp_path / "a.fits")
    with fits.open(tmp_path / "a.fits", mode="update") as hdus:
        hdus[1].header["TUNIT2"] = "dex(K)"
    with pytest.raises(InputError, match=r"column teff: the unit 'dex\(K\)' cannot be converted to K"):
        read_labels(tmp_path / "a.fits")


def test_a_name_that_occurs_twice_in_a_catalog_of_desi(tmp_path):
    ids = np.array([BIG, BIG + 1])
    tables = {"RVTAB": {"TARGETID": ids, "SURVEY": ["sv3", "sv3"]}}
    tables["SPTAB"] = {"TARGETID": ids, "FEH": [-1.0, -1.0], "FEX": [-2.0, -2.0]}
    hdus = [fits.BinTableHDU(Table(columns), name=name) for name, columns in tables.items()]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(tmp_path / "mws.fits")
    content = (tmp_path / "mws.fits").read_bytes()
    (tmp_path / "mws.fits").write_bytes(content.replace(b"'FEX     '", b"'FEH     '"))
    with pytest.raises(InputError, match=r"FEH occurs twice"):
        open_catalog(tmp_path / "mws.fits").numbers("SPTAB.FEH")
    with pytest.raises(InputError, match=r"FEH occurs twice"):
        read_velocities(f"{tmp_path / 'mws.fits'}:FEH")


@pytest.mark.parametrize("suffix", [".csv", ".ecsv", ".parquet"])
def test_hours_minutes_and_seconds_in_one_number(tmp_path, suffix):
    table = Table({"star": ["a", "b"], "ra": ["013045.6", "000123.4"], "dec": ["10.0", "5.0"], "feh": [-1.0, -2.0]})
    table.write(tmp_path / f"a{suffix}")
    labels = read_labels(tmp_path / f"a{suffix}")
    with pytest.raises(InputError, match=r"column ra: '013045\.6' may be hours, minutes and seconds in one number"):
        table_positions(labels.columns, "a")


def test_one_label_in_two_units(tmp_path):
    with pytest.raises(InputError, match=r"column Teff occurs twice \(Teff#1, Teff#2\)"):
        read_labels(written(tmp_path / "a.csv", "obsid,Teff (K),Teff (kK)\n1,5000,5.1\n"))


def test_catalogs_of_others_that_look_like_ours(tmp_path, caplog):
    """Columns survey and flags do not make a catalog of transtar: -9999 is no prediction, and negative flags are none."""
    rows = "".join(f"{i},lamost,{-9999 if i == 7 else -0.5},{-9999 if i == 3 else 0}\n" for i in range(1, 13))
    catalog = read_columns(written(tmp_path / "a.csv", "id,survey,feh,flags\n" + rows))
    assert np.isnan(catalog["feh"][6])
    assert not catalog["flags"].any()


@pytest.mark.parametrize(
    ("header", "row", "what"),
    [
        ("id,obsid,feh,obsid", "7,101,-1,102", "obsid occurs twice"),
        ("obsid,split,Split", "1,pool,test", "columns split and Split both mean split"),
        ("obsid,velocity,Velocity", "1,10,20", "columns velocity and Velocity both mean velocity"),
        ("obsid,velocity,rv", "1,10,20", "columns velocity and rv both mean velocity"),
        ("obsid,rv,rv", "1,10,20", r"rv occurs twice \(rv#1, rv#2\); choose one, as with --columns velocity=rv#1"),
    ],
)
def test_no_column_is_chosen_silently(tmp_path, header, row, what):
    reader = read_split if "split" in header else read_velocities if "v" in header.partition(",")[2] else read_labels
    with pytest.raises(InputError, match=what):
        reader(written(tmp_path / "a.csv", f"{header}\n{row}\n"), ids=("obsid",))


def test_a_column_chosen_in_place_of_others_keeps_its_rules(tmp_path):
    big = 11000000000000000123
    path = written(tmp_path / "a.csv", f"obsid,specobjid,feh,rv [m/s]\n1,{big},-1,1500\n")
    assert read_labels(path, columns={"id": "specobjid"})["id"].tolist() == [big - 2**64]
    assert read_velocities(f"{path}:rv [m/s]", ids=("obsid",))["velocity"].tolist() == [1.5]
    assert read_velocities(path, ids=("obsid",), columns={"velocity": "rv [m/s]"})["velocity"].tolist() == [1.5]


def test_cuts_let_no_sentinel_through(caplog):
    column = Column(np.array([1.2, -9999.0, 1.6, -32768, 1e20, -3]), name="ruwe", where="a.csv: column ruwe")
    cut = parse(FromFile, {"column": "ruwe", "at_most": 1.4}, "test")
    assert passes(cut, column, "a.csv").tolist() == [True, False, False, False, False, True]
    assert "column ruwe: 3 values count as missing; the first: -9999" in caplog.text


def test_entries_of_a_star_without_labels_or_position(tmp_path):
    text = f"source_id,ra,dec,Teff,logg,e_Teff,[Fe/H]\n{BIG},-999,-999,5000,4,50,-1\n{BIG},20,10,0,0,0,-1\n"
    catalog = open_catalog(written(tmp_path / "c.csv", text), "compilation")
    found = [catalog.numbers(name)[0] for name in ("ra", "dec", "teff", "logg", "teff_err")]
    assert found == [20, 10, 5000, 4, 50]
    two = f"source_id,gaia_source_id,[Fe/H]\n{BIG},{BIG + 1},-1\n"
    with pytest.raises(InputError, match="columns gaia_source_id and source_id both mean source_id"):
        open_catalog(written(tmp_path / "d.csv", two), "compilation")


def test_fetching_takes_no_number_of_another_archive(tmp_path):
    text = f"id,source_id,obsid,ra,dec\n1,{BIG},7,10.0,5.0\n"
    ask = from_table(written(tmp_path / "a.csv", text))
    assert (ask.by, ask.values) == ("position", [(10.0, 5.0)])
    with pytest.raises(InputError, match=r"no column of identifiers .* nor ra and dec"):
        from_table(written(tmp_path / "a.csv", f"source_id,obsid\n{BIG},7\n"))


def test_letters_of_a_votable_without_encoding(tmp_path, caplog):
    fields = FIELDS.replace("/>", "><DESCRIPTION>Müller</DESCRIPTION></FIELD>", 1)
    (tmp_path / "a.vot").write_bytes(
        f"{VOTABLE}<RESOURCE><TABLE>{fields}{ROWS}</TABLE></RESOURCE></VOTABLE>".encode("latin-1")
    )
    assert read_labels(tmp_path / "a.vot")["id"].tolist() == [7]
    assert "not UTF-8; its letters are read as Latin-1" in caplog.text
