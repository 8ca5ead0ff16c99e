"""The half of `pretrain` that trains encoders."""

from __future__ import annotations

import argparse
from typing import Any

from .common import advance, draw_run, epoch_bar, finish_drawing, given_settings, run_in_processes, say

NETWORK = "network."
"""How keys of --set begin that are of the network."""


def run_encoder(arguments: argparse.Namespace) -> int:
    """Run ``pretrain --encoder``, in each of the processes."""
    return run_in_processes(arguments.device, lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    from ..train.large import Ranks, pretrain_encoder, training_of

    size = arguments.size or "small"
    training, network = split_settings(arguments)
    settings = training_of(arguments.encoder, size).with_(training)
    is_first = Ranks.current().is_first
    with tqdm(unit="spectra", desc="look at the spectra", disable=None if is_first else True, leave=False) as bar:
        run = pretrain_encoder(
            arguments.encoder, arguments.data, arguments.out, size, settings, network=network, say=say, looking=advance(bar),
            progress=epoch_bar("pretrain", unit="step") if is_first else None,
        )  # fmt: skip
    if run is None:
        return 0
    if run.history is None:
        finish_drawing(run.folder)
        print(f"{arguments.out}: was trained already, by this very command (encoder {run.encoder.sha256[:12]})")
        return 0
    print(f"{arguments.out}: {run.encoder.width} values per star; {draw_run(run)}")
    return 0


def split_settings(arguments: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings that were given of the training, and of the network.

    Raises
    ------
    SettingsError
        If one is given by an option of its own and by --set, too.
    """
    every = given_settings(arguments)
    network = {key.removeprefix(NETWORK): value for key, value in every.items() if key.startswith(NETWORK)}
    return {key: value for key, value in every.items() if not key.startswith(NETWORK)}, network
