"""Look into models: what they have learnt, and what they lean on."""

from __future__ import annotations

import argparse
from importlib import import_module

from .arguments import HelpWithDefaults

HELP = "look into models: saliency and physical test, loss landscapes, what encoders give back, translations, misfits"

KINDS = ("saliency", "landscape", "reconstruction", "translation", "misfit")
"""Each has a module of its own beside this one, ``explain_KIND``, made like a verb."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the kinds of explanation, each with its arguments."""
    kinds = parser.add_subparsers(dest="kind", metavar="KIND", required=True, help="what to look at")
    for name in KINDS:
        module = import_module(f".explain_{name}", __package__)
        kind = kinds.add_parser(
            name,
            help=module.HELP,
            description=module.__doc__,
            formatter_class=HelpWithDefaults,
        )
        # The verb has it too; a default here would overwrite what was given there.
        kind.add_argument(
            "--debug", action="store_true", default=argparse.SUPPRESS, help="show where in the code an error arose"
        )
        module.configure(kind)
        kind.set_defaults(explain=module.run)


def run(arguments: argparse.Namespace) -> int:
    """Run the kind asked for."""
    return arguments.explain(arguments)
