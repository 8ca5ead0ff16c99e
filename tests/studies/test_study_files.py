from pathlib import Path

import pytest

from transtar.datasets import prepare, read_set
from transtar.errors import InputError, SettingsError
from transtar.files import content_hash
from transtar.preprocess import Preprocessing
from transtar.studies.load import build_study
from transtar.studies.run import content_of
from transtar.studies.setting_checks import check_settings
from transtar.studies.study_files import check_inputs, locate, selection_folder, set_folder, universe_of
from transtar.surveys import get_survey

from ..made_surveys import made_lamost

SIDE = {"survey": "lamost", "spectra": "universe/lamost/spectra", "labels": "selections/pretraining-feh"}
MOCK = {
    "title": "t", "source": SIDE, "target": SIDE | {"velocities": "selections/pretraining-feh:rv"},
    "models": {"feh": ["feh"], "alphafe": ["alphafe"]}, "simulate": {"scale": "small", "lamost": 100},
    "catalogs": ["universe"], "selections": {"desi-finetuning": {}, "pretraining-feh": {}},
}  # fmt: skip
OUT = Path("out")


def study(**changes):
    return build_study(MOCK | changes, "study")


def test_names_of_the_studys_own_files(tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSTAR_DATA", str(tmp_path))
    (tmp_path / "a:b").mkdir()
    (tmp_path / "real.csv").touch()
    made = study()
    assert locate("universe/lamost/spectra", made, OUT) == "out/universe/lamost/spectra"
    table = locate("selections/pretraining-feh", made, OUT)
    assert table == f"{selection_folder(made, 'pretraining-feh', OUT)}/pretraining-feh.parquet"
    assert locate("selections/pretraining-feh:rv", made, OUT) == f"{table}:rv"
    assert locate("real.csv", made, OUT) == str(tmp_path / "real.csv")
    assert locate("real.csv:RV_ADOP", made, OUT) == f"{tmp_path / 'real.csv'}:RV_ADOP"
    assert locate(str(tmp_path / "real.csv"), made, OUT) == str(tmp_path / "real.csv")
    with pytest.raises(SettingsError, match="no selection 'desi-edr'; selections: desi-finetuning, pretraining-feh"):
        locate("selections/desi-edr", made, OUT)


def test_real_folders_take_the_place_of_mock_ones(tmp_path, monkeypatch):
    """Without `simulate`, universe/ is a folder of the data like any other."""
    monkeypatch.setenv("TRANSTAR_DATA", str(tmp_path))
    real = study(simulate=None)
    with pytest.raises(InputError, match="universe: not found; set TRANSTAR_DATA"):
        check_inputs(real, tmp_path / "out")
    (tmp_path / "universe/lamost/spectra").mkdir(parents=True)
    check_inputs(real, tmp_path / "out")
    with pytest.raises(InputError, match=r"/elsewhere/allStar\.fits: not found"):
        check_inputs(study(catalogs=["apogee-dr17=/elsewhere/allStar.fits"]), tmp_path / "out")


@pytest.mark.parametrize(
    "changes",
    [
        {"simulate": {"scale": "small", "lamost": 101}},
        {"selections": {"desi-finetuning": {"metal_rich": 7}, "pretraining-feh": {}}},
        {"selections": {"desi-finetuning": {}, "pretraining-feh": {"keep_overlap": True}}},
        {"catalogs": ["universe", "more"]},
        {"preprocessing": {"frame": "observed"}},
        {"quality": {"snr": 5}},
        {"quality": {"hot": 6000}},
    ],
)
def test_what_decides_a_set_decides_its_folder(changes):
    before, after = study(), study(**changes)
    assert set_folder(before.target, before, OUT) == set_folder(study().target, study(), OUT)
    assert set_folder(before.target, before, OUT) != set_folder(after.target, after, OUT)


def test_a_selection_depends_on_those_before_it_only():
    before = study()
    after = study(selections={"desi-finetuning": {}, "pretraining-feh": {"keep_overlap": True}})
    folders = [selection_folder(one, "desi-finetuning", OUT) for one in (before, after)]
    assert folders[0] == folders[1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"simulate": {"scale": "huge"}}, "no scale 'huge'"),
        ({"simulate": {"stars": 3}}, "unknown key stars"),
        ({"selections": {"desi-finetuning": {"metal_rish": 3}}}, "unknown key metal_rish"),
        ({"source": SIDE | {"labels": "selections/nothing"}}, "no selection 'nothing'"),
    ],
)
def test_impossible_inputs(changes, message):
    with pytest.raises(SettingsError, match=message):
        check_inputs(study(**changes), OUT)


def test_an_unknown_selection_is_an_error():
    with pytest.raises(InputError, match="no selection 'magic'"):
        check_inputs(study(selections={"magic": {}}), OUT)


def test_settings_of_the_universe():
    made = universe_of(study())
    assert (made.scale.lamost, made.seed) == (100, 0)
    assert universe_of(study(simulate=None)) is None


def test_columns_are_chosen_in_the_study_file(tmp_path):
    chosen = study(target=SIDE | {"columns": {"feh": "FE_H"}})
    assert chosen.target.columns == {"feh": "FE_H"}
    assert set_folder(chosen.target, chosen, OUT) != set_folder(study().target, study(), OUT)
    with pytest.raises(SettingsError, match=r"study: target\.columns: unknown key fhe; known keys: .*feh"):
        study(target=SIDE | {"columns": {"fhe": "FE_H"}})
    with pytest.raises(SettingsError, match=r"target\.columns: must be names and settings"):
        study(target=SIDE | {"columns": ["feh"]})
    with pytest.raises(SettingsError, match=r"target\.columns\.feh: must be text, not 3"):
        study(target=SIDE | {"columns": {"feh": 3}})


def test_thresholds_of_older_study_files_are_put_where_they_belong(caplog):
    older = study(preprocessing={"frame": "rest", "snr": 5}, quality={"good_fraction": 0.7})
    assert older.preprocessing == {"frame": "rest"}
    assert older.quality == {"snr": 5, "good_fraction": 0.7}
    assert "snr of the preprocessing" in caplog.text
    assert "write 'quality: {snr: 5}'" in caplog.text


def test_sets_with_the_usual_thresholds_keep_the_names_that_they_had():
    """Thresholds were settings of the preprocessing; a study is not to prepare its sets again for that."""
    given = {name: value for name, value in SIDE.items()} | {
        "split": None,
        "velocities": None,
        "stars": None,
        "mock": None,
    }
    settings = Preprocessing().to_dict() | {"good_fraction": 0.8, "snr": 10.0}
    real = study(simulate=None, selections={}, catalogs=[], quality={"good_fraction": 0.8})
    assert set_folder(real.source, real, OUT).name == f"lamost-{content_hash([given, {}, settings])}"


def test_impossible_thresholds():
    with pytest.raises(SettingsError, match="good_fraction must be between 0 and 1"):
        check_settings(study(quality={"good_fraction": 8}), "study s")
    with pytest.raises(SettingsError, match="study: quality: must be names and settings"):
        study(quality=[5])


def test_runs_are_done_again_where_thresholds_change_and_only_there(tmp_path):
    """By the thresholds stars are usable or not, although not a bit of the spectra changes."""
    folder = made_lamost(tmp_path / "lamost", n=3)
    given = {"usual": {}, "same": {"snr": 10}, "other": {"good_fraction": 0.9}}
    for name, quality in given.items():
        prepare(get_survey("lamost"), folder / "spectra", tmp_path / name, quality=quality)
    usual, same, other = (content_of(tmp_path / name) for name in given)
    assert usual == same != other
    assert read_set(tmp_path / "usual").hash == read_set(tmp_path / "other").hash
