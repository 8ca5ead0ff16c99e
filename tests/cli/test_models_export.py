"""A model from its maker to a stranger: exported with scores, imported, the same to the bit; and folders that are refused."""

import json
import os
import re
import shutil

import numpy as np
import pytest
import yaml

from transtar.catalog import read_columns
from transtar.models import load_estimator

from ..models.stored import same_model

pytestmark = pytest.mark.usefixtures("unquestioned")


@pytest.fixture
def catalog(world, transtar, tmp_path):
    """A catalog of the target by the model of the source."""
    (tmp_path / "made").mkdir()
    done = transtar("predict", "--model", world.model, "--data", world.target, "--out", tmp_path / "made" / "c.parquet")
    assert done.code == 0, done.err
    return tmp_path / "made" / "c.parquet"


@pytest.fixture(autouse=True)
def _store(tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSTAR_MODELS", str(tmp_path / "store"))


def front_matter(folder) -> dict:
    return yaml.safe_load((folder / "README.md").read_text().split("---\n")[1])


def test_there_and_back_a_model_is_the_same_to_the_bit(world, transtar, catalog, tmp_path):
    shared = tmp_path / "shared"
    done = transtar(
        "models", "export", world.model, "--scores", catalog, world.miles / "labels.csv", "--license", "mit",
        "--terms", "lamost=labels that a test made", "--out", shared,
    )  # fmt: skip
    assert done.code == 0, done.err
    first, second = done.err.strip().splitlines()
    assert first == f"{shared}: a copy of {world.model} that needs nothing else"
    assert re.search(r"feh, .* against labels.csv: R2 -?[\d.]+, sigma [\d.]+, \d+ rows scored, \d+ left out$", second)
    # As it comes from a hub: without hidden files of ours, with one of the hub's, under another name.
    (shared / ".transtar.json").unlink()
    (shared / ".gitattributes").write_text("*.safetensors filter=lfs\n")
    shutil.copytree(shared, tmp_path / "from-a-hub")
    assert transtar("models", "import", tmp_path / "from-a-hub", "--name", "theirs").code == 0
    mine, theirs = load_estimator(world.model), load_estimator("theirs")
    assert same_model(mine, theirs)
    assert len(mine.trained_on["id"]) == len(theirs.trained_on["id"]) == 40
    again = tmp_path / "again.parquet"
    assert transtar("predict", "--model", "theirs", "--data", world.target, "--out", again).code == 0
    one, other = read_columns(catalog), read_columns(again)
    assert set(one) == set(other)
    for name, column in one.items():
        np.testing.assert_array_equal(column, other[name], err_msg=name)
    assert np.isfinite(one["feh"]).any()
    # Stars of its training are told as such, from the list that came with it.
    seen = tmp_path / "seen.parquet"
    assert transtar("predict", "--model", "theirs", "--data", world.source, "--out", seen).code == 0
    assert (read_columns(seen)["flags"] & 1 << 8 != 0).all()
    card = transtar("models", "show", "theirs").out
    assert "| lamost | labels that a test made |" in card
    # Scores on the card are those that evaluate prints.
    assert (
        transtar("evaluate", "--catalog", catalog, "--labels", world.miles / "labels.csv", "--out", tmp_path / "e").code
        == 0
    )
    expected = json.loads((tmp_path / "e" / "metrics.json").read_text())["feh"]
    results = front_matter(tmp_path / "from-a-hub")["model-index"][0]["results"]
    assert {result["dataset"]["config"] for result in results} == {
        f"feh, {name}" for name in expected if expected[name]["n"]
    }
    for result in results:
        row = expected[result["dataset"]["config"].removeprefix("feh, ")]
        for metric in result["metrics"]:
            assert metric["value"] == pytest.approx(row[metric["type"]], rel=1e-5)


def test_a_catalog_of_another_model_gives_no_scores(world, transtar, fails, catalog, tmp_path):
    out, labels = tmp_path / "out", world.miles / "labels.csv"
    line = fails("models", "export", "mock-feh", "--scores", catalog, labels, "--out", out)
    assert "was made by" in line
    assert "not by this model" in line
    plain = tmp_path / "c.csv"
    assert transtar("predict", "--model", world.model, "--data", world.target, "--out", plain).code == 0
    assert "does not say which model made it" in fails(
        "models", "export", world.model, "--scores", plain, labels, "--out", out
    )
    other = tmp_path / "other"
    done = transtar("pretrain", "--data", world.source, "--label", "feh", "--epochs", 1, "--seed", 5, "--out", other)
    assert done.code == 0, done.err
    both = tmp_path / "both.parquet"
    assert transtar("predict", "--model", world.model, other, "--data", world.target, "--out", both).code == 0
    assert "the mean of several models" in fails("models", "export", other, "--scores", both, labels, "--out", out)
    (tmp_path / "teff.csv").write_text((labels).read_text().replace("feh", "feh_of_nobody", 1))
    empty = tmp_path / "empty.csv"
    empty.write_text("file,feh\nnobody.fits,0.0\n")
    assert "no spectrum matches any row of the table" in fails(
        "models", "export", world.model, "--scores", catalog, empty, "--out", out
    )
    assert "has none of the labels" in fails(
        "models", "export", world.model, "--scores", catalog, tmp_path / "teff.csv", "--out", out
    )
    assert not out.exists()


def test_what_is_not_said_is_told(world, transtar, tmp_path):
    done = transtar("models", "export", world.model, "--out", tmp_path / "out")
    assert done.code == 0
    _, scores, licence = done.err.strip().splitlines()
    assert "--scores CATALOG LABELS measures them" in scores
    assert "--license ID" in licence
    shipped = transtar("models", "export", "mock-feh", "--out", tmp_path / "mock")
    assert "licence" not in shipped.err
    assert front_matter(tmp_path / "mock")["license"] == "bsd-3-clause"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("import", "m", "--license", "mit"), "--license is for models export"),
        (("show", "m", "--terms", "a=b"), "--terms is for models export"),
        (("path", "m", "--scores", "a", "b"), "--scores is for models export"),
        (("export", "mock-feh", "--columns", "feh=x", "--out", "o"), "--columns is for the tables of --scores"),
        (("export", "mock-feh", "--terms", "lamost", "--out", "o"), "--terms takes SURVEY=TEXT, not 'lamost'"),
        (("export", "mock-feh", "--terms", "desi=x", "--out", "o"), "it learnt from mock, lamost alone"),
        (("export", "mock-feh", "--license", "My Own!", "--out", "o"), "no identifier of a licence"),
        (("export", "mock-feh", "--license", "", "--out", "o"), "it is empty"),
    ],
)
def test_wrong_use(fails, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    assert says in fails("models", *arguments, code=2)
    assert [path.name for path in tmp_path.iterdir() if path.name in ("o", "out")] == []


def cut(path):
    path.write_bytes(path.read_bytes()[:-9])


def change(path):
    path.write_text(path.read_text().replace('"mean"', '"meen"', 1))


def point_elsewhere(path):
    path.unlink()
    path.symlink_to("/etc/passwd")


def pipe(path):
    path.unlink()
    os.mkfifo(path)


def lfs(path):
    path.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 4165890\n")


@pytest.mark.parametrize(
    ("name", "harm", "says"),
    [
        ("model.safetensors", cut, "model.safetensors"),
        ("model.safetensors", lfs, "model.safetensors"),
        ("config.json", change, "damaged, or changed by hand"),
        ("config.json", cut, "config.json"),
        ("trained_on.parquet", cut, "its checksum is not the one noted"),
        ("trained_on.parquet", lambda path: path.unlink(), "trained_on.parquet is missing"),
        ("README.md", point_elsewhere, "only regular files are imported"),
        ("README.md", pipe, "only regular files are imported"),
        ("model.safetensors", pipe, "model.safetensors"),
        ("config.json", point_elsewhere, "only regular files are imported"),
    ],
)
def test_a_damaged_or_hostile_folder_is_refused_in_one_line(world, transtar, fails, tmp_path, name, harm, says):
    assert transtar("models", "export", world.model, "--out", tmp_path / "shared").code == 0
    harm(tmp_path / "shared" / name)
    line = fails("models", "import", tmp_path / "shared", "--name", "theirs")
    assert says in line
    assert str(tmp_path / "shared") in line
    assert not (tmp_path / "store" / "theirs").exists()
