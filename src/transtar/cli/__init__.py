"""The command line: one thin file per verb, each with `HELP`, `configure(parser)` and `run(arguments)`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from importlib import import_module

from ..errors import SettingsError, TranstarError, shown
from ..processes import Ended, ending_cleanly
from ..telling import logged, shown_on_stderr
from ..version import __version__
from .arguments import HelpWithDefaults, Parser, add_shared, plain_output

VERBS = (
    "simulate", "fetch", "select", "calibrate", "join", "prepare", "embed", "search", "pretrain", "align", "finetune", "predict",
    "merge", "recommend", "evaluate", "validate", "plan", "explain", "report", "study", "models", "cite", "info",
)  # fmt: skip

LONGEST_LINE = 2000
"""Characters of an error; more come only from input that is made to be long."""


def build_parser() -> Parser:
    """The parser of the whole command line."""
    parser = Parser(prog="transtar", description="Carry stellar labels from one spectroscopic survey to another.")
    parser.add_argument("--version", action="version", version=f"transtar {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name in VERBS:
        module = import_module(f".{name}", __name__)
        verb = verbs.add_parser(
            name,
            help=module.HELP,
            description=module.__doc__,
            formatter_class=HelpWithDefaults,
        )
        add_shared(verb)
        module.configure(verb)
        verb.set_defaults(run=module.run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb.

    Returns
    -------
    int
        0 on success, 1 on a failure (told in one line on standard error), 2 on wrong use; 130 when interrupted,
        143 when told to end (SIGTERM), 129 when the terminal closes (SIGHUP).
    """
    plain_output()
    parsed = build_parser().parse_args(arguments)
    parsed.command = shlex.join(["transtar", *map(str, sys.argv[1:] if arguments is None else arguments)])
    try:
        with ending_cleanly(), shown_on_stderr(), logged(parsed.log, parsed.command):
            return parsed.run(parsed) or 0
    except Ended as ended:
        if parsed.debug:
            raise
        print(f"transtar {parsed.verb}: ended by {ended.name}; nothing half written was left behind", file=sys.stderr)
        return 128 + ended.number
    except KeyboardInterrupt:
        if parsed.debug:
            raise
        # Python remembers an interrupt that came while it executed a string (dataclasses do, on import) and would die of
        # the signal at the end; executing another makes it forget, so that the status is always 130.
        exec("")
        print(f"transtar {parsed.verb}: interrupted; nothing half written was left behind", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except (TranstarError, OSError, MemoryError) as error:
        if parsed.debug:
            raise
        print(f"transtar {parsed.verb}: {_one_line(error)}", file=sys.stderr)
        return 2 if isinstance(error, SettingsError) else 1
    except Exception as error:
        if parsed.debug:
            raise
        print(
            f"transtar {parsed.verb}: unexpected {type(error).__name__}: {_one_line(error)} "
            "(a bug: please report it with the output of the same command with --debug)",
            file=sys.stderr,
        )
        return 1


def _one_line(error: BaseException) -> str:
    return shown(error, LONGEST_LINE) or type(error).__name__
