"""What decides a training, as plain data, by which one that stopped knows whether it may go on."""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from torch import nn

from ..settings import plain, versions
from .large_settings import EXECUTION, EncoderTraining
from .objectives import Objective
from .ranks import Ranks
from .streams import Stream


def key_of(objective: Objective, stream: Stream, settings: EncoderTraining, device: torch.device) -> dict[str, Any]:
    """All that decides the losses: settings, spectra, objective, initial weights, and the code.

    Parameters
    ----------
    objective : Objective
        With its initial weights.
    stream : Stream
    settings : EncoderTraining
    device : torch.device

    Returns
    -------
    dict
        Fit for JSON.
    """
    return {
        "settings": {name: value for name, value in plain(settings).items() if name not in EXECUTION},
        "data": stream.describe(),
        "objective": objective.describe() | {"layers": hashlib.sha256(str(objective).encode()).hexdigest()},
        "initial weights": weights_hash(objective),
        "code": versions() | {"device": device.type},
    }


def execution_of(ranks: Ranks) -> dict[str, Any]:
    """What changes the last digits of losses at most: number of processes, and of threads of each."""
    return {"processes": ranks.size, "threads": torch.get_num_threads()}


def weights_hash(network: nn.Module) -> str:
    """SHA-256 of all weights and buffers, those that do not train among them."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
