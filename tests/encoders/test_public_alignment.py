import numpy as np
import pytest
import torch

from transtar.encoders.alignment_storage import load_alignment, save_alignment
from transtar.encoders.public_alignment import read_public_alignment
from transtar.encoders.public_weights import read_public_encoder
from transtar.errors import InputError

from .public_standins import (
    GRID,
    POINTS,
    SomeClass,
    aligned_lrs,
    aligned_xp,
    alignment_shapes,
    decoded,
    draw,
    lrs_shapes,
    save_lightning,
    split_decoded,
    xp_shapes,
)

VARIANTS = ("base", "pr", "split")


@pytest.fixture(scope="module")
def flux():
    return (1 + 0.1 * np.random.default_rng(0).normal(size=(4, GRID))).astype(np.float32)


@pytest.fixture(scope="module")
def xp_flux():
    return (3 + 0.3 * np.random.default_rng(1).normal(size=(4, POINTS))).astype(np.float32)


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """By variant: the weights under their public names, and the alignment that was read."""
    folder, given = tmp_path_factory.mktemp("public"), {}
    for variant in VARIANTS:
        state = draw(alignment_shapes(variant, width=16 if variant == "split" else 24))
        network = torch.nn.Linear(2, 2)  # as the framework keeps both encoders among the settings
        settings = {"gaia_xp_encoder": network, "lamost_lrs_encoder": SomeClass(network), "temperature": 15.5}
        given[variant] = state, read_public_alignment(save_lightning(folder / f"{variant}.ckpt", state, settings))
    return given


@pytest.mark.parametrize("variant", VARIANTS)
def test_both_sides_give_what_the_public_ones_would(imported, flux, xp_flux, variant):
    state, alignment = imported[variant]
    assert alignment.settings.variant == variant
    lrs, xp = aligned_lrs(state, flux, variant), aligned_xp(state, xp_flux, variant)
    assert lrs.shape == xp.shape == (4, 24)
    np.testing.assert_allclose(alignment.lrs.encode(flux), lrs, atol=1e-5)
    np.testing.assert_allclose(alignment.xp.encode(xp_flux), xp, atol=1e-5)
    shared = 16 if variant == "split" else 24
    np.testing.assert_allclose(alignment.shared(flux, "lrs"), lrs[:, :shared], atol=1e-5)


def test_the_decoders_give_what_the_public_ones_would(imported, flux, xp_flux):
    for variant in ("pr", "split"):
        state, alignment = imported[variant]
        lrs, xp = aligned_lrs(state, flux, variant), aligned_xp(state, xp_flux, variant)
        shared = alignment.settings.width
        expected = decoded(state, "gaia_xp_cross_decoder", lrs[:, :shared])
        np.testing.assert_allclose(alignment.translate(flux, "lrs", "xp"), expected, atol=1e-5)
        expected = decoded(state, "lamost_lrs_cross_decoder", xp[:, :shared])
        np.testing.assert_allclose(alignment.translate(xp_flux, "xp", "lrs"), expected, atol=1e-5)
        for name, embedding, side, spectra in (("lamost_lrs", lrs, "lrs", flux), ("gaia_xp", xp, "xp", xp_flux)):
            if variant == "pr":
                expected = decoded(state, f"{name}_decoder", embedding)
            else:
                expected = split_decoded(state, f"{name}_decoder", embedding[:, :shared], embedding[:, shared:])
            np.testing.assert_allclose(alignment.give_back(spectra, side), expected, atol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_on_disk_it_is_an_alignment_as_others(imported, flux, tmp_path, variant):
    _, alignment = imported[variant]
    stored = save_alignment(alignment, tmp_path / "aligned", dtype="float32")
    again = load_alignment(tmp_path / "aligned")
    assert again.settings == alignment.settings
    assert again.lrs.sha256 == stored.lrs.sha256
    np.testing.assert_array_equal(again.lrs.encode(flux), alignment.lrs.encode(flux))


def test_names_and_history(imported):
    names = [(alignment.lrs.name, alignment.xp.name) for _, alignment in imported.values()]
    assert names == [("embed-align", "embed-align-xp")] * 2 + [("embed-split", "embed-split-xp")]
    (step,) = imported["pr"][1].xp.provenance
    assert (step["step"], step["kind"], step["file"]) == ("imported", "xp", "pr.ckpt")


@pytest.mark.parametrize(("variant", "weights"), [("base", 99_710_814), ("pr", 168_293_752), ("split", 126_229_506)])
def test_at_the_size_of_the_paper_names_and_shapes_are_those_of_the_public_models(variant, weights):
    """No numbers: the names and shapes of what would be read, against those of the networks."""
    from transtar.encoders.public_alignment import parts_of
    from transtar.encoders.public_weights import Checkpoint
    from transtar.networks.checkpoint_pickle import Declared, Storage

    width = 512 if variant == "split" else 768
    shapes = alignment_shapes(variant, width, 256, 1160, lrs_shapes(768, 6), xp_shapes(1290, 768))
    state = {name: Declared(Storage("FloatStorage", "0", 0), 0, shape, ()) for name, shape in shapes.items()}

    class Archive:
        path = "a.ckpt"

        def setting(self, name):
            return None

    settings, parts = parts_of(Checkpoint(Archive(), state))
    assert settings.variant == variant
    used = [public for _, names in parts for public, _, _ in names.values()]
    assert set(used) == set(shapes)
    total = 0
    for network, names in parts:
        ours = network.state_dict()
        assert set(ours) == set(names)
        total += sum(weight.numel() for weight in network.parameters())
    assert total == weights


def altered(state, **changes):
    state = state | {name.replace("__", "."): value for name, value in changes.items()}
    return {name: value for name, value in state.items() if value is not None}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lamost_lrs_encoder__cross_attention__query": None}, "cross_attention.query is not among its weights"),
        (
            {"lamost_lrs_encoder__cross_attention__query": torch.zeros(1, 1, 22)},
            "4 heads do not share a width of 22 evenly",
        ),
        (
            {"gaia_xp_encoder__mlp__decoder__bias": torch.full((24,), torch.inf)},
            "mlp.decoder.bias has values that are not finite",
        ),
        (
            {"gaia_xp_encoder__backbone__input_proj__weight": None},
            "encoder of XP spectra is not the paper's autoencoder",
        ),
        ({"gaia_xp_cross_decoder__decoder__2__running_var": -torch.ones(96)}, "running_var has a negative variance"),
        (
            {"gaia_xp_decoder__decoder__2__num_batches_tracked": torch.tensor(1.0)},
            "is of type torch.float32, where torch.int64 is",
        ),
        ({"gaia_xp_decoder__decoder__0__weight": None}, r"gaia_xp_decoder.decoder.0.weight is not there"),
        ({"logit_scale": torch.tensor(2.7)}, r"1 weights that the public network does not have \(\['logit_scale'\]\)"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_does_not_fit_is_refused_in_one_line(imported, tmp_path, changes, message):
    path = save_lightning(tmp_path / "a.ckpt", altered(imported["pr"][0], **changes))
    with pytest.raises(InputError, match=message) as error:
        read_public_alignment(path)
    assert "\n" not in str(error.value)


def test_one_encoder_is_no_alignment_and_an_alignment_no_encoder(imported, tmp_path):
    with pytest.raises(InputError, match="holds one encoder, not an alignment of two"):
        read_public_alignment(save_lightning(tmp_path / "a.ckpt", draw(lrs_shapes())))
    with pytest.raises(InputError, match="holds an alignment of two encoders, not one encoder"):
        read_public_encoder(save_lightning(tmp_path / "b.ckpt", imported["base"][0]))
