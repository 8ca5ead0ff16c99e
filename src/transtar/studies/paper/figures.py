"""Figures 2 to 4, A1 to A5, D7 and D8, from stored predictions; `explained` has 5 and B6."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

from matplotlib.figure import Figure

from ...evaluate import select, summarise
from ...glossary import COLUMNS, plain
from ...models.lora import LoRASettings, add_lora
from ...models.mlp import build_mlp
from ...models.residual import ResidualSettings, build_head
from ...preprocess import Preprocessing
from ...report import (
    FigureFile,
    Panel,
    Plane,
    Section,
    Split,
    against_trainable_weights,
    learning_curve,
    normalised_plane,
    one_to_one,
    poor_temperatures,
    save,
)
from ...train import Pretrain, settings_from_dict
from ...train.split import POOR_LIMIT
from ..experiments import SIZES, hidden_name, rank_name
from ..job import Job
from ..plane import reference_plane
from ..spec import Study, adapters, of_subset_plane
from . import panels

FINE_TUNING_FROM = 4500.0
"""Teff in K above which the paper's fine-tuning stars lie."""


def figures_sections(
    study: Study, jobs: Sequence[Job], predictions: Sequence[dict], results: list[dict], out: Path
) -> list[Section]:
    """Draw all that the runs of a study allow, section by section."""
    summary = [row | {"source": "any"} for row in summarise(select(results, target=study.target.survey, split="test"))]
    reference = None if study.plane is None else reference_plane(study, out)
    own = [job for job in jobs if job.variant == "default"]
    wanted = study.experiments
    assert wanted is not None
    compared = [_one_to_one(panels.comparison(study, predictions, "default"), out, "figure-2", _COMPARED)]
    if study.subset is not None:
        clean = panels.comparison(study, predictions, study.subset.name)
        compared.append(_one_to_one(clean, out, "figure-d7", f"{_COMPARED} Stars of the subset '{study.subset.name}'."))
    sizes: list[FigureFile | None] = []
    if wanted.sizes:
        sizes = [
            _curve(study, summary, out),
            _one_to_one(panels.by_size(study, predictions, out / "runs"), out, "figure-a1", _BY_SIZE),
        ]
    rates = [_one_to_one(panels.rates(study, predictions), out, "figure-a4", _BY_RATE)]
    if reference is not None:
        runs = out / "runs"
        compared.append(_planes(panels.planes(study, own, reference, out), reference, out, "figure-3", _PLANES))
        if (stricter := of_subset_plane(study)) is not None:
            fewer = panels.planes(stricter, own, reference, out)
            compared.append(_planes(fewer, reference, out, "figure-d8", f"{_PLANES} Stars of the stricter selection."))
        if wanted.sizes:
            found = panels.planes_by_size(study, predictions, runs, reference)
            sizes.append(_planes(found, reference, out, "figure-a2", _PLANES_BY_SIZE))
        found = panels.planes_by_rate(study, jobs, reference, out)
        rates.append(_planes(found, reference, out, "figure-a5", _PLANES_BY_RATE))
    drawn = {
        "Networks compared": compared,
        "How many fine-tuning stars": sizes,
        "How many trainable weights": [_weights(study, summary, out)],
        "Learning rate from scratch": rates,
    }
    kept = {heading: [figure for figure in figures if figure is not None] for heading, figures in drawn.items()}
    return [Section(heading, figures=figures) for heading, figures in kept.items() if figures]


_COMPARED = (
    "Predicted against reference labels of the same test stars, one seed; dashed 1:1, dotted 0.2 dex off it (200 K, 0.3 in log "
    "g). N: stars, R2, and sigma after clipping at 3 sigma."
)
_BY_SIZE = (
    "Figure A1. As Figure 2, by number of fine-tuning stars: each label by its adapter, of all stars that neither it nor its "
    "pre-training has learnt from (unlike all other figures, which show test stars)."
)
_BY_RATE = "Figure A4. As Figure 2: networks from scratch by learning rate."
_PLANES = (
    "[alpha/Fe] against [Fe/H], one seed: counts, and below each column of [Fe/H] divided by its maximum; last the reference "
    "stars, from which MMD^2 (gamma = 2) is taken."
)
_PLANES_BY_SIZE = (
    "Figure A2. As Figure 3, by number of fine-tuning stars: all stars with reference labels that neither the adapters nor the "
    "pre-training have learnt from."
)
_PLANES_BY_RATE = "Figure A5. As Figure 3: networks from scratch by learning rate."


def _figure(figure: Figure, out: Path, name: str, caption: str) -> FigureFile:
    number = f"Figure {name.removeprefix('figure-').upper()}. "
    text = caption if caption.startswith(number) else number + caption
    return FigureFile(save(figure, out / "figures", name)["png"], text)


def _one_to_one(rows: Sequence[Sequence[Panel | None]], out: Path, name: str, caption: str) -> FigureFile | None:
    if not any(rows):
        return None
    columns = max(map(len, rows))
    placed = [panel for row in rows for panel, _ in zip_longest(row, range(columns))]
    if not any(placed):
        return None
    return _figure(one_to_one(placed, columns), out, name, caption)


def _planes(found: list[Plane], reference, out: Path, name: str, caption: str) -> FigureFile | None:
    if not found:
        return None
    last = Plane("reference", reference[:, 0], reference[:, 1])
    return _figure(normalised_plane(last, found), out, name, caption)


def _curve(study: Study, summary: list[dict], out: Path) -> FigureFile | None:
    chosen = adapters(study, max(study.sizes))
    # On one axis of sigma there is room for one unit.
    first = COLUMNS[next(iter(chosen))].unit if chosen else ""
    chosen = {label: strategy for label, strategy in chosen.items() if COLUMNS[label].unit == first}
    own = select(summary, variant=SIZES)
    if not (own and chosen):
        return None
    by = ", ".join(f"{plain(label)} by {strategy}" for label, strategy in chosen.items())
    caption = (
        f"R2 and sigma of test stars against the number of fine-tuning stars, 0 being zero-shot; {by}; bars are standard "
        "deviations over seeds."
    )
    return _figure(learning_curve(own, chosen), out, "figure-4", caption)


def _weights(study: Study, summary: list[dict], out: Path) -> FigureFile | None:
    wanted, size = study.experiments, max(study.sizes)
    assert wanted is not None
    label = study.models[wanted.weights_of][0]
    rows = []
    for strategy, letter, values, variant in (
        ("residual", "H", wanted.hidden, hidden_name), ("lora", "R", wanted.ranks, rank_name),
    ):  # fmt: skip
        for value in values:
            own = select(summary, label=label, strategy=strategy, variant=variant(value), n_finetune=size)
            more = {"n_weights": trainable_weights(study, strategy, value), "name": f"{letter}{value}"}
            rows += [row | more for row in own]
    if not rows:
        return None
    beside = SIZES if wanted.sizes else "default"
    rows += select(summary, label=label, variant=beside, strategy="zero-shot")
    rows += select(summary, label=label, variant=beside, strategy="full", n_finetune=size)
    caption = (
        f"R2 of {plain(label)} against the number of weights that train, {size} fine-tuning stars: residual heads by hidden size "
        "(H), LoRA by rank (R, alpha twice the rank); bars are standard deviations over seeds."
    )
    return _figure(against_trainable_weights(rows, label), out, "figure-a3", caption)


def trainable_weights(study: Study, strategy: str, width: int) -> int:
    """Weights that train: of a residual head with that hidden size, or of LoRA with that rank."""
    n_inputs = len(Preprocessing.from_dict(study.preprocessing).wavelengths.wave)
    if strategy == "residual":
        return sum(p.numel() for p in build_head(n_inputs, 1, ResidualSettings(width)).parameters())
    network = build_mlp(n_inputs, 1, settings_from_dict(Pretrain, study.pretrain).mlp).requires_grad_(False)
    adapted = add_lora(network, LoRASettings(rank=width))
    return sum(p.numel() for p in adapted.parameters() if p.requires_grad)


def split_figure(study: Study, splits: Sequence[Split], out: Path) -> FigureFile | None:
    """Draw how cool the metal-poor stars are on both sides of each split; None where there are none."""
    if not all((split.feh < POOR_LIMIT).any() for split in splits):
        return None
    cut = FINE_TUNING_FROM if "desi-finetuning" in study.selections else None
    caption = "Effective temperatures of stars with [Fe/H] < -1 to learn from and to be judged on, on both splits."
    return FigureFile(save(poor_temperatures(splits, cut=cut), out / "figures", "teff-matched")["png"], caption)
