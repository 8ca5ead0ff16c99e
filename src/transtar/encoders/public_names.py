"""Names of weights: transtar's, and those in the public checkpoints of SpecCLIP.

Source: names of parameters in the public repository Xiaosheng-Zhao/SpecCLIP, read in modules.py and, of models,
specformer_control.py, specclip.py, specclip_reconstruct_embed768_mlp.py and specclip_reconstruct_split_5122562_mlp_recordloss.py.
They are the same in all versions of these files that were looked at. No checkpoint was at hand.
"""

from __future__ import annotations

from collections.abc import Iterable

Names = dict[str, tuple[str, int, int]]
"""By transtar's name: the public one, and which part of how many equal ones along the first axis."""

PUBLIC_SIDES = {"lrs": "lamost_lrs", "xp": "gaia_xp"}
"""What the public models call the two kinds of spectra."""


def whole(pairs: Iterable[tuple[str, str]], ours: str = "", before: str = "") -> Names:
    """Weights and offsets of layers whose numbers are the same on both sides.

    Parameters
    ----------
    pairs : iterable of (str, str)
        A layer of transtar's, and the public one.
    ours, before : str
        What stands before their names.
    """
    return {
        f"{ours}{mine}.{part}": (f"{before}{public}.{part}", 0, 1)
        for mine, public in pairs
        for part in ("weight", "bias")
    }


def lrs_names(layers: int, ours: str = "", before: str = "") -> Names:
    """Of the transformer of low-resolution spectra, `transtar.networks.lrs.LRSTransformer`."""
    pairs = [("embed", "data_embed"), ("last", "final_layernorm"), ("back", "head")]
    for block in range(layers):
        pairs += [
            (f"blocks.{block}.{mine}", f"blocks.{block}.{public}")
            for mine, public in (
                ("before_attention", "ln1"),
                ("query", "attention.q_proj"),
                ("key_value", "attention.kv_proj"),
                ("output", "attention.out_proj"),
                ("before_mlp", "ln2"),
                ("mlp.0", "mlp.0"),
                ("mlp.2", "mlp.2"),
            )
        ]
    return {f"{ours}position": (f"{before}position_embed.weight", 0, 1)} | whole(pairs, ours, before)


def xp_names(blocks: int, ours: str = "", before: str = "") -> Names:
    """Of the autoencoder of XP spectra, `transtar.networks.xp_autoencoder.XPAutoencoder`."""
    last = blocks + 1
    pairs = [
        ("encode.0", "input_proj"),
        (f"encode.{last}", "bottleneck_down"),
        (f"encode.{last + 1}", "bottleneck_norm"),
        ("decode.0", "bottleneck_up"),
        (f"decode.{last}", "output_proj"),
    ]
    for mine, public in (("encode", "encoder_blocks"), ("decode", "decoder_blocks")):
        for block in range(blocks):
            at = f"{mine}.{block + 1}", f"{public}.{block}"
            pairs += [
                (f"{at[0]}.{one}", f"{at[1]}.{two}") for one, two in (("0", "norm"), ("1", "mlp.0"), ("3", "mlp.3"))
            ]
    return whole(pairs, ours, before)


def attention_head_names(ours: str, attention: str, mlp: str, joint: bool) -> Names:
    """Of a head that looks at tokens, `transtar.networks.alignment_heads.AttentionHead`.

    Parameters
    ----------
    ours : str
        What stands before transtar's names.
    attention, mlp : str
        What stands before the public ones.
    joint : bool
        The projections of queries, keys and values lie in one tensor, as torch has it where tokens are as wide as the query.
    """
    inner = f"{attention}multihead_attn."
    names: Names = {f"{ours}query": (f"{attention}query", 0, 1)}
    for part, (mine, public) in enumerate((("to_query", "q"), ("to_key", "k"), ("to_value", "v"))):
        weight = (f"{inner}in_proj_weight", part, 3) if joint else (f"{inner}{public}_proj_weight", 0, 1)
        names[f"{ours}{mine}.weight"] = weight
        names[f"{ours}{mine}.bias"] = (f"{inner}in_proj_bias", part, 3)
    names |= whole([("to_output", "multihead_attn.out_proj"), ("norm", "layernorm")], ours, attention)
    return names | _residual(ours, mlp)


def latent_head_names(ours: str, before: str, kind: str = "") -> Names:
    """Of a head behind a single vector, `transtar.networks.alignment_heads.LatentHead`.

    Parameters
    ----------
    ours, before : str
        What stands before the names.
    kind : {'', 'shared_', 'private_'}
        What stands before the public names of its layers.
    """
    block = [(f"block.{layer}", f"{kind}feature_mlp.{layer}") for layer in (0, 1, 3, 4)]
    names = whole([("first", f"{kind}projection"), *block], ours, before)
    return names | _residual(ours, f"{before}{kind}mlp.")


def _residual(ours: str, before: str) -> Names:
    return whole([("mlp.layers.0", "encoder"), ("mlp.layers.3", "decoder")], ours, before)


def crossing_names(split: bool) -> Names:
    """Of the decoders of the variants 'pr' and 'split', `transtar.networks.crossing.Crossings`."""
    names: Names = {}
    for side, public in PUBLIC_SIDES.items():
        names |= _decoder(f"across.{side}.", f"{public}_cross_decoder.decoder.")
        if split:
            pairs = [("from_shared", "shared_proj"), ("from_private", "private_proj")]
            pairs += [(f"joint.{layer}", f"final_layer.{layer}") for layer in (0, 2)]
            names |= whole(pairs, f"back.{side}.", f"{public}_decoder.")
        else:
            names |= _decoder(f"back.{side}.", f"{public}_decoder.decoder.")
    return names


def _decoder(ours: str, before: str) -> Names:
    """Of three hidden layers, each with GELU, batch normalisation and dropout behind it."""
    names = whole([(str(layer), str(layer)) for layer in (0, 2, 4, 6, 8, 10, 12)], ours, before)
    for layer in (2, 6, 10):
        for part in ("running_mean", "running_var", "num_batches_tracked"):
            names[f"{ours}{layer}.{part}"] = (f"{before}{layer}.{part}", 0, 1)
    return names
