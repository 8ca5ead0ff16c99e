import json
import re
from dataclasses import replace

import numpy as np
import pytest

from transtar.encoders import load_alignment, load_encoder, save_alignment
from transtar.errors import InputError, MismatchError, SettingsError
from transtar.train.large import pretrain_encoder
from transtar.train.large.run_folder import LOSSES, RECORD

from ...encoders.aligned import tiny_alignment
from .large_sets import LRS, XP, quick, write_set
from .test_engine import Dies, dies, stop_at

TINY = {"width": 16, "layers": 1, "heads": 2}


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    write_set(folder / "lrs", split=np.array(["pool"] * 50 + ["test"] * 10))
    write_set(folder / "xp", preprocessing=XP)
    return folder


def test_an_encoder_is_trained_and_stored_with_what_it_saw(sets, tmp_path):
    said = []
    run = pretrain_encoder("lrs", [sets / "lrs"], tmp_path / "encoder", "small", quick(), network=TINY, say=said.append)
    assert said == [f"{sets}/lrs: 50 of 60 spectra usable (left out: 10 not in the pool)"]
    encoder = load_encoder(tmp_path / "encoder")
    assert (encoder.name, encoder.width, encoder.sha256) == ("embed", 16, run.encoder.sha256)
    (step,) = encoder.provenance
    assert (step["step"], step["kind"], step["size"]) == ("pretrain encoder", "lrs", "small")
    assert step["settings"]["learning_rate"] == 3e-3
    assert "device" not in step["settings"]
    assert (step["n_train"], step["n_validation"], step["n_left_out"]) == (45, 5, 10)
    assert step["validation_loss"] == run.history.losses("validation_loss")
    roles, counts = np.unique(encoder.trained_on["role"], return_counts=True)
    assert dict(zip(roles.tolist(), counts.tolist(), strict=True)) == {"train": 45, "validation": 5}
    assert set(encoder.trained_on["id"].tolist()) == {2**62 + i for i in range(50)}
    assert run.folder == tmp_path / "encoder.training"
    assert (run.folder / LOSSES).is_file()
    assert not list(run.folder.glob("checkpoint*"))


def test_the_same_again_is_there_already_and_another_is_trained(sets, tmp_path):
    out = tmp_path / "encoder"
    first = pretrain_encoder("xp", [sets / "xp"], out, "small", quick(), network={"hidden": 12, "latent": 4})
    assert load_encoder(out).name == "embed-xp"
    again = pretrain_encoder("xp", [sets / "xp"], out, "small", quick(), network={"hidden": 12, "latent": 4})
    assert again.history is None
    assert again.encoder.sha256 == first.encoder.sha256
    other = pretrain_encoder("xp", [sets / "xp"], out, "small", quick(seed=1), network={"hidden": 12, "latent": 4})
    assert other.history is not None
    assert load_encoder(out).sha256 == other.encoder.sha256 != first.encoder.sha256


def test_an_encoder_of_another_kind_is_not_replaced(sets, tmp_path):
    out = tmp_path / "encoder"
    first = pretrain_encoder("lrs", [sets / "lrs"], out, "small", quick(epochs=1), network=TINY)
    write_set(tmp_path / "observed", preprocessing=replace(LRS, frame="observed"))
    for kind, data, network, changed in (
        (
            "xp",
            sets / "xp",
            {"hidden": 12, "latent": 4},
            "name was embed, is embed-xp; network.kind was lrs-transformer, is xp",
        ),
        (
            "lrs",
            sets / "lrs",
            {**TINY, "width": 32},
            "network.width was 16, is 32; choose another name for --out, or delete",
        ),
        ("lrs", tmp_path / "observed", TINY, "preprocessing.frame was rest, is observed; choose"),
    ):
        with pytest.raises(InputError, match=re.escape(f"{out}: is an encoder of another kind: {changed}")):
            pretrain_encoder(kind, [data], out, "small", quick(epochs=1), network=network)
    assert load_encoder(out).sha256 == first.encoder.sha256


def test_a_kill_before_the_encoder_is_stored_costs_nothing(sets, tmp_path, monkeypatch):
    from transtar.train.large import encoder_runs

    out = tmp_path / "encoder"
    whole = pretrain_encoder("lrs", [sets / "lrs"], tmp_path / "whole", "small", quick(), network=TINY)
    with monkeypatch.context() as patch:
        patch.setattr(encoder_runs, "save_encoder", lambda *arguments, **more: dies())
        with pytest.raises(Dies):
            pretrain_encoder("lrs", [sets / "lrs"], out, "small", quick(), network=TINY)
    assert json.loads((tmp_path / "encoder.training" / RECORD).read_text())["finished"] is None
    steps = []
    run = pretrain_encoder(
        "lrs", [sets / "lrs"], out, "small", quick(), network=TINY, progress=lambda *numbers: steps.append(numbers)
    )
    assert steps == []
    assert run.encoder.sha256 == whole.encoder.sha256


def test_other_settings_are_refused_until_the_folder_goes(sets, tmp_path):
    out = tmp_path / "encoder"
    settings = quick(checkpoint_steps=2)
    with pytest.raises(Dies):
        pretrain_encoder("lrs", [sets / "lrs"], out, "small", settings, network=TINY, progress=stop_at(5, dies))
    with pytest.raises(MismatchError, match=r"objective\.network\.layers was 1, is 2"):
        pretrain_encoder("lrs", [sets / "lrs"], out, "small", settings, network={**TINY, "layers": 2})
    assert not out.exists()


def test_what_cannot_be_is_refused_before_anything_is_written(sets, tmp_path):
    out = tmp_path / "encoder"
    for kind, name, more, error, message in (
        ("xp", "lrs", {}, MismatchError, "on the grid 'blue', but an encoder 'xp' takes Gaia XP spectra"),
        ("lrs", "xp", {}, MismatchError, "on the grid 'xp', but an encoder 'lrs' takes"),
        ("lrs", "lrs", {"network": {"wide": 3}}, SettingsError, "unknown key wide"),
        ("lrs", "lrs", {"size": "huge"}, SettingsError, "size"),
        ("vis", "lrs", {}, SettingsError, "unknown key vis"),
        ("lrs", "none", {}, InputError, "not a prepared set"),
    ):
        with pytest.raises(error, match=message):
            pretrain_encoder(kind, [sets / name], out, **more)
    with pytest.raises(InputError, match="exists and is not an encoder"):
        pretrain_encoder("lrs", [sets / "lrs"], sets / "lrs")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_the_training_that_is_read_is_refused(tmp_path):
    write_set(tmp_path / "encoder.training")
    with pytest.raises(InputError, match="holds what is read"):
        pretrain_encoder("lrs", [tmp_path / "encoder.training"], tmp_path / "encoder")


def test_an_alignment_is_not_broken_by_an_encoder_put_into_it(sets, tmp_path):
    save_alignment(tiny_alignment(), tmp_path / "aligned")
    with pytest.raises(InputError, match=r"is within the alignment .*/aligned, whose encoders belong together"):
        pretrain_encoder("lrs", [sets / "lrs"], tmp_path / "aligned/lrs", "small", quick(), network=TINY)
    load_alignment(tmp_path / "aligned")
    assert sorted(path.name for path in (tmp_path / "aligned").glob("lrs*")) == ["lrs"]
