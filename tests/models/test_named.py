import os

import pytest

from transtar.cli import main
from transtar.errors import InputError
from transtar.models import find_model, import_model, load_estimator, named_models
from transtar.models.named import SHIPPED, store_folder
from transtar.preprocess import Preprocessing

from .examples import small_estimator


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSTAR_MODELS", str(tmp_path / "store"))
    return tmp_path / "store"


@pytest.fixture
def model(tmp_path):
    small_estimator().save(tmp_path / "mine")
    return tmp_path / "mine"


def test_an_imported_model_goes_by_its_name(store, model):
    assert import_model(model, "sun") == store / "sun"
    assert named_models()["sun"] == store / "sun"
    assert find_model("sun") == store / "sun"
    one, other = load_estimator("sun"), load_estimator(model)
    assert one.label_names == other.label_names
    assert sorted(path.name for path in store.iterdir()) == ["sun"]
    import_model("sun", "moon")
    assert {"sun", "moon"} <= set(named_models())


def test_a_folder_comes_before_a_name(store, model, monkeypatch):
    import_model(model, "mine")
    monkeypatch.chdir(model.parent)
    assert find_model("mine").resolve() == model


def test_what_cannot_be_imported(store, model, tmp_path):
    with pytest.raises(InputError, match="cannot name a model"):
        import_model(model, "../up")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="not a complete model"):
        import_model(tmp_path / "empty", "x")
    import_model(model, "sun")
    with pytest.raises(InputError, match=r"nowhere: no such model folder; models by name: .*sun"):
        find_model("nowhere")


def test_only_regular_files_of_a_model_are_imported(store, model, tmp_path):
    (model / "huge.bin").write_bytes(b"x")
    os.mkfifo(model / "pipe")
    (tmp_path / "secret").write_text("key")
    (model / "link").symlink_to(tmp_path / "secret")
    import_model(model, "sun")
    known = {".transtar.json", "README.md", "config.json", "model.safetensors", "trained_on.parquet"}
    assert {path.name for path in (store / "sun").iterdir()} == known
    (model / "README.md").unlink()
    (model / "README.md").symlink_to(tmp_path / "secret")
    with pytest.raises(InputError, match=r"README\.md: is a link; only regular files are imported"):
        import_model(model, "moon")
    (model / "README.md").unlink()
    os.mkfifo(model / "README.md")
    with pytest.raises(InputError, match="is a folder, pipe or device"):
        import_model(model, "moon")
    with pytest.raises(InputError, match="is read and cannot be written over"):
        import_model("sun", "sun")
    assert sorted(path.name for path in store.iterdir()) == ["sun"]


def test_one_broken_model_does_not_end_the_list(store, model, capsys):
    import_model(model, "sun")
    (store / "aaa").mkdir()
    (store / "aaa/config.json").write_text("{")
    assert main(["models", "list"]) == 0
    captured = capsys.readouterr()
    assert "sun " in captured.out
    assert captured.err.startswith("aaa: cannot be used: ")
    assert len(captured.err.splitlines()) == 1


def test_the_store_without_the_variable(monkeypatch, tmp_path):
    monkeypatch.delenv("TRANSTAR_MODELS", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert store_folder() == tmp_path / "transtar" / "models"


@pytest.mark.parametrize("name", sorted(path.parent.name for path in SHIPPED.glob("*/config.json")))
def test_shipped_models(name, caplog):
    """They are small, say what they predict, and have seen mock stars alone."""
    model = load_estimator(name)
    assert f"mock-{model.label_names[0]}" == name
    assert model.surveys == ("mock",)
    assert sum(path.stat().st_size for path in find_model(name).iterdir()) < 4.2e6
    assert model.preprocessing == Preprocessing()
    assert not caplog.text, "their checksums are there"


def test_an_encoder_is_no_model():
    with pytest.raises(InputError, match=r"^through: is an encoder, no model; transtar embed --model through"):
        find_model("through")
