"""Models by name or folder: list them and named encoders, show a card, copy one to the store or a folder, or print where it is.

Public checkpoints of SpecCLIP are imported as encoders. `export` writes a folder as model hubs expect it, which `import` takes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import SettingsError, TranstarError, printable
from . import arguments as values
from .common import add_columns, say

HELP = "list, show, import and export models"


MOST_CARD = 1 << 20
"""Characters of a card that are shown."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("action", choices=("list", "show", "import", "export", "path"), help="what to do")
    parser.add_argument(
        "model",
        nargs="*",
        type=values.path,
        help="name or folder of a model; with import: a folder, or public checkpoints of SpecCLIP (.ckpt), which are not run",
    )
    parser.add_argument(
        "--name",
        help="with import: the name to give it (default: that of the folder; of an encoder embed, embed-xp, ...)",
    )
    parser.add_argument(
        "--out",
        type=values.path,
        help="with export: folder of the copy; with import of a checkpoint: of the encoder; of several: of their folders",
    )
    parser.add_argument(
        "--scores",
        nargs=2,
        action="append",
        type=values.path,
        metavar=("CATALOG", "LABELS"),
        help="with export: a catalog that predict wrote with this model, and reference labels of its stars, for the scores on "
        "its card; may be given several times",
    )
    parser.add_argument(
        "--license",
        metavar="ID",
        help="with export: licence of the weights, such as bsd-3-clause or cc-by-4.0; if not given unknown, or that of transtar "
        "for a model that ships with it",
    )
    parser.add_argument(
        "--terms",
        nargs="+",
        metavar="SURVEY=TEXT",
        help="with export: whose labels of a survey it learnt from, and under which terms, for the card",
    )
    add_columns(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from ..models import find_model, load_estimator, named_models

    if arguments.action == "list" and arguments.model:
        raise SettingsError(f"models list takes no model; models show {arguments.model[0]} describes one")
    if arguments.action != "import" and arguments.name is not None:
        raise SettingsError("--name is for models import")
    if arguments.action == "export" and arguments.out is None:
        raise SettingsError("models export needs --out FOLDER")
    if arguments.action not in ("export", "import") and arguments.out is not None:
        raise SettingsError("--out is for models export and import")
    if arguments.action != "export":
        for option in ("scores", "license", "terms"):
            if getattr(arguments, option) is not None:
                raise SettingsError(f"--{option} is for models export")
    if arguments.columns and not arguments.scores:
        raise SettingsError("--columns is for the tables of --scores")
    if arguments.action == "list":
        for name, folder in named_models().items():
            try:
                model = load_estimator(folder)
            except (TranstarError, OSError) as error:
                say(f"{name}: cannot be used: {error}")
                continue
            surveys = "+".join(dict.fromkeys(str(step.get("survey")) for step in model.provenance))
            print(printable(f"{name:20s} {', '.join(model.label_names):24s} from {surveys:20s} {folder}"))
        _list_encoders()
        return 0
    if not arguments.model:
        raise SettingsError(f"models {arguments.action} needs the name or folder of a model")
    if arguments.action == "import":
        return _import(arguments.model, arguments.name, arguments.out)
    if len(arguments.model) > 1:
        raise SettingsError(f"models {arguments.action} takes one model, not {len(arguments.model)}")
    (given,) = arguments.model
    if arguments.action == "export":
        return _export(given, arguments)
    folder = find_model(given)
    if arguments.action == "path":
        print(folder)
        return 0
    model = load_estimator(folder)
    # A stranger's card, on a terminal: shown, not obeyed.
    with (folder / "README.md").open(encoding="utf-8", errors="replace") as file:
        print("\n".join(printable(line) for line in file.read(MOST_CARD).splitlines()))
    for note in model.encoders.values():
        say(_whether_here(note))
    return 0


def _export(given: Path, arguments: argparse.Namespace) -> int:
    """Write a folder to share, and say what its card does not tell."""
    from ..evaluate import score_model
    from ..glossary import decimals
    from ..models import load_estimator, needs, share_model
    from ..tables import Choice

    terms = {}
    for one in arguments.terms or ():
        survey, equals, text = one.partition("=")
        if not equals or not text.strip():
            raise SettingsError(f"--terms takes SURVEY=TEXT, not '{printable(one)}'")
        terms[survey] = text.strip()
    model, columns = load_estimator(given), Choice.parse(arguments.columns)
    scores = [one for catalog, labels in arguments.scores or () for one in score_model(model, catalog, labels, columns)]
    if arguments.scores:
        columns.require_used([path for pair in arguments.scores for path in pair])
    copy = share_model(given, arguments.out, scores, arguments.license, terms)
    needed = [needs(note) for note in load_estimator(copy).encoders.values()]
    say(f"{copy}: a copy of {given} that needs {' and '.join(needed) or 'nothing else'}")
    if needed:
        say(f"{copy}: the encoder is not in it; share that too, or nobody can use the model")
    card = (copy / "README.md").read_text(encoding="utf-8")
    for one in scores:
        row, digits = one.regimes["all"], decimals(one.label) or 1
        say(
            f"{copy}: its card has the scores of {one.label}, {one.stars}: R2 {row['r2']:.3f}, sigma {row['sigma']:.{digits}f}, "
            f"{row['n']} rows scored, {sum(one.left_out.values())} left out"
        )
    if "\nmodel-index:\n" not in card:
        say(f"{copy}: the front matter of its card has no scores; --scores CATALOG LABELS measures them")
    if card.startswith("---\nlicense: unknown\n"):
        say(f"{copy}: its card says that nobody has stated a licence; --license ID does")
    return 0


def _import(given: list[Path], name: str | None, out: Path | None) -> int:
    """Import a model into the store, or checkpoints into folders of encoders."""
    from ..encoders.public_import import import_checkpoints
    from ..models import import_model

    # A model goes by its name, too; a checkpoint is a file.
    if any(path.is_dir() for path in given) or (out is None and not any(path.is_file() for path in given)):
        if len(given) > 1 or out is not None:
            raise SettingsError(
                "models import takes one folder of a model, without --out; --out is for checkpoints (.ckpt)"
            )
        name = name or given[0].resolve().name
        say(f"{import_model(given[0], name)}: call it by --model {name}")
        return 0
    if out is None:
        raise SettingsError("models import of a checkpoint needs --out FOLDER, where its encoder is to go")
    for encoder in import_checkpoints(given, out, name or ""):
        (step,) = encoder.provenance
        say(
            f"{encoder.place}: the encoder '{encoder.name}' of {step['file']}, {encoder.width:,} values; trained on "
            f"{step['stars']}"
        )
    return 0


def _list_encoders() -> None:
    """A line for each encoder that has a name: width, hash, and where it comes from."""
    from ..encoders import Encoder, encoder_names, encoder_origin, named_encoder

    for name in encoder_names():
        try:
            encoder = named_encoder(name)
        except (TranstarError, OSError) as error:
            say(f"{name}: cannot be used: {error}")
            continue
        if encoder is not None:
            # A function says how many values it gives only when it gives them.
            width = f" of {encoder.width} values" if isinstance(encoder, Encoder) else ""
            kind, sha256 = f"encoder{width}", encoder.sha256[:16]
            print(printable(f"{name:20s} {kind:24s} hash {sha256:20s} {encoder_origin(name)}"))


def _whether_here(note: dict[str, str]) -> str:
    """A line on an encoder that a model needs."""
    from ..encoders import find_encoder
    from ..models import needs

    try:
        find_encoder(note)
    except TranstarError as error:
        return str(error)
    return f"needs the encoder {needs(note)}, which is here"
