"""Zero-shot: the model as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from .strategy import Strategy

if TYPE_CHECKING:
    from ...datasets.stars import Stars
    from ...models.estimator import Estimator


@dataclass(frozen=True)
class ZeroShot(Strategy):
    """Leave the model as it is."""

    name: ClassVar[str] = "zero-shot"
    colour: ClassVar[str] = "#777777"
    marker: ClassVar[str] = "s"
    fits: ClassVar[bool] = False
    candidate: ClassVar[bool] = True
    command: ClassVar[bool] = False

    def begin(self, model: Estimator, stars: Stars, progress=None, shared=None) -> Estimator:
        """The model itself."""
        return model
