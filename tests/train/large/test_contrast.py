import numpy as np
import pytest
import torch
from scipy.special import logsumexp

from transtar.train.large.contrast import contrast, mean_absolute, over_reference, standardised_spectra, unit


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def tensor(array):
    return torch.from_numpy(array)


def re_derived(one, other, scale=15.5, stars=None):
    """In float64, from the formula: -log of the softmax at the partner, of both directions, without other visits of the star."""
    one, other = (array / np.maximum(np.linalg.norm(array, axis=1, keepdims=True), 1e-3) for array in (one, other))
    logits = scale * one.astype(np.float64) @ other.T.astype(np.float64)
    diagonal = np.diag(logits).copy()
    if stars is not None:
        logits[(stars[:, None] == stars) & ~np.eye(len(stars), dtype=bool)] = -np.inf
    return (logsumexp(logits, axis=1) - diagonal + logsumexp(logits, axis=0) - diagonal) / 2


def test_the_contrast_is_as_re_derived():
    one, other = draw(6, 5), draw(6, 5, seed=1)
    given = contrast(unit(tensor(one)), unit(tensor(other)))
    np.testing.assert_allclose(given, re_derived(one, other), rtol=1e-5)
    # Partners alike and different from all others: nothing is left; embeddings that tell nothing: log of their number.
    apart = unit(torch.eye(6, 8) * 3)
    assert float(contrast(apart, apart).max()) < 1e-5
    same = unit(torch.ones(6, 8))
    np.testing.assert_allclose(contrast(same, same), np.log(6), rtol=1e-6)


def test_stars_of_other_processes_count_as_others():
    one, other = unit(tensor(draw(6, 5))), unit(tensor(draw(6, 5, seed=1)))
    whole = contrast(one, other)
    for start in (0, 2, 4):
        part = slice(start, start + 2)
        given = contrast(one[part], other[part], one, other, start)
        np.testing.assert_allclose(given, whole[part], rtol=1e-6)
    # Of their own process alone it is another loss.
    assert not np.allclose(contrast(one[:2], other[:2]), whole[:2], rtol=0.01)


def test_other_visits_of_a_star_are_neither_partner_nor_other():
    one, other = draw(6, 5), draw(6, 5, seed=1)
    stars = np.array([7, 3, 7, 1, 7, 3])
    given = contrast(unit(tensor(one)), unit(tensor(other)), stars=tensor(stars))
    np.testing.assert_allclose(given, re_derived(one, other, stars=stars), rtol=1e-5, atol=1e-6)
    assert not np.allclose(given[[0, 1, 2, 4, 5]], re_derived(one, other)[[0, 1, 2, 4, 5]], rtol=0.01)
    # Of embeddings that tell nothing: log of the number of the partner and the others.
    same = unit(torch.ones(6, 8))
    expected = np.log([4, 5, 4, 6, 4, 5])
    np.testing.assert_allclose(contrast(same, same, stars=tensor(stars)), expected, rtol=1e-6)
    # Whichever process has them.
    one, other = unit(tensor(one)), unit(tensor(other))
    for start in (0, 2, 4):
        part = slice(start, start + 2)
        mine, everyone = tensor(stars[part]), tensor(stars)
        np.testing.assert_allclose(
            contrast(one[part], other[part], one, other, start, stars=mine, all_stars=everyone), given[part], rtol=1e-6
        )
    # All of one star: there is nobody to tell the partner from, and no gradient.
    one.requires_grad_()
    alone = contrast(one, other, stars=torch.zeros(6, dtype=torch.int64))
    assert not alone.any()
    alone.sum().backward()
    assert not one.grad.any()


def test_short_embeddings_stay_short():
    given = unit(tensor(np.array([[3, 4], [3e-5, 4e-5], [0, 0]], np.float32)))
    np.testing.assert_allclose(given, [[0.6, 0.8], [0.03, 0.04], [0, 0]], rtol=1e-5)
    assert unit(torch.ones(2, 3, dtype=torch.bfloat16)).dtype == torch.float32


def test_half_precision_is_kept_out_of_the_contrast():
    one, other = unit(tensor(draw(6, 5))), unit(tensor(draw(6, 5, seed=1)))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(contrast(one, other), contrast(one.clone(), other.clone()))
        given = contrast(one, other)
    assert torch.equal(given, contrast(one, other))


def test_errors_of_spectra():
    one, other = draw(4, 7), draw(4, 7, seed=1)
    np.testing.assert_allclose(mean_absolute(tensor(one), tensor(other)), np.abs(one - other).mean(axis=1), rtol=1e-6)


def test_targets():
    flux = 2 + 0.1 * draw(4, 50)
    flux[3] = 1.5
    expected = (flux - flux.mean(axis=1, keepdims=True)) / np.maximum(flux.std(axis=1, ddof=1, keepdims=True), 1e-6)
    np.testing.assert_allclose(standardised_spectra(tensor(flux)), expected, atol=1e-4)
    assert not standardised_spectra(tensor(flux))[3].any()
    flux[1, 7], flux[2, 7] = 0, -1
    given = over_reference(tensor(flux), 7).numpy()
    np.testing.assert_allclose(given[[0, 3]], flux[[0, 3]] / flux[[0, 3], 7:8], rtol=1e-6)
    assert np.isnan(given[1:3]).all()


@pytest.mark.parametrize("n", [1, 3])
def test_gradients_flow_to_both(n):
    one, other = (tensor(draw(n, 5, seed=seed)).requires_grad_() for seed in (0, 1))
    contrast(unit(one), unit(other)).sum().backward()
    for given in (one, other):
        assert bool(torch.isfinite(given.grad).all())
        assert bool(given.grad.any()) == (n > 1)
