"""Catalogs as tables of astropy, against astropy's own readers."""

import warnings

import numpy as np
import pytest
from astropy import units as u
from astropy.table import MaskedColumn, QTable, Table

import transtar
from transtar.catalog import plain_columns, read_columns, to_table, write_catalog
from transtar.errors import InputError
from transtar.evaluate import evaluate_catalog
from transtar.flags import Flag, flag_names
from transtar.glossary import describe

FORMATS = ("parquet", "fits", "csv", "ecsv", "vot")
STEP = {"step": "pretrain", "strategy": "mlp", "n_train": 9, "survey": "mock", "train_loss": [0.5] * 1000}
METADATA = {"models": ["mock-feh"], "provenance": [[STEP]], "quality": {"snr": 10.0}}


def columns(n=3):
    flags = np.array([0, int(Flag.LOW_SNR | Flag.NO_IVAR), int(Flag.NO_VELOCITY)])[:n]
    return {
        "file": np.array(["a.fits", "b.fits", "c.fits"])[:n],
        "id": (2**62 + np.arange(3))[:n],
        "ra": np.array([1.5, 2.5, np.nan])[:n],
        "velocity": np.array([10.0, -5.5, np.nan], np.float32)[:n],
        "teff": np.array([5000, 6100.5, np.nan], np.float32)[:n],
        "feh": np.array([-1.25, 0.1, np.nan], np.float32)[:n],
        "feh_err": np.array([0.1, 0.2, np.nan], np.float32)[:n],
        "flags": flags.astype(np.int32),
        "PROGRAM": np.array(["dark", "", "bright"])[:n],
    }


@pytest.fixture(params=FORMATS)
def path(request, tmp_path):
    write_catalog(tmp_path / f"c.{request.param}", columns(), METADATA)
    return tmp_path / f"c.{request.param}"


def test_units_descriptions_and_values(path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = transtar.read_catalog(path)
    assert isinstance(table, QTable)
    assert (table["teff"].unit, table["feh"].unit, table["velocity"].unit, table["ra"].unit) == (
        u.K,
        u.dex,
        u.km / u.s,
        u.deg,
    )
    for name, values in columns().items():
        np.testing.assert_array_equal(getattr(table[name], "value", table[name]), values)
    assert table["id"].dtype == np.int64
    assert table["feh_err"].info.description == describe("feh_err").description
    # What a user does next.
    assert (table["teff"].to("K").value[:2] > 4000).all()
    assert table["feh"][0] < -1 * u.dex


def test_metadata_are_few(path):
    meta = transtar.read_catalog(path).meta
    if path.suffix == ".csv":
        assert not meta
        return
    assert meta["models"] == ["mock-feh"]
    assert meta["steps"] == [["pretrain (mlp) on 9 stars of mock"]]
    assert len(str(meta)) < 300


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_readers_of_astropy_read_the_same(tmp_path, suffix):
    write_catalog(tmp_path / f"c.{suffix}", columns(), METADATA)
    ours = transtar.read_catalog(tmp_path / f"c.{suffix}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        QTable.read(tmp_path / f"c.{suffix}")
        astropys = Table.read(tmp_path / f"c.{suffix}")
    assert astropys.colnames == ours.colnames
    for name in ours.colnames:
        left, right = np.asarray(getattr(ours[name], "value", ours[name])), astropys[name]
        if left.dtype.kind == "U":
            assert left.tolist() == np.ma.filled(right.astype(str), "").tolist()
        else:
            filled = np.ma.filled(np.ma.asarray(right.data), np.nan if left.dtype.kind == "f" else -1)
            np.testing.assert_array_equal(filled.astype(left.dtype), left)
    if suffix != "csv":
        assert astropys["teff"].unit == u.K
    if suffix in ("parquet", "ecsv"):
        assert astropys["feh"].unit == u.dex
    if suffix in ("parquet", "ecsv", "vot"):
        assert astropys["teff"].description == describe("teff").description
        assert astropys["teff"].meta["ucd"] == "phys.temperature.effective"


def test_a_table_is_written_again_as_it_was(path, tmp_path):
    table = transtar.read_catalog(path)
    table["velocity"] = table["velocity"].to("m/s")
    write_catalog(tmp_path / "again.fits", table)
    assert transtar.read_catalog(tmp_path / "again.fits").meta == table.meta
    for name, values in read_columns(tmp_path / "again.fits").items():
        np.testing.assert_allclose(values, columns()[name], rtol=1e-6) if values.dtype.kind == "f" else None
        assert values.dtype.kind == "f" or values.tolist() == columns()[name].tolist()


def test_masks_and_units_of_others_are_understood(tmp_path):
    table = QTable({"id": MaskedColumn([1, 2**62 + 1], mask=[True, False]), "teff": [5, 6] * u.kK})
    plain = plain_columns(table)
    assert plain["id"].tolist() == [-1, 2**62 + 1]
    assert plain["teff"].tolist() == [5000, 6000]
    masked = Table(
        {"feh": MaskedColumn([0.5, 1.0], mask=[False, True]), "star": MaskedColumn(["a", "b"], mask=[True, False])}
    )
    assert np.isnan(plain_columns(masked)["feh"][1])
    assert plain_columns(masked)["star"].tolist() == ["", "b"]
    with pytest.raises(InputError, match="a column in m cannot be one in K"):
        write_catalog(tmp_path / "c.csv", {"teff": [1, 2] * u.m})


def test_numbers_are_shown_with_the_digits_they_have():
    shown = "\n".join(to_table(columns())["feh", "feh_err", "teff"].pformat())
    for text in (" 0.1 ", " 0.2 ", "6100.5"):
        assert text in shown + " "


def test_a_table_of_others_keeps_its_units(tmp_path):
    QTable({"TEFF": [5.0, 6.0] * u.kK, "PMRA": [1.0, 2.0] * u.mas / u.yr, "id": [1, 2]}).write(tmp_path / "o.fits")
    table = transtar.read_catalog(tmp_path / "o.fits")
    assert table["teff"].to_value("K").tolist() == [5000, 6000]
    assert table["PMRA"].unit == u.mas / u.yr


def test_a_table_can_be_scored():
    reference = {"file": columns()["file"], "feh": columns()["feh"].astype(float) + 0.1}
    table = to_table(columns())
    from_table, from_columns = (evaluate_catalog(one, reference, n_boot=10) for one in (table, columns()))
    assert str(from_table.metrics) == str(from_columns.metrics)
    assert from_table.metrics["feh"]["all"]["bias"] == pytest.approx(-0.1, abs=1e-6)


def test_flags_in_words():
    assert flag_names(columns()["flags"]).tolist() == ["", "LOW_SNR NO_IVAR", "NO_VELOCITY"]
    assert flag_names(int(Flag.TRAINED_ON | Flag.LOW_SNR)) == "LOW_SNR TRAINED_ON"
    assert flag_names(1 << 20) == "BIT_20"
    assert flag_names(np.array([], np.int32)).tolist() == []
    # Each bit on its own, and all of them.
    for flag in Flag:
        assert flag_names(int(flag)) == flag.name
    assert flag_names(sum(Flag)).split() == [flag.name for flag in Flag]
    with pytest.raises(InputError, match="flags are integers, not float64"):
        flag_names([0.5])
