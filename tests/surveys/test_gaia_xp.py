import gzip
import sys

import numpy as np
import pytest
from astropy.table import Table

from transtar.datasets import preprocess_batch
from transtar.datasets.defaults import default_settings
from transtar.errors import InputError, TranstarError
from transtar.flags import Flag
from transtar.simulate.native import gaia
from transtar.surveys import find_files, find_star_files, get_survey, read
from transtar.surveys.gaia_xp import SAMPLING_NM, source_ids
from transtar.surveys.xp_tables import ARRAYS, NUMBERS

from ..simulate import made_samples as made
from .individual_xp import write_individual

SURVEY = get_survey("gaia-xp")
IDS = [2**62 + 1, 422596679964513792]


def spectra(ids=IDS):
    wave = 10 * SAMPLING_NM
    batch = made.batch(wave, ids, "gaia-xp", level=2000.0)
    batch.flux[:] = 2000 * (wave / 6000) ** -2 + 100 * np.sin(wave / 300)
    batch.mask[:] = False
    return batch


def check(back, batch):
    np.testing.assert_allclose(back.wave, batch.wave)
    np.testing.assert_array_equal(back.ids, batch.ids)
    np.testing.assert_allclose(back.flux, batch.flux, rtol=1e-6)
    assert back.ids.dtype == np.int64


@pytest.mark.parametrize("name", ["XP_SAMPLED_RAW.csv", "XP_SAMPLED_RAW.fits"])
def test_sampled_round_trip(tmp_path, name):
    batch = spectra()
    batch.mask[1, 5:9] = True
    path = gaia.write_sampled(batch, tmp_path / name)
    back = read(SURVEY, path)
    good = ~batch.mask
    np.testing.assert_array_equal(back.mask, batch.mask)
    np.testing.assert_allclose(back.flux[good], batch.flux[good], rtol=1e-6)
    np.testing.assert_allclose(back.ivar[good], batch.ivar[good], rtol=1e-5)
    np.testing.assert_array_equal(back.ids, IDS)
    packed = tmp_path / "XP_SAMPLED_RAW-2.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    np.testing.assert_array_equal(read(SURVEY, packed).flux, back.flux)
    assert {p.name for p in find_files(SURVEY, tmp_path)} == {name, packed.name}
    assert np.isnan(back.meta["velocity"]).all()
    assert back.meta["star"][0] == f"Gaia DR3 {2**62 + 1}"


def test_individual_votables(tmp_path):
    batch = spectra()
    paths = write_individual(batch, tmp_path)
    for i, path in enumerate(paths):
        check(read(SURVEY, path), batch.select(slice(i, i + 1)))


def test_individual_csv_takes_the_identifier_from_its_name(tmp_path):
    batch = spectra()
    lines = [
        "wavelength,flux,flux_error",
        *(f"{w},{f},{f / 50}" for w, f in zip(SAMPLING_NM, batch.flux[0] * 1e-19, strict=True)),
    ]
    path = tmp_path / f"XP_SAMPLED-Gaia DR3 {2**62 + 1}.csv"
    path.write_text("\n".join(lines) + "\n")
    back = read(SURVEY, path)
    assert back.ids.tolist() == [2**62 + 1]
    assert back.meta["snr_survey"][0] == pytest.approx(50)
    nameless = path.rename(tmp_path / "XP_star.csv")
    assert read(SURVEY, nameless).ids.tolist() == [-1]


def bulk(path, rows, head="source_id,solution_id,ra,dec,flux,flux_error\n"):
    """One of the archive's bulk files: ECSV, arrays in brackets, null where a value is missing."""

    def array(values):
        if isinstance(values, str):
            return values
        return '"[' + ",".join("null" if np.isnan(v) else f"{v:.6e}" for v in values) + ']"'

    types = "".join(f"# - {{name: {name}, datatype: string}}\n" for name in head.strip().split(","))
    text = f"# %ECSV 1.0\n# ---\n# delimiter: ','\n# datatype:\n{types}{head}"
    for star, flux, error in rows:
        text += f"{star},1,10.0,-5.0,{array(flux)},{array(error)}\n"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


FLUX = spectra().flux[0].astype(np.float64) * 1e-19
ERROR = FLUX / 50


def test_the_archives_bulk_files(tmp_path):
    gappy, no_error = FLUX.copy(), ERROR.copy()
    gappy[5], no_error[7] = np.nan, np.nan
    path = bulk(
        tmp_path / "XpSampledMeanSpectrum_000000-003111.csv.gz",
        [(IDS[0], FLUX, ERROR), (IDS[1], gappy, no_error), (IDS[1], FLUX, ERROR)],
    )
    (found,) = find_files(SURVEY, tmp_path)
    assert found == path
    back = read(SURVEY, path)
    assert back.ids.tolist() == [IDS[0], IDS[1], IDS[1]]
    np.testing.assert_allclose(back.flux[0], FLUX * 1e19, rtol=1e-5)
    assert np.flatnonzero(back.mask[1]).tolist() == [5, 7]
    assert (back.ivar[back.mask] == 0).all()
    assert not back.mask[[0, 2]].any()
    np.testing.assert_allclose(back.meta["snr_survey"], 50, rtol=1e-5)


@pytest.mark.parametrize("missing", [0.0, np.nan])
def test_errors_that_are_all_zero_or_missing(tmp_path, caplog, missing):
    none = np.full(343, missing)
    back = read(SURVEY, bulk(tmp_path / "XP_a.csv", [(1, FLUX, ERROR), (2, FLUX, none)]))
    assert np.isnan(back.ivar[1]).all()
    assert not back.mask.any()
    assert np.isnan(back.meta["snr_survey"][1])
    assert "gaia-xp: spectra whose errors are all zero or missing" in caplog.text
    spectra = preprocess_batch(back, SURVEY, default_settings(SURVEY))
    assert [Flag(int(value)) for value in spectra.flags] == [Flag(0), Flag.NO_IVAR]
    np.testing.assert_array_equal(spectra.flux[0], spectra.flux[1])
    assert (spectra.ivar[1] == 0).all()
    assert spectra.good_fraction.tolist() == [1, 1]
    assert read(SURVEY, bulk(tmp_path / "XP_b.csv", [(2, FLUX, none)])).ivar is None


def test_a_row_with_broken_arrays_costs_that_row(tmp_path, caplog):
    path = bulk(
        tmp_path / "XP_a.csv", [(1, FLUX, ERROR), (2, FLUX[:342], ERROR), (3, FLUX, [*ERROR, 1]), (4, FLUX, ERROR)]
    )
    back = read(SURVEY, path)
    assert back.ids.tolist() == [1, 4]
    assert back.left_out == {"with broken arrays": 2}
    assert (
        f"{path}: 2 of 4 rows have not the 343 points of the others; the first: row 2 (source 2) with 342 points of flux "
        "and 343 points of flux_error; left out"
    ) in caplog.messages


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ('"[1.0,2.0', "flux_error, row 2: an array without end; the file is cut short"),
        ('"[1.0,x]"', "flux_error, row 2: could not convert string to float: 'x'"),
        ("1.0,2.0", "has 7 fields, the line of names 6"),
    ],
)
def test_a_file_that_is_cut_or_damaged_is_refused(tmp_path, cell, message):
    with pytest.raises(InputError, match=message):
        read(SURVEY, bulk(tmp_path / "XP_a.csv", [(1, FLUX, ERROR), (2, FLUX, cell)]))


def test_a_column_that_is_there_twice_is_refused(tmp_path):
    path = bulk(tmp_path / "XP_a.csv", [], head="source_id,flux,flux,flux_error\n")
    with pytest.raises(InputError, match="the column flux is there twice"):
        read(SURVEY, path)
    with pytest.raises(InputError, match="holds no row"):
        read(SURVEY, bulk(path, []))


@pytest.mark.parametrize(("unit", "factor"), [("nm", 1), ("Angstrom", 10), ("um", 1e-3), ("", 1)])
@pytest.mark.parametrize("kind", ["ecsv", "fits", "xml"])
def test_wavelengths_in_the_unit_that_the_file_states(tmp_path, kind, unit, factor):
    from astropy.table import Table

    table = Table({"wavelength": SAMPLING_NM * factor, "flux": FLUX, "flux_error": ERROR})
    if unit:
        table["wavelength"].unit = unit
    path = tmp_path / f"XP_SAMPLED-Gaia DR3 {IDS[1]}.{kind}"
    if kind == "xml":
        table.write(path, format="votable")
    elif kind == "ecsv":
        table.write(path, format="ascii.ecsv", delimiter=",")
    else:
        table.write(path)
    back = read(SURVEY, path)
    np.testing.assert_allclose(back.wave, 10 * SAMPLING_NM, rtol=1e-12)
    assert back.ids.tolist() == [IDS[1]]
    assert [file.name for file in find_files(SURVEY, tmp_path)] == [path.name]


def test_wavelengths_that_are_not_gaias_are_refused(tmp_path):
    path = tmp_path / "XP_a.csv"
    path.write_text("wavelength,flux,flux_error\n" + "".join(f"{10 * w},1e-16,1e-18\n" for w in SAMPLING_NM))
    with pytest.raises(InputError, match=r"wavelengths from 3360 to 10200 nm are not Gaia's"):
        read(SURVEY, path)


def test_masked_and_double_arrays_of_fits_and_votable(tmp_path):
    from astropy.table import MaskedColumn, Table

    flux = np.ma.masked_array(np.stack([FLUX, FLUX]), np.zeros((2, 343), bool))
    flux[1, 3] = np.ma.masked
    for dtype in (np.float32, np.float64):
        table = Table({
            "source_id": np.array(IDS),
            "flux": MaskedColumn((1e19 * flux).astype(dtype)),
            "flux_error": np.stack([ERROR, ERROR]) * 1e19,
        })  # fmt: skip
        for name, options in (("XP_a.fits", {}), ("XP_a.vot", {"format": "votable"})):
            table.write(tmp_path / name, overwrite=True, **options)
            back = read(SURVEY, tmp_path / name)
            assert np.argwhere(back.mask).tolist() == [[1, 3]]
            assert back.ids.tolist() == IDS


def test_on_its_own_points_nothing_is_interpolated(tmp_path):
    """The archive's flux over a constant, to single precision; so is the inverse variance."""
    rng = np.random.default_rng(1)
    flux, error = FLUX * rng.uniform(0.5, 2, 343), ERROR * rng.uniform(0.5, 2, 343)
    path = bulk(tmp_path / "XP_a.csv", [(1, flux, error)])
    grid = preprocess_batch(read(SURVEY, path), SURVEY, default_settings(SURVEY))
    assert grid.flux.shape == (1, 343)
    ratio = grid.flux[0] / flux
    np.testing.assert_allclose(ratio, ratio[0], rtol=2e-6)
    assert np.median(grid.flux) == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(grid.flux[0] * np.sqrt(grid.ivar[0]), flux / error, rtol=3e-6)
    assert Flag(int(grid.flags[0])) == Flag(0)


def test_genuine_sampled_file(data):
    back = read(SURVEY, data / "gaia_xp/xp_sampled.xml")
    assert len(back) == 10
    assert len(np.unique(back.ids)) == 10
    assert back.ids[0] == 422596679964513792
    np.testing.assert_allclose(back.wave[[0, -1]], [3360, 10200])
    assert (back.meta["snr_survey"] > 50).all()
    assert not back.mask.any()


def test_structure_of_the_genuine_sampled_file(data, tmp_path):
    from astropy.io.votable import parse

    (path, _) = write_individual(spectra(), tmp_path)
    with open(data / "gaia_xp/xp_sampled.xml", "rb") as file:
        theirs = parse(file, verify="ignore").get_first_table()
    ours = parse(str(path)).get_first_table()
    facts = [[(f.name, f.datatype, str(f.unit), f.ucd) for f in table.fields] for table in (ours, theirs)]
    assert facts[0] == facts[1]
    assert {p.name for p in ours.params} <= {p.name for p in theirs.params}


def test_without_gaiaxpy_one_line_names_the_extra(data, monkeypatch):
    monkeypatch.setitem(sys.modules, "gaiaxpy", None)
    with pytest.raises(TranstarError, match=r"needs the package 'gaiaxpy': pip install 'transtar\[gaia\]'"):
        read(SURVEY, data / "gaia_xp/XP_CONTINUOUS_RAW.csv")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2\n", "not Gaia XP spectra"),
        ('source_id,flux,flux_error\n1,"(1, 2)","(1, 2)"\n', "343"),
        ("x\0y", "is --survey right"),
    ],
)
def test_other_files_are_refused(tmp_path, content, message):
    path = tmp_path / "XP_a.csv"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        read(SURVEY, path)


def test_writers_check_what_they_get(tmp_path):
    with pytest.raises(InputError, match="archive's sampling"):
        gaia.write_sampled(made.batch(np.linspace(3000, 9000, 343), [1], "x"), tmp_path / "XP_a.csv")
    with pytest.raises(InputError, match=r"as \.csv or \.fits"):
        gaia.write_sampled(spectra(), tmp_path / "XP_a.txt")


def tables(tmp_path, rows=3):
    """The same spectra in each format, with the identifier of the first missing."""
    from astropy.table import MaskedColumn, Table

    ids = MaskedColumn(np.arange(rows) + 10**9, mask=np.arange(rows) == 0)
    table = Table({"source_id": ids, "flux": np.stack([FLUX] * rows), "flux_error": np.stack([ERROR] * rows)})
    table.write(tmp_path / "XP_a.fits")
    table.write(tmp_path / "XP_a.xml", format="votable")
    return [tmp_path / "XP_a.fits", tmp_path / "XP_a.xml"]


def test_identifiers_that_are_masked_are_missing(tmp_path):
    for path in tables(tmp_path):
        assert read(SURVEY, path).ids.tolist() == [-1, 10**9 + 1, 10**9 + 2], path
        assert source_ids(path).tolist() == [-1, 10**9 + 1, 10**9 + 2], path


def test_what_stands_in_a_mark_of_bytes_or_in_members_of_gzip(tmp_path):
    path = bulk(tmp_path / "XP_a.csv", [(1, FLUX, ERROR), (2, FLUX, ERROR)])
    content = path.read_bytes()
    back = read(SURVEY, path)
    for changed in (b"\xef\xbb\xbf" + content, gzip.compress(content[:999]) + gzip.compress(content[999:])):
        path.write_bytes(changed)
        np.testing.assert_array_equal(read(SURVEY, path).flux, back.flux)


def test_damage_of_fits_is_told(tmp_path):
    from astropy.io import fits

    (path, _) = tables(tmp_path)
    with fits.open(path, mode="update") as hdus:
        hdus[1].add_datasum()
    whole = path.read_bytes()
    for changed, message in (
        (whole[:9000] + bytes([whole[9000] ^ 1]) + whole[9001:], "damaged data"),
        (whole.replace(b"NAXIS2  =                    3", b"NAXIS2  =                    2"), "damaged"),
        (whole[:2880], "no table in this file"),
        (whole.replace(b"TTYPE3  = 'flux_error'", b"TTYPE3  = 'flux      '"), "the column flux is there twice"),
    ):
        path.write_bytes(changed)
        with pytest.raises(InputError, match=message) as told:
            read(SURVEY, path)
        assert "Error" not in str(told.value)


def test_a_votable_asks_for_nothing_outside(tmp_path):
    (_, path) = tables(tmp_path)
    content = path.read_text()
    path.write_text(content.replace("<TABLEDATA>", '<BINARY><STREAM href="file:///etc/passwd"/></BINARY><TABLEDATA>'))
    with pytest.raises(InputError, match="whose data lie at another address"):
        read(SURVEY, path)


def test_points_of_several_sources_are_refused(tmp_path):
    path = tmp_path / "XP_a.csv"
    lines = [f"{1 + (w > 600)},{w},1e-16,1e-18" for w in SAMPLING_NM]
    path.write_text("\n".join(["source_id,wavelength,flux,flux_error", *lines]) + "\n")
    with pytest.raises(InputError, match="2 sources in rows that are points of a spectrum"):
        read(SURVEY, path)


def test_an_ecsv_header_that_describes_nothing_is_told(tmp_path, caplog):
    path = bulk(tmp_path / "XP_a.csv", [(5, FLUX, ERROR)])
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if "name:" not in line))
    assert read(SURVEY, path).ids.tolist() == [5]
    assert f"{path}: its ECSV header does not describe its columns" in caplog.text


NAMES = [f"{band}_{name}" for band in ("bp", "rp") for name in (*NUMBERS, *ARRAYS)]


def coefficients(rows=3, **changes):
    """Cells of continuous spectra, by name; changes are of the second row."""
    pytest.importorskip("gaiaxpy")
    sizes = {"coefficients": 55, "coefficient_errors": 55, "coefficient_correlations": 1485}
    rng = np.random.default_rng(2)
    cells = {"source_id": [str(i + 1) for i in range(rows)]}
    for name in NAMES:
        what = name.split("_", 1)[1]
        size = sizes.get(what)
        values = (
            [rng.uniform(0.1, 1, size) * (0.01 if what.endswith("correlations") else 1) for _ in range(rows)]
            if size
            else []
        )
        cells[name] = [f'"({",".join(map(str, v))})"' for v in values] or [
            "55" if what == "n_parameters" else "1.5"
        ] * rows
    for name, cell in changes.items():
        cells[name][1] = cell
    return cells


def continuous(path, cells):
    rows = zip(*cells.values(), strict=True)
    path.write_text("\n".join([",".join(cells), *(",".join(row) for row in rows)]) + "\n")
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bp_coefficients": '"(1,2)"'}, "BP has 55 parameters and arrays of 2, 55, 1485 numbers"),
        ({"rp_standard_deviation": ""}, "RP lacks numbers"),
        ({"rp_n_parameters": "54"}, "RP has 54 parameters"),
        (dict.fromkeys(NAMES, ""), "it has neither band"),
    ],
)
def test_coefficients_that_are_not_whole_cost_their_row(tmp_path, caplog, changes, message):
    path = continuous(tmp_path / "XP_a.csv", coefficients(**changes))
    back = read(SURVEY, path)
    assert back.ids.tolist() == [1, 3]
    assert back.left_out == {"with broken arrays": 1}
    assert f"{path}: 1 of 3 rows are not whole; the first: row 2 (source 2): {message}" in caplog.text


def test_a_source_may_lack_a_band_in_whatever_row(tmp_path):
    """GaiaXPy looks at the first two rows for what is an array."""
    whole = read(SURVEY, continuous(tmp_path / "XP_a.csv", coefficients()))
    cells = coefficients(**{name: "" for name in NAMES if name.startswith("bp")})
    back = read(SURVEY, continuous(tmp_path / "XP_b.csv", cells))
    assert back.ids.tolist() == [1, 2, 3]
    np.testing.assert_array_equal(back.flux[[0, 2]], whole.flux[[0, 2]])
    below = back.wave < 6350
    assert back.mask[1, below].all()
    red = back.wave > 7000
    assert not back.mask[1, red].any()
    np.testing.assert_allclose(back.flux[1, red], whole.flux[1, red])


def test_continuous_files_without_rows_or_columns_are_refused(tmp_path):
    cells = coefficients()
    for changed, message in (
        ({name: [] for name in cells}, "holds no row"),
        (
            {name: column for name, column in cells.items() if name != "rp_coefficients"},
            "without the column rp_coefficients",
        ),
        ({name: column for name, column in cells.items() if name != "source_id"}, "3 spectra and no column source_id"),
    ):
        with pytest.raises(InputError, match=message):
            read(SURVEY, continuous(tmp_path / "XP_a.csv", changed))


def test_all_forms_of_the_genuine_continuous_file_agree(data, tmp_path):
    pytest.importorskip("gaiaxpy")
    folder = data / "gaia_xp"
    first = read(SURVEY, folder / "XP_CONTINUOUS_RAW.csv")
    packed = tmp_path / "XP_a.csv"
    packed.write_bytes(gzip.compress((folder / "XP_CONTINUOUS_RAW.csv").read_bytes()))
    for path in (
        folder / "XP_CONTINUOUS_RAW.ecsv",
        folder / "XP_CONTINUOUS_RAW.fits",
        folder / "XP_CONTINUOUS_RAW.xml",
        packed,
    ):
        back = read(SURVEY, path)
        assert back.ids.tolist() == first.ids.tolist()
        np.testing.assert_allclose(back.flux, first.flux, rtol=1e-6)
        np.testing.assert_allclose(back.ivar, first.ivar, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("XP_SAMPLED-Gaia DR3 4295806720.csv", 4295806720),
        ("XP_SAMPLED_Gaia_DR3_4295806720.csv.gz", 4295806720),
        ("XP_SAMPLED_RAW_4295806720.csv", 4295806720),
        ("XP_20230412_download.csv", -1),
        ("XP_2MASS J12345678+1234567.csv", -1),
        ("XP_99999999999999999999.csv", -1),
    ],
)
def test_only_the_archives_own_names_hold_an_identifier(tmp_path, name, expected):
    lines = "".join(f"{w:.0f},1e-16,1e-18\n" for w in SAMPLING_NM)
    content = f"wavelength,flux,flux_error\n{lines}".encode()
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    assert read(SURVEY, path).ids.tolist() == [expected]


def test_fluxes_per_frequency_are_converted_and_magnitudes_refused(tmp_path):
    wave = SAMPLING_NM
    flux = 1e-16 * (1 + 0.5 * np.sin(wave / 50))
    plain, jansky, bad = (tmp_path / f"XP_{name}.xml" for name in ("plain", "jansky", "mag"))
    for path, values, unit in ((plain, flux, "W m-2 nm-1"), (jansky, flux * wave**2 * 1e14, "Jy"), (bad, flux, "mag")):
        table = Table({"wavelength": wave, "flux": values, "flux_error": values / 100})
        table["wavelength"].unit, table["flux"].unit, table["flux_error"].unit = "nm", unit, unit
        table.write(path, format="votable")
    one, other = read(SURVEY, plain), read(SURVEY, jansky)
    np.testing.assert_allclose(other.flux / other.flux[0, 0], one.flux / one.flux[0, 0], rtol=1e-6)
    np.testing.assert_allclose(other.flux * np.sqrt(other.ivar), 100, rtol=1e-5)
    with pytest.raises(InputError, match="which is a logarithm; write"):
        read(SURVEY, bad)


def test_a_list_of_another_survey_finds_its_stars_by_their_identifiers(tmp_path):
    """Its column of files is of that survey's spectra."""
    gaia.write_sampled(spectra(), tmp_path / "XP_SAMPLED_RAW-000.fits")
    ids, files = np.array(IDS), np.array(["spec-1.fits", "spec-2.fits"])
    listed = find_star_files(SURVEY, tmp_path, {"id": ids, "file": files})
    assert [path.name for path in listed] == ["XP_SAMPLED_RAW-000.fits"]
    with pytest.raises(InputError, match=r"the first: spec-1.fits"):
        find_star_files(SURVEY, tmp_path, {"file": files})
