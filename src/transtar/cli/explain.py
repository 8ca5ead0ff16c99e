"""Look inside models: what they have learnt, and what their labels depend on."""

from __future__ import annotations

import argparse
from importlib import import_module

from .arguments import HelpWithDefaults, add_shared

HELP = "look inside models: saliency and physical test, loss landscapes, reconstructions, translations, misfits"

KINDS = ("saliency", "landscape", "reconstruction", "translation", "misfit")
"""Each has a module of its own beside this one, ``explain_KIND``, made like a verb."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the kinds of explanation, each with its arguments."""
    kinds = parser.add_subparsers(dest="kind", metavar="KIND", required=True, help="what to examine")
    for name in KINDS:
        module = import_module(f".explain_{name}", __package__)
        kind = kinds.add_parser(
            name,
            help=module.HELP,
            description=module.__doc__,
            formatter_class=HelpWithDefaults,
        )
        # The verb has these too; a default here would overwrite what was given there.
        add_shared(kind, default=argparse.SUPPRESS)
        module.configure(kind)
        kind.set_defaults(explain=module.run)


def run(arguments: argparse.Namespace) -> int:
    """Run the kind asked for."""
    return arguments.explain(arguments)
