import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from transtar.errors import InputError, SettingsError
from transtar.surveys import Stated, get_survey, read, stream
from transtar.surveys.generic import read_generic
from transtar.surveys.generic_names import assign, role

WAVE = np.linspace(4000, 5000, 6)
FLUX = np.arange(6.0) + 1


@pytest.mark.parametrize("wrong", [{"medium": "water"}, {"frame": "moving"}, {"unit": "km/s"}, {"unit": "none"}])
def test_what_cannot_be_said(wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(SettingsError, match=f"{name} '{value}' is not .*(A, nm|vacuum|rest)"):
        Stated(**wrong)


def test_surveys_that_know_it_are_not_told():
    lamost, generic = get_survey("lamost"), get_survey("generic")
    assert lamost.stating(None) is lamost.stating(Stated()) is lamost
    assert lamost.stating(Stated(columns={"id": "obsid"})) is lamost
    with pytest.raises(SettingsError, match="lamost files state their medium themselves; leave medium 'air' out"):
        lamost.stating(Stated(medium="air"))
    assert generic.stating(Stated(medium="air")).name == "generic"
    assert (lamost.columns_of_spectra, "flux" in generic.columns_of_spectra) == ((), True)


def test_what_is_said_is_applied_and_never_overrides(tmp_path):
    np.savez(tmp_path / "a.npz", wave=WAVE / 10, flux=FLUX)
    generic = get_survey("generic")
    batch = read(generic.stating(Stated(medium="air", frame="rest", unit="nm")), tmp_path / "a.npz")
    assert (batch.medium, batch.frame, batch.meta["velocity"].tolist()) == ("air", "rest", [0])
    with pytest.raises(InputError, match="does not say its medium; give --medium vacuum"):
        read(generic.stating(Stated(unit="nm")), tmp_path / "a.npz")
    with pytest.raises(InputError, match="no unit is stated; give --unit nm"):
        read(generic.stating(Stated(medium="air")), tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", wave=WAVE / 10, flux=FLUX, medium="vacuum", unit="nm", frame="rest")
    for said, message in (
        (Stated(medium="air"), r"b\.npz: medium is vacuum by MEDIUM of the array medium, not air as --medium says"),
        (Stated(frame="observed"), r"b\.npz: frame is rest by FRAME of the array frame, not observed as --frame says"),
        (Stated(unit="um"), r"b\.npz: column wave: in 'nm' by UNIT of the array unit, in 'um' by --unit"),
    ):
        with pytest.raises(InputError, match=message):
            read(generic.stating(said), tmp_path / "b.npz")


@pytest.mark.parametrize("form", ["npz", "parquet"])
def test_many_stars_with_wavelengths_of_their_own(tmp_path, form):
    waves, fluxes = np.array([WAVE, WAVE + 1, WAVE]), np.array([FLUX, 2 * FLUX, 3 * FLUX])
    if form == "npz":
        np.savez(tmp_path / "a.npz", wavelength=waves, flux=fluxes, id=[1, 2, 3], medium="vacuum")
    else:
        table = pa.table(
            {"wavelength": list(waves), "flux": list(fluxes), "id": [1, 2, 3]}, metadata={"medium": "vacuum"}
        )
        pq.write_table(table, tmp_path / "a.parquet")
    batches = list(stream(get_survey("generic"), tmp_path))
    assert [batch.ids.tolist() for batch in batches] == [[1, 3], [2]]
    np.testing.assert_allclose(batches[0].flux, fluxes[[0, 2]])
    np.testing.assert_allclose(batches[1].wave, WAVE + 1)


def test_lists_of_other_lengths(tmp_path):
    pairs = [(WAVE, FLUX), (WAVE[:4], FLUX[:4]), (WAVE, FLUX)]
    lists = {"wave": [wave for wave, _ in pairs], "flux": [flux for _, flux in pairs], "id": [1, 2, 3]}
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table(lists), path)
    batches = read_generic(path, Stated(medium="vacuum"))
    assert [(len(batch.wave), batch.ids.tolist()) for batch in batches] == [(6, [1, 3]), (4, [2])]
    for changed, message in (
        ({"flux": [FLUX, FLUX, FLUX]}, "the lists in row 2 differ in length: wave has 4 values, flux 6"),
        ({"flux": pa.array([None] * 3, pa.list_(pa.float64()))}, "no row has a list of values in each of wave, flux"),
        ({"flux": [1.0, 2.0, 3.0]}, "column flux must hold lists"),
        ({"flux": [["a"] * 6, ["a"] * 4, ["a"] * 6]}, "column flux holds lists of .*string.*, not of numbers"),
    ):
        pq.write_table(pa.table({**lists, **changed}), path)
        with pytest.raises(InputError, match=message):
            read_generic(path, Stated(medium="vacuum"))


def test_rows_without_values_are_left_out(tmp_path):
    table = pa.table({"wave": [WAVE, WAVE, None], "flux": [FLUX, None, None], "id": [1, 2, 3]})
    pq.write_table(table, tmp_path / "a.parquet")
    batch = read_generic(tmp_path / "a.parquet", Stated(medium="vacuum"))
    assert (batch.ids.tolist(), batch.left_out) == ([1], {"no values": 2})


def test_keys_of_npz_in_any_case(tmp_path):
    np.savez(tmp_path / "a.npz", WAVE=WAVE / 10, Flux=FLUX, MEDIUM="air", Frame="rest", UNIT="nm")
    batch = read_generic(tmp_path / "a.npz")
    assert (batch.medium, batch.frame, len(batch)) == ("air", "rest", 1)
    with pytest.raises(InputError, match="medium is air by MEDIUM of the array MEDIUM, not vacuum"):
        read_generic(tmp_path / "a.npz", Stated(medium="vacuum"))
    np.savez(tmp_path / "b.npz", wave=WAVE, flux=FLUX, MEDIUM="air", medium="vacuum")
    with pytest.raises(InputError, match=r"medium is .* by MEDIUM of the array"):
        read_generic(tmp_path / "b.npz")


def test_archives_of_other_things(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.csv.zip", "w") as archive:
        archive.writestr("a.csv", "wave,flux\n4000,1\n")
    with pytest.raises(InputError, match="it seems to be a zip archive or an Excel workbook; unpack it"):
        read_generic(tmp_path / "a.csv.zip", Stated(medium="vacuum"))


def test_nulls_in_lists_are_masked_pixels(tmp_path):
    pq.write_table(pa.table({"wave": [WAVE], "flux": [[1.0, None, 3.0, 4.0, 5.0, 6.0]]}), tmp_path / "a.parquet")
    batch = read_generic(tmp_path / "a.parquet", Stated(medium="vacuum"))
    assert batch.mask[0].tolist() == [False, True, False, False, False, False]


def test_units_of_parquet(tmp_path):
    fields = [pa.field("wave", pa.float64(), metadata={"unit": "nm"}), pa.field("flux", pa.float64())]
    pq.write_table(pa.table([WAVE / 10, FLUX], schema=pa.schema(fields)), tmp_path / "a.parquet")
    np.testing.assert_allclose(read_generic(tmp_path / "a.parquet", Stated(medium="vacuum")).wave, WAVE)
    pq.write_table(
        pa.table({"wave": WAVE / 10, "flux": FLUX}, metadata={"unit": "nm", "medium": "air"}), tmp_path / "b.parquet"
    )
    assert read_generic(tmp_path / "b.parquet").medium == "air"


def test_an_npz_that_claims_too_much_is_refused(tmp_path):
    import io
    import zipfile

    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**15,)})
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("flux.npy", header.getvalue() + b"\0" * 80)
    with pytest.raises(InputError, match="flux claims 8000000000000000 bytes and has 80"):
        read(get_survey("generic"), tmp_path / "a.npz")


def test_fortran_order_and_other_bytes(tmp_path):
    flux = np.asfortranarray(np.array([FLUX, 2 * FLUX]).astype(">f4"))
    np.savez(tmp_path / "a.npz", wave=WAVE.astype(">f8"), flux=flux, medium="vacuum")
    np.testing.assert_array_equal(read_generic(tmp_path / "a.npz").flux, [FLUX, 2 * FLUX])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Wavelength (nm)", "wave"),
        ("WAVE_AIR", "wave"),
        ("lambda_A", "wave"),
        ("log wave", "loglam"),
        ("FLUX-ERR", "error"),
        ("INVVAR", "ivar"),
        ("flux#2", "flux"),
        ("BestFit", None),
        ("SkyFlux", None),
        ("sky", None),
        ("model", None),
        ("wave_err", None),
    ],
)
def test_names(name, expected):
    assert role(name) == expected


def test_the_user_settles_what_names_do_not():
    names = ["wave", "wavelength", "flux", "ivar", "sigma"]
    with pytest.raises(InputError, match="wave and wavelength could each be wave"):
        assign(names, "a.csv")
    found = assign(names, "a.csv", {"wave": "wavelength", "error": "sigma"})
    assert found == {"wave": "wavelength", "error": "sigma", "flux": "flux"}
