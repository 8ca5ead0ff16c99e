import pytest

from transtar.encoders import load_encoder
from transtar.encoders.alignment_storage import load_alignment
from transtar.encoders.public_import import import_checkpoints
from transtar.errors import InputError, SettingsError

from .public_standins import LRS_SETTINGS, alignment_shapes, draw, lrs_shapes, save_lightning


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("public")
    return [
        save_lightning(folder / "lrs_encoder.ckpt", draw(lrs_shapes()), LRS_SETTINGS),
        save_lightning(folder / "specclip_model_base.ckpt", draw(alignment_shapes("base"))),
    ]


def test_each_becomes_what_it_is(checkpoints, tmp_path):
    stored = list(import_checkpoints(checkpoints, tmp_path))
    assert [encoder.name for encoder in stored] == ["embed", "embed-align", "embed-align-xp"]
    assert load_encoder(tmp_path / "lrs_encoder").sha256 == stored[0].sha256
    alignment = load_alignment(tmp_path / "specclip_model_base")
    assert [alignment.lrs.sha256, alignment.xp.sha256] == [encoder.sha256 for encoder in stored[1:]]
    # In single precision: rounded to half of it, the public weights would be others.
    assert (tmp_path / "lrs_encoder/encoder.safetensors").stat().st_size > 4 * 19_149


def test_again_into_the_same_folder_with_the_same_hash(checkpoints, tmp_path):
    (first,) = import_checkpoints(checkpoints[:1], tmp_path / "a", "mine")
    (second,) = import_checkpoints(checkpoints[:1], tmp_path / "a", "mine")
    assert first.sha256 == second.sha256
    assert first.name == "mine"


def test_an_encoder_does_not_take_the_place_of_an_alignment(checkpoints, tmp_path):
    list(import_checkpoints(checkpoints[1:], tmp_path / "a"))
    with pytest.raises(InputError, match="exists and is not an encoder"):
        import_checkpoints(checkpoints[:1], tmp_path / "a")
    assert load_alignment(tmp_path / "a").settings.variant == "base"


def test_all_are_looked_at_before_one_is_written(checkpoints, tmp_path):
    (tmp_path / "x.ckpt").write_bytes(b"x")
    with pytest.raises(InputError, match=r"x\.ckpt: not a checkpoint of torch"):
        import_checkpoints([*checkpoints, tmp_path / "x.ckpt"], tmp_path / "out")
    with pytest.raises(InputError, match="another checkpoint would go into"):
        import_checkpoints([checkpoints[0], checkpoints[0]], tmp_path / "out")
    with pytest.raises(SettingsError, match="one name, 'n', for 2 checkpoints"):
        import_checkpoints(checkpoints, tmp_path / "out", "n")
    assert not (tmp_path / "out").exists()
