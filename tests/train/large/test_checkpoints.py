import json

import pytest
import safetensors
import torch

from transtar.errors import InputError, TranstarError
from transtar.seal import sealed
from transtar.train.large.checkpoints import STATE, delete_checkpoints, load_checkpoint, save_checkpoint

TENSORS = {"a.weight": torch.randn(3, 2), "a.count": torch.tensor(7), "b": torch.zeros(0)}
KEPT = {"rate": 0.1 + 0.2, "rows": [1e-300, None]}


def expected(state):
    return TENSORS


def test_it_comes_back_bit_for_bit(tmp_path):
    assert load_checkpoint(tmp_path, expected) is None
    save_checkpoint(tmp_path, 3, KEPT, TENSORS)
    save_checkpoint(tmp_path, 5, KEPT, TENSORS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-5.safetensors", STATE]
    state, tensors = load_checkpoint(tmp_path, expected)
    assert state == KEPT
    assert all(
        torch.equal(tensors[name], tensor) and tensors[name].dtype == tensor.dtype for name, tensor in TENSORS.items()
    )
    delete_checkpoints(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_kill_between_the_two_files_leaves_the_one_before(tmp_path):
    save_checkpoint(tmp_path, 3, KEPT, TENSORS)
    (tmp_path / "checkpoint-9.safetensors").write_bytes(b"half of it")
    assert load_checkpoint(tmp_path, expected)[0] == KEPT


def test_a_full_disk_leaves_the_one_before(tmp_path, monkeypatch):
    def full(tensors, path):
        raise safetensors.SafetensorError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("safetensors.torch.save_file", full)
        with pytest.raises(TranstarError, match=r"not written .*No space left.* there is no checkpoint before it"):
            save_checkpoint(tmp_path, 3, KEPT, TENSORS)
    assert load_checkpoint(tmp_path, expected) is None
    save_checkpoint(tmp_path, 3, KEPT, TENSORS)
    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(TranstarError, match=r"not written .*No space left.* the checkpoint before stays"):
        save_checkpoint(tmp_path, 5, KEPT, TENSORS)
    assert load_checkpoint(tmp_path, expected)[0] == KEPT
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-3.safetensors", STATE]


def test_another_network_or_a_damaged_file_is_refused(tmp_path):
    save_checkpoint(tmp_path, 3, KEPT, TENSORS)
    for other in ({**TENSORS, "b": torch.zeros(1)}, {"a.weight": torch.zeros(3, 2)}):
        with pytest.raises(InputError, match=r"has shape|does not fit"):
            load_checkpoint(tmp_path, lambda state, other=other: other)
    path = tmp_path / "checkpoint-3.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"damaged.*delete the folder"):
        load_checkpoint(tmp_path, expected)
    path.unlink()
    with pytest.raises(InputError, match="is missing"):
        load_checkpoint(tmp_path, expected)


@pytest.mark.parametrize("name", ["../outside.safetensors", "/etc/passwd", "checkpoint-3.pt", 5, None])
def test_a_file_of_another_place_is_never_opened(tmp_path, name):
    folder = tmp_path / "run"
    folder.mkdir()
    save_checkpoint(folder, 3, KEPT, TENSORS)
    (folder / "checkpoint-3.safetensors").rename(tmp_path / "outside.safetensors")
    content = json.loads((folder / STATE).read_text()) | {"file": name}
    (folder / STATE).write_text(json.dumps(sealed(content)))
    with pytest.raises(InputError, match="not a checkpoint of this transtar"):
        load_checkpoint(folder, expected)


def test_what_is_no_json_says_how_to_get_on(tmp_path):
    save_checkpoint(tmp_path, 3, KEPT, TENSORS)
    (tmp_path / STATE).write_text('{"step": 3')
    with pytest.raises(InputError, match=r"not a JSON file.*; delete the folder"):
        load_checkpoint(tmp_path, expected)
