"""Models by name or folder: list them and named encoders, show a card, copy one to the store or a folder, or say where it is."""

from __future__ import annotations

import argparse

from ..errors import SettingsError, TranstarError, printable
from . import arguments as values
from .common import say

HELP = "list, look at, import and export models"


MOST_CARD = 1 << 20
"""Characters of a card that are shown."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("action", choices=("list", "show", "import", "export", "path"), help="what to do")
    parser.add_argument("model", nargs="?", type=values.path, help="name or folder of a model")
    parser.add_argument("--name", help="with import: the name to give it (default: that of the folder)")
    parser.add_argument("--out", type=values.path, help="with export: folder of the copy")


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from ..models import export_model, find_model, import_model, load_estimator, named_models, needs

    if arguments.action == "list" and arguments.model is not None:
        raise SettingsError(f"models list takes no model; models show {arguments.model} tells of one")
    if arguments.action != "import" and arguments.name is not None:
        raise SettingsError("--name is for models import")
    if (arguments.action == "export") != (arguments.out is not None):
        raise SettingsError(
            "models export needs --out FOLDER" if arguments.out is None else "--out is for models export"
        )
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
    if arguments.model is None:
        raise SettingsError(f"models {arguments.action} needs the name or folder of a model")
    if arguments.action == "import":
        name = arguments.name or arguments.model.resolve().name
        say(f"{import_model(arguments.model, name)}: call it by --model {name}")
        return 0
    if arguments.action == "export":
        copy = export_model(arguments.model, arguments.out)
        needed = [needs(note) for note in load_estimator(copy).encoders.values()]
        say(f"{copy}: a copy of {arguments.model} that needs {' and '.join(needed) or 'nothing else'}")
        return 0
    folder = find_model(arguments.model)
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
