"""Pages of the site that follow from the code: columns, flags, commands, and the Python reference.

``python -m tools.site_pages docs/generated`` writes them; `docs/conf.py` does so before each build. They are no part of the
repository.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from pathlib import Path

from tools.site_api import api_pages
from transtar.cli import VERBS, build_parser
from transtar.flags import BAD, DESCRIPTIONS, NO_LABEL, Flag
from transtar.glossary import COLUMNS, describe

SOURCE = Path(__file__).parents[1] / "src" / "transtar"

WIDTH = 100
"""Characters of a line of usage."""


def write(folder: Path) -> list[Path]:
    """Write all pages into a folder, and delete what an earlier call wrote there.

    Parameters
    ----------
    folder : Path
        ``docs/generated``; everything in it is made by this function.

    Returns
    -------
    list of Path
        The pages, sorted.
    """
    pages = {"columns.md": columns_page(), "flags.md": flags_page(), **card_pages(), **command_pages(), **api_pages()}
    for path in folder.rglob("*"):
        if path.is_file() and path.relative_to(folder).as_posix() not in pages:
            path.unlink()
    for name, text in pages.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # Sphinx reads again what is newer than its own notes.
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    return sorted(folder / name for name in pages)


def columns_page() -> str:
    """Every column that transtar writes, from the glossary."""
    derived = [
        describe(f"feh{ending}") for ending in ("_cal", "_err", "_lo", "_hi", "_noise", "_ens_std", "_std", "_chi2")
    ]
    columns = [*COLUMNS.values(), *derived]
    lines = [
        "# Columns",
        "",
        "All columns that transtar writes into tables, with the unit and the UCD that FITS headers and VOTables carry.",
        "The last rows show for [Fe/H] the columns that exist for every label.",
        "",
        "| column | type | unit | description | UCD |",
        "|---|---|---|---|---|",
    ]
    lines += [f"| `{c.name}` | {c.dtype} | {c.unit} | {_plain(c.description)} | {c.ucd} |" for c in columns]
    return "\n".join(lines) + "\n"


def flags_page() -> str:
    """Every flag, its value, and what it does to a label."""
    lines = [
        "# Flags",
        "",
        "`flags` is one integer; each bit says one thing, and none is ever renumbered. A *bad* flag speaks against using",
        "the label, with *no label* there is none, and a warning says what to keep in mind. `transtar.flag_names` puts a number",
        "into words.",
        "",
        "| bit | value | flag | weight | meaning |",
        "|---|---|---|---|---|",
    ]
    for flag in Flag:
        weight = "bad, no label" if flag in NO_LABEL else "bad" if flag in BAD else "warning"
        value = int(flag)
        lines.append(f"| {value.bit_length() - 1} | {value} | {flag.name} | {weight} | {_plain(DESCRIPTIONS[flag])} |")
    return "\n".join(lines) + "\n"


def card_pages() -> dict[str, str]:
    """The cards of what ships: models, encoder, emulator. They are files of the package."""
    cards = {path.parent.name: path for path in sorted((SOURCE / "models" / "shipped").glob("*/README.md"))}
    cards |= {path.parent.name: path for path in sorted((SOURCE / "encoders" / "shipped").glob("*/README.md"))}
    cards |= {path.parent.name: path for path in sorted((SOURCE / "trust" / "shipped").glob("*/README.md"))}
    cards["emulator"] = SOURCE / "simulate" / "data" / "emulator" / "README.md"
    listed = "\n".join(f"cards/{name}" for name in cards)
    pages = {f"cards/{name}.md": path.read_text(encoding="utf-8") for name, path in cards.items()}
    pages["cards.md"] = (
        "# What ships\n\nCards of the models, the encoder and the emulator of spectra that come with the package, as "
        "`transtar models show` prints those of models.\n\n"
        f"```{{toctree}}\n:maxdepth: 1\n\n{listed}\n```\n"
    )
    return pages


def command_pages() -> dict[str, str]:
    """A page for each verb, from the parser that also prints --help."""
    parser = build_parser()
    verbs = _subcommands(parser)
    pages = {}
    table = [
        "# Commands",
        "",
        "Every verb explains itself with `--help`, too.",
        "",
        "| verb | what it does |",
        "|---|---|",
    ]
    for verb in VERBS:
        pages[f"commands/{verb}.md"] = "\n".join(_command(verbs[verb], 1))
        table.append(f"| [`transtar {verb}`](commands/{verb}.md) | {_plain(_help_of(parser, verb))} |")
    listed = "\n".join(f"commands/{verb}" for verb in VERBS)
    pages["commands.md"] = "\n".join(table) + f"\n\n```{{toctree}}\n:hidden:\n\n{listed}\n```\n"
    return pages


def _command(parser: argparse.ArgumentParser, level: int) -> list[str]:
    usage = argparse.HelpFormatter(parser.prog, width=WIDTH)
    usage.add_usage(parser.usage, parser._actions, parser._mutually_exclusive_groups, prefix="")
    lines = [f"{'#' * level} {parser.prog}", "", _text(parser.description or ""), ""]
    lines += ["```text", usage.format_help().strip(), "```", ""]
    helper = parser._get_formatter()
    for group in parser._action_groups:
        actions = [action for action in group._group_actions if action.help != argparse.SUPPRESS]
        if any(isinstance(action, argparse._SubParsersAction) for action in actions) or not actions:
            continue
        lines += [f"**{(group.title or '').capitalize()}**", ""]
        if group.description:
            lines += [_text(group.description), ""]
        for action in actions:
            told = helper._expand_help(action) if action.help else ""
            lines += [f"`{helper._format_action_invocation(action)}`", f": {_plain(told) or '(no more to say)'}", ""]
    if parser.epilog:
        lines += [_text(parser.epilog), ""]
    for child in _subcommands(parser).values():
        lines += _command(child, level + 1)
    return lines


def _subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    choices = [action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return dict(choices[0]) if choices else {}


def _help_of(parser: argparse.ArgumentParser, verb: str) -> str:
    (action,) = (one for one in parser._actions if isinstance(one, argparse._SubParsersAction))
    return next(one.help or "" for one in action._choices_actions if one.dest == verb)


def _plain(text: str) -> str:
    """A text in which no character means anything to Markdown, on one line."""
    return re.sub(r"([\\`*_\[\]<>|$#~{}])", r"\\\1", " ".join(text.split()))


def _text(text: str) -> str:
    """Paragraphs of a docstring; code in backticks stays code."""
    paragraphs = re.split(r"\n\s*\n", text.strip())
    parts = [re.split(r"(``[^`]+``|`[^`]+`)", " ".join(paragraph.split())) for paragraph in paragraphs]
    told = ["".join(part if part.startswith("`") else _plain(part) for part in paragraph) for paragraph in parts]
    return "\n\n".join(told)


def main(arguments: list[str]) -> int:
    """Write the pages into the folder named, and print how many there are."""
    folder = Path(arguments[0]) if arguments else Path(__file__).parents[1] / "docs" / "generated"
    if folder.is_dir() and not arguments:
        shutil.rmtree(folder)
    print(f"{len(write(folder))} pages in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
