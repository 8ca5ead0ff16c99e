"""A package that offers a strategy and an input, as pip would install it."""

import importlib

HUBER = '''
from dataclasses import dataclass
from typing import ClassVar

import torch

from transtar.datasets import Input
from transtar.train import Full

DELTA = 0.5


@dataclass(frozen=True)
class Huber(Full):
    """Full fine-tuning that unusual stars pull less."""

    name: ClassVar[str] = "huber"
    title: ClassVar[str] = "full, Huber loss"
    colour: ClassVar[str] = "#332288"
    marker: ClassVar[str] = "p"
    delta: float = DELTA

    def loss(self, outputs, targets):
        return torch.nn.functional.huber_loss(outputs, targets, reduction="none", delta=self.delta)


DEPTH = Input("depth", lambda spectra, preprocessing: spectra.flux.reshape(len(spectra.flux), 34, 43).min(axis=2))
'''


def plug_in(folder, monkeypatch, entry_points="[transtar.strategies]\nhuber = huberplug:Huber\n"):
    """Install the package into `folder` for this test, and for the processes that it starts."""
    (folder / "huberplug.py").write_text(HUBER)
    info = folder / "huberplug-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: huberplug\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entry_points)
    monkeypatch.syspath_prepend(str(folder))
    importlib.invalidate_caches()
