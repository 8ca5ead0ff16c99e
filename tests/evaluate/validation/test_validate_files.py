"""Files of others: their column names, exact identifiers, positions, and what does not fit."""

import numpy as np
import pytest
from astropy.table import Table

from transtar.errors import InputError, SettingsError
from transtar.evaluate.validation.validate_files import pair_rows, validate_files
from transtar.labels.members import StarPairs
from transtar.tables import Choice

BIG = 2**62 + 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A catalog in the names of another survey, two more of the same stars without identifiers, clusters and pairs."""
    folder = tmp_path_factory.mktemp("tables")
    rng = np.random.default_rng(0)
    star = np.repeat(np.arange(120), 2)
    feh = np.repeat(rng.normal(-0.4, 0.4, 40), 3)
    ra, dec = rng.uniform(10, 50, 120), rng.uniform(-20, 20, 120)
    Table({
        "GAIA_ID": BIG + star, "FE_H": feh[star] + rng.normal(0, 0.05, 240), "E_FE_H": np.full(240, 0.05),
        "SNR": rng.uniform(10, 90, 240), "ra": ra[star], "dec": dec[star],
    }).write(folder / "catalog.fits")  # fmt: skip
    for name, noise in {"one": 0.04, "two": 0.1}.items():
        shift = rng.normal(0, 0.1 / 3600, 120)
        Table({"RAJ2000": ra, "DEJ2000": dec + shift, "[Fe/H]": feh + rng.normal(0, noise, 120)}).write(
            folder / f"{name}.csv"
        )
    Table({"source_id": BIG + np.arange(120), "cluster": np.repeat([f"c{n}" for n in range(40)], 3)}).write(
        folder / "members.csv"
    )
    first = BIG + np.arange(0, 120, 3)
    Table({"source_id1": first, "source_id2": first + 1}).write(folder / "pairs.csv")
    return folder


def choice():
    return Choice.parse(["id=GAIA_ID"])


def test_a_catalog_of_others_is_read_and_joined(folder):
    result = validate_files(
        folder / "catalog.fits",
        clusters=folder / "members.csv",
        pairs=folder / "pairs.csv",
        columns=choice(),
    )
    checks = result.labels["feh"]
    assert list(result.labels) == ["feh"]
    assert checks.repeats["all"].spread.n == 240
    assert {"S/N 20-40", "S/N 40-80"} <= set(checks.repeats)
    assert checks.repeats["all"].pulls.spread.mad == pytest.approx(1, abs=0.3)
    assert len(checks.clusters.each) == 40
    assert len(checks.pairs.differences) == 40
    assert checks.pairs.scatter["all"].spread.mad == pytest.approx(0.05, rel=0.4)


def test_further_catalogs_are_joined_by_position(folder):
    result = validate_files(
        folder / "catalog.fits", second=[folder / "one.csv", folder / "two.csv"], match_radius=1.0, columns=choice()
    )
    noise = result.labels["feh"].noise
    assert noise.n == 120
    assert noise.second.sigma == pytest.approx(0.1, rel=0.4)
    assert any("one.csv by position within 1 arcsec" in note for note in result.notes)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"second": ["one.csv"]}, SettingsError, "--second takes two further catalogs .* not 1"),
        ({"second": ["one.csv", "two.csv"]}, InputError, "one.csv: no column tells which spectrum"),
        (
            {"clusters": "pairs.csv"},
            InputError,
            "pairs.csv: no column cluster; choose one, as with --columns cluster=NAME",
        ),
        ({"pairs": "members.csv"}, InputError, "members.csv: no two columns that tell the stars of a pair"),
        ({"labels": ["teff"]}, InputError, "the catalog has no column 'teff'"),
        ({"bound": ""}, InputError, "does not tell its survey; name the instrument, as with --bound lamost"),
        ({"bound": "hubble"}, InputError, "'hubble' is not one of the instruments"),
        ({"bound": "desi"}, InputError, "the catalog has no teff, logg"),
    ],
)
def test_one_clear_line_for_what_cannot_be(folder, given, error, message):
    paths = {
        name: [folder / one for one in value] if name == "second" else folder / value
        for name, value in given.items()
        if name in ("second", "clusters", "pairs")
    }
    with pytest.raises(error, match=message):
        validate_files(folder / "catalog.fits", columns=choice(), **{**given, **paths})


def test_columns_that_are_nowhere_are_told(folder):
    with pytest.raises(SettingsError, match="cluster=NAME: no such column"):
        validate_files(folder / "catalog.fits", columns=Choice.parse(["id=GAIA_ID", "cluster=NAME"]))


def test_pairs_find_their_rows_by_whatever_tells_them():
    catalog = {"id": np.array([5, 5, 9]), "star": np.array(["J1", "J1", "J2"])}
    first, second = pair_rows(
        catalog, StarPairs("star", np.array(["LAMOST J1", "J3"]), np.array(["J2", "J1"])), "p.csv"
    )
    assert (first.tolist(), second.tolist()) == ([0, -1], [2, 0])
    first, second = pair_rows(catalog, StarPairs("source_id", np.array([5]), np.array([9])), "p.csv")
    assert (first.tolist(), second.tolist()) == ([0], [2])
    with pytest.raises(
        InputError, match=r"p.csv: of none of 1 pairs both stars are in the catalog \(by id: pairs have 6"
    ):
        pair_rows(catalog, StarPairs("id", np.array([6]), np.array([9])), "p.csv")
    with pytest.raises(InputError, match=r"p.csv: tells stars by file, which the catalog has not"):
        pair_rows(catalog, StarPairs("file", np.array(["a"]), np.array(["b"])), "p.csv")
