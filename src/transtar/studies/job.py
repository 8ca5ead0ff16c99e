"""One run of a study, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..files import content_hash


@dataclass(frozen=True)
class Job:
    """One run.

    Parameters
    ----------
    variant, model, strategy : str
        `strategy` is 'pretrain' for the pre-training, whose predictions are the zero-shot ones.
    labels : tuple of str
    seed, n_finetune : int
    settings : dict
        Of the pre-training or of the strategy.
    split : {'test', 'validation', 'matched'}
    n_folds : int
        Number of folds of a validation study.
    source, target : str
        Folders of the prepared sets.
    data : tuple of str
        Hashes of the sets with their labels and splits, so that a run is done again when its data change.
    base : str or None
        Folder of the pre-trained model: written by a pre-training, read by the others.
    source_name : str
        Where the labels come from, for the results: surveys joined by +, or 'none' from scratch.
    plane : str
        Folder of a prepared set of the target survey that is labelled, too; empty for none.
    prior : str
        Folder of the model that the pre-training goes on from; empty where it starts from random weights.
    prior_key : str
        Hash of that model.
    input : str
        What the network takes.
    parts : dict of str to str
        For each part of the input but the flux, the name under which the sets have it.
    input_key : str
        Changes with whatever makes the input; empty for the flux.
    lines : str
        Folder of the prepared set of real stars on which the pre-training learns a line correction for its mock stars; empty for
        none.
    lines_key : str
        Hash of that set.
    keep : dict of str to (float, float)
        Ranges of labels of the target's stars that count.
    base_key : str
        Key of the pre-training, so that a fine-tuning is done again when its model changes.
    rest : bool
        Label the usable stars of the pool that were not learnt from, too.
    saved : str
        Folder for the fine-tuned model; empty where it is not kept.
    """

    variant: str
    model: str
    labels: tuple[str, ...]
    strategy: str
    seed: int
    n_finetune: int
    settings: dict[str, Any] = field(hash=False)
    split: str
    n_folds: int
    source: str
    target: str
    data: tuple[str, ...]
    base: str
    base_key: str = ""
    prior: str = ""
    prior_key: str = ""
    source_name: str = "none"
    plane: str = ""
    input: str = "flux"
    parts: dict[str, str] = field(default_factory=dict, hash=False)
    input_key: str = ""
    lines: str = ""
    lines_key: str = ""
    keep: dict[str, Any] = field(default_factory=dict, hash=False)
    rest: bool = False
    saved: str = ""

    @property
    def key(self) -> str:
        """Changes with anything that decides the outcome; not with folders."""
        decisive = [self.model, self.labels, self.strategy, self.seed, self.n_finetune, self.settings, self.split]
        origin = [self.n_folds if self.split == "validation" else 0, self.data, self.base_key]
        further = (self.prior_key, self.lines_key, self.keep, self.input_key)
        return content_hash([*decisive, *origin, *(each for each in further if each)])
