"""Public checkpoints by `transtar models import`, and embeddings by what comes of them."""

import json

import numpy as np
import pytest

from transtar.datasets import read_set
from transtar.encoders import load_encoder

from ..encoders.public_standins import (
    LRS_SETTINGS,
    aligned_lrs,
    alignment_shapes,
    draw,
    lrs_shapes,
    lrs_tokens,
    save_lightning,
    xp_shapes,
)
from ..made_surveys import made_lamost


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("public")
    save_lightning(folder / "lrs_encoder.ckpt", draw(lrs_shapes()), LRS_SETTINGS)
    save_lightning(folder / "xp_encoder_mlp.ckpt", draw(xp_shapes()))
    return folder


def test_checkpoints_become_encoders_that_embed(transtar, checkpoints, tmp_path):
    aligned = draw(alignment_shapes("base"))
    save_lightning(tmp_path / "specclip_model_base.ckpt", aligned)
    done = transtar("models", "import", checkpoints / "lrs_encoder.ckpt", "--out", tmp_path / "embed")
    assert done.code == 0, done.err
    assert f"{tmp_path}/embed: the encoder 'embed' of lrs_encoder.ckpt, 24 values" in done.err
    done = transtar("models", "import", tmp_path / "specclip_model_base.ckpt", "--out", tmp_path / "aligned")
    assert done.code == 0, done.err
    assert f"{tmp_path}/aligned/xp: the encoder 'embed-align-xp' of specclip_model_base.ckpt, 24 values" in done.err
    spectra = ("--survey", "lamost", "--spectra", made_lamost(tmp_path / "lamost", n=3) / "spectra")
    prepared = ("prepare", *spectra, "--preprocessing", tmp_path / "embed", "--out", tmp_path / "set")
    assert transtar(*prepared).code == 0
    settings = json.loads((tmp_path / "set/set.json").read_text())["preprocessing"]
    assert (settings["frame"], settings["continuum"]) == ("observed", "envelope-specclip")
    for model in ("embed", "aligned"):
        done = transtar("embed", "--model", tmp_path / model, "--data", tmp_path / "set", "--out", tmp_path / "set")
        assert done.code == 0, done.err
    given = read_set(tmp_path / "set")
    assert np.isfinite(given.flux).all()
    expected = lrs_tokens(draw(lrs_shapes()), given.flux).mean(axis=1)
    np.testing.assert_allclose(given.inputs["embed"], expected, atol=1e-5)
    np.testing.assert_allclose(given.inputs["embed-align"], aligned_lrs(aligned, given.flux, "base"), atol=1e-5)


def test_several_checkpoints_get_a_folder_each(transtar, checkpoints, tmp_path):
    done = transtar("models", "import", *sorted(checkpoints.iterdir()), "--out", tmp_path / "public")
    assert done.code == 0, done.err
    assert load_encoder(tmp_path / "public/lrs_encoder").name == "embed"
    assert load_encoder(tmp_path / "public/xp_encoder_mlp").name == "embed-xp"


def test_a_name_of_ones_choice(transtar, checkpoints, tmp_path):
    command = ("models", "import", checkpoints / "xp_encoder_mlp.ckpt", "--out", tmp_path / "x", "--name", "public-xp")
    assert transtar(*command).code == 0
    assert load_encoder(tmp_path / "x").name == "public-xp"


def test_what_cannot_be_imported_is_refused_before_anything_is_written(transtar, fails, checkpoints, tmp_path):
    (tmp_path / "page.ckpt").write_text("<html>")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("mine")
    good, out = checkpoints / "lrs_encoder.ckpt", tmp_path / "out"
    assert "page.ckpt: a page or text" in fails("models", "import", good, tmp_path / "page.ckpt", "--out", out)
    assert "another checkpoint would go into" in fails("models", "import", good, good, "--out", out)
    assert "mine" in fails("models", "import", good, "--out", tmp_path / "mine")
    assert not out.exists()
    assert (tmp_path / "mine/thesis.txt").read_text() == "mine"


def test_where_a_checkpoint_is_to_go_must_be_said(transtar, checkpoints):
    done = transtar("models", "import", checkpoints / "lrs_encoder.ckpt")
    assert done.code == 2
    assert "models import of a checkpoint needs --out FOLDER" in done.err


def test_a_model_that_is_not_there(fails):
    assert "no such model folder" in fails("models", "import", "no-such-model")


def test_a_model_by_its_name(transtar, tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSTAR_MODELS", str(tmp_path / "store"))
    assert transtar("models", "import", "mock-feh", "--name", "mine").code == 0
    assert (tmp_path / "store/mine/config.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("import", "a", "b"), "models import takes one folder of a model"),
        (("import", "a.ckpt", "b.ckpt", "--out", "x", "--name", "n"), "one name, 'n', for 2 checkpoints"),
        (("import", ".", "b.ckpt", "--out", "x"), "takes one folder of a model"),
        (("import", ".", "--out", "x"), "without --out"),
        (("show", "a", "b"), "models show takes one model, not 2"),
        (("list", "--out", "x"), "--out is for models export and import"),
        (("export", "a"), "models export needs --out"),
    ],
    ids=str,
)
def test_wrong_use(transtar, arguments, message):
    done = transtar("models", *arguments)
    assert done.code == 2
    assert message in done.err
