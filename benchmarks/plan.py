"""Stars chosen by `transtar plan` to learn from, against as many drawn at random.

`mock-feh` is fine-tuned on n stars of a prepared set, drawn at random or chosen as `transtar plan` does from what
mock-teff, mock-logg and mock-feh predict, and judged on stars that neither was drawn from; seeds draw and train anew. Each line
gives the root mean square and the clipped standard deviation of the error of [Fe/H], and by how much planned stars change it,
paired seed by seed, with the standard error over the seeds.

    python -m benchmarks.plan --data SET                the pool of the set's split to choose from, its test stars to judge
    python -m benchmarks.plan --data SET --division 5   the stars with a label in five folds: three to choose from, two to judge
    python -m benchmarks.plan --data SET --pool 5       the pool in five folds: four to choose from, one to judge, by turns

`--model` fine-tunes another model of [Fe/H] that takes the flux.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from transtar.datasets import Stars, folds, read_set, usable
from transtar.datasets.representatives import representatives
from transtar.evaluate.metrics import sigma
from transtar.glossary import POOR_BELOW
from transtar.models import Estimator, load_models
from transtar.train import Member, finetune_fleet, make_strategy

LABELS = {"feh": 0.5, "teff": 500.0, "logg": 0.7}
WAYS = ("random", "planned")


def read(path: Path, pool: bool, model: str) -> tuple[Estimator, Stars, np.ndarray, np.ndarray]:
    """The model, the stars with a label, what is predicted of each in units of `LABELS`, and the part of the split it is in."""
    prepared = read_set(path)
    wanted = usable(prepared) & np.isfinite(prepared.columns["feh"])
    wanted &= (prepared.columns["split"] == "pool") | (not pool)
    rows = np.flatnonzero(wanted)
    models, _ = load_models([f"mock-{label}" for label in LABELS], ())
    flux = prepared.flux[rows]
    points = [one.predict(flux)[:, 0] / unit for one, unit in zip(models, LABELS.values(), strict=True)]
    (start,), _ = load_models([model], ())
    return start, prepared.stars(["feh"], rows), np.stack(points, axis=1), prepared.columns["split"][rows]


def divisions(
    stars: Stars, split: np.ndarray, given: argparse.Namespace
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Seed, rows to choose from, and rows to judge by."""
    for seed in range(given.seeds):
        if given.pool:
            fold = folds(stars.names, stars.feh, given.pool, 0)
            judged = fold == seed % given.pool
            chosen_from = ~judged
        elif given.division:
            fold = folds(stars.names, stars.feh, given.division, seed)
            judged = fold < 2
            chosen_from = ~judged
        else:
            judged, chosen_from = split == "test", split == "pool"
        yield seed, np.flatnonzero(chosen_from), np.flatnonzero(judged)


def draw(way: str, points: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Rows of stars to learn from."""
    if way == "random":
        return np.random.default_rng(seed).permutation(len(points))[:n]
    return representatives(points, n, seed)[0]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--model", default="mock-feh")
    parser.add_argument("--division", type=int)
    parser.add_argument("--pool", type=int)
    parser.add_argument("--n", type=int, nargs="+", default=[50, 100, 200])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--strategies", nargs="+", default=["recalibrate", "full", "lora"])
    given = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)
    model, stars, points, split = read(given.data, bool(given.pool), given.model)
    truth = stars.labels[:, 0]
    for n in given.n:
        scores: dict[tuple[str, str, str], list[tuple[float, float]]] = {}
        n_poor: dict[str, list[int]] = {way: [] for way in WAYS}
        for seed, pool, judged in divisions(stars, split, given):
            members, names = [], []
            for way in WAYS:
                rows = pool[draw(way, points[pool], n, seed)]
                n_poor[way].append(int((truth[rows] < POOR_BELOW).sum()))
                for name in given.strategies:
                    settings = {} if name == "recalibrate" else {"validation_fraction": 0.0}
                    members.append(Member(model, stars.select(rows), make_strategy(name, **settings), seed))
                    names.append((name, way))
            for key, adapted in zip(names, finetune_fleet(members), strict=True):
                assert isinstance(adapted, Estimator), adapted
                predicted = adapted.predict(stars.inputs[judged])[:, 0]
                for regime, which in (("poor", truth[judged] < POOR_BELOW), ("all", np.ones(len(judged), bool))):
                    true, told = truth[judged][which], predicted[which]
                    scores.setdefault((*key, regime), []).append(
                        (np.sqrt(np.mean((told - true) ** 2)), sigma(true, told))
                    )
        poor = ", ".join(f"{way} {np.mean(counts):.0f}" for way, counts in n_poor.items())
        print(f"n = {n}, {given.seeds} seeds; metal-poor stars among them: {poor}")
        for name in given.strategies:
            for regime in ("poor", "all"):
                print(
                    f"  {name:12s} {regime:5s} {line(*(np.array(scores[name, way, regime]) for way in WAYS))}",
                    flush=True,
                )


def line(random: np.ndarray, planned: np.ndarray) -> str:
    """Means over seeds and what planning changes, of rms and sigma."""
    parts = []
    for number, what in enumerate(("rms", "sigma")):
        change = 100 * (planned[:, number] / random[:, number] - 1)
        error = change.std(ddof=1) / np.sqrt(len(change)) if len(change) > 1 else np.nan
        means = f"{random[:, number].mean():.4f} -> {planned[:, number].mean():.4f}"
        parts.append(f"{what} {means} ({change.mean():+.1f} +- {error:.1f} %)")
    return "   ".join(parts)


if __name__ == "__main__":
    main()
