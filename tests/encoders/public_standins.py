"""Stand-ins of the public checkpoints of SpecCLIP: small, of random numbers, under the public names; and what the public networks
compute of them, derived anew in float64 with numpy from the description of the method.
"""

import math

import numpy as np
import torch

GRID, POINTS = 1462, 343


class SomeClass:
    """A class of a package that is not installed where the checkpoint is read."""

    def __init__(self, value):
        self.value = value


def draw(shapes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(shape, generator=generator) * (0.3 if len(shape) > 1 else 0.1)
        + ("norm" in name or "ln" in name)
        for name, shape in shapes.items()
    }


def linear(name, inputs, outputs):
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def norm(name, width):
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def lrs_shapes(width=24, layers=2, token=20, positions=150):
    shapes = linear("data_embed", token + 1, width) | {"position_embed.weight": (positions, width)}
    for block in range(layers):
        at = f"blocks.{block}"
        shapes |= linear(f"{at}.attention.q_proj", width, width) | linear(f"{at}.attention.kv_proj", width, 2 * width)
        shapes |= linear(f"{at}.attention.out_proj", width, width) | norm(f"{at}.ln1", width) | norm(f"{at}.ln2", width)
        shapes |= linear(f"{at}.mlp.0", width, 4 * width) | linear(f"{at}.mlp.2", 4 * width, width)
    return shapes | norm("final_layernorm", width) | linear("head", width, token + 1)


def xp_shapes(hidden=30, latent=16, blocks=2, points=POINTS):
    shapes = linear("input_proj", points + 2, hidden) | linear("output_proj", hidden, points + 2)
    shapes |= linear("bottleneck_down", hidden, latent) | norm("bottleneck_norm", latent)
    shapes |= linear("bottleneck_up", latent, hidden)
    for side in ("encoder_blocks", "decoder_blocks"):
        for block in range(blocks):
            at = f"{side}.{block}"
            shapes |= norm(f"{at}.norm", hidden)
            shapes |= linear(f"{at}.mlp.0", hidden, 3 * hidden) | linear(f"{at}.mlp.3", 3 * hidden, hidden)
    return shapes


LRS_SETTINGS = {
    "input_dim": 21, "embed_dim": 24, "num_layers": 2, "num_heads": 6, "max_len": 150, "mask_num_chunks": 6,
    "mask_chunk_width": 10, "slice_section_length": 20, "slice_overlap": 10, "dropout": 0.0, "norm_first": False,
}  # fmt: skip


def save_lightning(path, state, settings=None, **more):
    """A checkpoint as the training framework writes it: with optimiser, loops and settings of classes of its own."""
    parameter = torch.nn.Parameter(next(iter(state.values())).clone())
    optimiser = torch.optim.AdamW([parameter])
    parameter.sum().backward()
    optimiser.step()
    content = {
        "epoch": 128,
        "global_step": 12345,
        "pytorch-lightning_version": "1.9.5",
        "state_dict": state,
        "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"total": {"ready": 129}}}},
        "callbacks": {
            "ModelCheckpoint{'monitor': 'val_epoch_loss'}": {"best": torch.tensor(0.1), "dirpath": SomeClass("/x")}
        },
        "optimizer_states": [optimiser.state_dict()],
        "lr_schedulers": [{"T_max": 980000, "last": [1e-5]}],
        "hparams_name": "kwargs",
        "hyper_parameters": settings if settings is not None else {},
    }
    torch.save(content | more, path)
    return path


def rows(state, name, values):
    """A linear layer."""
    return values @ state[f"{name}.weight"].double().numpy().T + state[f"{name}.bias"].double().numpy()


def normed(state, name, values):
    mean = values.mean(-1, keepdims=True)
    scaled = (values - mean) / np.sqrt(((values - mean) ** 2).mean(-1, keepdims=True) + 1e-5)
    return scaled * state[f"{name}.weight"].double().numpy() + state[f"{name}.bias"].double().numpy()


_erf = np.vectorize(math.erf, otypes=[float])


def gelu(values):
    return values * 0.5 * (1 + _erf(values / math.sqrt(2)))


def softmax(values):
    values = np.exp(values - values.max(-1, keepdims=True))
    return values / values.sum(-1, keepdims=True)


def lrs_tokens(state, flux, heads=6, token=20, stride=10):
    """Output tokens of the public transformer: mean and last slice dropped, attention divided by the values per head."""
    flux = np.asarray(flux, float)
    std = flux.std(axis=1, ddof=1)
    scaled = (flux - flux.mean(axis=1, keepdims=True)) / std[:, None]
    starts = [start for start in range(0, flux.shape[1] - 10, stride) if start + token <= flux.shape[1]]
    values = np.zeros((len(flux), len(starts) + 1, token + 1))
    values[:, 0, 0] = np.log10(std)
    for number, start in enumerate(starts, start=1):
        values[:, number, 1:] = scaled[:, start : start + token]
    values = rows(state, "data_embed", values) + state["position_embed.weight"].double().numpy()[: values.shape[1]]
    layers = len({name.split(".")[1] for name in state if name.startswith("blocks.")})
    for block in range(layers):
        at = f"blocks.{block}"
        before = normed(state, f"{at}.ln1", values)
        query = rows(state, f"{at}.attention.q_proj", before)
        key, value = np.split(rows(state, f"{at}.attention.kv_proj", before), 2, axis=-1)
        each = values.shape[2] // heads
        mixed = np.zeros_like(values)
        for head in range(heads):
            part = slice(head * each, (head + 1) * each)
            share = softmax(query[..., part] @ key[..., part].swapaxes(1, 2) / each)
            mixed[..., part] = share @ value[..., part]
        values = values + rows(state, f"{at}.attention.out_proj", mixed)
        values = values + rows(
            state, f"{at}.mlp.2", gelu(rows(state, f"{at}.mlp.0", normed(state, f"{at}.ln2", values)))
        )
    return normed(state, "final_layernorm", values)


def xp_latent(state, flux):
    """The embedding of the public autoencoder, of spectra that are divided at 550 nm first."""
    flux = np.asarray(flux, float)
    flux = flux / flux[:, 107, None]
    mean, std = flux.mean(axis=1, keepdims=True), flux.std(axis=1, ddof=1, keepdims=True)
    values = rows(state, "input_proj", np.hstack([mean, std, (flux - mean) / std]))
    blocks = len({name.split(".")[1] for name in state if name.startswith("encoder_blocks.")})
    for block in range(blocks):
        at = f"encoder_blocks.{block}"
        values = rows(state, f"{at}.mlp.3", gelu(rows(state, f"{at}.mlp.0", normed(state, f"{at}.norm", values))))
    return normed(state, "bottleneck_norm", rows(state, "bottleneck_down", values))
