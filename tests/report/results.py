"""Summaries of a made-up study."""

import numpy as np

from transtar.evaluate import Results, summarise


def results(labels=("feh",), regimes=("all", "poor", "rich", "dwarf", "giant")):
    rng = np.random.default_rng(0)
    quality = {"zero-shot": 0.75, "residual": 0.88, "lora": 0.89, "scratch": 0.5}
    rows = []
    for label in labels:
        for strategy, r2 in quality.items():
            for n in [0] if strategy == "zero-shot" else [50, 100]:
                for seed in range(3):
                    for regime in regimes:
                        value = (
                            r2
                            + 0.02 * rng.normal()
                            + n / 2000
                            - (3.0 if (strategy, regime) == ("scratch", "poor") else 0)
                        )
                        rows.append(
                            dict(
                                source="lamost", target="miles", label=label, input="flux", strategy=strategy,
                                n_finetune=n, seed=seed, regime=regime, r2=value, r2_err=0.02, sigma=0.2 - 0.05 * value,
                                bias=0.01, n_train=n, n_test=323, split="test", variant="default",
                            )
                        )  # fmt: skip
    return rows


def summary(**options):
    return summarise(Results.from_rows(results(**options)))
