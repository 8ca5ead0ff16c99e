"""The public alignments of SpecCLIP, out of one checkpoint each: both encoders with their heads, and the decoders."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from ..errors import InputError, SettingsError
from ..networks.aligned import AlignedNetwork
from ..networks.alignment_heads import AttentionHead, LatentHead
from ..networks.alignment_settings import AlignmentSettings
from ..networks.checkpoint_archive import CheckpointArchive
from ..networks.crossing import Crossings
from .alignment import INPUTS, Alignment
from .public_names import PUBLIC_SIDES, Names, attention_head_names, crossing_names, latent_head_names
from .public_weights import PUBLIC_PREPARED, Checkpoint, as_encoder, kind_of_checkpoint, lrs_network, xp_network

_PARTS = {"base": ("",), "pr": ("",), "split": ("shared_", "private_")}
"""What stands before the public names of each head."""


def read_public_alignment(path: str | Path, name: str = "") -> Alignment:
    """The public alignment of a checkpoint, which is not run.

    Heads of the attention are those of the public configuration, 4 (2 in the private part): shapes do not tell them.

    Parameters
    ----------
    path : path
        ``specclip_model_base.ckpt``, ``specclip_model_predrecon_mlp.ckpt`` or ``specclip_model_split_mlp.ckpt``.
    name : str
        Under which networks take the embedding of LRS spectra, and, with '-xp' behind it, that of XP spectra; by default as of
        alignments that were trained here.

    Returns
    -------
    Alignment

    Raises
    ------
    InputError
        If it is none of these, damaged, or its shapes do not fit one another.
    """
    with CheckpointArchive(Path(path)) as archive:
        checkpoint = Checkpoint(archive, archive.state())
        if kind_of_checkpoint(checkpoint) != "alignment":
            raise InputError(f"{checkpoint.path}: holds one encoder, not an alignment of two")
        settings, parts = parts_of(checkpoint)
        checkpoint.check_all_used(public for _, names in parts for public, _, _ in names.values())
        filled = [checkpoint.fill(network, names) for network, names in parts]
        name = name or INPUTS[settings.variant]
        lrs, xp = (
            as_encoder(side, network, name + ending, checkpoint.history(side))
            for side, network, ending in zip(PUBLIC_SIDES, filled, ("", "-xp"), strict=False)
        )
    crossings = filled[2] if settings.has_decoders else None
    return Alignment(lrs, xp, settings, crossings)  # type: ignore[arg-type]


def parts_of(checkpoint: Checkpoint) -> tuple[AlignmentSettings, list[tuple[nn.Module, Names]]]:
    """The networks of an alignment on the device 'meta', each with the names of its weights: LRS side, XP side, decoders.

    Raises
    ------
    InputError
        If the shapes are those of no public alignment.
    """
    try:
        settings = _settings(checkpoint)
        parts = [_lrs_side(checkpoint, settings), _xp_side(checkpoint, settings)]
        return settings, [*parts, *_decoders(settings)]
    except SettingsError as error:
        raise InputError(f"{checkpoint.path}: not the public alignment ({error}); not imported") from error


def _prefix(side: str) -> str:
    return f"{PUBLIC_SIDES[side]}_encoder."


def _settings(checkpoint: Checkpoint) -> AlignmentSettings:
    """Variant and widths, by names and shapes."""
    lrs, xp = _prefix("lrs"), _prefix("xp")
    if f"{xp}backbone.input_proj.weight" not in checkpoint.state:
        raise InputError(
            f"{checkpoint.path}: an alignment whose encoder of XP spectra is not the paper's autoencoder; transtar has no "
            "network for it"
        )
    split = f"{lrs}shared_attention.query" in checkpoint.state
    decodes = any(name.startswith("gaia_xp_decoder.") for name in checkpoint.state)
    variant = "split" if split else "pr" if decodes else "base"
    widths = [
        checkpoint.sides(f"{lrs}{part}attention.query", 3)[2]
        for part in (("shared_", "private_") if split else ("cross_",))
    ]
    block = checkpoint.sides(f"{xp}{_PARTS[variant][0]}feature_mlp.0.weight", 2)[0]
    return AlignmentSettings(variant, widths[0], widths[1] if split else 0, block=block)


def _lrs_side(checkpoint: Checkpoint, settings: AlignmentSettings) -> tuple[nn.Module, Names]:
    prefix = _prefix("lrs")
    backbone, names = lrs_network(checkpoint, f"{prefix}backbone.", "backbone.")
    given, heads = backbone.n_outputs, []
    for number, (width, n_heads) in enumerate(_shapes(settings)):
        part = _PARTS[settings.variant][number]
        heads.append(AttentionHead(given, width, n_heads, settings.dropout, device="meta"))
        attention = f"{prefix}{part or 'cross_'}attention."
        joint = f"{attention}multihead_attn.in_proj_weight" in checkpoint.state
        names |= attention_head_names(f"heads.{number}.", attention, f"{prefix}{part}mlp.", joint)
    return AlignedNetwork(backbone, heads), names


def _xp_side(checkpoint: Checkpoint, settings: AlignmentSettings) -> tuple[nn.Module, Names]:
    prefix = _prefix("xp")
    backbone, names = xp_network(checkpoint, f"{prefix}backbone.", "backbone.")
    given, heads = backbone.n_outputs, []
    for number, (width, _) in enumerate(_shapes(settings)):
        heads.append(LatentHead(given, width, settings.block, settings.dropout, device="meta"))
        names |= latent_head_names(f"heads.{number}.", prefix, _PARTS[settings.variant][number])
    return AlignedNetwork(backbone, heads), names


def _shapes(settings: AlignmentSettings) -> list[tuple[int, int]]:
    """Width and heads of the attention of each head."""
    shapes = [(settings.width, settings.heads), (settings.private_width, settings.private_heads)]
    return [shape for shape in shapes if shape[0]]


def _decoders(settings: AlignmentSettings) -> list[tuple[nn.Module, Names]]:
    if not settings.has_decoders:
        return []
    n_lrs, n_xp = (PUBLIC_PREPARED[side].wavelengths.size for side in PUBLIC_SIDES)
    return [(Crossings(settings, n_lrs, n_xp, device="meta"), crossing_names(settings.variant == "split"))]
