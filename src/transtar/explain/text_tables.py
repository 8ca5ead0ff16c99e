"""Saliency, physical test, landscapes and reconstructions as short tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..glossary import COLUMNS
from ..simulate.mocks.minimum_variance import SNR, correlation, noise_of
from ..simulate.mocks.moved import STEPS
from .landscape import Landscape, summary_rows
from .lines import Share
from .reconstruction import PERCENTILES, Reconstruction
from .response import PhysicalTest, Response
from .saliency import Saliency

STRONGEST = 8
"""Lines listed."""

REGIMES = ("all", "poor", "rich", "dwarf", "giant")
"""Regimes listed; the others are in the file."""


def format_shares(by_model: Mapping[str, Sequence[Share]]) -> str:
    """Shares of gradient and effect near the lines of each element, in units of chance, and the lines of most effect."""
    models = list(by_model)
    first = list(by_model[models[0]])
    shares_of = {model: {(one.kind, one.name): one for one in by_model[model]} for model in models}
    width = max(15, *(len(model) + 3 for model in models))

    def row(one: Share) -> str:
        cells = ""
        for model in models:
            value = shares_of[model][one.kind, one.name]
            cells += f"{value.enhancement:.2f} {value.effect_enhancement:6.2f}".rjust(width)
        return f"{one.name:20s} {100 * one.chance:7.1f} %{cells}"

    lines = [
        "absolute gradient near lines over that of chance; the same of gradient times spread of the flux",
        f"{'near lines of':20s} {'pixels':>9s}" + "".join(model.rjust(width) for model in models),
    ]
    lines += [row(one) for one in first if one.kind != "line"]
    strongest = sorted((one for one in first if one.kind == "line"), key=lambda one: -one.effect_enhancement)[
        :STRONGEST
    ]
    return "\n".join([*lines, f"lines of most effect in {models[0]}:", *(row(one) for one in strongest)])


def format_responses(responses: Sequence[Response]) -> str:
    """Mean and scatter of each response; 1 in the column of the label and 0 elsewhere would be perfect."""
    rows: dict[tuple[str, str], dict[str, Response]] = {}
    for one in responses:
        rows.setdefault((one.model, one.regime), {})[one.moved] = one
    label = responses[0].label if responses else ""
    heads = [f"{name} {'/100 K' if name == 'teff' else '/dex'}" for name in STEPS]
    lines = [f"response of {label}".ljust(34) + f"{'stars':>6s}" + "".join(head.rjust(17) for head in heads)]
    for (model, regime), row in rows.items():
        if regime not in REGIMES:
            continue
        cells = "".join(f"{row[name].mean:8.3f} +- {row[name].scatter:5.3f}" for name in STEPS)
        lines.append(f"{model:20s} {regime:13s}{row['feh'].n_stars:6d}{cells}")
    return "\n".join(lines)


def format_weights(saliency: Saliency, test: PhysicalTest) -> str:
    """How the mean gradient of each model compares with the weights of the unbiased linear estimator of least variance."""
    weights = test.weights[saliency.stars]
    unit = COLUMNS[saliency.label].unit if saliency.label in COLUMNS else ""
    lines = [
        f"minimum-variance weights, {saliency.stars}: noise of {saliency.label} {noise_of(weights, test.variance):.3g} {unit} "
        f"at S/N {SNR:g} per pixel"
    ]
    for name, one in saliency.models.items():
        lines.append(
            f"{name:20s} noise {noise_of(one.mean, test.variance):.3g} {unit}, "
            f"correlation of the mean gradient with the weights {correlation(one.mean, weights):.2f}"
        )
    return "\n".join(lines)


def format_landscapes(landscapes: Mapping[str, Landscape]) -> str:
    """One line per model and plane, of fixed width: the loss at its centre and at its minimum."""
    rows = summary_rows(landscapes)
    width = max(10, *(len(row["model"]) for row in rows))
    label = rows[0]["label"]
    unit = COLUMNS[label].unit if label in COLUMNS else ""
    lines = [
        f"mean squared error of {label}{f' in {unit}^2' if unit else ''}, {rows[0]['n_stars']} stars",
        f"{'model':<{width}}  {'moves':<13}{'seed':>5}{'centre':>11}{'minimum':>11}{'alpha':>7}{'beta':>7}{'distance':>10}"
        f"{'zero-shot':>11}",
    ]
    for row in rows:
        place = f"{row['minimum_alpha']:>+7.2f}{row['minimum_beta']:>+7.2f}{row['distance']:>9.2f}"
        zero_shot = row["zero_shot_loss"]
        lines.append(
            f"{row['model']:<{width}}  {row['moves']:<13}{row['seed']:>5}{row['centre_loss']:>11.4g}"
            f"{row['minimum_loss']:>11.4g}{place}{'*' if row['on_edge'] else ' '}"
            f"{f'{zero_shot:.4g}' if zero_shot == zero_shot else '-':>11}"
        )
    if any(row["on_edge"] for row in rows):
        lines.append("* on the edge of the grid: the loss may be lower still beyond it")
    return "\n".join(lines)


def format_reconstruction(reconstruction: Reconstruction) -> str:
    """Percentiles of the distances between spectra and what an encoder gives back, and those of the stars shown."""
    width = max(
        len(name) for name in ("percentile", *(str(reconstruction.columns["star"][i]) for i in reconstruction.shown))
    )
    lines = [
        f"spectra minus what {reconstruction.encoder} gives back, {len(reconstruction.rows)} stars",
        f"{'':{width}s} {'rms':>9s} {'in noise':>9s}",
    ]
    for percentile in PERCENTILES:
        values = [_percentile(each, percentile) for each in (reconstruction.rms, reconstruction.rms_in_noise)]
        lines.append(_distance_line("median" if percentile == 50 else f"{percentile} %", values, width))
    for place in reconstruction.shown.tolist():
        values = [float(each[place]) for each in (reconstruction.rms, reconstruction.rms_in_noise)]
        lines.append(_distance_line(str(reconstruction.columns["star"][place]), values, width))
    return "\n".join(lines)


def _percentile(values: np.ndarray, percentile: int) -> float:
    known = values[np.isfinite(values)]
    return float(np.percentile(known, percentile)) if len(known) else float("nan")


def _distance_line(name: str, distances: Sequence[float], width: int) -> str:
    """A line of the table; a distance that is not known is left empty."""
    cells = (
        f"{value:9.{digits}f}" if np.isfinite(value) else " " * 9
        for value, digits in zip(distances, (4, 2), strict=True)
    )
    return f"{name:{width}s} {' '.join(cells)}".rstrip()
