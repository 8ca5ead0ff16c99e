"""Two processes give what one gives."""

import numpy as np
import pytest

from transtar.errors import SettingsError, TranstarError
from transtar.train.large.ranks import OtherProcessFailed

from .large_sets import quick, write_set
from .several import in_processes
from .test_engine import Dies, dies, stop_at, told, train


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes") / "set"
    write_set(folder, n=90)
    return folder


def both(folder, settings, tmp_path, out=None, **more):
    def work(rank):
        one, history = train(folder, settings, out, **more)
        return told(history), [weight.detach().numpy() for weight in one.parameters()]

    return in_processes(2, work, tmp_path)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_losses_are_those_of_one_process_with_the_same_batch(folder, tmp_path, accumulate):
    settings = quick(accumulate=accumulate, shuffle_rows=20)
    (first, weights), (second, same) = both(folder, settings, tmp_path)
    _, alone = train(folder, settings)
    assert first == second
    for name in ("train_loss", "validation_loss"):
        losses = np.array([row[name] for row in first][1:])
        np.testing.assert_allclose(losses, alone.losses(name)[1:], rtol=1e-5)
    assert all(np.array_equal(one, other) for one, other in zip(weights, same, strict=True))


def test_two_processes_go_on_bit_for_bit(folder, tmp_path):
    settings = quick(checkpoint_steps=4)
    whole = both(folder, settings, tmp_path)

    # The second process waits for the first, which has died.
    assert in_processes(2, lambda rank: _until(folder, settings, tmp_path / "run", rank), tmp_path) == ["dead", "left"]
    again = both(folder, settings, tmp_path, tmp_path / "run")
    assert [row for row, _ in again] == [row for row, _ in whole]
    for one, other in zip(again[1][1], whole[1][1], strict=True):
        np.testing.assert_array_equal(one, other)


def _until(folder, settings, out, rank):
    try:
        train(folder, settings, out, progress=stop_at(6, dies))
    except Dies:
        return "dead"
    except (RuntimeError, OtherProcessFailed):
        return "left"
    return "done"


def test_a_batch_that_two_cannot_share_is_refused(folder, tmp_path):
    def work(rank):
        with pytest.raises(SettingsError, match="a batch of 9 cannot be shared by 2 processes"):
            train(folder, quick(batch_size=9))
        return True

    assert in_processes(2, work, tmp_path) == [True, True]


def test_a_failure_is_told_by_the_first_process(folder, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/notes.txt").write_text("mine")

    def work(rank):
        try:
            train(folder, quick(), tmp_path / "run")
        except TranstarError as error:
            return type(error).__name__
        return "done"

    assert in_processes(2, work, tmp_path) == ["InputError", "OtherProcessFailed"]
