import csv
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from transtar.encoders import load_encoder

from ..train.large.large_sets import XP, write_set

TINY = ("network.width=16", "network.layers=1", "network.heads=2")


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    write_set(folder / "lrs")
    write_set(folder / "xp", preprocessing=XP)
    return folder


def command(sets, out, *more, epochs=2):
    given = [
        "pretrain",
        "--encoder",
        "lrs",
        "--data",
        sets / "lrs",
        "--epochs",
        epochs,
        "--batch-size",
        8,
        "--out",
        out,
    ]
    return [*given, *more, "--set", *TINY]


def losses(folder):
    with (folder / "losses.csv").open() as file:
        return [(row["step"], row["train_loss"], row["validation_loss"]) for row in csv.DictReader(file)]


def test_train_embed_and_train_again(sets, transtar, tmp_path):
    out = tmp_path / "encoder"
    done = transtar(*command(sets, out, "--lr", "1e-3", "--seed", 3))
    assert done.code == 0, done.err
    assert done.err == f"{sets}/lrs: 60 of 60 spectra usable\n"
    assert done.out.startswith(f"{out}: 16 values per star; 12 of 12 steps")
    assert done.out.endswith(f"spectra per second; losses in {out}.training\n")
    assert {path.name for path in (tmp_path / "encoder.training").iterdir()} >= {
        "losses.csv",
        "losses.pdf",
        "losses.png",
    }
    (step,) = load_encoder(out).provenance
    assert (step["settings"]["learning_rate"], step["settings"]["seed"]) == (1e-3, 3)
    assert (step["settings"]["epochs"], step["settings"]["batch_size"]) == (2, 8)
    again = transtar(*command(sets, out, "--lr", "1e-3", "--seed", 3))
    assert again.out.startswith(f"{out}: was trained already")
    assert again.out.endswith(f"(encoder {load_encoder(out).sha256[:12]})\n")
    # As a kill leaves it that comes between the end of the training and the drawing.
    (tmp_path / "encoder.training/losses.png").unlink()
    left = tmp_path / "encoder.training/.transtar-tmp-abcd1234"
    left.mkdir()
    (left / ".lock").touch()
    assert transtar(*command(sets, out, "--lr", "1e-3", "--seed", 3)).code == 0
    assert (tmp_path / "encoder.training/losses.png").is_file()
    assert not left.exists()
    embedded = transtar("embed", "--model", out, "--data", sets / "lrs", "--out", tmp_path / "set")
    assert "input 'embed' of 60 spectra: 16 values each" in embedded.out


def test_wrong_use_is_one_line(sets, fails, transtar, tmp_path):
    out = tmp_path / "encoder"
    assert "one of the arguments --label --encoder is required" in fails(
        "pretrain", "--data", sets / "lrs", "--out", out, code=2
    )
    assert "not allowed with" in fails(*command(sets, out, "--label", "feh"), code=2)
    assert "--input does nothing with --encoder" in fails(*command(sets, out, "--input", "flux"), code=2)
    labels = ["pretrain", "--label", "feh", "--data", sets / "lrs", "--out", out]
    assert "--size does nothing with --label" in fails(*labels, "--size", "small", code=2)
    assert "--set does nothing with --label" in fails(*labels, "--set", "accumulate=2", code=2)
    assert "did you mean accumulate" in fails(*command(sets, out)[:-4], "--set", "accumulat=2", code=2)
    assert "has an option of its own" in fails(*command(sets, out)[:-4], "--set", "seed=2", code=2)
    assert "takes Gaia XP spectra" in fails("pretrain", "--encoder", "xp", "--data", sets / "lrs", "--out", out)
    assert "fewer than a batch of 64" in fails("pretrain", "--encoder", "xp", "--data", sets / "xp", "--out", out)
    assert list(tmp_path.iterdir()) == []


def test_labels_are_not_learnt_by_several_processes(sets, fails, monkeypatch, tmp_path):
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    command = ["pretrain", "--label", "feh", "--data", sets / "lrs", "--out", tmp_path / "model"]
    assert "without torchrun" in fails(*command, code=2)


def wait_for(path, process):
    for _ in range(1200):
        if path.exists():
            return
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
    raise AssertionError(f"{path} never comes")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_command_that_was_ended_goes_on(sets, transtar, start, tmp_path, number):
    out = tmp_path / "encoder"
    whole = transtar(*command(sets, tmp_path / "whole", epochs=20)[:-4], "--set", *TINY, "checkpoint_steps=5")
    assert whole.code == 0, whole.err
    given = [*command(sets, out, epochs=20)[:-4], "--set", *TINY, "checkpoint_steps=5"]
    process = start(*given)
    wait_for(tmp_path / "encoder.training/checkpoint.json", process)
    os.kill(process.pid, number)
    _, err = process.communicate(timeout=60)
    assert not out.exists()
    assert process.returncode == {signal.SIGTERM: 143, signal.SIGKILL: -9}[number]
    if number != signal.SIGKILL:
        assert "steps are kept" in err
    step = json.loads((tmp_path / "encoder.training/checkpoint.json").read_text())["step"]
    assert 0 < step < 120
    assert transtar(*given).code == 0
    assert losses(tmp_path / "encoder.training") == losses(tmp_path / "whole.training")
    assert load_encoder(out).sha256 == load_encoder(tmp_path / "whole").sha256


@pytest.mark.slow
def test_torchrun_starts_two_processes(sets, transtar, tmp_path):
    given = [str(word) for word in command(sets, tmp_path / "two")]
    run = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "-m",
        "transtar",
    ]
    done = subprocess.run(
        [*run, *given], capture_output=True, text=True, timeout=300, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("values per star") == 1
    assert done.stderr.count("60 of 60 spectra usable") == 1
    assert transtar(*command(sets, tmp_path / "one")).code == 0
    for two, one in zip(losses(tmp_path / "two.training")[1:], losses(tmp_path / "one.training")[1:], strict=True):
        assert [float(loss) for loss in two] == pytest.approx([float(loss) for loss in one], rel=1e-5)
