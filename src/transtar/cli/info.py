"""Show versions, devices, surveys, studies and the data folder: paste it into a bug report."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from importlib import metadata

HELP = "versions, devices, surveys, data folder"

PACKAGES = ("transtar", "torch", "numpy", "astropy", "pyarrow", "safetensors", "matplotlib", "specutils", "lsdb")


def configure(parser: argparse.ArgumentParser) -> None:
    """Nothing to add."""


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    import torch

    from ..datasets import input_names
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
    print(f"strategies   {', '.join(strategy_names())}")
    print(f"studies      {', '.join(shipped_studies())}")
    print(f"data folder  {os.environ.get(DATA_VARIABLE, f'not set ({DATA_VARIABLE})')}")
    return 0
