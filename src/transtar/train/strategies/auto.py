"""Auto: whichever strategy does best in cross-validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ...checks import MOST_SEED, check_whole
from ...devices import check_device
from ..by_number import finetuning_epochs
from ..loop import Progress
from ..shared import Shared
from .strategy import Strategy

if TYPE_CHECKING:
    from ...datasets.stars import Stars
    from ...models.estimator import Estimator


@dataclass(frozen=True)
class Auto(Strategy):
    """Compare strategies by cross-validation on the stars given, and fine-tune with the simplest of the best.

    See `transtar.train.choose`. Each of them has its own settings.

    Parameters
    ----------
    n_folds : int or None
        None: as many as `transtar.train.choose.folds_of_auto` says.
    seed : int
        Decides the folds, and is the seed of every fine-tuning.
    device : str
    """

    name: ClassVar[str] = "auto"
    colour: ClassVar[str] = "#882255"
    marker: ClassVar[str] = "h"
    n_folds: int | None = None
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.n_folds is not None:
            check_whole(self.n_folds, "auto: n_folds", 2)
        check_whole(self.seed, "auto: seed", 0, MOST_SEED)
        check_device(self.device, here=False)

    def begin(
        self, model: Estimator, stars: Stars, progress: Progress | None = None, shared: Shared | None = None
    ) -> Estimator:
        """Compare, choose and fine-tune; `progress` counts the epochs of the cross-validation, and is told no losses."""
        # Here, as it imports the registry, of which this file is a part.
        from ..choose import choose

        counted = None if progress is None else lambda done, total: progress(done, total, float("nan"), float("nan"))
        # That the stars have other labels than the model was asked for, or they would not be here.
        new_label = stars.label_names != model.label_names
        return choose(
            model,
            stars,
            n_folds=self.n_folds,
            seed=self.seed,
            device=self.device,
            progress=counted,
            new_label=new_label,
        )[0]

    def passes(self, n_stars: int) -> int:
        """Those of all folds, which leave one of them out, and of the fine-tuning in the end: as many as there are folds."""
        from ..choose import folds_of_auto

        n_folds = folds_of_auto(n_stars) if self.n_folds is None else self.n_folds
        return n_folds * finetuning_epochs(n_stars)

    def weights_in_step(self, n_inputs: int, hidden: Sequence[int]) -> tuple[int, int]:
        """Those of all candidates, which are trained side by side."""
        from ..choose import candidates_of_auto

        weights = [candidate.weights_in_step(n_inputs, hidden) for candidate in candidates_of_auto()]
        return sum(trained for trained, _ in weights), sum(frozen for _, frozen in weights)
