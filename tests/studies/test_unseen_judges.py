"""Encoders that have seen stars which a study judges on, in spectra of another survey."""

import csv

import numpy as np
import pytest

from transtar.datasets import prepare, read_set
from transtar.encoders import Encoder
from transtar.errors import InputError
from transtar.studies import unseen_judges
from transtar.studies.load import build_study
from transtar.studies.unseen_judges import refuse_judges

from ..encoders.aligned import tiny_encoders
from ..made_surveys import FIRST_ID, made_lamost, made_miles, write_csv
from .test_embeddings import STUDY

GAIA_ID = 10**18
N_LAMOST, N_MILES = 6, 12


def with_gaia(path, first, known):
    """Give the rows of a table Gaia identifiers, some of them."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    write_csv(path, [row | {"gaia_source_id": first + n if n in known else ""} for n, row in enumerate(rows)])


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("judges")
    made_lamost(folder / "lamost", n=N_LAMOST)
    made_miles(folder / "miles", n=N_MILES)
    for name in ("lamost", "miles"):
        split = folder / "miles/split.csv" if name == "miles" else None
        labels = folder / name / "labels.csv"
        prepare(name, folder / name / "spectra", folder / f"{name}-set", labels=labels, split=split)
    return folder


@pytest.fixture
def judge(sets, tmp_path, monkeypatch):
    """Ask whether an encoder that has seen all LAMOST stars may be taken, of which some are the first of MILES."""

    def ask(known=range(99), seen=None, first=GAIA_ID, **changes):
        monkeypatch.setenv("TRANSTAR_DATA", str(tmp_path))
        for name, start, n in (("lamost", first, N_LAMOST), ("miles", GAIA_ID, N_MILES)):
            (tmp_path / name).mkdir(exist_ok=True)
            for table in ("labels.csv", "split.csv"):
                if (sets / name / table).exists():
                    (tmp_path / name / table).write_bytes((sets / name / table).read_bytes())
            if known is not None:
                with_gaia(tmp_path / name / "labels.csv", start, known if name == "lamost" else range(n))
        columns = read_set(sets / "lamost-set").columns
        seen = seen if seen is not None else {name: columns[name] for name in ("survey", "id", "file", "star")}
        encoder, _ = tiny_encoders()
        kept = {"flux_mean": encoder.flux_mean, "flux_std": encoder.flux_std, "preprocessing": encoder.preprocessing}
        encoder = Encoder("embed", encoder.network, **kept, trained_on=seen)
        said = []
        study = build_study(STUDY | changes, "study")
        refuse_judges(encoder, "embed", study, sets / "lamost-set", sets / "miles-set", tmp_path, said.append)
        return said

    return ask


def test_a_spectrum_of_another_survey_is_refused_by_gaias_identifier(judge):
    # Every third star of MILES is judged on, the third and sixth of which are in LAMOST.
    message = r"encoders.embed: has seen 2 of the 4 stars of miles .* in lamost spectra; let a table 'stars'"
    with pytest.raises(InputError, match=message):
        judge()
    assert judge(first=GAIA_ID + 10**6) == []


def test_a_table_beside_the_labels_says_it_as_well(judge, tmp_path):
    rows = [{"obsid": FIRST_ID + n, "gaia_source_id": GAIA_ID + n} for n in range(N_LAMOST)]
    write_csv(tmp_path / "gaia.csv", rows)
    encoders = {"embed": {"kind": "masked"}, "embed-align": {"kind": "aligned", "pairs": "gaia.csv"}}
    with pytest.raises(InputError, match=r"has seen 2 of the 4 stars of miles .* in lamost spectra"):
        judge(known=(), encoders=encoders)


def test_what_is_not_known_is_said(judge):
    (line,) = judge(known=None)
    assert "encoders.embed: whether it has seen lamost spectra of stars that are judged on is not known: " in line
    assert "no column of Gaia's identifiers" in line
    (line,) = judge(known=(0, 1))
    assert "0 of 4 judged on have none, and 4 of 6 that it has seen" in line


def test_mock_stars_and_an_unknown_survey(judge):
    assert judge(seen={}) == []
    seen = {"survey": np.array(["sdss"]), "id": np.array([7]), "file": np.array(["a"]), "star": np.array([""])}
    (line,) = judge(seen=seen)
    assert "whether it has seen sdss spectra" in line
    assert line.endswith("no table that the study names has identifiers of Gaia for them")


def test_of_a_matched_split_stars_in_both_surveys_are_no_judges(judge, monkeypatch):
    with pytest.raises(InputError, match="in lamost spectra"):
        judge(split="matched")
    in_lamost = np.arange(N_MILES) < N_LAMOST
    monkeypatch.setattr(unseen_judges, "in_both_surveys", lambda target, source: in_lamost)
    assert judge(split="matched") == []
