"""Why embeddings of masked transformers lose the metal-poor stars: one cause at a time, on mock spectra.

Run from the project root as ``python -m benchmarks.poor_embeddings --out runs/poor-embeddings [--seeds 2] [--steps 2000]``. Each
run is kept in the folder, and the same command goes on after an interruption. Encoders learn without labels from mock LAMOST
spectra; heads learn [Fe/H] from 3,000 others, 5 % of them metal-poor, and are judged on 1,600 more, seen by LAMOST and by DESI.
docs/poor-embeddings.md discusses the table and the figure that come of it.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import numpy as np

from benchmarks.poor_embeddings_parts import (
    LEARNT_FROM,
    SMALL,
    SMALLER,
    VIEWS,
    Case,
    Mocks,
    chosen,
    head,
    make_mocks,
    parts,
    pooled,
    shifted,
    tokens_of,
    trained,
)
from transtar.encoders import load_encoder
from transtar.evaluate import bias, bootstrap, r2, sigma
from transtar.networks.lrs import LRSTransformer
from transtar.studies.paired import Scored

BASE = Case()
FLUX, COMPONENTS, THROUGH = "flux", "128 principal components", "through"

CASES: dict[str, Case] = {
    "masked transformer, as it is": BASE,
    "mean of the flux dropped": replace(BASE, network={**SMALLER, "keeps_mean": False}),
    "as the public network is": replace(
        BASE, network={**SMALLER, "keeps_mean": False, "doubly_scaled": True, "covers_end": False}
    ),
    "mean over tokens of the flux": replace(BASE, pooling="flux-mean"),
    "first token": replace(BASE, pooling="first"),
    "mean and scatter over tokens": replace(BASE, pooling="scatter"),
    "means over six parts": replace(BASE, pooling="sections"),
    "attention over tokens": replace(BASE, pooling="attention"),
    "all tokens side by side": replace(BASE, pooling="all"),
    "trained four times as long": replace(BASE, longer=4),
    "trained four times as long, all tokens": replace(BASE, longer=4, pooling="all"),
    "no metal-poor star seen": replace(BASE, share=0.0),
    "half of the stars seen metal-poor": replace(BASE, share=0.5),
    "half of the labels metal-poor": replace(BASE, label_share=0.5),
    "learnt without noise": replace(BASE, spectra="clean"),
    "learnt with noise of 0.1 more": replace(BASE, spectra="noisier"),
    "velocities not taken out": replace(BASE, spectra="velocity"),
    "32 wide": replace(BASE, network={**SMALLER, "width": 32}),
    "128 wide": replace(BASE, network={**SMALLER, "width": 128}),
    "1,000 spectra": replace(BASE, stars=1000),
    "10,000 spectra": replace(BASE, stars=10_000),
    "small, 1,000 spectra": replace(BASE, stars=1000, network=SMALL),
    "small, 3,000 spectra": replace(BASE, network=SMALL),
    "small, 10,000 spectra": replace(BASE, stars=10_000, network=SMALL),
    "embedding gives the spectrum back": replace(BASE, objective="spectrum"),
    "embedding gives back the noise-free one": replace(BASE, objective="noise-free"),
}
"""What is compared with the first; all else is as in that one."""

PLAIN = {
    FLUX: BASE, "flux, half of the labels metal-poor": replace(BASE, label_share=0.5),
    "flux, velocities not taken out": replace(BASE, spectra="velocity"), COMPONENTS: BASE, THROUGH: BASE,
}  # fmt: skip
"""What is not learnt here, by the stars with labels and the velocities of the case."""

CURVES = {"64 wide, 2 layers": ("1,000 spectra", next(iter(CASES)), "10,000 spectra"),
          "128 wide, 3 layers": ("small, 1,000 spectra", "small, 3,000 spectra", "small, 10,000 spectra")}  # fmt: skip


class Runs:
    """Predictions of all runs in a folder, each made once."""

    def __init__(self, out: Path, steps: int):
        out.mkdir(parents=True, exist_ok=True)
        self.out, self.steps = out, steps
        self.mocks: Mocks = make_mocks(out / "mocks.npz")
        self.encoder_rows, self.labelled, self.test = parts(self.mocks)

    def file(self, name: str, seed: int) -> Path:
        """Where the predictions of a run lie."""
        return self.out / f"{crc32(name.encode()):08x}-{self.steps}-{seed}.npz"

    def make(self, name: str, case: Case, seed: int, networks: dict[str, LRSTransformer]) -> None:
        """Do a run unless it is done; `networks` has the encoders of this seed, made once."""
        if self.file(name, seed).is_file():
            return
        start = time.perf_counter()
        learnt = chosen(self.mocks, self.labelled, LEARNT_FROM, case.label_share, seed)
        seen = [self.mocks.seen[learnt, 0], *(self.mocks.seen[self.test, i] for i in range(len(VIEWS)))]
        spectra = [one.astype(np.float32) for one in seen]
        if case.spectra == "velocity":
            spectra = [shifted(one, 100 * seed + i) for i, one in enumerate(spectra)]
        values, *judged = self.inputs(name, case, seed, spectra, networks)
        predicted = head(values, self.mocks.feh[learnt], judged, seed)
        np.savez(self.file(name, seed), **dict(zip(VIEWS, predicted, strict=True)))
        print(f"{name}, seed {seed}: {time.perf_counter() - start:.0f} s", flush=True)

    def inputs(
        self, name: str, case: Case, seed: int, spectra: list[np.ndarray], networks: dict[str, LRSTransformer]
    ) -> list[np.ndarray]:
        """What the head takes of the spectra with labels and of the test."""
        if name.startswith(FLUX):
            return spectra
        if name == THROUGH:
            return [load_encoder(THROUGH).encode(one) for one in spectra]
        if name == COMPONENTS:
            middle = spectra[0].mean(axis=0)
            axes = np.linalg.svd(spectra[0] - middle, full_matrices=False)[2][:128]
            return [(one - middle) @ axes.T for one in spectra]
        # Where only the head differs, the encoder is the same.
        key = json.dumps(case.training, sort_keys=True)
        if key not in networks:
            rows = chosen(self.mocks, self.encoder_rows, case.stars, case.share, seed)
            file = self.out / f"network-{crc32(key.encode()):08x}-{self.steps}-{seed}.safetensors"
            networks[key] = trained(case, self.mocks, rows, seed, self.steps * case.longer, file)
        return [pooled(tokens_of(networks[key], one), case.pooling) for one in spectra]

    def done(self, name: str, seeds: range) -> list[int]:
        """Seeds of which a case is done."""
        return [seed for seed in seeds if self.file(name, seed).is_file()]

    def predicted(self, name: str, view: str, seeds: list[int]) -> np.ndarray:
        """[Fe/H] of the test stars (n_seeds, n)."""
        every = []
        for seed in seeds:
            with np.load(self.file(name, seed)) as stored:
                every.append(stored[view])
        return np.array(every)


def scored(feh: np.ndarray, predicted: np.ndarray) -> Scored:
    """Scores of predictions (n_seeds, n)."""
    values = [np.array([metric(feh, one) for one in predicted]) for metric in (r2, sigma, bias)]
    return Scored(*values, np.array([bootstrap(feh, one, ("r2",), 400, seed=0)["r2"] for one in predicted]))


def table(runs: Runs, names: list[str], seeds: range) -> list[dict[str, object]]:
    """R2 of metal-poor stars and of others, LAMOST and DESI, with differences from the first case in the seeds of both."""
    feh, rows = runs.mocks.feh[runs.test], []
    first = next(iter(CASES))
    for name in names:
        common = sorted({*runs.done(name, seeds)} & {*runs.done(first, seeds)})
        if not common:
            continue
        row: dict[str, object] = {"case": name, "seeds": len(common)}
        for view in VIEWS:
            predicted, base = (runs.predicted(one, view, common) for one in (name, first))
            row[f"{view}_sigma"] = round(float(np.mean([sigma(feh, one) for one in predicted])), 4)
            for kind, stars in (("poor", feh < -1), ("rich", feh >= -1)):
                one, other = (scored(feh[stars], every[:, stars]) for every in (predicted, base))
                gain, error = one.minus(other)
                row[f"{view}_{kind}"] = round(float(one.r2.mean()), 3)
                row[f"{view}_{kind}_error"] = round(one.error, 3)
                row[f"{view}_{kind}_gain"] = round(gain, 3)
                row[f"{view}_{kind}_gain_error"] = round(error, 3)
        rows.append(row)
    return rows


def told(row: dict[str, object]) -> str:
    """A row as a line of a Markdown table."""
    cells = [f"{row['case']} ({row['seeds']})"]
    for view in VIEWS:
        for kind in ("poor", "rich"):
            name = f"{view}_{kind}"
            cells.append(f"{row[name]:.3f}; {row[f'{name}_gain']:+.3f} ± {row[f'{name}_gain_error']:.3f}")
    return f"| {' | '.join(cells)} |"


def draw(rows: list[dict[str, object]], out: Path) -> None:
    """R2 against the number of spectra that the encoder has learnt from, for two sizes, beside what needs none."""
    from matplotlib.figure import Figure

    by_name = {row["case"]: row for row in rows}
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    for axes, kind, title in zip(figure.subplots(1, 2), ("poor", "rich"), ("[Fe/H] < −1", "[Fe/H] ≥ −1"), strict=True):
        for (label, names), color, marker in zip(CURVES.items(), ("#0072b2", "#d55e00"), "os", strict=True):
            points = [by_name[name] for name in names]
            axes.errorbar(
                [1, 3, 10], [one[f"lamost_{kind}"] for one in points], [one[f"lamost_{kind}_error"] for one in points],
                color=color, marker=marker, capsize=2, label=label,
            )  # fmt: skip
        for name, style in ((FLUX, "-"), (COMPONENTS, "--"), (THROUGH, ":")):
            axes.axhline(by_name[name][f"lamost_{kind}"], color="0.4", linestyle=style, label=name)
        axes.set(xscale="log", xlabel="spectra learnt from (thousands)", ylabel="$R^2$", title=title)
        axes.set_xticks([1, 3, 10], ["1", "3", "10"])
        axes.minorticks_off()
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    for suffix in ("pdf", "png"):
        figure.savefig(out / f"curves.{suffix}", dpi=150)


def main() -> None:
    """Train what is not trained yet, then print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.poor_embeddings", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder in which everything is kept")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=2000, help="of the training of each encoder")
    parser.add_argument("--cases", nargs="+", help="only these, by a part of their names")
    parser.add_argument("--table", action="store_true", help="train nothing, show what is done")
    options = parser.parse_args()
    runs = Runs(options.out, options.steps)
    every = {**PLAIN, **CASES}
    first = next(iter(CASES))
    asked = options.cases or [""]
    names = [name for name in every if name == first or any(part in name for part in asked)]
    for seed in range(0 if options.table else options.seeds):
        networks: dict[str, LRSTransformer] = {}
        for name in names:
            runs.make(name, every[name], seed, networks)
    rows = table(runs, names, range(options.seeds))
    with (options.out / "table.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    print("| case (seeds) | LAMOST, poor | LAMOST, rich | DESI, poor | DESI, rich |\n|---|---|---|---|---|")
    for row in rows:
        print(told(row))
    if {row["case"] for row in rows} == {*every}:
        draw(rows, options.out)


if __name__ == "__main__":
    main()
