"""Compute and draw the loss around the fine-tuned weights of models, over planes along random directions."""

from __future__ import annotations

import argparse

from ..checks import MOST_PLANES
from . import arguments as values
from .common import load_models, name_models, say

HELP = "the loss around the fine-tuned weights"

REGIMES = ("poor", "rich", "all")

MOST_POINTS = 1001


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--model", required=True, nargs="+", type=values.path, help="models to set side by side, by folder or name"
    )
    parser.add_argument("--data", required=True, type=values.path, help="prepared set with labels")
    parser.add_argument(
        "--out", required=True, type=values.path, help="folder for landscape.npz, landscape.csv and figures"
    )
    parser.add_argument("--label", type=values.label, default="feh", help="label whose mean squared error is computed")
    parser.add_argument("--regime", default="poor", choices=REGIMES, help="stars to take, by [Fe/H] of the set")
    parser.add_argument("--split", default="test", choices=("test", "pool", "all"), help="part of the set")
    parser.add_argument(
        "--base", type=values.path, help="model before fine-tuning: its loss is shown where all weights moved"
    )
    parser.add_argument(
        "--seeds", type=values.Whole(1, MOST_PLANES), default=5, help="planes, of two random directions each"
    )
    parser.add_argument(
        "--points", type=values.Whole(3, MOST_POINTS), default=21, help="points along each direction; odd"
    )
    parser.add_argument(
        "--extent", type=values.positive, default=3.0, help="furthest step, in lengths of each filter of weights"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the kind of explanation."""
    from tqdm import tqdm

    from ..datasets import read_set
    from ..errors import InputError
    from ..explain import loss_landscape, save_landscapes
    from ..explain.landscape import check_grid
    from ..files import check_files
    from ..preprocess import require_same
    from ..report.landscape import draw_landscapes
    from ..report.style import save

    check_grid(arguments.seeds, arguments.points, arguments.extent)
    written = [arguments.out / name for name in ("landscape.npz", "landscape.csv")]
    check_files(
        [*written, *(arguments.out / "figures" / f"landscape.{kind}" for kind in ("pdf", "png"))],
        [*arguments.model, arguments.base, arguments.data],
    )
    paths = [*arguments.model, *([arguments.base] if arguments.base else [])]
    models = load_models(paths)
    prepared = read_set(arguments.data)
    for path, model in zip(paths, models, strict=True):
        require_same(model.preprocessing, str(path), prepared.preprocessing, str(arguments.data))
        if arguments.label not in model.label_names:
            raise InputError(f"{path}: predicts {', '.join(model.label_names)}, not {arguments.label} (--label)")
    chosen = _stars(prepared, models, arguments)
    base = models.pop() if arguments.base else None
    landscapes = {}
    with tqdm(total=len(models) * arguments.seeds, unit="plane", desc="landscape", disable=None, leave=False) as bar:
        names = name_models(arguments.model, models, prepared.survey)
        for name, path, model in zip(names, arguments.model, models, strict=True):
            try:
                landscapes[name] = loss_landscape(
                    model, chosen.input(model.input), chosen.targets([arguments.label])[:, 0], label=arguments.label,
                    n_seeds=arguments.seeds, n_points=arguments.points, extent=arguments.extent, base=base,
                    progress=lambda *_: bar.update(),
                )  # fmt: skip
            except InputError as error:
                raise InputError(f"{path}: {error}") from error
    save_landscapes(landscapes, arguments.out)
    figures = save(draw_landscapes(landscapes), arguments.out / "figures", "landscape")
    print(_table(landscapes))
    for path in (*written, *figures.values()):
        print(path)
    return 0


def _stars(prepared, models, arguments: argparse.Namespace):
    """The part of the set asked for that can be used; the others are counted."""
    import numpy as np

    from ..catalog.trained import trained_on
    from ..datasets import usable
    from ..errors import InputError
    from ..evaluate import regimes

    targets = prepared.targets([arguments.label])[:, 0]
    reasons = {f"of another split than '{arguments.split}'": prepared.columns["split"] != arguments.split}
    if arguments.split == "all":
        reasons = {}
    if arguments.regime != "all":
        if "feh" not in prepared.labels:
            raise InputError(f"{arguments.data}: has no label 'feh', which tells the regimes apart; take --regime all")
        inside = regimes({"feh": prepared.columns["feh"].astype(np.float64)})[arguments.regime]
        reasons[f"not of the regime '{arguments.regime}'"] = ~inside
    reasons["flagged bad"] = ~usable(prepared)
    reasons["without label"] = ~np.isfinite(targets)
    reasons["seen by a model in training (TRAINED_ON)"] = trained_on(prepared.columns, [m.trained_on for m in models])
    keep = np.ones(len(prepared), bool)
    counts = []
    for reason, out in reasons.items():
        counts.append(f"{int((keep & out).sum())} {reason}")
        keep &= ~out
    said = f"{int(keep.sum())} spectra of {len(prepared)}; left out: {', '.join(counts)}"
    if not keep.any():
        raise InputError(f"{arguments.data}: no star to compute the loss on, {said}; see --split and --regime")
    say(said)
    return prepared.select(keep)


def _table(landscapes) -> str:
    """One line per model and plane, of fixed width."""
    from ..explain import summary_rows
    from ..glossary import COLUMNS

    rows = summary_rows(landscapes)
    width = max(10, *(len(row["model"]) for row in rows))
    label = rows[0]["label"]
    unit = COLUMNS[label].unit if label in COLUMNS else ""
    lines = [
        f"mean squared error of {label}{f' in {unit}^2' if unit else ''}, {rows[0]['n_stars']} stars",
        f"{'model':<{width}}  {'moves':<13}{'seed':>5}{'centre':>11}{'minimum':>11}{'alpha':>7}{'beta':>7}{'distance':>10}"
        f"{'zero-shot':>11}",
    ]
    for row in rows:
        place = f"{row['minimum_alpha']:>+7.2f}{row['minimum_beta']:>+7.2f}{row['distance']:>9.2f}"
        zero_shot = row["zero_shot_loss"]
        lines.append(
            f"{row['model']:<{width}}  {row['moves']:<13}{row['seed']:>5}{row['centre_loss']:>11.4g}"
            f"{row['minimum_loss']:>11.4g}{place}{'*' if row['on_edge'] else ' '}"
            f"{f'{zero_shot:.4g}' if zero_shot == zero_shot else '-':>11}"
        )
    if any(row["on_edge"] for row in rows):
        lines.append("* on the edge of the grid: the loss may be lower still beyond it")
    return "\n".join(lines)
