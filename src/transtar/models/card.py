"""The model card: what a model is, in words, beside its weights."""

from __future__ import annotations

import json

from .naming import learnt_from, needs


def model_card(config: dict) -> str:
    """Write the model card of a model.

    Parameters
    ----------
    config : dict
        The content of its config.json.

    Returns
    -------
    str
        Markdown.
    """
    names = ", ".join(label["name"] for label in config["labels"])
    lines = [
        f"# transtar model: {names}",
        "",
        f"Predicts {names} from {config['n_inputs']} inputs per star{_input(config)}; "
        f"written by transtar {config['transtar_version']}",
        "",
        "| label | training mean | standard deviation | range |",
        "|---|---|---|---|",
    ]
    for label in config["labels"]:
        numbers = f"{label['mean']:.6g} | {label['std']:.4g} | {label['min']:.6g} to {label['max']:.6g}"
        lines.append(f"| {label['name']} | {numbers} |")
    for label in config["labels"]:
        if "error" in label:
            lines += [
                "",
                f"Error of {label['name']} (1 sigma, bias included, measured on real stars): {label['error']:.4g}",
            ]
    for part, note in sorted(config.get("encoders", {}).items()):
        lines += ["", f"The input '{part}' is made by the encoder {needs(note)}. No other encoder is taken for it."]
    lines += ["", f"Network: `{json.dumps(config['network'])}`", "", "## Training", ""]
    for number, step in enumerate(config["provenance"], start=1):
        lines.append(
            f"{number}. {step.get('step')} ({step.get('strategy', 'mlp')}){learnt_from(step)} on {step.get('n_train')} stars of "
            f"{step.get('survey')}, {step.get('n_validation')} held out for validation, seed {step.get('seed')}"
        )
    lines += [
        "",
        "## Use",
        "",
        "Inputs must be prepared exactly as `preprocessing` in config.json says"
        f" (hash {config['preprocessing_hash']}); `transtar predict` checks it.",
        f"A star whose distance exceeds {config['domain']['limit']:.4g} is flagged OUT_OF_DOMAIN: the mean over "
        f"{_values(config)} of the squared standardised input, clipped at {config['domain']['clip']:g}; the limit is "
        f"{config['domain']['factor']:g} times the {config['domain']['quantile']:.1%} quantile of the training set. "
        "A label outside the ranges above is flagged LABEL_EXTRAPOLATED.",
        "The stars in trained_on.parquet were seen in training or validation: do not judge the model on them.",
        "",
    ]
    return "\n".join(lines)


def _values(config: dict) -> str:
    return "pixels" if config.get("input", "flux") == "flux" else "the values of the input"


def _input(config: dict) -> str:
    name = config.get("input", "flux")
    return "" if name == "flux" else f" (of the input '{name}')"
