"""Make the emulator that ships with transtar: ``python -m tools.train_emulator --grid FOLDER --out FOLDER``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from transtar.errors import TranstarError
from transtar.files import check_files, check_replaceable, write_json
from transtar.simulate.emulator.emulator import Emulator
from transtar.simulate.emulator.emulator_storage import EMULATOR, load_emulator, save_emulator

from .emulator_card import emulator_card
from .emulator_grid import Pairs, read_grid, read_pairs
from .emulator_training import SETTINGS, train_emulator
from .emulator_validation import (
    compare_derivatives,
    cross_validate,
    derivative_summary,
    flux_errors,
    summary,
    validation_summary,
)

VALIDATION = "validation.json"


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.train_emulator", description=__doc__)
    parser.add_argument("--grid", type=Path, required=True, help="folder of spectra.npz, sed.npz and pairs.npz")
    parser.add_argument("--out", type=Path, required=True, help="folder of the emulator")
    parser.add_argument("--validate", action="store_true", help="cross-validate and check the derivatives, too")
    parser.add_argument(
        "--only-validate", action="store_true", help="keep the emulator that stands in --out; renew its card"
    )
    parser.add_argument("--report", type=Path, help="folder of validation.json and the figure (default: beside --out)")
    parser.add_argument("--folds", type=int, default=10, help="of the cross-validation")
    parser.add_argument("--epochs", type=float, default=1.0, help="factor on the number of epochs, for a quick look")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--threads", type=int, default=1, help="of torch; results repeat bit for bit at the same number"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, check, and write the model, its card, the figures and the plot."""
    import torch

    options = build_parser().parse_args(arguments)
    torch.set_num_threads(options.threads)
    settings = {name: replace(s, epochs=max(round(s.epochs * options.epochs), 1)) for name, s in SETTINGS.items()}
    report = options.report or options.out.with_name(options.out.name + "-validation")
    try:
        if not options.only_validate:
            check_replaceable(options.out, EMULATOR, [options.grid])
        if options.validate or options.only_validate:
            check_files([report / VALIDATION], [options.grid])
        grid = read_grid(options.grid)
        if not options.only_validate:
            emulator = train_emulator(grid, settings, seed=options.seed, progress=_say)
            save_emulator(emulator, options.out, emulator_card(emulator))
        # As a user gets it, rounded to float16.
        emulator = load_emulator(options.out)
        if options.validate or options.only_validate:
            pairs = read_pairs(options.grid)
            validation = _check_pairs(emulator, pairs)
            write_json(report / VALIDATION, validation)
            checked = cross_validate(grid, options.folds, settings, options.seed, _say)
            validation["cross_validation"] = validation_summary(checked)
            write_json(report / VALIDATION, validation)
            save_emulator(emulator, options.out, emulator_card(emulator, validation))
            _draw(pairs, emulator, checked, report)
    except TranstarError as error:
        _say(f"train_emulator: {error}")
        return 1
    return 0


def _check_pairs(emulator: Emulator, pairs: Pairs) -> dict:
    flux = emulator.flux(pairs.labels)
    coarse, fine = flux_errors(flux, pairs.flux, pairs.wave)
    derivatives = derivative_summary(compare_derivatives(emulator, pairs))
    for name, values in derivatives.items():
        _say(f"{name}: " + ", ".join(f"{key} {value:.4f}" for key, value in values.items()))
    return {
        "derivatives": derivatives,
        "pairs_percent": {"r3000": summary(100 * coarse), "r12000": summary(100 * fine)},
    }


def _draw(pairs: Pairs, emulator: Emulator, checked: dict[str, np.ndarray], folder: Path) -> None:
    from transtar.report.style import save

    from .emulator_figure import draw_validation

    for path in save(draw_validation(pairs, emulator, checked), folder, "emulator-validation").values():
        _say(str(path))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
