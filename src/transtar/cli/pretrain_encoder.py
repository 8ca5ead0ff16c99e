"""The half of `pretrain` that trains encoders."""

from __future__ import annotations

import argparse
from typing import Any

from ..errors import SettingsError, shown
from .common import advance, epoch_bar, given_training, parse_assignments, run_in_processes, say

NETWORK = "network."
"""How keys of --set begin that are of the network."""


def run_encoder(arguments: argparse.Namespace) -> int:
    """Run ``pretrain --encoder``, in each of the processes."""
    return run_in_processes(arguments.device, lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    from ..report import save
    from ..report.losses_figure import draw_losses
    from ..train.large import pretrain_encoder, training_of

    size = arguments.size or "small"
    training, network = split_settings(arguments)
    settings = training_of(arguments.encoder, size).with_(training)
    with tqdm(unit="spectra", desc="look at the spectra", disable=None, leave=False) as bar:
        run = pretrain_encoder(
            arguments.encoder, arguments.data, arguments.out, size, settings, network=network, say=say, looking=advance(bar),
            progress=epoch_bar("pretrain", unit="step"),
        )  # fmt: skip
    if run is None:
        return 0
    if run.history is None:
        print(f"{arguments.out}: was trained already, by this very command (encoder {run.encoder.sha256[:12]})")
        return 0
    save(draw_losses(run.history.rows), run.folder, "losses")
    print(f"{arguments.out}: {run.encoder.width} values per star; {run.history}; losses in {run.folder}")
    return 0


def split_settings(arguments: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings that were given of the training, and of the network.

    Raises
    ------
    SettingsError
        If one is given by an option of its own and by --set, too.
    """
    training = given_training(arguments) | {"seed": arguments.seed, "device": arguments.device}
    assigned = parse_assignments(arguments.set)
    network = {key.removeprefix(NETWORK): value for key, value in assigned.items() if key.startswith(NETWORK)}
    assigned = {key: value for key, value in assigned.items() if not key.startswith(NETWORK)}
    if twice := sorted({*training} & {*assigned}):
        raise SettingsError(f"--set {shown(twice[0])}: has an option of its own; give that one")
    return training | assigned, network
