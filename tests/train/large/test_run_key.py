import copy

import torch

from transtar.train.large import SetStream, open_source
from transtar.train.large.run_folder import differences
from transtar.train.large.run_key import key_of, weights_hash

from .large_sets import quick, write_set
from .test_engine import objective

CPU = torch.device("cpu")


def test_everything_that_decides_the_losses_counts(tmp_path):
    write_set(tmp_path / "a")
    write_set(tmp_path / "b", seed=1)

    def key(name="a", one=None, device=CPU, **more):
        settings = quick(**more)
        return key_of(one or objective(), SetStream(open_source([tmp_path / name]), settings), settings, device)

    def changed(**more):
        return [line.split(" was ")[0] for line in differences(key(), key(**more))]

    assert changed() == []
    assert changed(checkpoint_steps=7, checkpoint_minutes=1.0) == []
    assert changed(seed=3) == ["settings.seed"]
    assert changed(name="b") == ["data.flux.sets"]
    assert changed(one=objective(seed=1)) == ["initial weights"]
    assert changed(device=torch.device("meta")) == ["code.device"]
    weighted = objective()
    weighted.weights = {"loss": 2.0}
    assert changed(one=weighted) == ["objective.weights.loss"]
    deeper = objective()
    deeper.network.blocks.append(copy.deepcopy(deeper.network.blocks[0]))
    assert changed(one=deeper) == ["objective.layers", "initial weights"]


def test_the_hash_of_the_weights_is_of_every_number():
    one, other = objective(), objective()
    assert weights_hash(one) == weights_hash(other)
    with torch.no_grad():
        other.network.last.bias[3] += 1e-7
    assert weights_hash(one) != weights_hash(other)
