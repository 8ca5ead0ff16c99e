"""What the runs of a fleet have in common, computed once: inputs, augmented spectra, products with frozen weights."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn

from .augment import Augmentation, augment_flux
from .steps import Offset

T = TypeVar("T")


class Shared:
    """Keeps what the first run computes for the others that need the same, until told to forget.

    Things are the same if their contents are: whether arrays are one object or copies does not matter.
    """

    def __init__(self) -> None:
        self._kept: dict[Hashable, Any] = {}

    def get(self, key: Hashable, compute: Callable[[], T]) -> T:
        """Look up a result by all that decides it, or compute it; nobody may change it."""
        if key not in self._kept:
            self._kept[key] = compute()
        return self._kept[key]

    def forget(self) -> None:
        """Forget everything, at the end of an epoch say, when all runs have had it."""
        self._kept.clear()

    def augmentation(
        self,
        flux: torch.Tensor,
        settings: Augmentation,
        step: float,
        scale: Callable[[torch.Tensor], torch.Tensor],
        scale_key: Hashable,
    ) -> Callable[[torch.Generator], torch.Tensor]:
        """Augmented, standardised spectra; runs of equal stars, settings and seed draw them together.

        Parameters
        ----------
        flux, settings, step
            As in `augment_flux`.
        scale : callable
            Standardises spectra in place.
        scale_key : hashable
            Tells standardisations apart.
        """
        spectra = (digest(flux), settings, step)

        def draw(generator: torch.Generator) -> torch.Tensor:
            # A generator in the same state draws the same, and is left in the same state.
            drawn = (spectra, digest(generator.get_state()))
            augmented, after = self.get(
                drawn, lambda: (augment_flux(flux, settings, step, generator), generator.get_state())
            )
            generator.set_state(after)
            return self.get((drawn, scale_key), lambda: scale(augmented.clone()))

        return draw

    def once(self, function: Offset, *modules: nn.Module) -> Offset:
        """A frozen function of inputs, computed once for the same inputs and weights.

        Parameters
        ----------
        function : callable
            Decided by the weights of `modules`, which do not change.
        *modules : nn.Module
        """
        weights = [value.detach() for module in modules for value in module.state_dict().values()]
        name = digest(*weights)

        def remembered(inputs: torch.Tensor) -> torch.Tensor:
            # The inputs are kept with the result: no others can take their place in memory meanwhile.
            return self.get((name, id(inputs)), lambda: (inputs, function(inputs)))[1]

        return remembered


def digest(*arrays: torch.Tensor | np.ndarray) -> bytes:
    """Hash the contents, shapes and types of arrays."""
    summary = hashlib.sha256()
    for array in arrays:
        values = array.cpu().numpy() if isinstance(array, torch.Tensor) else array
        summary.update(f"{values.dtype}{values.shape}".encode())
        summary.update(np.ascontiguousarray(values).data)
    return summary.digest()
