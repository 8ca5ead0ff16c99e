"""VOTables in their serialisations, and what they must not do."""

import base64
import struct

import numpy as np
import pytest
from astropy.io.votable import from_table
from astropy.table import MaskedColumn, Table

from transtar.errors import InputError
from transtar.labels import read_labels
from transtar.tables import read_table

BIG = 2**62 + 1
HEAD = '<?xml version="1.0"?>\n<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE><TABLE>'
FIELDS = (
    '<FIELD name="obsid" datatype="long"/><FIELD name="star" datatype="char" arraysize="4"/>'
    '<FIELD name="feh" datatype="float"/><FIELD name="Teff" datatype="double" unit="kK"/>'
)
TAIL = "</TABLE></RESOURCE></VOTABLE>"


@pytest.mark.parametrize("form", ["tabledata", "binary", "binary2"])
def test_serialisations(tmp_path, form):
    table = Table({"obsid": [BIG, 7], "Teff": [5000.0, np.nan], "feh": [-0.5, 0.0], "star": ["J1", "J2"]})
    table["Teff"].unit = "K"
    from_table(table).to_xml(str(tmp_path / "a.vot"), tabledata_format=form)
    labels = read_labels(tmp_path / "a.vot")
    assert labels["id"].tolist() == [BIG, 7]
    assert labels["star"].tolist() == ["J1", "J2"]
    np.testing.assert_array_equal(labels["teff"], [5000, np.nan])
    assert labels["feh"].tolist() == [-0.5, 0.0]


@pytest.mark.parametrize("form", ["tabledata", "binary2"])
def test_masked_values(tmp_path, form):
    table = Table(
        {"obsid": MaskedColumn([BIG, 7, 8], mask=[0, 1, 0]), "feh": MaskedColumn([-0.5, 0.0, 1.0], mask=[0, 0, 1])}
    )
    from_table(table).to_xml(str(tmp_path / "a.vot"), tabledata_format=form)
    labels = read_labels(tmp_path / "a.vot")
    assert labels["id"].tolist() == [BIG, -1, 8]
    np.testing.assert_array_equal(labels["feh"], [-0.5, 0, np.nan])


def test_null_bits_of_binary2(tmp_path):
    """Built by hand from the standard (VOTable 1.4, 5.4): a bit for each column before the row, set where there is no value."""
    rows = b""
    for bits, obsid, star, feh, teff in (
        (0b00000000, BIG, b"J1  ", -0.5, 5.0),
        (0b11110000, 55, b"junk", 0.25, 9.0),
        (0b01000000, 8, b"junk", 0.5, 5.5),
    ):
        rows += bytes([bits]) + struct.pack(">q4sfd", obsid, star, feh, teff)
    stream = base64.b64encode(rows).decode()
    text = f'{HEAD}{FIELDS}<DATA><BINARY2><STREAM encoding="base64">{stream}</STREAM></BINARY2></DATA>{TAIL}'
    (tmp_path / "a.vot").write_text(text)
    labels = read_labels(tmp_path / "a.vot")
    assert labels["id"].tolist() == [BIG, -1, 8]
    assert labels["star"].tolist() == ["J1", "", ""]
    np.testing.assert_allclose(labels["feh"], [-0.5, np.nan, 0.5])
    np.testing.assert_allclose(labels["teff"], [5000, np.nan, 5500])


def test_several_tables_are_told(tmp_path, caplog):
    one = f"{FIELDS}<DATA><TABLEDATA>{{rows}}</TABLEDATA></DATA>"
    row = "<TR><TD>1</TD><TD>a</TD><TD>0.5</TD><TD>5</TD></TR>"
    text = (
        HEAD
        + one.format(rows="")
        + "</TABLE><TABLE>"
        + one.format(rows=row)
        + "</TABLE><TABLE>"
        + one.format(rows=row * 2)
    )
    (tmp_path / "a.xml").write_text(text + TAIL)
    assert read_labels(tmp_path / "a.xml")["id"].tolist() == [1]
    assert "2 tables with rows; read is the first, with 1 rows" in caplog.text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f'{HEAD}{FIELDS}<DATA><BINARY><STREAM href="http://127.0.0.1:9/x"/></BINARY></DATA>{TAIL}', "another address"),
        (f'{HEAD}{FIELDS}<DATA><FITS><STREAM\n encoding="none" href="file:///etc/x"/></FITS></DATA>{TAIL}', "another address"),
        (HEAD.replace("<VOTABLE", '<!DOCTYPE VOTABLE [<!ENTITY a "b">]><VOTABLE') + FIELDS + TAIL, "entities of its own"),
        ('<?xml version="1.0"?><kml></kml>', "an XML file, but no VOTable"),
        (HEAD + FIELDS + TAIL, "the table has no rows; columns found: "),
        (HEAD.replace("<TABLE>", "") + TAIL.replace("</TABLE>", ""), "no table with rows in this VOTable"),
        (HEAD.replace("<RESOURCE>", '<RESOURCE><INFO name="QUERY_STATUS" value="ERROR">no such\ntable</INFO>') + TAIL,
         "the service says: no such table"),
        (HEAD + FIELDS + "<DATA><TABLEDATA><TR><TD>", "cannot be read as a VOTable"),
    ],
)  # fmt: skip
def test_refused(tmp_path, text, message):
    (tmp_path / "a.vot").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_table(tmp_path / "a.vot")
    assert "\n" not in str(caught.value)
