"""Public checkpoints by `transtar models import`, and embeddings by what comes of them."""

import json

import numpy as np
import pytest

from transtar.datasets import read_set
from transtar.encoders import load_encoder

from ..encoders.public_standins import LRS_SETTINGS, draw, lrs_shapes, lrs_tokens, save_lightning, xp_shapes


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("public")
    save_lightning(folder / "lrs_encoder.ckpt", draw(lrs_shapes()), LRS_SETTINGS)
    save_lightning(folder / "xp_encoder_mlp.ckpt", draw(xp_shapes()))
    return folder


def test_a_checkpoint_becomes_an_encoder_that_embeds(world, transtar, checkpoints, tmp_path):
    done = transtar("models", "import", checkpoints / "lrs_encoder.ckpt", "--out", tmp_path / "embed")
    assert done.code == 0, done.err
    assert f"{tmp_path}/embed: the encoder 'embed' of lrs_encoder.ckpt, 24 values; trained on" in done.out
    config = json.loads((tmp_path / "embed/config.json").read_text())
    assert config["preprocessing"]["continuum"] == "envelope-specclip"
    spectra = ("--survey", "lamost", "--spectra", world.lamost / "spectra/spec-001.fits")
    prepared = ("prepare", *spectra, "--preprocessing", tmp_path / "embed", "--out", tmp_path / "set")
    assert transtar(*prepared).code == 0
    done = transtar("embed", "--model", tmp_path / "embed", "--data", tmp_path / "set", "--out", tmp_path / "set")
    assert done.code == 0, done.err
    given = read_set(tmp_path / "set")
    expected = lrs_tokens(draw(lrs_shapes()), given.inputs["flux"]).mean(axis=1)
    np.testing.assert_allclose(given.inputs["embed"], expected, atol=1e-5)


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("import", "a.ckpt"), "needs --out FOLDER"),
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
