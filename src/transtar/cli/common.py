"""Arguments and small helpers that several verbs share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..checks import MOST_EPOCHS
from ..errors import InputError, SettingsError, printable, shown
from . import arguments as values

if TYPE_CHECKING:
    from ..models import Estimator
    from ..surveys import Survey


def say(text: str) -> None:
    """Tell the user something on standard error, so that standard output stays for results."""
    print(printable(text), file=sys.stderr, flush=True)


def say_left_out(counts: dict[str, int]) -> None:
    """Tell how many rows of the files were no spectra of targets, and why; nothing if there were none."""
    if counts:
        reasons = ", ".join(f"{n} {reason}" for reason, n in counts.items())
        say(f"{sum(counts.values())} rows left out, which are no spectra of targets: {reasons}")


def epoch_bar(description: str):
    """A callback ``(epoch, n_epochs, training_loss, validation_loss)`` that draws a progress bar."""
    from tqdm import tqdm

    bar = tqdm(desc=description, unit="epoch", disable=not sys.stderr.isatty(), leave=False)

    def show(epoch: int, n_epochs: int, training_loss: float, validation_loss: float) -> None:
        bar.total = n_epochs
        bar.set_postfix_str(f"validation loss {validation_loss:.4f}", refresh=False)
        bar.update(epoch - bar.n)
        if epoch >= n_epochs:
            bar.close()

    return show


def parse_assignments(texts: Iterable[str]) -> dict[str, Any]:
    """Turn ``key=value`` texts into a dictionary; values are read as YAML, keys may be dotted.

    Raises
    ------
    SettingsError
        If a text has no ``=``, a value is not YAML, or a key comes twice.
    """
    from ..plain_yaml import parse_yaml

    settings: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        key = key.strip()
        if not equals or not all(part.strip() for part in key.split(".")):
            raise SettingsError(f"--set takes key=value, not '{shown(text)}'")
        if key in settings:
            raise SettingsError(f"--set: {shown(key)} is given twice")
        try:
            settings[key] = parse_yaml(value, f"--set {shown(key)}")
        except InputError as error:
            raise SettingsError(str(error)) from None
    return settings


def add_columns(parser: argparse.ArgumentParser) -> None:
    """The argument of every verb that reads a table."""
    parser.add_argument(
        "--columns",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=COLUMN",
        help="which column of a table, or of spectra of the survey generic, is which, where names do not tell, or tell it twice: "
        "feh=FE_H id=recno flux=FLUX_CAL",
    )


def add_stated(parser: argparse.ArgumentParser) -> None:
    """What files of spectra do not say of themselves."""
    parser.add_argument("--medium", choices=("air", "vacuum"), help="of the wavelengths, where files do not say it")
    parser.add_argument(
        "--frame",
        choices=("observed", "rest"),
        help="of the wavelengths, where files do not say it; observed if not given",
    )
    parser.add_argument(
        "--unit",
        help="of the wavelengths, where files do not say it: A (if not given), nm, um, m, Hz, 1/cm, eV, 'log10(Angstrom)'",
    )


def read_stated(arguments: argparse.Namespace):
    """What `add_stated` was given, for `transtar.datasets.prepare`.

    Raises
    ------
    SettingsError
        If the unit is none of wavelengths.
    """
    from ..surveys import Stated

    return Stated(arguments.medium or "", arguments.frame or "", arguments.unit or "")


def add_training(parser: argparse.ArgumentParser) -> None:
    """Arguments of every verb that trains."""
    own = "the strategy's own if not given"
    parser.add_argument("--epochs", type=values.Whole(1, MOST_EPOCHS), help=f"passes over the training stars; {own}")
    parser.add_argument("--lr", type=values.positive, help=f"learning rate; {own}")
    parser.add_argument("--batch-size", type=values.many, help=f"stars in one step; {own}")
    parser.add_argument("--seed", type=values.seed, default=0, help="decides split, initialisation and order")
    parser.add_argument(
        "--device", type=values.device, default="cpu", help="torch device to train on, such as cpu or cuda"
    )


def given_training(arguments: argparse.Namespace) -> dict[str, Any]:
    """The training settings that were given on the command line, by their names in the settings classes."""
    names = {"epochs": "epochs", "lr": "learning_rate", "batch_size": "batch_size"}
    return {
        setting: getattr(arguments, name) for name, setting in names.items() if getattr(arguments, name) is not None
    }


def read_preprocessing(path: Path | None, survey: Survey):
    """Settings from a YAML or JSON file, from a model folder or a prepared set; the survey's own for what is not named there.

    Raises
    ------
    InputError
        If the file is missing or holds something else.
    SettingsError
        On an unknown key or an impossible value in it.
    """
    from ..datasets.defaults import default_settings
    from ..files import read_json
    from ..plain_yaml import read_yaml

    if path is None:
        return default_settings(survey)
    for name in ("config.json", "set.json"):
        if (path / name).is_file():
            path = path / name
    if not path.is_file():
        raise InputError(f"{path}: no such file of settings, model or prepared set")
    content = read_json(path) if path.suffix == ".json" else read_yaml(path, not_yaml="neither YAML nor JSON")
    settings = content.get("preprocessing", content) if isinstance(content, dict) else content
    if settings is not content and path.name == "config.json":
        from ..models import read_config

        settings = read_config(path.parent)["preprocessing"]
        if settings is None:
            raise InputError(f"{path.parent}: has no preprocessing: its inputs are no prepared spectra")
    elif settings is not content and path.name == "set.json":
        from ..datasets import describe_set

        settings = describe_set(path.parent)["preprocessing"]
    if not isinstance(settings, dict):
        raise InputError(f"{path}: holds no settings (expected 'name: value' lines)")
    try:
        return default_settings(survey, settings)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from None


def describe_last_step(model) -> str:
    """One line on how the last step of a model's training went."""
    step = model.provenance[-1] if model.provenance else {}
    text = f"{', '.join(model.label_names)} by {step.get('strategy')} on {step.get('n_train')} stars"
    if step.get("n_validation"):
        text += f", {step['n_validation']} held out"
    if step.get("best_epoch") is not None:
        loss = step["validation_loss"][step["best_epoch"]]
        text += f"; best validation loss {loss:.4f} after epoch {step['best_epoch']} of {step['epochs_run']}"
    return text


def load_models(paths: Iterable[Path]) -> list:
    """Load models, by folder."""
    from ..models import load_estimator

    return [load_estimator(path) for path in paths]


def name_models(paths: Sequence[Path], models: Iterable[Estimator], survey: str) -> list[str]:
    """Names of models: by the strategy of their last step; by their folders where that would not tell them apart.

    Parameters
    ----------
    paths : sequence of Path
    models : iterable of Estimator
    survey : str
        Of the prepared set: what was pre-trained on it is 'scratch', what was pre-trained elsewhere 'zero-shot'.
    """
    names = []
    for path, model in zip(paths, models, strict=True):
        step = model.provenance[-1] if model.provenance else {}
        name = shown(step.get("strategy") or path.name, 60)
        if step.get("step") == "pretrain" and name == "mlp":
            name = "scratch" if step.get("survey") == survey else "zero-shot"
        names.append(name)
    final = [name if names.count(name) == 1 else path.name for name, path in zip(names, paths, strict=True)]
    return final if len(set(final)) == len(final) else [str(path) for path in paths]
