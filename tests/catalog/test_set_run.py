import csv
import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from transtar.catalog import merge_shards, predict_large_set, predict_set, read_columns, read_metadata, set_run
from transtar.cli import main
from transtar.datasets import prepare
from transtar.errors import InputError, MismatchError, SettingsError
from transtar.flags import Flag, has
from transtar.models import export_model
from transtar.preprocess import Preprocessing
from transtar.shards import Part

from ..made_surveys import made_lamost
from .test_survey_run import assert_like

MODELS = ("mock-feh", "mock-teff")

pytestmark = pytest.mark.usefixtures("unquestioned")


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Shards of three spectra."""
    monkeypatch.setattr(set_run, "EACH", 3)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A set of eight spectra, the last of the star of the first."""
    folder = made_lamost(tmp_path_factory.mktemp("lamost"), n=7)
    shutil.copy(folder / "spectra" / "spec-000.fits", folder / "spectra" / "spec-900.fits")
    prepare("lamost", folder / "spectra", folder / "set", batch_size=4)
    return folder / "set"


def test_shards_merged_are_the_catalog(prepared, tmp_path):
    seen = []
    out = tmp_path / "run"
    result = predict_large_set(MODELS, prepared, out, workers=1, progress=lambda *told: seen.append(told))
    assert (result.n_shards, result.n_done, result.n_spectra, result.n_new) == (3, 3, 8, 8)
    assert seen == [(0, 0, 3), (3, 1, 3), (6, 2, 3), (8, 3, 3)]
    with (out / "status.csv").open() as file:
        assert [(row["state"], row["n"]) for row in csv.DictReader(file)] == [
            ("done", "3"),
            ("done", "3"),
            ("done", "2"),
        ]
    merged = merge_shards(out, tmp_path / "c.parquet")
    assert (merged.n, merged.n_shards) == (8, 3)
    whole = predict_set(MODELS, prepared)
    assert_like(read_columns(tmp_path / "c.parquet"), whole.columns)
    assert has(whole.columns["flags"], Flag.DUPLICATE).tolist() == [True, *[False] * 6, True]
    assert merged.flags == whole.flags == result.flags | {"DUPLICATE": 2}
    about = read_metadata(tmp_path / "c.parquet")["run"]
    assert about["n_files"] == 1
    assert about["set"]["flux_sha256"] == json.loads((prepared / "set.json").read_text())["flux_sha256"]


def test_parts_kills_and_executors_make_the_same_shards(prepared, tmp_path):
    predict_large_set("mock-feh", prepared, tmp_path / "whole", workers=1)

    class StopError(BaseException):
        pass

    def stop(spectra, done, n):
        if done:
            raise StopError

    with pytest.raises(StopError):
        predict_large_set("mock-feh", prepared, tmp_path / "run", part=Part(1, 2), workers=1, progress=stop)
    with ThreadPoolExecutor(2) as executor:
        first = predict_large_set("mock-feh", prepared, tmp_path / "run", part=Part(1, 2), executor=executor, workers=2)
    assert (first.n_done, first.n_new) == (2, 2)
    assert predict_large_set("mock-feh", prepared, tmp_path / "run", part=Part(2, 2), workers=1).n_done == 3
    for name in ("000000", "000001", "000002"):
        shard = f"shards/{name}.parquet"
        assert (tmp_path / "run" / shard).read_bytes() == (tmp_path / "whole" / shard).read_bytes()
    assert predict_large_set("mock-feh", prepared, tmp_path / "run", workers=1).n_new == 0


def test_thresholds_are_set_anew(prepared, tmp_path):
    result = predict_large_set("mock-feh", prepared, tmp_path / "run", quality={"snr": 1e6}, workers=1)
    assert result.flags["LOW_SNR"] == 8
    assert "LOW_SNR" not in predict_set("mock-feh", prepared).flags


def test_what_is_another_run_is_refused(prepared, tmp_path):
    with pytest.raises(InputError, match=r"is not a prepared set"):
        predict_large_set("mock-feh", tmp_path, tmp_path / "run", workers=1)
    with pytest.raises(SettingsError, match="workers"):
        predict_large_set("mock-feh", prepared, tmp_path / "run", workers=0)
    predict_large_set("mock-feh", prepared, tmp_path / "run", part=Part(1, 2), workers=1)
    with pytest.raises(MismatchError, match=r"other settings: quality.snr"):
        predict_large_set("mock-feh", prepared, tmp_path / "run", quality={"snr": 99}, workers=1)
    other = made_lamost(tmp_path / "other", n=8, seed=5)
    prepare("lamost", other / "spectra", other / "set")
    with pytest.raises(MismatchError, match=r"other settings: set.flux_sha256"):
        predict_large_set("mock-feh", other / "set", tmp_path / "run", workers=1)
    prepare("lamost", other / "spectra", other / "observed", Preprocessing(frame="observed"))
    with pytest.raises(MismatchError, match="frame"):
        predict_large_set("mock-feh", other / "observed", tmp_path / "new", workers=1)
    assert not (tmp_path / "new").exists()


def test_what_is_replaced_in_mid_run_ends_it(prepared, tmp_path):
    export_model("mock-feh", tmp_path / "model")
    shutil.copytree(prepared, tmp_path / "set")

    def replace(spectra, done, n):
        if done == 1:
            content = bytearray((tmp_path / "set/spectra.parquet").read_bytes())
            content[-20] ^= 1
            (tmp_path / "set/spectra.parquet").write_bytes(content)

    with pytest.raises(InputError, match=r"spectra.parquet: damaged, or of another set"):
        predict_large_set(tmp_path / "model", tmp_path / "set", tmp_path / "run", workers=1, progress=replace)
    assert len(list((tmp_path / "run/shards").glob("*.parquet"))) == 1


def test_on_the_command_line(prepared, tmp_path, capsys):
    given = [
        "predict",
        "--model",
        "mock-feh",
        "--data",
        str(prepared),
        "--out",
        str(tmp_path / "run"),
        "--workers",
        "1",
    ]
    assert main([*given, "--hash", "full"]) == 2
    assert "--hash is for native spectra" in capsys.readouterr().err
    assert main([*given, "--part", "1/2"]) == 0
    assert "2 of 3 shards, 5 rows" in capsys.readouterr().out
    assert main(given) == 0
    assert f"transtar merge {tmp_path / 'run'}" in capsys.readouterr().out
    assert main(["merge", str(tmp_path / "run"), "--out", str(tmp_path / "c.fits")]) == 0
    assert len(read_columns(tmp_path / "c.fits")["feh"]) == 8
    assert "begins: 1 shards to make, 1 workers" in (tmp_path / "run/log.txt").read_text()
