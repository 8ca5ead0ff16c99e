import csv
import os
import signal
from functools import partial

import numpy as np
import pytest
import torch

from transtar.encoders.specclip import new_encoder
from transtar.errors import InputError, MismatchError, TranstarError
from transtar.networks.masking import seeds_of_rows
from transtar.train.large import MaskedSegments, SetStream, open_source, train_large

from .large_sets import TINY, quick, write_set

SAME = ("step", "epoch", "train_loss", "validation_loss", "learning_rate")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("large") / "set"
    write_set(folder, n=60)
    return folder


def objective(seed=0, size=TINY):
    return MaskedSegments(new_encoder("lrs", size, seed=seed).network)


def train(folder, settings, out=None, one=None, **more):
    one = one or objective()
    return one, train_large(
        one, SetStream(open_source([folder], partial(one.accepts, "flux")), settings), settings, out, **more
    )


def told(history):
    return [{name: row[name] for name in SAME} for row in history.rows]


def test_losses_fall_and_are_those_of_the_objective(folder):
    one, history = train(folder, quick(epochs=12, check_every=None))
    assert history.step == 12 * 6
    assert len(history.rows) == 13
    assert history.losses()[-1] < 0.75 * history.losses()[1]
    assert history.losses("validation_loss")[-1] < 0.75 * history.losses("validation_loss")[0]
    assert history.samples_per_second > 0
    # The loss of the weights that were kept, derived anew.
    stream = SetStream(open_source([folder]), quick())
    flux = torch.from_numpy(stream.sources["flux"].read(stream.validation))
    seeds = seeds_of_rows(0, 0, torch.from_numpy(stream.validation))
    total = one({"flux": flux}, seeds)["loss"] / one.counts({"flux": flux}, seeds)["loss"]
    assert total.item() == pytest.approx(min(history.losses("validation_loss")), rel=1e-5)


def test_one_seed_gives_the_same_losses(folder):
    first, again, other = (told(train(folder, quick(seed=seed))[1]) for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_accumulated_parts_give_the_losses_of_the_whole_batch(folder):
    (_, whole), (_, parts) = (train(folder, quick(accumulate=n)) for n in (1, 4))
    np.testing.assert_allclose(whole.losses()[1:], parts.losses()[1:], rtol=1e-5)
    np.testing.assert_allclose(whole.losses("validation_loss"), parts.losses("validation_loss"), rtol=1e-5)


def test_a_step_is_that_of_torch(folder):
    """Two steps, derived anew with plain torch: clip, warm-up, AdamW."""
    settings = quick(steps=2, epochs=None, validation_fraction=0.0, clip=0.05, warmup_steps=4)
    one, history = train(folder, settings)
    plain = objective()
    optimiser = torch.optim.AdamW(plain.parameters(), betas=(0.9, 0.95), weight_decay=0.1)
    losses = []
    for step, parts in zip(range(2), SetStream(open_source([folder]), settings).batches(1), strict=False):
        (part,) = parts
        optimiser.param_groups[0]["lr"] = 3e-3 * (step + 1) / 2
        optimiser.zero_grad()
        counts = plain.counts(part.arrays, part.row_seeds)["loss"]
        loss = plain(part.arrays, part.row_seeds)["loss"] / counts
        loss.backward()
        norm = torch.sqrt(sum(weight.grad.square().sum() for weight in plain.parameters()))
        assert norm > 0.05
        for weight in plain.parameters():
            weight.grad *= 0.05 / (norm + 1e-6)
        optimiser.step()
        losses.append(loss.item())
    np.testing.assert_allclose(history.losses()[1:], losses, rtol=1e-6)
    for (name, weight), same in zip(one.named_parameters(), plain.parameters(), strict=True):
        if name.endswith("key_value.bias"):
            # Softmax ignores a bias of the keys: its gradient is rounding, of which AdamW makes a step.
            assert same.grad[:16].abs().max() < 1e-8
            assert same.grad[16:].abs().max() > 1e-4
            weight, same = weight[16:], same[16:]
        torch.testing.assert_close(weight, same, rtol=1e-5, atol=1e-7)


class Dies(BaseException):
    """As a kill, which nothing handles."""


def stop_at(step, how):
    def progress(done, n_steps, training, validation):
        if done == step:
            how()

    return progress


def dies():
    raise Dies


def interrupted():
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize(("how", "error", "kept"), [(dies, Dies, 4), (interrupted, KeyboardInterrupt, 7)])
def test_a_training_that_stopped_goes_on_bit_for_bit(folder, tmp_path, how, error, kept):
    settings = quick(checkpoint_steps=4)
    whole, history = train(folder, settings)
    with pytest.raises(error):
        train(folder, settings, tmp_path / "run", progress=stop_at(kept - (kept == 7) + (kept == 4), how))
    (checkpoint,) = (tmp_path / "run").glob("*.safetensors")
    assert checkpoint.name == f"checkpoint-{kept}.safetensors"
    first: list[int] = []
    again, resumed = train(folder, settings, tmp_path / "run", progress=lambda *numbers: first.append(numbers[0]))
    assert first[0] == kept + 1
    assert told(resumed) == told(history)
    for weight, same in zip(whole.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(weight, same)
    with (tmp_path / "run/losses.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["validation_loss"]) for row in rows] == history.losses("validation_loss")
    assert not list((tmp_path / "run").glob("checkpoint*"))


def test_a_training_goes_on_only_with_what_it_was(folder, tmp_path):
    settings = quick(checkpoint_steps=4)
    with pytest.raises(Dies):
        train(folder, settings, tmp_path / "run", progress=stop_at(5, dies))
    write_set(tmp_path / "other", seed=1)
    for what, where, other, one in (
        ("settings.learning_rate was 0.003, is 0.001", folder, quick(learning_rate=1e-3, checkpoint_steps=4), None),
        ("data.flux.sets", tmp_path / "other", settings, None),
        ("initial weights", folder, settings, objective(seed=1)),
    ):
        with pytest.raises(MismatchError, match=what):
            train(where, other, tmp_path / "run", one)
    # Where and how often checkpoints are written is no such thing.
    train(folder, quick(checkpoint_steps=3), tmp_path / "run")
    # What is finished gives way.
    train(folder, quick(epochs=1), tmp_path / "run")


def test_a_damaged_checkpoint_is_refused(folder, tmp_path):
    settings = quick(checkpoint_steps=4)
    with pytest.raises(Dies):
        train(folder, settings, tmp_path / "run", progress=stop_at(5, dies))
    (path,) = (tmp_path / "run").glob("*.safetensors")
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"damaged.*delete the folder"):
        train(folder, settings, tmp_path / "run")


def test_a_folder_of_something_else_is_left_alone(folder, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/notes.txt").write_text("mine")
    with pytest.raises(InputError, match="exists and is not the folder of a training"):
        train(folder, quick(), tmp_path / "run")


def test_a_training_that_diverges_says_so_and_can_begin_anew(folder, tmp_path):
    settings = quick(learning_rate=1e18, clip=None, checkpoint_steps=1)
    with pytest.raises(TranstarError, match=r"diverged at step .* lower learning rate"):
        train(folder, settings, tmp_path / "run")
    train(folder, quick(epochs=1), tmp_path / "run")


def test_it_stops_early_and_keeps_the_best_weights(folder):
    settings = quick(epochs=50, learning_rate=1e-9, min_delta=1.0, patience=3)
    _, history = train(folder, settings)
    assert history.stopped_early
    assert history.step == 3
    losses = history.losses("validation_loss")
    assert history.best_step == int(np.argmin(losses))
    assert history.best_loss == min(losses)


def test_half_precision_gives_nearly_the_same_losses(folder):
    (_, single), (_, half) = (train(folder, quick(precision=kind)) for kind in ("float32", "bf16"))
    np.testing.assert_allclose(single.losses()[1:], half.losses()[1:], rtol=0.05)
    assert single.losses()[1:] != half.losses()[1:]
