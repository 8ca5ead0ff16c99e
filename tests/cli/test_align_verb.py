import csv
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from transtar.datasets import read_set
from transtar.encoders import load_alignment, save_alignment, save_encoder

from ..encoders.aligned import tiny_alignment, tiny_encoders
from ..train.large.aligned_sets import tiny_sizes, write_pairs


@pytest.fixture(autouse=True)
def _tiny(monkeypatch):
    tiny_sizes(monkeypatch)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("align")
    for name, encoder in zip(("lrs-encoder", "xp-encoder"), tiny_encoders(), strict=True):
        save_encoder(encoder, folder / name, dtype="float32")
    write_pairs(folder, n=60)
    return folder


def command(folder, out, *more, variant="base"):
    given = ["--lrs", folder / "lrs-encoder", "--xp", folder / "xp-encoder", "--data", folder / "lrs", folder / "xp"]
    return ["align", *given, "--variant", variant, "--epochs", 2, "--batch-size", 16, "--out", out, *more]


def test_align_and_embed(folder, transtar, tmp_path):
    out = tmp_path / "aligned"
    done = transtar(*command(folder, out, "--seed", 3))
    assert done.code == 0, done.err
    assert re.match(r"60 pairs; 0 LRS spectra .*, 0 XP spectra ", done.err)
    first, second = done.out.splitlines()
    assert first.startswith(f"{out}: 6 of 6 steps")
    assert first.endswith(f"losses in {out}.training")
    assert second.startswith("of 6 pairs held out")
    assert second.endswith("(16.7 % by chance)")
    assert {path.name for path in (tmp_path / "aligned.training").iterdir()} >= {
        "losses.csv",
        "losses.pdf",
        "losses.png",
    }
    with (tmp_path / "aligned.training/losses.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["0", "3", "6"]
    assert load_alignment(out).lrs.provenance[-1]["training"]["seed"] == 3
    again = transtar(*command(folder, out, "--seed", 3))
    assert again.out == f"{out}: was aligned already, by this very command\n"
    for data, name in (("lrs", "embed-align"), ("xp", "embed-align-xp")):
        made = transtar("embed", "--model", out, "--data", folder / data, "--out", tmp_path / data)
        assert made.code == 0, made.err
        assert made.out.startswith(f"{tmp_path}/{data}: input '{name}' of 60 spectra: 8 values each by encoder ")
        assert np.isfinite(read_set(tmp_path / data).inputs[name]).all()
    note = json.loads((tmp_path / "lrs/set.json").read_text())["inputs"]["embed-align"]["provenance"]["encoder"]
    assert note["place"] == str(out / "lrs")


def test_translations_are_explained(folder, transtar, fails, tmp_path):
    save_alignment(tiny_alignment(), tmp_path / "aligned")
    command = ["explain", "translation", "--model", tmp_path / "aligned", "--data", folder / "lrs", folder / "xp"]
    done = transtar(*command, "--split", "all", "--out", tmp_path / "out")
    assert done.code == 0, done.err
    assert "lrs-to-xp " in done.out
    assert f"{tmp_path}/out/translation.csv" in done.out
    assert (tmp_path / "out/figures/translation.pdf").stat().st_size > 1000
    assert "no star of split 'test' is left" in fails(*command, "--out", tmp_path / "out")


def test_columns_of_the_table_of_pairs_may_be_named_for_translations(folder, transtar, fails, tmp_path):
    save_alignment(tiny_alignment(), tmp_path / "aligned")
    command = ["explain", "translation", "--model", tmp_path / "aligned", "--data", folder / "lrs", folder / "xp"]
    ids = read_set(folder / "lrs").columns["id"].tolist()
    rows = [f"{one},{one},{one + 1}" for one in ids]
    (tmp_path / "pairs.csv").write_text("\n".join(["obsid,known_to_gaia,other", *rows]))
    command += ["--split", "all", "--pairs", tmp_path / "pairs.csv", "--out", tmp_path / "out"]
    assert "no column of Gaia's identifiers" in fails(*command)
    done = transtar(*command, "--columns", "source_id=known_to_gaia")
    assert done.code == 0, done.err
    assert "60 pairs of 60 LRS and 60 XP spectra" in done.err


def test_wrong_use_is_one_line(folder, fails, tmp_path):
    out = tmp_path / "aligned"
    for more, message in {
        ("--set", "accumulate=2"): "accumulate must be 1",
        ("--set", "seed=1"): "has an option of its own",
        ("--set", "width=1"): "unknown key width",
        ("--columns", "nonsense"): "--columns",
    }.items():
        assert message in fails(*command(folder, out, *more), code=2)
    assert "no such encoder folder" in fails(*command(folder, out, "--lrs", tmp_path / "none"))
    one_set = [part for part in command(folder, out) if part != folder / "xp"]
    assert "give one of each" in fails(*one_set)
    assert "no such file" in fails(*command(folder, out, "--pairs", tmp_path / "none.csv")).lower()
    assert not out.exists()


PROGRAM = """
import sys
from dataclasses import replace
from transtar.cli import main
from transtar.networks import alignment_settings
from tests.encoders.aligned import SETTINGS
alignment_settings.ALIGNMENT_SIZES["small"] = {name: replace(one, dropout=0.0) for name, one in SETTINGS.items()}
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_by_torchrun_in_two_processes(folder, transtar, tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    alone = transtar(*command(folder, tmp_path / "alone", variant="pr"))
    assert alone.code == 0, alone.err
    run = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        tmp_path / "program.py",
    ]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(map(str, sys.path))}
    done = subprocess.run(
        [*map(str, run), *map(str, command(folder, tmp_path / "both", variant="pr"))],
        capture_output=True, text=True, env=environment, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    losses = []
    for name in ("alone", "both"):
        with (tmp_path / f"{name}.training/losses.csv").open() as file:
            losses.append(
                [(float(row["train_loss"] or 0), float(row["validation_loss"])) for row in csv.DictReader(file)]
            )
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)
