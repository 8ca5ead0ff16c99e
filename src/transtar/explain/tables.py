"""Saliency and physical test as short tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .lines import Share
from .moved import STEPS
from .response import PhysicalTest, Response
from .saliency import Saliency
from .weights import SNR, correlation, noise_of

STRONGEST = 8
"""Lines listed."""


def format_shares(by_model: Mapping[str, Sequence[Share]]) -> str:
    """Shares of the absolute gradient by element, and the most enhanced lines of the first model; chance beside them."""
    models = list(by_model)
    first = list(by_model[models[0]])
    found = {model: {(one.kind, one.name): one for one in by_model[model]} for model in models}
    width = max(10, *(len(model) for model in models))

    def row(one: Share) -> str:
        values = [found[model][one.kind, one.name] for model in models]
        cells = "".join(f"  {100 * value.share:5.1f} % x{value.enhancement:4.1f}".rjust(width + 6) for value in values)
        return f"{one.name:20s} {100 * one.chance:5.1f} %{cells}"

    lines = [f"{'near lines of':20s} {'chance':>7s}" + "".join(model.rjust(width + 6) for model in models)]
    lines += [row(one) for one in first if one.kind != "line"]
    strongest = sorted((one for one in first if one.kind == "line"), key=lambda one: -one.enhancement)[:STRONGEST]
    return "\n".join([*lines, f"most enhanced lines of {models[0]}:", *(row(one) for one in strongest)])


def format_responses(responses: Sequence[Response]) -> str:
    """Mean and scatter of each response; 1 in the column of the label and 0 elsewhere would be perfect."""
    found: dict[tuple[str, str], dict[str, Response]] = {}
    for one in responses:
        found.setdefault((one.model, one.regime), {})[one.moved] = one
    label = responses[0].label if responses else ""
    heads = [f"{name} {'/100 K' if name == 'teff' else '/dex'}" for name in STEPS]
    lines = [f"response of {label}".ljust(34) + f"{'stars':>6s}" + "".join(head.rjust(17) for head in heads)]
    for (model, regime), row in found.items():
        cells = "".join(f"{row[name].mean:8.3f} +- {row[name].scatter:5.3f}" for name in STEPS)
        lines.append(f"{model:20s} {regime:13s}{row['feh'].n_stars:6d}{cells}")
    return "\n".join(lines)


def format_weights(found: Saliency, test: PhysicalTest) -> str:
    """How the mean gradient of each model compares with the weights of the unbiased linear estimator of least variance."""
    weights = test.weights[found.stars]
    unit = "K" if found.label == "teff" else "dex"
    lines = [
        f"minimum-variance weights, {found.stars}: noise of {found.label} {noise_of(weights, test.variance):.3g} {unit} "
        f"at S/N {SNR:g} per pixel"
    ]
    for name, one in found.models.items():
        lines.append(
            f"{name:20s} noise {noise_of(one.mean, test.variance):.3g} {unit}, "
            f"correlation of the mean gradient with the weights {correlation(one.mean, weights):.2f}"
        )
    return "\n".join(lines)
