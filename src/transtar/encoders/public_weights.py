"""The public checkpoints of SpecCLIP as encoders: tensors by name and shape, nothing else of the file, nothing run.

Shapes tell the width, the number of blocks and of positions. What they cannot tell (attention heads, overlap of slices) is taken
from the settings beside the weights where these are plain numbers, else from the public configuration.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ..errors import InputError, SettingsError, shown
from ..networks.checkpoint_archive import CheckpointArchive
from ..networks.checkpoint_pickle import Declared
from ..networks.lrs import PUBLIC, LRSSettings, LRSTransformer
from ..networks.xp_autoencoder import XPAutoencoder, XPSettings
from ..preprocess import Preprocessing
from .encoder import Encoder
from .public_names import Names, lrs_names, xp_names
from .specclip import NAMES, PREPARED, reference_pixel

PUBLIC_PREPARED = {"lrs": Preprocessing(frame="observed", continuum="envelope-specclip"), "xp": PREPARED["xp"]}
"""How the public models had their spectra prepared: not brought to rest, the continuum fitted over 3700-5700 A."""

SOURCE = "SpecCLIP (Zhao et al. 2025), public weights"

STARS = "spectra of LAMOST DR11 and Gaia XP, of which no list is public: no star counts as seen"
"""What is known of the stars that trained them."""

_HEADS, _OVERLAP = 6, 10
"""Of the public configuration of the transformer: attention heads, and pixels that a slice shares with the next."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose names and shapes have been read.

    Parameters
    ----------
    archive : CheckpointArchive
    state : dict of str to Declared
    """

    archive: CheckpointArchive
    state: dict[str, Declared]

    @property
    def path(self) -> str:
        """Its file, for messages."""
        return shown(self.archive.path, 300)

    def sides(self, name: str, number: int) -> tuple[int, ...]:
        """The shape of a tensor of so many sides.

        Raises
        ------
        InputError
            If it is not there, or has another number of them.
        """
        if name not in self.state:
            raise InputError(f"{self.path}: {name} is not among its weights; not imported")
        shape = self.state[name].shape
        if len(shape) != number:
            raise InputError(f"{self.path}: {name} has shape {shown(shape)}, {number} sides are needed; not imported")
        return shape

    def blocks(self, prefix: str) -> int:
        """How many blocks there are whose names begin so and go on with a number."""
        numbers = {name.removeprefix(prefix).partition(".")[0] for name in self.state if name.startswith(prefix)}
        return len(numbers)

    def fill(self, network: nn.Module, names: Names) -> nn.Module:
        """Give a network on the device 'meta' its weights.

        Raises
        ------
        InputError
            If one is missing, or of another shape than the network's, or has numbers that are not finite.
        """
        expected = network.state_dict()
        if set(expected) != set(names):
            odd = sorted(set(expected) ^ set(names))
            raise InputError(f"{self.path}: no public names are known for {shown(odd, 200)}; not imported")
        shapes = {public: _public_shape(expected[mine], public, parts) for mine, (public, _, parts) in names.items()}
        tensors = self.archive.tensors(self.state, shapes)
        weights = {}
        for mine, (public, part, parts) in names.items():
            values = tensors[public].chunk(parts)[part].clone() if parts > 1 else tensors[public]
            if values.dtype != expected[mine].dtype:
                raise InputError(
                    f"{self.path}: {public} is of type {values.dtype}, where {expected[mine].dtype} is needed"
                )
            if mine.endswith("running_var") and bool((values < 0).any()):
                raise InputError(f"{self.path}: {public} has a negative variance; not imported")
            weights[mine] = values.reshape(expected[mine].shape)
        network.load_state_dict(weights, assign=True)
        return network

    def check_all_used(self, public: Iterable[str]) -> None:
        """Refuse a checkpoint that holds more than these public names: it is another network.

        Raises
        ------
        InputError
        """
        spare = sorted(set(self.state) - set(public))
        if spare:
            raise InputError(
                f"{self.path}: {len(spare)} weights that the public network does not have ({shown(spare, 200)}); not imported"
            )

    def setting(self, name: str, otherwise: int) -> int:
        """A whole number among the settings beside the weights, or that of the public configuration."""
        value = self.archive.setting(name)
        return value if type(value) is int else otherwise

    def history(self, kind: str) -> dict[str, Any]:
        """The step of an encoder's history that tells where it is from."""
        return {
            "step": "imported", "kind": kind, "file": self.archive.path.name, "file_sha256": self.archive.sha256(),
            "source": SOURCE, "stars": STARS,
        }  # fmt: skip


def _public_shape(mine: torch.Tensor, public: str, parts: int) -> tuple[int, ...]:
    """The shape that a public tensor must have."""
    if public.endswith(".query"):
        return (1, 1, *mine.shape)
    return (parts * mine.shape[0], *mine.shape[1:]) if mine.ndim else ()


def kind_of_checkpoint(checkpoint: Checkpoint) -> str:
    """Which of the public models a checkpoint holds, by the names of its weights.

    Returns
    -------
    {'lrs', 'xp', 'alignment'}

    Raises
    ------
    InputError
        If it is none of them, or one that transtar has no network for.
    """
    state = checkpoint.state
    if any(name.startswith("lamost_lrs_encoder.") for name in state):
        return "alignment"
    if "data_embed.weight" in state:
        if checkpoint.sides("data_embed.weight", 2)[1] <= 3:
            raise InputError(
                f"{checkpoint.path}: the transformer of XP spectra, a token for each point, for which transtar has no network; "
                "the paper's encoder of XP spectra is xp_encoder_mlp.ckpt"
            )
        return "lrs"
    if "input_proj.weight" in state:
        inputs, points = checkpoint.sides("input_proj.weight", 2)[1], PREPARED["xp"].wavelengths.size
        if inputs != points + 2:
            raise InputError(
                f"{checkpoint.path}: an autoencoder of {inputs} inputs, not the mean, deviation and {points} points of XP "
                "spectra; transtar has no network for it"
            )
        return "xp"
    raise InputError(
        f"{checkpoint.path}: none of the public models of SpecCLIP, by the names of its weights ({shown(sorted(state), 120)}); "
        "not imported"
    )


def lrs_network(checkpoint: Checkpoint, prefix: str = "", ours: str = "") -> tuple[LRSTransformer, Names]:
    """The transformer of low-resolution spectra, on the device 'meta', and the names of its weights.

    Parameters
    ----------
    checkpoint : Checkpoint
    prefix, ours : str
        What stands before the public names, and before transtar's.

    Raises
    ------
    InputError
        If the shapes are those of no such network.
    """
    width, inputs = checkpoint.sides(f"{prefix}data_embed.weight", 2)
    positions = checkpoint.sides(f"{prefix}position_embed.weight", 2)[0]
    token = inputs - 1
    layers = checkpoint.blocks(f"{prefix}blocks.")
    try:
        settings = LRSSettings(
            width=width,
            layers=layers,
            heads=checkpoint.setting("num_heads", _HEADS),
            token=token,
            stride=token - checkpoint.setting("slice_overlap", _OVERLAP),
            chunks=checkpoint.setting("mask_num_chunks", LRSSettings.chunks),
            chunk_tokens=checkpoint.setting("mask_chunk_width", LRSSettings.chunk_tokens),
            positions=positions,
            **PUBLIC,
        )
        network = LRSTransformer(PUBLIC_PREPARED["lrs"].wavelengths.size, settings, device="meta")
    except SettingsError as error:
        raise InputError(f"{checkpoint.path}: not the public network ({error}); not imported") from error
    return network, lrs_names(layers, ours, prefix)


def xp_network(checkpoint: Checkpoint, prefix: str = "", ours: str = "") -> tuple[XPAutoencoder, Names]:
    """The autoencoder of XP spectra, on the device 'meta', and the names of its weights; parameters as of `lrs_network`.

    Raises
    ------
    InputError
        If the shapes are those of no such network.
    """
    hidden, _ = checkpoint.sides(f"{prefix}input_proj.weight", 2)
    latent, _ = checkpoint.sides(f"{prefix}bottleneck_down.weight", 2)
    blocks = checkpoint.blocks(f"{prefix}encoder_blocks.")
    prepared = PUBLIC_PREPARED["xp"]
    try:
        settings = XPSettings(hidden=hidden, latent=latent, blocks=blocks, reference=reference_pixel(prepared))
        network = XPAutoencoder(prepared.wavelengths.size, settings, device="meta")
    except SettingsError as error:
        raise InputError(f"{checkpoint.path}: not the public network ({error}); not imported") from error
    return network, xp_names(blocks, ours, prefix)


def read_public_encoder(path: str | Path, name: str = "") -> Encoder:
    """The public LRS or XP encoder of a checkpoint, which is not run.

    Parameters
    ----------
    path : path
        ``lrs_encoder.ckpt`` or ``xp_encoder_mlp.ckpt``.
    name : str
        Under which networks take the embedding; by default 'embed', of XP spectra 'embed-xp'.

    Returns
    -------
    Encoder
        Odd in all that the public network is odd in, as its weights were trained so.

    Raises
    ------
    InputError
        If it is none of the two, damaged, or its shapes do not fit one another.
    """
    with CheckpointArchive(Path(path)) as archive:
        checkpoint = Checkpoint(archive, archive.state())
        kind = kind_of_checkpoint(checkpoint)
        if kind == "alignment":
            raise InputError(f"{checkpoint.path}: holds an alignment of two encoders, not one encoder")
        network, names = (lrs_network if kind == "lrs" else xp_network)(checkpoint)
        checkpoint.check_all_used(public for public, _, _ in names.values())
        return as_encoder(kind, checkpoint.fill(network, names), name or NAMES[kind], checkpoint.history(kind))


def as_encoder(kind: str, network: nn.Module, name: str, history: dict[str, Any]) -> Encoder:
    """An encoder of kind 'lrs' or 'xp' whose network standardises each spectrum by itself."""
    n_grid = PUBLIC_PREPARED[kind].wavelengths.size
    return Encoder(
        name=name,
        network=network,
        flux_mean=np.zeros(n_grid, np.float32),
        flux_std=np.ones(n_grid, np.float32),
        preprocessing=PUBLIC_PREPARED[kind],
        provenance=(history,),
    )
