"""What the paper's split does to its metal-poor test stars: all of them are cooler than any it learns from."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...datasets import PreparedSet
from ...evaluate import regimes, select
from ...files import write_text
from ...glossary import plain
from ...report import Split, in_order, rows_html
from ...train.split import POOR_LIMIT
from ..experiments import MATCHED
from ..job import Job
from ..paired import Scored, score_strategies
from ..pipeline import PIPELINE
from ..rows import divide
from ..spec import Study

OWN = "the study's own split"


def splits(job: Job, prepared: PreparedSet) -> tuple[Split, Split]:
    """The study's own split and the matched one, as a run of the study sees them."""
    found = []
    for split, name in (("test", OWN), ("matched", "matched in Teff")):
        pool, judged = divide(replace(job, split=split))
        rows = np.concatenate([pool, judged])
        teff, feh = (prepared.columns[label][rows].astype(np.float64) for label in ("teff", "feh"))
        found.append(Split(name, teff, feh, np.where(np.arange(len(rows)) < len(pool), "pool", "test")))
    return found[0], found[1]


def counted(split: Split) -> str:
    """How many metal-poor stars there are to learn from and to be judged on, and at what Teff, in a sentence."""
    poor = split.feh < POOR_LIMIT
    ours, theirs = (split.teff[poor & (split.part == part)] for part in ("pool", "test"))
    if not (len(ours) and len(theirs)):
        return f"{split.title}: {len(ours)} stars with [Fe/H] < -1 to learn from, {len(theirs)} to be judged on"
    cooler = int((theirs < ours.min()).sum())
    text = (
        f"{split.title}: {len(ours)} stars with [Fe/H] < -1 to learn from, of {ours.min():.0f} to {ours.max():.0f} K (median "
        f"{np.median(ours):.0f}); {len(theirs)} to be judged on, of {theirs.min():.0f} to {theirs.max():.0f} K "
        f"(median {np.median(theirs):.0f}), "
    )
    how_many = {0: "none", len(theirs): "all"}.get(cooler, str(cooler))
    return f"{text}{how_many} of them cooler than the coolest of the former"


COLUMNS = ("label", "strategy", "split", "regime", "r2", "r2_err", "sigma", "bias", "n_seeds", "n_test")


def compare(study: Study, predictions: Sequence[dict], seeds: Sequence[int]) -> list[dict]:
    """Scores of the metal-poor test stars on both splits, for the models and seeds that have both."""
    size, rows = max(study.sizes), []
    models = {entry["model"] for entry in predictions if entry["variant"] == MATCHED}
    for model in [name for name in study.models if name in models]:
        for variant, split in (("default", "own"), (MATCHED, "matched")):
            own = select(predictions, model=model, variant=variant, n_finetune=(0, size), target=study.target.survey)
            own = [entry for entry in own if entry["seed"] in seeds and entry["strategy"] != PIPELINE]
            for label in dict.fromkeys(entry["label"] for entry in own):
                for regime in ("poor", "all"):
                    entries = [entry for entry in own if entry["label"] == label]
                    n = int(regimes(entries[0]["reference"], 0)[regime].sum())
                    for strategy, scored in score_strategies(entries, regime).items():
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


def comparison_html(rows: Sequence[dict]) -> str:
    """The metal-poor column on both splits, side by side."""
    poor = select(rows, regime="poor")
    body = []
    for label in dict.fromkeys(row["label"] for row in poor):
        for strategy in in_order([row["strategy"] for row in poor if row["label"] == label]):
            cells = []
            for split in ("own", "matched"):
                own = select(poor, label=label, strategy=strategy, split=split)
                cells += _cells(own[0]) if own else ["–"] * 3
            body.append([f"{plain(label)}, {strategy}", *cells])
    header = [
        "",
        *(f"{what}, {split}" for split in (OWN, "matched") for what in ("R2", "sigma", "bias")),
    ]
    return rows_html(
        header, body, "Metal-poor test stars ([Fe/H] < -1) on the study's own split and on one matched in Teff."
    )


def _cells(row: dict) -> list[str]:
    texts = (f"{row['r2']:.3f} ± {row['r2_err']:.3f}", f"{row['sigma']:.3f}", f"{row['bias']:+.3f}")
    return [text.replace("-", "−") for text in texts]
