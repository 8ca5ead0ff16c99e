"""Predictions of made-up runs: truth plus noise of a chosen size, by strategy and seed."""

import numpy as np

from transtar.studies.predictions import Predicted


def made_predictions(noise, label="feh", seeds=(0, 1, 2, 3, 4), n=400, size=100, variant="default", model=None, seed=0):
    """Predictions of each run; `noise` maps a strategy to its error in dex, or (rich, poor) errors."""
    stars = np.random.default_rng(seed)
    feh = np.where(np.arange(n) < n // 4, stars.uniform(-2.4, -1.0, n) - 1e-6, stars.uniform(-1.0, 0.4, n))
    reference = {
        "feh": feh, "alphafe": stars.uniform(0, 0.4, n), "teff": stars.uniform(4000, 6500, n), "logg": stars.uniform(1, 5, n),
    }  # fmt: skip
    common = stars.normal(size=n)
    predictions = []
    for number, (strategy, sizes) in enumerate(noise.items()):
        rich, poor = sizes if isinstance(sizes, tuple) else (sizes, sizes)
        for run in seeds:
            own = np.random.default_rng([number, run, seed]).normal(size=n)
            # Half of the error is the star's own, as of stars whose reference is off.
            error = np.where(feh < -1, poor, rich) * (common + own) / np.sqrt(2)
            predictions.append(
                Predicted(
                    source="lamost", target="desi", label=label, input="flux", strategy=strategy,
                    n_finetune=0 if strategy in ("zero-shot", "pipeline") else size, seed=run, variant=variant,
                    model=model or label, n_train=size, split="test", row=np.arange(n), reference=reference,
                    predicted=reference[label] + error,
                )
            )  # fmt: skip
    return predictions
