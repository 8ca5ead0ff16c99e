"""Stand-ins of the public checkpoints of SpecCLIP: small, of random numbers, under the public names; and what the public networks
compute of them, derived anew in float64 with numpy from the description of the method.
"""

import math
from itertools import pairwise

import numpy as np
import torch

GRID, POINTS = 1462, 343


class SomeClass:
    """A class of a package that is not installed where the checkpoint is read."""

    def __init__(self, value):
        self.value = value


def draw(shapes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in shapes.items():
        values = torch.randn(shape, generator=generator) * (shape[1] ** -0.5 if len(shape) == 2 else 0.3)
        if name.endswith("running_var"):
            values = 0.5 + values.square()
        elif name.endswith("num_batches_tracked"):
            values = torch.tensor(12345)
        elif name.endswith("weight") and len(shape) == 1:
            values += 1
        state[name] = values
    return state


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


def prefixed(prefix, shapes):
    return {prefix + name: shape for name, shape in shapes.items()}


def mlp_shapes(name, width):
    return linear(f"{name}.encoder", width, 4 * width) | linear(f"{name}.decoder", 4 * width, width)


def attention_shapes(name, width, tokens_width):
    """Of a learned query and torch's `MultiheadAttention`, which names its weights by whether all widths are equal."""
    inner = f"{name}.multihead_attn"
    shapes = {f"{name}.query": (1, 1, width), f"{inner}.in_proj_bias": (3 * width,)}
    if width == tokens_width:
        shapes[f"{inner}.in_proj_weight"] = (3 * width, width)
    else:
        shapes[f"{inner}.q_proj_weight"] = (width, width)
        shapes |= {f"{inner}.{part}_proj_weight": (width, tokens_width) for part in "kv"}
    return shapes | linear(f"{inner}.out_proj", width, width) | norm(f"{name}.layernorm", width)


def latent_shapes(kind, width, latent, block):
    at = f"{kind}feature_mlp"
    shapes = linear(f"{kind}projection", latent, width) | linear(f"{at}.0", width, block) | norm(f"{at}.1", block)
    return shapes | linear(f"{at}.3", block, width) | norm(f"{at}.4", width) | mlp_shapes(f"{kind}mlp", width)


def decoder_shapes(name, widths):
    shapes = linear(f"{name}.decoder.12", *widths[-2:])
    for number, (before, after) in enumerate(pairwise(widths[:-1])):
        at = f"{name}.decoder.{4 * number + 2}"
        shapes |= linear(f"{name}.decoder.{4 * number}", before, after) | norm(at, after)
        shapes |= {f"{at}.running_mean": (after,), f"{at}.running_var": (after,), f"{at}.num_batches_tracked": ()}
    return shapes


def alignment_shapes(variant, width=24, private=8, block=30, lrs=None, xp=None):
    """Of an alignment; `lrs` and `xp` are the shapes of its encoders."""
    lrs, xp = lrs or lrs_shapes(), xp or xp_shapes()
    tokens, latent = lrs["head.weight"][1], xp["bottleneck_norm.weight"][0]
    split = variant == "split"
    shapes = prefixed("lamost_lrs_encoder.backbone.", lrs) | prefixed("gaia_xp_encoder.backbone.", xp)
    for kind, size in (("shared_", width), ("private_", private)) if split else (("", width),):
        head = attention_shapes(f"{kind or 'cross_'}attention", size, tokens) | mlp_shapes(f"{kind}mlp", size)
        shapes |= prefixed("lamost_lrs_encoder.", head)
        shapes |= prefixed("gaia_xp_encoder.", latent_shapes(kind, size, latent, block))
    if variant == "base":
        return shapes
    across = {"lamost_lrs": (width, *[4 * width] * 3, GRID), "gaia_xp": (width, 4 * width, 2 * width, width, POINTS)}
    for side, widths in across.items():
        shapes |= decoder_shapes(f"{side}_cross_decoder", widths)
        if not split:
            shapes |= decoder_shapes(f"{side}_decoder", widths)
            continue
        points = widths[-1]
        shapes |= linear(f"{side}_decoder.shared_proj", width, points)
        shapes |= linear(f"{side}_decoder.private_proj", private, points)
        shapes |= linear(f"{side}_decoder.final_layer.0", 2 * points, 2 * points)
        shapes |= linear(f"{side}_decoder.final_layer.2", 2 * points, points)
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


def part_of(state, prefix):
    return {name.removeprefix(prefix): values for name, values in state.items() if name.startswith(prefix)}


def residual(state, name, values):
    return values + rows(state, f"{name}.decoder", gelu(rows(state, f"{name}.encoder", values)))


def attended(state, name, tokens, heads):
    """What torch's `MultiheadAttention` makes of a single learned query, written out."""
    inner = f"{name}.multihead_attn"
    bias = np.split(state[f"{inner}.in_proj_bias"].double().numpy(), 3)
    if f"{inner}.in_proj_weight" in state:
        weight = np.split(state[f"{inner}.in_proj_weight"].double().numpy(), 3)
    else:
        weight = [state[f"{inner}.{part}_proj_weight"].double().numpy() for part in "qkv"]
    query = state[f"{name}.query"].double().numpy()[0] @ weight[0].T + bias[0]
    key, value = (tokens @ weight[part].T + bias[part] for part in (1, 2))
    each = query.shape[1] // heads
    mixed = np.empty((len(tokens), query.shape[1]))
    for head in range(heads):
        part = slice(head * each, (head + 1) * each)
        share = softmax((key[..., part] @ query[0, part]) / math.sqrt(each))
        mixed[:, part] = (share[..., None] * value[..., part]).sum(axis=1)
    return normed(state, f"{name}.layernorm", rows(state, f"{inner}.out_proj", mixed))


def aligned_lrs(state, flux, variant):
    """The embedding of the public aligned LRS encoder: of a split one what is shared first."""
    side = part_of(state, "lamost_lrs_encoder.")
    tokens = lrs_tokens(part_of(side, "backbone."), flux)
    if variant != "split":
        return residual(side, "mlp", attended(side, "cross_attention", tokens, 4))
    parts = [residual(side, f"{kind}_mlp", attended(side, f"{kind}_attention", tokens, heads)) for kind, heads in SPLIT]
    return np.hstack(parts)


SPLIT = (("shared", 4), ("private", 2))
"""Parts of the embedding, and heads of the attention in each."""


def aligned_xp(state, flux, variant):
    side = part_of(state, "gaia_xp_encoder.")
    latent = xp_latent(part_of(side, "backbone."), flux)
    parts = []
    for kind in ("shared_", "private_") if variant == "split" else ("",):
        at = f"{kind}feature_mlp"
        values = normed(side, f"{at}.1", rows(side, f"{at}.0", rows(side, f"{kind}projection", latent)))
        parts.append(residual(side, f"{kind}mlp", normed(side, f"{at}.4", rows(side, f"{at}.3", gelu(values)))))
    return np.hstack(parts)


def decoded(state, name, values):
    """Three layers with GELU and batch normalisation, as they are when nothing is trained, and a last one."""
    for layer in (0, 4, 8):
        values = gelu(rows(state, f"{name}.decoder.{layer}", values))
        batch = {part: state[f"{name}.decoder.{layer + 2}.{part}"].double().numpy() for part in BATCH}
        scaled = (values - batch["running_mean"]) / np.sqrt(batch["running_var"] + 1e-5)
        values = scaled * batch["weight"] + batch["bias"]
    return rows(state, f"{name}.decoder.12", values)


BATCH = ("running_mean", "running_var", "weight", "bias")


def split_decoded(state, name, shared, private):
    joined = np.hstack([rows(state, f"{name}.shared_proj", shared), rows(state, f"{name}.private_proj", private)])
    return rows(state, f"{name}.final_layer.2", gelu(rows(state, f"{name}.final_layer.0", joined)))
