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
                f"68 % of the real stars that it was measured on have {label['name']} within {label['error']:.4g}, bias "
                "included: one number, which is no error of any star.",
            ]
    for name, table in config.get("errors", {}).items():
        lines += ["", *errors_in_lines(name, table)]
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


def errors_in_lines(label: str, table: dict) -> list[str]:
    """What is known of the errors of a label, as Markdown.

    Parameters
    ----------
    label : str
    table : dict
        As `transtar.models.error_table.ErrorTable.to_dict` gives it.

    Returns
    -------
    list of str
        Lines: what it was calibrated on, and the shares of stars within their intervals, by bins.
    """
    noise = " and ".join(f"{one:.3g}" for one in table["label_noise"])
    known = f"noise of these labels (68, 95 %): {noise}, taken out" if any(table["label_noise"]) else (
        "noise of these labels not known, and in the intervals"
    )  # fmt: skip
    lines = [f"Errors of {label}, star by star: calibrated on {table['n']} stars, {table['stars']}; {known}."]
    if table.get("survey"):
        added = [cell[-1] for cell in table["cells"]]
        lines[0] += (
            f" Spectra of other surveys than {table['survey']} have {min(added):.2g} to {max(added):.2g} added in quadrature, "
            "by kind of star."
        )
    for judged, rows in table["coverage"].items():
        lines += [
            "",
            f"| {judged} | stars | within 68 % | within 95 % | mean {label}_err |",
            "|---|---|---|---|---|",
            *(
                f"| {row['bin']} | {row['n']} | {row['within_68']:.1%} | {row['within_95']:.1%} | {row['width']:.3g} |"
                for row in rows
            ),
        ]
    return lines


def _values(config: dict) -> str:
    return "pixels" if config.get("input", "flux") == "flux" else "the values of the input"


def _input(config: dict) -> str:
    name = config.get("input", "flux")
    return "" if name == "flux" else f" (of the input '{name}')"
