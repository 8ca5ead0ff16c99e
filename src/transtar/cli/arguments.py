"""What the options of the command line take.

Every option that takes a value takes it through one of these, so that what cannot be is refused at once, with its name.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

from ..checks import MOST_SEED, MOST_STARS, MOST_WORKERS, check_real, check_whole
from ..errors import SettingsError, shown
from ..names import check_names

LONGEST_TEXT = 4096
"""Characters of a value; no path can be longer."""


class Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in one line, and takes an option of several values once."""

    def __init__(self, *arguments, **settings):
        super().__init__(*arguments, **settings)
        self.register("action", None, _Once)
        self.register("action", "store", _Once)
        self.register("action", "extend", _Extend)

    def error(self, message: str):
        """Leave with status 2 and one line."""
        verb = " ".join(self.prog.split()[:2])
        self.exit(2, f"{verb}: {shown(message, 1000)}; see {self.prog} --help\n")


class HelpWithDefaults(argparse.ArgumentDefaultsHelpFormatter):
    """Help that states the default of an option which has one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        has_none = action.default is None or action.default is False or action.default == []
        return action.help if has_none else super()._get_help_string(action)


class _Once(argparse.Action):
    """Store a value, by default a text. Of two lists the first would be lost without a word; of single values the last counts."""

    def __init__(self, *arguments, **settings):
        super().__init__(*arguments, **settings)
        self.type = self.type or text

    def __call__(self, parser, namespace, values, option_string=None):
        given = namespace.__dict__.setdefault("_given", set())
        if option_string is not None and self.nargs == "+" and self.dest in given:
            raise argparse.ArgumentError(self, "given twice; give all values after one")
        given.add(self.dest)
        setattr(namespace, self.dest, values)


class _Extend(_Once):
    """Gather values, however often the option comes."""

    def __call__(self, parser, namespace, values, option_string=None):
        setattr(namespace, self.dest, [*(getattr(namespace, self.dest) or ()), *values])


class PrintSchema(argparse.Action):
    """Print the JSON schema that `make` gives, and end; like --version it needs no other argument."""

    def __init__(self, option_strings, dest, make, help=None):
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, default=argparse.SUPPRESS, help=help)
        self.make = make

    def __call__(self, parser, namespace, values, option_string=None):
        """Print and leave with status 0."""
        print(json.dumps(self.make(), indent=1))
        parser.exit()


@dataclass(frozen=True)
class Whole:
    """A whole number from `low` to `high`, or a word that means None."""

    low: int = 1
    high: int = MOST_STARS
    word: str = ""

    def __call__(self, given: str) -> int | None:
        """The number, or None for the word."""
        if self.word and given == self.word:
            return None
        number = int(given) if re.fullmatch(r"[+-]?[0-9]{1,18}", given) else given
        try:
            return check_whole(number, "", self.low, self.high)
        except SettingsError as error:
            raise _refused(f"{error}{f' (or {self.word})' if self.word else ''}") from None


@dataclass(frozen=True)
class Real:
    """A finite number from `low` to `high`; `above` excludes `low` itself."""

    low: float = -inf
    high: float = inf
    above: bool = False

    def __call__(self, given: str) -> float:
        """The number."""
        plain = len(given) < 400 and re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?", given)
        try:
            return float(check_real(float(given) if plain else given, "", self.low, self.high, self.above))
        except SettingsError as error:
            raise _refused(str(error)) from None


def text(given: str) -> str:
    """Some text: not empty, not endless, and without the characters that no file name has."""
    if not given.strip():
        raise argparse.ArgumentTypeError("it is empty")
    if len(given) > LONGEST_TEXT:
        raise argparse.ArgumentTypeError(f"longer than {LONGEST_TEXT} characters: {shown(given)}")
    if "\0" in given:
        raise argparse.ArgumentTypeError(f"has a null character: {shown(given)}")
    return given


def any_text(given: str) -> str:
    """Text that may be empty."""
    return text(given) if given else given


def add_shared(parser: argparse.ArgumentParser, **settings: Any) -> None:
    """Add what every verb takes: --debug and --log."""
    parser.add_argument("--debug", action="store_true", help="show where in the code an error arose", **settings)
    parser.add_argument(
        "--log",
        type=path,
        metavar="FILE",
        help="append the messages of the command to this file, with times: for long runs",
        **settings,
    )


def path(given: str) -> Path:
    """The path of a file or folder."""
    return Path(text(given))


def label(given: str) -> str:
    """The name of one label."""
    return labels(given, 1)[0]


def labels(given: str, most: int = 100) -> tuple[str, ...]:
    """``feh,teff`` as a tuple of names."""
    names = tuple(name.strip() for name in given[:LONGEST_TEXT].split(",") if name.strip())
    if not 0 < len(names) <= most or len(set(names)) != len(names):
        what = "the name of a label" if most == 1 else "names of labels separated by commas, each once"
        raise argparse.ArgumentTypeError(f"takes {what}, not '{shown(given)}'")
    try:
        return check_names(names, "label")
    except SettingsError as error:
        raise _refused(str(error)) from None


def device(given: str) -> str:
    """A device to train on, which this machine has."""
    # Only if one is named: it needs torch, which takes a second.
    from ..devices import check_device

    try:
        return check_device(given)
    except SettingsError as error:
        raise _refused(str(error)) from None


def limit(given: str) -> int | float:
    """As `count`, but 'all' is infinity, so that it is told apart from an option that was not given."""
    number = count(given)
    return inf if number is None else number


count = Whole(1, word="all")
many = Whole(1)
seed = Whole(0, MOST_SEED)
workers = Whole(1, MOST_WORKERS)
anything = Real()
positive = Real(0, above=True)


def _refused(message: str) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(message.strip())


def plain_output() -> None:
    """Let names that are not text in the terminal's encoding be shown, escaped, rather than end the run."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
