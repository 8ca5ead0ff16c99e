"""Figures 2 to 4, A1 to A5, D7 and D8; `explained` has 5 and B6."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import zip_longest

import numpy as np
from matplotlib.figure import Figure

from ...evaluate import Results, select
from ...glossary import COLUMNS, plain
from ...networks.lora import LoRASettings, add_lora
from ...networks.mlp import build_mlp
from ...networks.residual import ResidualSettings, build_head
from ...preprocess import Preprocessing
from ...report import FigureFile, Panel, Plane, Section, one_to_one
from ...train import Pretrain, settings_from_dict
from ..context import Context
from ..experiments import SIZES, hidden_name, rank_name, rate_name
from ..layout import PREDICTIONS, REST, STARS
from ..reporters.formatting import mean_and_spread, which_seed
from ..spec import Study, adapters, of_subset_plane, pretraining_for
from . import panels
from .learning_curve import learning_curve
from .normalised_plane import normalised_plane
from .scores import scores_of_target
from .trainable_weights import against_trainable_weights

PLANE_FILE = f"{STARS}/plane.parquet"

_COMPARED = (
    "Predicted against reference labels of the same test stars, {seed}; dashed 1:1, dotted 0.2 dex off it (200 K, 0.3 in log "
    "g). N: stars, R2, and sigma after clipping at 3 sigma."
)
_BY_SIZE = (
    "Figure A1. As Figure 2, by number of fine-tuning stars, {seed}: each label by its adapter, of all stars that neither it nor "
    "its pre-training has learnt from (unlike all other figures, which show test stars)."
)
_BY_RATE = "Figure A4. As Figure 2: networks from scratch by learning rate, {seed}."
_PLANES = (
    "[alpha/Fe] against [Fe/H], {seed}: counts, and below each column of [Fe/H] divided by its maximum; last the reference "
    "stars, from which MMD^2 (gamma = 2) is taken."
)
_PLANES_BY_INPUT = (
    "As Figure 3, {seed}: fine-tuned networks, each label by its adapter, of the same stars by each input."
)
_PLANES_BY_SIZE = (
    "Figure A2. As Figure 3, by number of fine-tuning stars, {seed}: all stars with reference labels that neither the adapters "
    "nor the pre-training have learnt from."
)
_PLANES_BY_RATE = "Figure A5. As Figure 3: networks from scratch by learning rate, {seed}."


def compared(results: Results, context: Context) -> list[Section]:
    """Figures 2 and 3, and D7 and D8 of the subset: networks, and what they make of the plane."""
    study, subset = context.study, context.study.subset
    seed = which_seed(study)
    section = _Figures(context, "Networks compared")
    variants = {"figure-2": ("default", "")}
    if subset is not None:
        variants["figure-d7"] = (subset.name, f" Stars of the subset '{subset.name}'.")
    for name, (variant, words) in variants.items():
        if context.predictions is None:
            section.left_out(PREDICTIONS, name)
        else:
            rows = panels.comparison(context, context.predictions, variant)
            section.one_to_one(rows, name, f"{_COMPARED.format(seed=seed)}{words}")
    stricter = of_subset_plane(study) is not None and subset is not None
    planes = {"figure-3": ("", "")} if study.plane is not None else {}
    if stricter and subset is not None:
        planes["figure-d8"] = (subset.name, " Stars of the stricter selection.")
    for name, (ending, words) in planes.items():
        labels = context.planes(ending)
        if labels is None:
            also = ["figure-3-inputs"] if name == "figure-3" and len(study.inputs) > 1 else []
            section.left_out(PLANE_FILE.replace("plane", f"plane-{ending}") if ending else PLANE_FILE, name, *also)
        else:
            default = labels["default"]
            section.planes(
                panels.planes(context, default), default.reference, name, f"{_PLANES.format(seed=seed)}{words}"
            )
    if len(study.inputs) > 1 and study.plane is not None and (labels := context.planes()) is not None:
        shown = panels.planes_by_input(context)
        caption = _PLANES_BY_INPUT.format(seed=seed)
        section.planes(shown, labels["default"].reference, "figure-3-inputs", caption)
    return section.made()


def sizes(results: Results, context: Context) -> list[Section]:
    """Figures 4, A1 and A2: numbers of fine-tuning stars."""
    study = context.study
    if study.experiments is None or SIZES not in results.distinct("variant"):
        return []
    section = _Figures(context, "How many fine-tuning stars")
    seed = which_seed(context.studies[SIZES])
    _curve(section, study, scores_of_target(results, context, context.input))
    rest, predictions = context.rest, context.predictions
    if rest is None or predictions is None:
        names = ["figure-a1", *(["figure-a2"] if study.plane is not None else [])]
        section.left_out(PREDICTIONS if predictions is None else f"{STARS}/{REST}", *names)
        return section.made()
    section.one_to_one(panels.by_size(study, predictions, rest), "figure-a1", _BY_SIZE.format(seed=seed))
    planes = None if study.plane is None else context.planes()
    if study.plane is not None and planes is None:
        section.left_out(PLANE_FILE, "figure-a2")
    elif planes is not None:
        reference = planes["default"].reference
        shown = panels.planes_by_size(study, predictions, rest, reference)
        section.planes(shown, reference, "figure-a2", _PLANES_BY_SIZE.format(seed=seed))
    return section.made()


def weights(results: Results, context: Context) -> list[Section]:
    """Figure A3: numbers of trainable weights."""
    study = context.study
    wanted, size = study.experiments, max(study.sizes, default=0)
    if wanted is None:
        return []
    summary = scores_of_target(results, context, context.input)
    label = study.models[wanted.weights_of][0]
    rows = []
    for strategy, letter, values, variant in (
        ("residual", "H", wanted.hidden, hidden_name), ("lora", "R", wanted.ranks, rank_name),
    ):  # fmt: skip
        for value in values:
            of_width = select(summary, label=label, strategy=strategy, variant=variant(value), n_finetune=size)
            point = {"n_weights": trainable_weights(study, strategy, value), "name": f"{letter}{value}"}
            rows += [row | point for row in of_width]
    section = _Figures(context, "How many trainable weights")
    if rows:
        beside = SIZES if wanted.sizes else "default"
        rows += select(summary, label=label, variant=beside, strategy="zero-shot")
        rows += select(summary, label=label, variant=beside, strategy="full", n_finetune=size)
        caption = (
            f"R2 of {plain(label)} against the number of weights that train, {size} fine-tuning stars: residual heads by hidden "
            f"size (H), LoRA by rank (R, alpha twice the rank); {mean_and_spread(wanted.seeds)}."
        )
        section.add(partial(against_trainable_weights, rows, label), "figure-a3", caption)
    return section.made()


def rates(results: Results, context: Context) -> list[Section]:
    """Figures A4 and A5: learning rates from scratch."""
    study = context.study
    names = [] if study.experiments is None else [rate_name(rate) for rate in study.experiments.rates]
    if not set(names) & set(results.distinct("variant")):
        return []
    section = _Figures(context, "Learning rate from scratch")
    seed = f"seed {study.experiments.seeds[0]}" if study.experiments else ""
    if context.predictions is None:
        section.left_out(PREDICTIONS, "figure-a4")
    else:
        section.one_to_one(panels.rates(study, context.predictions), "figure-a4", _BY_RATE.format(seed=seed))
    planes = None if study.plane is None else context.planes()
    if study.plane is not None and planes is None:
        section.left_out(PLANE_FILE, "figure-a5")
    elif planes is not None:
        shown = panels.planes_by_rate(study, planes)
        section.planes(shown, planes["default"].reference, "figure-a5", _PLANES_BY_RATE.format(seed=seed))
    return section.made()


class _Figures:
    """A section that grows figure by figure; those without panels are passed over."""

    def __init__(self, context: Context, heading: str):
        self.context, self.heading = context, heading
        self.paragraphs: list[str] = []
        self.figures: list[FigureFile] = []

    def left_out(self, file: str, *names: str) -> None:
        self.paragraphs += self.context.left_out(file, *names)

    def add(self, draw: Callable[[], Figure], name: str, caption: str) -> None:
        number = f"Figure {name.removeprefix('figure-').upper()}. "
        text = caption if caption.startswith(number) else number + caption
        few, figures = self.context.drawn(draw, name, text)
        self.paragraphs += few
        self.figures += figures

    def one_to_one(self, rows: Sequence[Sequence[Panel | None]], name: str, caption: str) -> None:
        columns = max(map(len, rows), default=0)
        placed = [panel for row in rows for panel, _ in zip_longest(row, range(columns))]
        if any(placed):
            self.add(lambda: one_to_one(placed, columns), name, caption)

    def planes(self, shown: list[Plane], reference: np.ndarray, name: str, caption: str) -> None:
        if shown:
            last = Plane("reference", reference[:, 0], reference[:, 1])
            self.add(lambda: normalised_plane(last, shown), name, caption)

    def made(self) -> list[Section]:
        empty = not (self.paragraphs or self.figures)
        return [] if empty else [Section(self.heading, self.paragraphs, figures=self.figures)]


def _curve(section: _Figures, study: Study, summary: list[dict]) -> None:
    of_sizes = select(summary, variant=SIZES)
    chosen = adapters(study, max(study.sizes, default=0))
    chosen = {label: strategy for label, strategy in chosen.items() if select(of_sizes, label=label, strategy=strategy)}
    # On one axis of sigma there is room for one unit.
    unit = COLUMNS[next(iter(chosen))].unit if chosen else ""
    chosen = {label: strategy for label, strategy in chosen.items() if COLUMNS[label].unit == unit}
    if not chosen:
        return
    by = ", ".join(f"{plain(label)} by {strategy}" for label, strategy in chosen.items())
    caption = (
        f"R2 and sigma of test stars against the number of fine-tuning stars, 0 being zero-shot; {by}; "
        f"{mean_and_spread(section.context.studies[SIZES].seeds)}."
    )
    section.add(lambda: learning_curve(of_sizes, chosen), "figure-4", caption)


def trainable_weights(study: Study, strategy: str, width: int) -> int:
    """Weights that train: of a residual head with that hidden size, or of LoRA with that rank."""
    n_inputs = len(Preprocessing.from_dict(study.preprocessing).wavelengths.wave)
    if strategy == "residual":
        return sum(p.numel() for p in build_head(n_inputs, 1, ResidualSettings(width)).parameters())
    network = build_mlp(n_inputs, 1, settings_from_dict(Pretrain, pretraining_for(study)).mlp).requires_grad_(False)
    adapted = add_lora(network, LoRASettings(rank=width))
    return sum(p.numel() for p in adapted.parameters() if p.requires_grad)
