"""What the paper's split does to its metal-poor test stars: all of them are cooler than any it learns from."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...evaluate import Results, regimes, select
from ...files import write_text
from ...glossary import POOR_BELOW, plain
from ...report import FigureFile, Section, in_order, rows_html
from ...rounding import with_error
from .. import predictions as stars
from ..context import Context
from ..experiments import MATCHED
from ..layout import PREDICTIONS, SPLITS, STARS
from ..paired import Scored, score_strategies
from ..pipeline import PIPELINE
from ..predictions import Predicted
from ..reporters.formatting import mean_of
from ..spec import Study
from .temperatures import Split, poor_temperatures

OWN = "the study's own split"

FINE_TUNING_FROM = 4500.0
"""Teff in K above which the paper's fine-tuning stars lie."""


def matched(results: Results, context: Context) -> list[Section]:
    """Write ``teff-matched``: what is poor among the test stars is cool as well, and how the poor fare on another split."""
    study, heading = context.study, "Metal-poor, or cool?"
    if MATCHED not in results.distinct("variant"):
        return []
    absent = [
        (file, what)
        for file, what, table in (
            (PREDICTIONS, "tables/teff-matched", context.predictions),
            (f"{STARS}/{SPLITS}", "figures/teff-matched", context.splits),
        )
        if table is None
    ]
    if context.predictions is None or context.splits is None:
        return [Section(heading, [text for file, what in absent for text in context.left_out(file, what)])]
    both = splits(context.splits)
    rows = compare(study, context.predictions, study.seeds)
    if not rows:
        return []
    write_comparison(rows, context.out / "tables" / "teff-matched.csv")
    paragraphs = [
        *(counted(split)[:1].upper() + counted(split)[1:] + "." for split in both),
        "The paper learns from all stars with Teff > 4500 K and [Fe/H] < -0.7, so that what is left to be judged on below [Fe/H] "
        "= -1 is cooler than any star that was learnt from. Its metal-poor column asks for an extrapolation in Teff.",
        "On the matched split each bin of [Fe/H] is divided evenly in Teff: as many stars to learn from as before, but at most "
        "half of those of each bin below -0.7, which more metal-rich ones make up for. The metal-poor test stars are not the "
        "same ones, nor is the spread of their [Fe/H], by which R2 is measured: sigma and bias can be compared, R2 with care.",
    ]
    few, figures = _figure(context, both)
    return [Section(heading, [*paragraphs, *few], [comparison_html(rows, study.seeds)], figures)]


def splits(table: pa.Table) -> tuple[Split, Split]:
    """The study's own split and the matched one."""
    of_study, matched_in_teff = (
        Split(name, *(rows[column].to_numpy(zero_copy_only=False) for column in ("teff", "feh", "part")))
        for name, rows in (
            (OWN, table.filter(pc.equal(table["split"], "test"))),
            ("matched in Teff", table.filter(pc.equal(table["split"], "matched"))),
        )
    )
    return of_study, matched_in_teff


def _figure(context: Context, both: Sequence[Split]) -> tuple[list[str], list[FigureFile]]:
    """How cool the metal-poor stars are on both sides of each split; none where there are no such stars."""
    if not all((split.feh < POOR_BELOW).any() for split in both):
        return context.too_few("teff-matched", "a split has no star with [Fe/H] < -1"), []
    cut = FINE_TUNING_FROM if "desi-finetuning" in context.study.selections else None
    caption = "Effective temperatures of the training and test stars with [Fe/H] < -1, for both splits."
    return context.drawn(lambda: poor_temperatures(both, cut=cut), "teff-matched", caption)


def counted(split: Split) -> str:
    """How many metal-poor stars there are to learn from and to be judged on, and at what Teff, in a sentence."""
    poor = split.feh < POOR_BELOW
    learnt, judged = (split.teff[poor & (split.part == name)] for name in ("pool", "test"))
    if not (len(learnt) and len(judged)):
        return f"{split.title}: {len(learnt)} stars with [Fe/H] < -1 to learn from, {len(judged)} to be judged on"
    cooler = int((judged < learnt.min()).sum())
    text = (
        f"{split.title}: {len(learnt)} stars with [Fe/H] < -1 to learn from, of {learnt.min():.0f} to {learnt.max():.0f} K "
        f"(median {np.median(learnt):.0f}); {len(judged)} to be judged on, of {judged.min():.0f} to {judged.max():.0f} K "
        f"(median {np.median(judged):.0f}), "
    )
    how_many = {0: "none", len(judged): "all"}.get(cooler, str(cooler))
    return f"{text}{how_many} of them cooler than the coolest of the former"


COLUMNS = ("label", "strategy", "split", "regime", "r2", "r2_err", "sigma", "bias", "n_seeds", "n_test")


def compare(study: Study, predictions: Sequence[Predicted], seeds: Sequence[int]) -> list[dict[str, Any]]:
    """Scores of the metal-poor test stars on both splits, for the models and seeds that have both."""
    sizes, rows = (0, max(study.sizes, default=0)), []
    models = {one.model for one in stars.select(predictions, variant=MATCHED)}
    for model in [name for name in study.models if name in models]:
        for variant, split in (("default", "own"), (MATCHED, "matched")):
            wanted = {"model": model, "variant": variant, "n_finetune": sizes, "target": study.target.survey}
            of_split = [
                one for one in stars.select(predictions, **wanted, seed=tuple(seeds)) if one.strategy != PIPELINE
            ]
            for label in dict.fromkeys(one.label for one in of_split):
                of_label = stars.select(of_split, label=label)
                for regime in ("poor", "all"):
                    n = int(regimes(of_label[0].reference, 0)[regime].sum())
                    for strategy, scored in score_strategies(of_label, regime).items():
                        rows.append(_row(label, strategy, split, regime, scored, n))
    return rows


def _row(label: str, strategy: str, split: str, regime: str, scored: Scored, n: int) -> dict:
    values = (scored.r2.mean(), scored.error, scored.sigma.mean(), scored.bias.mean(), len(scored.r2), n)
    return dict(zip(COLUMNS, (label, strategy, split, regime, *values), strict=True))


def write_comparison(rows: Sequence[dict], path: Path) -> None:
    """Write the rows of `compare` as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: f"{v:.6f}" if isinstance(v, float) else v for k, v in row.items()} for row in rows)
    write_text(path, text.getvalue())


def comparison_html(rows: Sequence[dict], seeds: Sequence[int]) -> str:
    """The metal-poor column on both splits, side by side."""
    poor = select(rows, regime="poor")
    body = []
    for label in dict.fromkeys(row["label"] for row in poor):
        for strategy in in_order([row["strategy"] for row in poor if row["label"] == label]):
            cells = []
            for split in ("own", "matched"):
                shown = select(poor, label=label, strategy=strategy, split=split)
                cells += _cells(shown[0]) if shown else ["–"] * 3
            body.append([f"{plain(label)}, {strategy}", *cells])
    header = [
        "",
        *(f"{what}, {split}" for split in (OWN, "matched") for what in ("R2", "sigma", "bias")),
    ]
    caption = "Metal-poor test stars ([Fe/H] < -1) on the study's own split and on one matched in Teff"
    return rows_html(header, body, f"{caption}, {mean_of(seeds)}.")


def _cells(row: dict) -> list[str]:
    spread = (f"{row['sigma']:.3f}", f"{row['bias']:+.3f}")
    return [with_error(row["r2"], row["r2_err"]), *(text.replace("-", "−") for text in spread)]
