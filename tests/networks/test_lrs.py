"""The transformer of LRS spectra: its tokens against numpy, its sizes, what is odd in the public one, and rows on their own."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from scipy.stats import truncnorm

from transtar.errors import InputError, SettingsError
from transtar.networks import (
    LRS_SIZES,
    LRSSettings,
    LRSTransformer,
    build_network,
    count_weights,
    describe,
    lrs_settings,
)
from transtar.networks import lrs as module
from transtar.networks.lrs import PUBLIC

TINY = LRSSettings(width=8, layers=2, heads=2, token=20, stride=10, chunks=3, chunk_tokens=2, positions=12)
N = 97
"""Pixels: the slices from 0, 10, ... end at pixel 89, so that seven are left over."""


def network(seed=0, n_grid=N, **changes):
    torch.manual_seed(seed)
    return LRSTransformer(n_grid, replace(TINY, **changes)).eval()


def flux(n=4, n_grid=N, seed=1):
    return np.random.default_rng(seed).normal(0.9, 0.1, (n, n_grid)).astype(np.float32)


def tensor(values):
    return torch.from_numpy(np.asarray(values, np.float32))


def tokens_in_numpy(spectrum, starts, keeps_mean):
    spectrum = spectrum.astype(np.float64)
    scaled = (spectrum - spectrum.mean()) / spectrum.std(ddof=1)
    tokens = np.zeros((1 + len(starts), 21))
    tokens[0, 0] = np.log10(spectrum.std(ddof=1))
    if keeps_mean:
        tokens[0, 1] = spectrum.mean()
    for at, start in enumerate(starts, start=1):
        tokens[at, 1:] = scaled[start : start + 20]
    return tokens


def test_counts_at_the_papers_size():
    for public in (False, True):
        made = LRSTransformer(1462, lrs_settings(public=public), device="meta")
        assert count_weights(made) == 42_677_013
        assert made.n_tokens == (146 if public else 147)
    assert [made.n_inputs, made.n_outputs, *made.position.shape] == [1462, 768, 150, 768]


def test_every_size_takes_the_grid_and_has_room_for_masks():
    for settings in LRS_SIZES.values():
        made = LRSTransformer(1462, settings, device="meta")
        assert made.n_tokens // settings.chunks > settings.chunk_tokens


@pytest.mark.parametrize(
    ("changes", "starts"),
    [({}, [*range(0, 80, 10), 77]), (PUBLIC, list(range(0, 80, 10))), ({"covers_end": False}, list(range(0, 80, 10)))],
    ids=["mended", "public", "end"],
)
def test_tokens_are_those_of_numpy(changes, starts):
    made = network(**changes)
    given = made.slices(tensor(flux())).numpy()
    assert given.shape == (4, made.n_tokens, 21) == (4, 1 + len(starts), 21)
    for one, spectrum in zip(given, flux(), strict=True):
        np.testing.assert_allclose(one, tokens_in_numpy(spectrum, starts, made.settings.keeps_mean), atol=2e-5)


def test_slices_that_end_with_the_last_pixel_need_no_other():
    assert network(n_grid=90).n_tokens == network(n_grid=90, covers_end=False).n_tokens == 9


def test_the_layers_in_their_order():
    made = network()
    slices = made.slices(tensor(flux()))
    tokens = made.embed(slices) + made.position[: made.n_tokens]
    for block in made.blocks:
        tokens = block(tokens)
    tokens = made.last(tokens)
    torch.testing.assert_close(made.tokens(tensor(flux())), tokens)
    torch.testing.assert_close(made(tensor(flux())), tokens.mean(dim=1))
    assert made.give_back(tokens).shape == slices.shape
    of_flux = network(pooling="flux-mean")
    torch.testing.assert_close(of_flux(tensor(flux())), tokens[:, 1:].mean(dim=1))


def test_means_over_parts_lie_side_by_side_and_cost_no_weight():
    made = network(pooling="parts", chunks=3)
    tokens = made.tokens(tensor(flux())).detach().numpy()
    parts = [part.mean(axis=1) for part in np.array_split(tokens, 3, axis=1)]
    embedding = made(tensor(flux())).detach().numpy()
    assert embedding.shape == (4, made.n_outputs) == (4, 3 * TINY.width)
    np.testing.assert_allclose(embedding, np.concatenate(parts, axis=1), atol=1e-6)
    assert count_weights(made) == count_weights(network(chunks=3))
    with pytest.raises(SettingsError, match="tokens cannot be shared by 40 parts"):
        network(pooling="parts", chunks=40)


def change(other, spectra, **changes):
    """The most that any value of the embedding differs between two sets of spectra."""
    made = network(**changes)
    with torch.no_grad():
        return float((made(tensor(other)) - made(tensor(spectra))).abs().max())


def test_the_public_network_does_not_see_the_mean():
    spectra = flux()
    moved = spectra + np.float32(0.05)
    assert change(moved, spectra, keeps_mean=False) < 1e-4 < 1e-3 < change(moved, spectra)


def test_the_public_network_does_not_see_the_last_pixels():
    spectra = flux()
    # Another order leaves mean and scatter as they are.
    turned = np.concatenate([spectra[:, :90], spectra[:, :89:-1]], axis=1)
    assert turned.shape == spectra.shape
    assert change(turned, spectra, covers_end=False) < 1e-4 < 1e-3 < change(turned, spectra)


def test_the_public_network_scales_twice():
    once, twice = network(), network(doubly_scaled=True)
    assert [block.scale for block in once.blocks] == [0.5] * 2
    assert [block.scale for block in twice.blocks] == [0.25] * 2
    with torch.no_grad():
        assert float((once(tensor(flux())) - twice(tensor(flux()))).abs().max()) > 1e-6
    public = lrs_settings(public=True)
    assert (public.keeps_mean, public.doubly_scaled, public.covers_end) == (False, True, False)
    assert replace(public, keeps_mean=True, doubly_scaled=False, covers_end=True) == LRSSettings()


def test_weights_are_drawn_as_the_public_ones():
    made = LRSTransformer(1462, replace(LRSSettings(), width=192, layers=2))
    cut = truncnorm(-3, 3).std()
    for weight, deviation in (
        (made.embed.weight, 192**-0.5),
        (made.position, 192**-0.5),
        (made.blocks[1].query.weight, (2 * 192 * 2) ** -0.5),
        (made.blocks[0].mlp[2].weight, (2 * 768 * 2) ** -0.5),
        (made.back.weight, 192**-0.5),
    ):
        assert float(weight.detach().std()) == pytest.approx(cut * deviation, rel=0.04)
    assert not made.embed.bias.any()
    assert not made.back.bias.any()


def test_rows_do_not_depend_on_each_other(monkeypatch):
    made, spectra = network(), flux(7)
    spectra[3, 50] = np.nan
    with torch.no_grad():
        together = made(tensor(spectra))
        assert torch.isnan(together).all(dim=1).tolist() == [False, False, False, True, False, False, False]
        for row in (0, 6):
            torch.testing.assert_close(made(tensor(spectra[row : row + 1]))[0], together[row])
        assert made(torch.empty(0, N)).shape == (0, 8)
        # In parts of two, as many go together at larger sizes.
        monkeypatch.setattr(module, "TOGETHER", 2 * made.n_tokens * 8)
        torch.testing.assert_close(made(tensor(spectra)), together, equal_nan=True)


def test_gradients_in_parts_are_those_of_the_whole(monkeypatch):
    made, gradients = network(), []
    for together in (module.TOGETHER, 2 * made.n_tokens * 8):
        monkeypatch.setattr(module, "TOGETHER", together)
        made.zero_grad()
        inputs = tensor(flux(5)).requires_grad_()
        made(inputs).square().sum().backward()
        gradients.append([inputs.grad, made.position.grad.clone(), made.blocks[0].query.weight.grad.clone()])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("changes", [{}, PUBLIC], ids=["mended", "public"])
def test_constant_spectra(changes):
    made = network(**changes)
    for level in (0.0, 1.0, -3.0):
        constant = torch.full((2, N), level, requires_grad=True)
        slices = made.slices(constant)
        assert float(slices[0, 0, 0].detach()) == pytest.approx(-6)
        values = made(constant)
        assert torch.isfinite(values).all()
        values.sum().backward()
        assert torch.isfinite(constant.grad).all()
    # One that is not constant is not touched by the floor.
    assert float(made.slices(tensor(flux()))[0, 0, 0]) == pytest.approx(np.log10(flux()[0].std(ddof=1)), rel=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 0}, "lrs-transformer: width must be"),
        ({"width": 10**9}, "lrs-transformer: width must be"),
        ({"width": 12.0}, "lrs-transformer: width must be"),
        ({"layers": True}, "lrs-transformer: layers must be"),
        ({"heads": 3}, "cannot be shared by 3 heads"),
        ({"positions": 10**8}, "lrs-transformer: positions must be"),
        ({"keeps_mean": 1}, "keeps_mean must be true or false"),
        ({"pooling": ["mean"]}, "pooling must be one of mean, flux-mean, parts"),
        ({"token": 1}, "token must be at least 2 pixels"),
        ({"width": 8192, "layers": 128, "heads": 2}, "too many weights"),
    ],
)
def test_settings_that_cannot_be(changes, message):
    with pytest.raises(SettingsError, match=message):
        replace(TINY, **changes)


def test_spectra_that_do_not_fit():
    with pytest.raises(SettingsError, match="19 pixels are fewer than a slice of 20"):
        network(n_grid=19)
    with pytest.raises(SettingsError, match="200 pixels make 20 tokens; positions is 12"):
        network(n_grid=200)
    with pytest.raises(SettingsError, match="size must be one of paper, small, not 'huge'"):
        lrs_settings("huge")
    for other in (N - 10, N + 10):
        with pytest.raises(InputError, match=rf"takes spectra of shape \(n, 97\), got \(4, {other}\)"):
            network()(tensor(flux(n_grid=other)))


def test_a_description_builds_the_network_again():
    made = network(pooling="flux-mean", doubly_scaled=True)
    description = describe(made)
    assert description == {"kind": "lrs-transformer", **asdict(made.settings)}
    again = build_network(description, N, 8)
    again.load_state_dict(made.state_dict())
    assert torch.equal(again(tensor(flux())), made(tensor(flux())))
    for changes, message in (
        ({"width": 16}, "width is 16, where 8 outputs are needed"),
        ({"layers": 10**12}, "layers must be"),
        ({"depth": 3}, "unknown key depth"),
    ):
        with pytest.raises(SettingsError, match=message):
            build_network(description | changes, N, 8, device="meta")
    # What would be built otherwise is not described.
    made.blocks[0].scale = 0.3
    with pytest.raises(InputError, match="cannot be stored"):
        describe(made)
