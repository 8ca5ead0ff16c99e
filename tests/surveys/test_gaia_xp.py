import gzip
import sys

import numpy as np
import pytest

from transtar.errors import InputError, TranstarError
from transtar.simulate.native import gaia
from transtar.surveys import find_files, get_survey, read
from transtar.surveys.gaia_xp import SAMPLING_NM

from ..simulate import made_samples as made

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
    paths = gaia.write_individual(batch, tmp_path)
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

    (path, _) = gaia.write_individual(spectra(), tmp_path)
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
