import json
import warnings
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from transtar.errors import InputError
from transtar.spectra import SpectrumBatch, to_single
from transtar.surveys import get_survey, read
from transtar.surveys.air import air_to_vacuum
from transtar.surveys.generic import read_generic, write_npz

WAVE = np.linspace(4000, 5000, 6)
FLUX = np.arange(6.0) + 1


def lines(separator=",", header="wave,flux,ivar", top="# medium: vacuum\n"):
    rows = [f"{w}{separator}{f}{separator}{2 * f}" for w, f in zip(WAVE, FLUX, strict=True)]
    return "\n".join([top + header.replace(",", separator), *rows]) + "\n"


@pytest.mark.parametrize(
    "text",
    [
        lines(),
        lines(";"),
        lines("\t"),
        lines(" "),
        lines(header="Wavelength,FLUX,IVAR"),
        lines(" ", header="# wave,flux,ivar").replace("# wave", "# wave"),
        "# %ECSV 1.0\n# ---\n# datatype:\n"
        + "".join(f"# - {{name: {name}, datatype: float64}}\n" for name in ("wave", "flux", "ivar"))
        + "# meta: !!omap\n# - {medium: vacuum}\n# schema: astropy-2.0\n"
        + lines(" ", top=""),
        "medium," + lines(top="").replace("\n4", "\nvacuum,4").replace("\n5", "\nvacuum,5"),
        lines().replace("\n", "\r\n"),
    ],
)
def test_text(tmp_path, text):
    path = tmp_path / "star.csv"
    path.write_bytes(text.encode())
    batch = read_generic(path)
    np.testing.assert_allclose(batch.wave, WAVE)
    np.testing.assert_allclose(batch.flux, [FLUX])
    np.testing.assert_allclose(batch.ivar, [2 * FLUX])
    assert (batch.medium, batch.frame, batch.survey) == ("vacuum", "observed", "generic")
    assert batch.ids.tolist() == [-1]
    assert batch.meta["file"].tolist() == ["star.csv"]
    assert np.isnan(batch.meta["velocity"]).all()


def test_text_states_the_rest(tmp_path):
    path = tmp_path / "star.txt"
    top = f"# medium: air\n# frame: rest\n# id: {2**62 + 1}\n# star: HD1\n# class = STAR\n"
    path.write_text(lines(top=top, header="loglam,flux,error").replace("3.0,6.0", "nan,0"))
    with pytest.raises(InputError, match="loglam is not log10"):
        read_generic(path)
    path.write_text(path.read_text().replace("loglam", "wave"))
    batch = read_generic(path)
    np.testing.assert_allclose(batch.wave, air_to_vacuum(WAVE))
    assert (batch.medium, batch.frame, batch.ids[0]) == ("air", "rest", 2**62 + 1)
    assert (batch.meta["star"][0], batch.meta["class"][0], batch.meta["velocity"][0]) == ("HD1", "STAR", 0)
    assert batch.mask.tolist() == [[False, False, True, False, False, False]]
    np.testing.assert_allclose(batch.ivar[0], [1 / 4, 1 / 16, 0, 1 / 64, 1 / 100, 1 / 144])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (lines(top=""), "does not say its medium; give --medium vacuum .*, or add a line '# medium: vacuum'"),
        (lines(top="# medium: water\n"), "medium 'water' is not one of vacuum, air"),
        (lines(top="# medium: vacuum\n# frame: moving\n"), "frame 'moving' is not one of"),
        (lines(header="a,flux,ivar"), r"needs wave \(or loglam\) and flux; columns found: a, flux, ivar"),
        (lines(header="4000,1,2"), "columns have no names"),
        (lines()[:-8], "truncated"),
        (lines().replace("3.0,", "three,"), "column flux: could not convert"),
        ("# medium: vacuum\nwave,flux\n5000,1\n4000,1\n4500,1\n", "not strictly increasing"),
        ("# medium: vacuum\nwave,flux\n400,1\n500,1\n", "not Angstrom"),
        ("# medium: vacuum\nwave,flux\n4000,1\n", "at least two"),
        ("# medium: vacuum\n", "the table has no rows"),
        ("", "empty file"),
    ],
)
def test_bad_text(tmp_path, text, message):
    path = tmp_path / "star.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read(get_survey("generic"), path)
    assert str(path) in str(caught.value)


@settings(max_examples=30, deadline=None)
@given(
    flux=arrays.arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(2, 8))),
    identifier=st.integers(-(2**63), 2**63 - 1),
    has_ivar=st.booleans(),
    frame=st.sampled_from(("observed", "rest")),
    medium=st.sampled_from(("vacuum", "air")),
)
def test_npz_round_trip(tmp_path_factory, flux, identifier, has_ivar, frame, medium):
    n, pixels = flux.shape
    meta = {
        "file": np.array([f"f{i}" for i in range(n)]),
        "velocity": np.arange(n) - 0.5,
        "flux": np.arange(n),
        "Name": np.array([f"n{i}" for i in range(n)], dtype=object),
    }
    batch = SpectrumBatch(
        wave=np.linspace(4000, 5000, pixels),
        flux=flux,
        ivar=np.abs(flux) if has_ivar else None,
        mask=~np.isfinite(flux),
        ids=np.full(n, identifier, dtype=np.int64),
        survey="generic",
        frame=frame,
        medium=medium,
        meta=meta,
        keys=("Name",),
    )
    path = tmp_path_factory.mktemp("npz") / "a.npz"
    write_npz(path, batch)
    back = read_generic(path)
    for name in ("wave", "ids"):
        np.testing.assert_array_equal(getattr(back, name), getattr(batch, name))
    # What single precision cannot hold beside the median of its spectrum is a bad pixel.
    np.testing.assert_array_equal(back.mask, batch.mask | ~np.isfinite(to_single(batch.flux)[0]))
    for ours, expected in zip((back.flux, back.ivar), to_single(batch.flux, batch.ivar), strict=True):
        np.testing.assert_array_equal(ours, expected)
    for name in ("survey", "frame", "medium", "keys"):
        assert getattr(back, name) == getattr(batch, name)
    assert back.meta.keys() == meta.keys()
    for name, column in meta.items():
        np.testing.assert_array_equal(back.meta[name], column.astype(str) if name == "Name" else column)


def test_npz_by_hand(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, wave=WAVE, flux=FLUX, err=2 * FLUX, id=2**62 + 1, velocity=12.0, medium="vacuum")
    batch = read_generic(path)
    assert batch.ids.tolist() == [2**62 + 1]
    assert batch.meta["velocity"].tolist() == [12.0]
    np.testing.assert_allclose(batch.ivar[0], 0.25 / FLUX**2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"wave": WAVE, "flux": FLUX},
            "does not say its medium; give --medium vacuum .*, or save it with medium='vacuum'",
        ),
        ({"wave": WAVE, "flux": FLUX[:3], "medium": "air"}, r"flux has shape \(1, 3\), expected \(1, 6\)"),
        ({"wave": WAVE, "flux": FLUX, "ivar": np.ones((2, 6)), "medium": "air"}, "ivar has shape"),
        ({"wave": WAVE, "flux": FLUX, "id": [1, 2], "medium": "air"}, "id has 2 values for 1 spectra"),
        ({"wave": WAVE, "flux": FLUX, "id": [2.0**62], "medium": "air"}, "floating point"),
        ({"wave": WAVE, "flux": np.array([None] * 6), "medium": "air"}, "flux holds Python objects"),
    ],
)
def test_bad_npz(tmp_path, content, message):
    np.savez(tmp_path / "a.npz", **content)
    with pytest.raises(InputError, match=message):
        read(get_survey("generic"), tmp_path / "a.npz")


def test_two_arrays_of_one_name_in_an_npz_are_refused(tmp_path):
    """numpy takes the last one."""
    np.savez(tmp_path / "a.npz", wave=WAVE, flux=FLUX, medium="air")
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive.writestr("flux.npy", archive.read("wave.npy"))
    with pytest.raises(InputError, match="holds two arrays called flux"):
        read(get_survey("generic"), tmp_path / "a.npz")


@pytest.mark.parametrize("wave_in", ["column", "metadata"])
def test_parquet_with_one_row_per_spectrum(tmp_path, wave_in):
    columns = {
        "flux": pa.array([FLUX, 2 * FLUX], pa.list_(pa.float32())),
        "ivar": pa.array([FLUX, FLUX], pa.list_(pa.float32(), 6)),
        "id": pa.array([2**62 + 1, None]),
        "star": pa.array(["a", None]),
    }
    metadata = {"medium": "vacuum"}
    if wave_in == "column":
        columns["wave"] = pa.array([WAVE, WAVE])
    else:
        metadata["wave"] = json.dumps(WAVE.tolist())
    pq.write_table(pa.table(columns, metadata=metadata), tmp_path / "a.parquet")
    batch = read_generic(tmp_path / "a.parquet")
    np.testing.assert_allclose(batch.wave, WAVE)
    np.testing.assert_allclose(batch.flux, [FLUX, 2 * FLUX])
    np.testing.assert_allclose(batch.ivar, [FLUX, FLUX])
    assert batch.ids.tolist() == [2**62 + 1, -1]
    assert batch.meta["star"].tolist() == ["a", ""]


def test_parquet_with_one_row_per_pixel(tmp_path):
    table = pa.table({"wave": WAVE, "flux": FLUX, "medium": ["air"] * 6, "id": [2**62 + 1] * 6})
    pq.write_table(table, tmp_path / "a.parquet")
    batch = read_generic(tmp_path / "a.parquet")
    np.testing.assert_allclose(batch.wave, air_to_vacuum(WAVE))
    assert (batch.ivar, batch.ids.tolist()) == (None, [2**62 + 1])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"wave": [WAVE, WAVE], "flux": [FLUX, FLUX]}, "add a column or schema metadata 'medium'"),
        ({"wave": [WAVE, WAVE], "flux": [FLUX, FLUX[:3]], "medium": ["air"] * 2}, "differ in length"),
        ({"wave": [WAVE, WAVE], "flux": [FLUX, FLUX], "medium": ["air", "vacuum"]}, "must hold one value"),
    ],
)
def test_bad_parquet(tmp_path, columns, message):
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    with pytest.raises(InputError, match=message):
        read(get_survey("generic"), tmp_path / "a.parquet")


@pytest.mark.parametrize("suffix", ["npz", "parquet"])
def test_truncated(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    if suffix == "npz":
        np.savez(path, wave=WAVE, flux=FLUX, medium="air")
    else:
        pq.write_table(pa.table({"wave": WAVE, "flux": FLUX}), path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"cannot be read as a generic spectrum|damaged or not a parquet file"):
        read(get_survey("generic"), path)
