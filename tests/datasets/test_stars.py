from dataclasses import replace

import numpy as np
import pytest

from transtar.datasets import Stars
from transtar.errors import InputError, SettingsError


def stars(n=6, **more):
    return Stars(np.arange(3.0 * n).reshape(n, 3), np.linspace(-2, 0, n), ("feh",), **more)


def test_arrays_of_ones_own_need_no_more_than_names_of_labels():
    made = Stars([[1, 2, 3], [4, 5, 6]], [-1.0, 0.2], "feh")
    assert (made.inputs.dtype, made.inputs.shape) == (np.float32, (2, 3))
    assert (made.labels.dtype, made.labels.shape, made.label_names) == (np.float64, (2, 1), ("feh",))
    assert made.names.tolist() == ["0", "1"]
    assert (made.ids.tolist(), made.files.tolist(), made.survey.tolist()) == ([-1, -1], ["", ""], ["", ""])
    assert made.feh.tolist() == [-1.0, 0.2]
    assert (made.weights, made.preprocessing, made.input, made.input_sizes) == (None, None, "flux", (3,))


def test_rows_that_cannot_be_used_are_left_out_and_counted_once():
    inputs, labels = np.ones((5, 2)), np.array([[0.1, 5000], [0.2, np.nan], [np.nan, np.inf], [0.3, 1], [0.4, 2]])
    inputs[3, 1] = np.nan
    made = Stars(inputs, labels, ("feh", "teff"), ids=np.arange(5) + 2**62, weights=np.arange(5))
    assert made.ids.tolist() == [2**62, 2**62 + 1, 2**62 + 4]
    assert made.weights.tolist() == [0, 1, 4]
    assert made.feh.tolist() == [0.1, 0.2, 0.4]
    assert made.n_left_out == 2
    assert replace(made, survey="miles").n_left_out == made.select(np.array([0])).n_left_out == 2


def test_parts_have_all_columns_and_may_be_empty():
    made = stars(names=list("aabbcc"), survey=np.repeat(["x", "y"], 3))
    one, other = made.split(0.34, seed=1)
    assert len(one) + len(other) == 6
    assert not set(one.names) & set(other.names)
    assert len(made.select(np.zeros(6, bool))) == 0
    assert made.seen("train")["star"].tolist() == list("aabbcc")
    assert set(other.seen("validation")) == {"survey", "id", "file", "star", "role"}


def test_weights_of_metal_poor_stars():
    made = stars()
    assert made.loss_weights() is None
    assert made.loss_weights(3.0).tolist() == [3, 3, 3, 1, 1, 1]
    assert replace(made, weights=np.full(6, 2)).loss_weights(3.0).tolist() == [6, 6, 6, 2, 2, 2]
    with pytest.raises(SettingsError, match="poor_weight"):
        Stars(made.inputs, made.labels, "teff").loss_weights(2.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label_names": ("feh", "teff")}, r"labels of shape \(stars, 2\), got \(6, 3\) and \(6, 1\)"),
        ({"inputs": np.ones(6)}, r"inputs of shape \(stars, inputs\)"),
        ({"ids": np.arange(3)}, r"ids has shape \(3,\), expected \(6,\)"),
        ({"weights": -np.ones(6)}, "not negative"),
        ({"weights": np.full(6, np.nan)}, "must be finite"),
        ({"labels": np.full(6, np.nan)}, "none of 6 stars has finite inputs and a label"),
        ({"input_sizes": (1, 1)}, "do not add up to the 3 inputs"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        replace(stars(), **change)


def test_what_is_masked_or_missing_is_missing():
    inputs = np.ma.masked_array(np.ones((6, 3)), mask=False)
    inputs[0, 1] = np.ma.masked
    labels = np.ma.masked_array(np.linspace(-2, 0, 6), mask=[0, 1, 0, 0, 0, 0])
    ids = np.ma.masked_array(np.arange(6), mask=[0, 0, 1, 0, 0, 0])
    made = Stars(inputs, labels, "feh", ids=ids, names=["a", "a", "", None, "", "b"], feh=labels)
    assert made.n_left_out == 2
    assert made.ids.tolist() == [-1, 3, 4, 5]
    # Stars without a name are not one star.
    assert len(set(made.names)) == 4
    assert made.feh.tolist() == made.labels[:, 0].tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": np.ones((6, 3)) + 1j}, "inputs must be real numbers, not complex"),
        ({"labels": ["high"] * 6}, "labels must be numbers"),
        ({"inputs": [[1, 2], [3]]}, "inputs must be numbers in an array of equal rows"),
        ({"inputs": np.ones((6, 0))}, r"got \(6, 0\)"),
        ({"ids": np.arange(6) + 0.5}, "which loses digits"),
        ({"ids": np.arange(6) + 2.0**62}, "which loses digits"),
        ({"weights": np.full(6, np.inf)}, "must be finite"),
        ({"weights": np.zeros(6)}, "all weights are zero"),
        ({"label_names": ("feh", "feh"), "labels": np.ones((6, 2))}, "'feh' comes twice"),
        ({"label_names": "a/b"}, "has a slash"),
        ({"label_names": "snr"}, "no label but a column"),
        ({"survey": "a/b"}, "survey: 'a/b' cannot be a name"),
        ({"input": "flux+flux"}, "an input comes twice"),
        ({"input": None}, "input must be text"),
        ({"input": "flux+a", "input_sizes": (4, -1)}, "whole number from 1"),
        ({"input": "flux+a", "input_sizes": (1, 1, 1)}, "of 3 parts, the input 'flux\\+a' has 2"),
        ({"preprocessing": {"grid": "blue"}}, "must be a Preprocessing"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(change, message):
    with pytest.raises((InputError, SettingsError), match=message):
        replace(stars(), **change)
