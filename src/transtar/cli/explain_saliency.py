"""Saliency of models side by side, and how their label answers to the labels of synthetic spectra (the physical test)."""

from __future__ import annotations

import argparse

from . import arguments as values
from .common import load_models, name_models, say

HELP = "gradients by wavelength, and the physical test"

REGIMES = ("poor", "rich", "all")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--model", required=True, nargs="+", type=values.path, help="models, by folder or name, to set side by side"
    )
    parser.add_argument("--data", required=True, type=values.path, help="prepared set whose stars are looked at")
    parser.add_argument("--out", required=True, type=values.path, help="folder for tables and figures")
    parser.add_argument("--label", type=values.label, default="feh", help="label whose prediction is explained")
    parser.add_argument(
        "--regime", default="all", choices=REGIMES, help="stars of the saliency maps, by [Fe/H] of the set"
    )
    parser.add_argument("--split", default="test", choices=("test", "pool", "all"), help="part of the set")
    parser.add_argument(
        "--instrument",
        help="desi, lamost or miles, for the physical test; that of the set's survey if not given",
    )
    parser.add_argument(
        "--lines",
        default="auto",
        help="correction of synthetic lines: name, file, none, or auto: that of the mock stars that the first model learnt from",
    )
    parser.add_argument(
        "--stars", type=values.many, default=500, help="stars of the physical test at most, drawn at random"
    )
    parser.add_argument("--seed", type=values.seed, default=0, help="decides which stars are drawn")


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    import numpy as np

    from ..catalog.trained import trained_on
    from ..datasets import read_set, usable
    from ..errors import InputError, SettingsError
    from ..evaluate import regimes
    from ..explain.lines import read_lines, resolved
    from ..explain.results import LINES, RESPONSE, SALIENCY, WEIGHTS, shares, write_saliency, write_shares
    from ..explain.saliency import saliency
    from ..explain.tables import format_responses, format_shares, format_weights
    from ..files import check_files, check_writable
    from ..preprocess import require_same
    from ..report.saliency import draw_saliency
    from ..simulate.instruments.instrument import INSTRUMENTS
    from ..simulate.mocks.line_correction import load_lines

    check_files(
        [arguments.out / name for name in (SALIENCY, LINES, RESPONSE, WEIGHTS)], [*arguments.model, arguments.data]
    )
    check_writable(arguments.out / "figures")
    if arguments.instrument is not None and arguments.instrument not in INSTRUMENTS:
        raise SettingsError(f"no instrument '{arguments.instrument}'; known instruments: {', '.join(INSTRUMENTS)}")
    if arguments.lines not in ("auto", "none"):
        # A misspelt name is told before anything is computed.
        load_lines(arguments.lines)
    models = dict(zip(arguments.model, load_models(arguments.model), strict=True))
    prepared = read_set(arguments.data)
    for path, model in models.items():
        require_same(model.preprocessing, str(path), prepared.preprocessing, str(arguments.data))
    named = dict(zip(name_models(list(models), models.values(), prepared.survey), models.values(), strict=True))
    good = usable(prepared)
    inside = np.ones(len(prepared), bool) if arguments.split == "all" else prepared.columns["split"] == arguments.split
    seen = trained_on(prepared.columns, [model.trained_on for model in models.values()])
    chosen = prepared.select(inside & good & ~seen)
    say(
        f"{len(chosen)} stars; left out: {int((~inside).sum())} of another split, {int((inside & ~good).sum())} flagged bad, "
        f"{int((inside & good & seen).sum())} seen by a model in training"
    )
    if not len(chosen):
        raise InputError(f"{arguments.data}: no star of split '{arguments.split}' is left; choose another --split")
    labels = {name: chosen.columns[name].astype(np.float64) for name in chosen.labels}
    by_regime = regimes(labels or {"": np.zeros(len(chosen))})
    if arguments.regime not in by_regime or not by_regime[arguments.regime].any():
        raise InputError(f"{arguments.data}: no star of the regime '{arguments.regime}' among the {len(chosen)} chosen")
    rows = by_regime[arguments.regime]
    wave = prepared.preprocessing.wavelengths.wave
    found = saliency(named, chosen.flux[rows], wave, arguments.label, arguments.regime)
    write_saliency(arguments.out, found)
    listed = read_lines()
    lines = resolved(listed, wave)
    if len(lines) < len(listed):
        grid = prepared.preprocessing.grid
        say(
            f"{len(listed) - len(lines)} of {len(listed)} lines are narrower than the pixels of the grid '{grid}': left out"
        )
    by_model = shares(found, lines)
    write_shares(arguments.out, by_model)
    print(format_shares(by_model))
    test = _physical_test(arguments, named, chosen, labels, by_regime)
    if test is not None:
        print(f"\n{format_responses(test.responses)}")
        if arguments.regime in test.weights:
            print(f"\n{format_weights(found, test)}")
    draw_saliency(arguments.out, found, lines, test)
    print(f"{arguments.out / 'figures'}")
    return 0


def _physical_test(arguments: argparse.Namespace, named: dict, chosen, labels: dict, by_regime: dict):
    """Run the physical test if the set allows it, say why where it does not; the test, or None."""
    import numpy as np
    from tqdm import tqdm

    from ..errors import InputError
    from ..explain.moved import NEEDED, STEPS, move_labels
    from ..explain.response import physical_test
    from ..explain.results import write_test
    from ..simulate import load_emulator
    from ..simulate.instruments.instrument import INSTRUMENTS
    from ..simulate.mocks.line_correction import lines_of_model, load_lines

    name = arguments.instrument or chosen.survey
    if name not in INSTRUMENTS:
        say(f"no physical test: '{name}' is none of {', '.join(INSTRUMENTS)}; choose one of them with --instrument")
        return None
    absent = [label for label in NEEDED if label not in labels]
    if absent:
        say(f"no physical test: the set has no {', '.join(absent)}")
        return None
    lines = arguments.lines
    if lines == "auto":
        try:
            lines = lines_of_model(next(iter(named.values())).provenance) or "none"
        except InputError as error:
            say(f"no physical test: {error} (--lines)")
            return None
    drawn = np.random.default_rng(arguments.seed).permutation(len(chosen))[: arguments.stars]
    drawn.sort()
    try:
        with tqdm(
            total=len(drawn) * (2 * len(STEPS) + 1), unit="spectra", desc="physical test", disable=None, leave=False
        ) as bar:
            spectra = move_labels(
                {label: values[drawn] for label, values in labels.items()},
                load_emulator(),
                INSTRUMENTS[name],
                chosen.preprocessing,
                chosen.columns["velocity"][drawn] if "velocity" in chosen.columns else None,
                None if lines == "none" else load_lines(lines),
                bar.update,
            )
    except InputError as error:
        say(f"no physical test: {error}")
        return None
    left = ", ".join(f"{n} {reason}" for reason, n in spectra.left_out.items()) or "none"
    say(
        f"physical test on {len(spectra.rows)} of {len(drawn)} stars drawn, as {name} sees them, line correction {lines}; "
        f"left out: {left}"
    )
    regimes = {regime: mask[drawn] for regime, mask in by_regime.items()}
    test = physical_test(named, arguments.label, spectra, regimes, chosen.ivar)
    write_test(arguments.out, test, chosen.preprocessing.wavelengths.wave)
    return test
