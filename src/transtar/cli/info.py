"""Show versions, devices, surveys, studies and the data folder, for a bug report; or describe a prepared set."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from importlib import metadata
from pathlib import Path

from ..errors import printable
from . import arguments as values

HELP = "show versions, devices, surveys and the data folder"

PACKAGES = ("transtar", "torch", "numpy", "astropy", "pyarrow", "safetensors", "matplotlib", "specutils", "lsdb")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("set", nargs="?", type=values.path, help="folder of a prepared set, to describe that instead")


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    if arguments.set is not None:
        for name, fact in _of_set(arguments.set).items():
            print(f"{name:12s} {printable(fact)}")
        return 0
    import torch

    from ..datasets import input_names
    from ..encoders import encoder_names
    from ..grids import grid_names
    from ..studies import DATA_VARIABLE, shipped_studies
    from ..surveys import survey_names
    from ..train import strategy_names

    print(f"python       {sys.version.split()[0]} on {platform.platform()}")
    for name in PACKAGES:
        try:
            print(f"{name:12s} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            print(f"{name:12s} not installed")
    devices = ["cpu", *(f"cuda:{i} {torch.cuda.get_device_name(i)}" for i in range(torch.cuda.device_count()))]
    print(f"devices      {', '.join(devices)}; {torch.get_num_threads()} threads")
    print(f"surveys      {', '.join(survey_names())}")
    print(f"grids        {', '.join(grid_names())}")
    print(f"inputs       {', '.join(input_names())}")
    print(f"encoders     {', '.join(encoder_names()) or 'none'}")
    print(f"strategies   {', '.join(strategy_names())}")
    print(f"studies      {', '.join(shipped_studies())}")
    print(f"data folder  {os.environ.get(DATA_VARIABLE, f'not set ({DATA_VARIABLE})')}")
    return 0


def _of_set(folder: Path) -> dict[str, str]:
    """What the description of a set says, whose spectra are not read."""
    from ..datasets import describe_set
    from ..datasets.input_files import inputs_text, noted_encoders

    description = describe_set(folder)
    settings, inputs = description["preprocessing"], description.get("inputs", {})
    return {
        "set": f"{description['n_spectra']} spectra of {description['provenance'].get('survey', 'several surveys')}",
        "labels": ", ".join(description["labels"]) or "none",
        "prepared": f"grid '{settings.get('grid')}', {settings.get('frame')} frame",
        "inputs": inputs_text(inputs, noted_encoders(inputs, folder, "")) or "none but the flux",
        "hash": description["flux_sha256"],
    }
