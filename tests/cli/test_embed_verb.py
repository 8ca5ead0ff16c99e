import json
import os
import re
import signal
import time

import numpy as np
import pytest

from transtar.datasets import add_input, read_set
from transtar.encoders import new_encoder, save_encoder
from transtar.networks import LRSSettings

from ..datasets.test_embed import network
from .conftest import start
from .test_inside_encoders import rows


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("encoders") / "through"
    save_encoder(network(), folder)
    return folder


def test_a_transformer_makes_the_input_embed(world, transtar, tmp_path):
    settings = LRSSettings(width=6, layers=1, heads=2, token=100, stride=50, chunks=3, chunk_tokens=3)
    save_encoder(new_encoder("lrs", settings, read_set(world.source).preprocessing), tmp_path / "encoder")
    done = transtar("embed", "--model", tmp_path / "encoder", "--data", world.source, "--out", tmp_path / "set")
    assert done.code == 0, done.err
    pretrain = ["pretrain", "--data", tmp_path / "set", "--label", "feh", "--epochs", 2, "--out", tmp_path / "model"]
    assert transtar(*pretrain, "--input", "embed").code == 0
    # Of a set without embeddings, the model makes them itself.
    for data, out in ((tmp_path / "set", "one.csv"), (world.source, "other.csv")):
        done = transtar("predict", "--model", tmp_path / "model", "--data", data, "--out", tmp_path / out)
        assert done.code == 0, done.err
    feh = [[row["feh"] for row in rows(tmp_path / name)] for name in ("one.csv", "other.csv")]
    np.testing.assert_allclose(*(np.array(values, float) for values in feh), atol=1e-4)
    assert len(feh[0]) == 40


def test_embed_pretrain_finetune_and_predict(world, transtar, encoder, tmp_path):
    for source in ("source", "target"):
        done = transtar("embed", "--model", encoder, "--data", getattr(world, source), "--out", tmp_path / source)
        assert done.code == 0, done.err
    sha256 = json.loads((tmp_path / "source/set.json").read_text())["inputs"]["through"]["provenance"]["encoder"][
        "sha256"
    ]
    assert done.out == f"{tmp_path}/target: input 'through' of 36 spectra: 8 values each by encoder {sha256[:12]}\n"
    again = transtar("embed", "--model", encoder, "--data", tmp_path / "target", "--out", tmp_path / "target")
    assert again.out == f"{tmp_path}/target: has the input 'through' of encoder {sha256[:12]} already\n"
    assert f"inputs       through (encoder {sha256[:12]})" in transtar("info", tmp_path / "source").out
    pretrain = ["pretrain", "--data", tmp_path / "source", "--label", "feh", "--epochs", 2, "--out", tmp_path / "model"]
    assert transtar(*pretrain, "--input", "through").code == 0
    adapted = ["finetune", "--model", tmp_path / "model", "--data", tmp_path / "target", "--strategy", "recalibrate"]
    assert transtar(*adapted, "--out", tmp_path / "adapted").code == 0
    predict = ["predict", "--model", tmp_path / "adapted", "--data", tmp_path / "target", "--out", tmp_path / "out.csv"]
    assert transtar(*predict).code == 0


def test_another_input_goes_only_with_replace(world, transtar, fails, encoder, tmp_path):
    out = tmp_path / "set"
    transtar("embed", "--model", encoder, "--data", world.source, "--out", out)
    save_encoder(network(seed=1), tmp_path / "through")
    command = ["embed", "--model", tmp_path / "through", "--data", world.source, "--out", out]
    assert "--replace" in fails(*command)
    before = read_set(out).inputs["through"]
    assert transtar(*command, "--replace").code == 0
    assert not np.allclose(before, read_set(out).inputs["through"])


def test_wrong_use_is_one_line(world, fails, encoder, tmp_path):
    fails("embed", "--model", "nowhere", "--data", world.source, "--out", tmp_path / "set")
    fails("embed", "--model", encoder, "--data", tmp_path / "none", "--out", tmp_path / "set")
    fails("embed", "--model", world.model, "--data", world.source, "--out", tmp_path / "set")
    fails("embed", "--model", encoder, "--data", world.source, "--out", world.lamost)
    fails("info", tmp_path / "none")
    assert not (tmp_path / "set").exists()


def test_prepare_makes_the_input_in_the_same_pass(world, transtar, encoder, tmp_path):
    done = transtar(
        "prepare",
        "--survey",
        "lamost",
        "--spectra",
        world.lamost / "spectra",
        "--input",
        encoder,
        "--out",
        tmp_path / "set",
    )
    assert done.code == 0, done.err
    assert read_set(tmp_path / "set").inputs["through"].shape == (40, 8)


SLOW = """
import os
import time

from transtar.datasets import embed
from transtar.encoders import OutsideEncoder

embed.BLOCK = 4


calls = []


def encode(flux):
    calls.append(1)
    while len(calls) > 3 and not os.path.exists("go-on"):
        time.sleep(0.01)
    return flux[:, :3]


ENCODER = OutsideEncoder("slow", encode, "ab" * 32, place="slow")
"""


@pytest.fixture
def slow(tmp_path, monkeypatch):
    """A package that offers an encoder, as pip would leave it, which waits after three blocks for a file of the folder."""
    site = tmp_path / "site"
    info = site / "slowplug-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "slowplug.py").write_text(SLOW)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: slowplug\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[transtar.encoders]\nslow = slowplug:ENCODER\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH", "")])))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_command_that_is_ended_goes_on_where_it_stopped(world, slow, tmp_path, number):
    out = tmp_path / "sets" / "out"
    command = ["embed", "--model", "slow", "--data", world.source, "--out", out]
    process = start(*command, cwd=tmp_path)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        journals = list(tmp_path.glob("sets/.transtar-embed-*/blocks.txt"))
        if journals and journals[0].read_bytes().count(b"\n") == 4:
            break
        time.sleep(0.01)
    process.send_signal(number)
    _, told = process.communicate(timeout=120)
    assert not out.exists()
    if number == signal.SIGTERM:
        assert process.returncode == 143
        assert "embeddings are kept" in told
    (tmp_path / "go-on").touch()
    again = start(*command, cwd=tmp_path)
    done, told = again.communicate(timeout=120)
    assert again.returncode == 0, told
    assert re.search("of 40 spectra, 12 .*before: 3 values .*abababababab", done)
    prepared = read_set(out)
    np.testing.assert_array_equal(prepared.inputs["slow"], prepared.flux[:, :3])
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_info_of_a_set_names_what_it_holds(world, transtar, tmp_path):
    transtar("prepare", "--survey", "lamost", "--spectra", world.lamost / "spectra", "--out", tmp_path / "set")
    add_input(tmp_path / "set", "depths", np.ones((40, 2)))
    shown = transtar("info", tmp_path / "set").out
    assert "set          40 spectra" in shown
    assert "inputs       depths" in shown
