import json

import pytest

from transtar.encoders import save_encoder
from transtar.errors import InputError, SettingsError
from transtar.models import read_preprocessing
from transtar.preprocess import Preprocessing
from transtar.surveys import get_survey

from ..datasets.test_embed import network
from .examples import small_estimator

LAMOST, XP = get_survey("lamost"), get_survey("gaia-xp")


def test_without_a_file_the_settings_are_those_of_the_survey():
    assert read_preprocessing(None, LAMOST) == (Preprocessing(), {})
    assert read_preprocessing(None, XP)[0].grid == "xp"


def test_thresholds_in_a_file_of_settings_are_those_of_the_run(tmp_path, caplog):
    (tmp_path / "s.yaml").write_text("degree: 4\nsnr: 5\n")
    assert read_preprocessing(tmp_path / "s.yaml", LAMOST) == (Preprocessing(degree=4), {"snr": 5})
    assert "s.yaml: snr: thresholds of a run, which belong to it now: --quality snr=5" in caplog.text
    (tmp_path / "s.json").write_text(json.dumps({"preprocessing": {"degree": 3}}))
    assert read_preprocessing(tmp_path / "s.json", LAMOST) == (Preprocessing(degree=3), {})


def test_the_settings_of_a_model(tmp_path):
    small_estimator(preprocessing=Preprocessing(frame="observed")).save(tmp_path / "with")
    assert read_preprocessing(tmp_path / "with", LAMOST) == (Preprocessing(frame="observed"), {})
    small_estimator().save(tmp_path / "without")
    with pytest.raises(InputError, match="without: has no preprocessing"):
        read_preprocessing(tmp_path / "without", LAMOST)


def test_what_is_no_file_of_settings(tmp_path):
    with pytest.raises(InputError, match="no such file of settings"):
        read_preprocessing(tmp_path / "none.yaml", LAMOST)
    (tmp_path / "s.yaml").write_text("- 3\n")
    with pytest.raises(InputError, match="holds no settings"):
        read_preprocessing(tmp_path / "s.yaml", LAMOST)
    (tmp_path / "s.yaml").write_text("degre: 3\n")
    with pytest.raises(SettingsError, match=r"s\.yaml: preprocessing: unknown key degre"):
        read_preprocessing(tmp_path / "s.yaml", LAMOST)
    (tmp_path / "s.yaml").write_text("snr: low\n")
    with pytest.raises(SettingsError, match=r"s\.yaml: quality: snr must be a number, not 'low'"):
        read_preprocessing(tmp_path / "s.yaml", LAMOST)


def test_settings_of_an_encoder(tmp_path):
    settings = Preprocessing(frame="observed")
    save_encoder(network(preprocessing=settings), tmp_path / "through")
    assert read_preprocessing(tmp_path / "through", LAMOST) == (settings, {})
    (tmp_path / "through" / "config.json").write_text('{"format": "transtar-encoder", "preprocessing": {}}')
    with pytest.raises(InputError):
        read_preprocessing(tmp_path / "through", LAMOST)
