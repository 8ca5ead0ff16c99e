"""Rows of made-up summaries."""


def row(strategy, n, r2, input_name="flux", label="alphafe", regime="all", **other):
    return {
        "source": "none" if strategy == "scratch" else "lamost", "target": "desi", "label": label,
        "input": input_name, "strategy": strategy, "n_finetune": n, "regime": regime, "split": "test",
        "variant": "default", "r2": r2, "r2_std": 0.004, "r2_err": 0.01, "sigma": 0.03, "sigma_std": 0.001,
        "bias": 0.0, "bias_std": 0.0, "n_seeds": 5, "n_train": n, "n_test": 5539, **other,
    }  # fmt: skip
