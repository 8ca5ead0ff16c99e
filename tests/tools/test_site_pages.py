"""Generated pages of the site: everything that is public is on one of them."""

import re
from pathlib import Path

import pytest

import transtar
from tools.site_api import api_pages, constants, public_names
from tools.site_pages import card_pages, columns_page, command_pages, flags_page, write
from transtar import flags
from transtar.cli import VERBS, build_parser
from transtar.flags import Flag
from transtar.glossary import COLUMNS


@pytest.fixture(scope="module")
def commands():
    return command_pages()


@pytest.fixture(scope="module")
def api():
    return api_pages()


def test_no_page_has_a_name_that_sphinx_gives_one_of_its_own():
    """Its page of results of a search, say, would stand in place of ours."""
    docs = Path(__file__).parents[2] / "docs"
    assert {path.stem for path in docs.glob("*.md")} & {"search", "genindex", "modindex", "py-modindex"} == set()


def test_every_column_and_flag_has_a_row():
    columns, flag_rows = columns_page(), flags_page()
    assert [name for name in COLUMNS if f"| `{name}` |" not in columns] == []
    assert [flag.name for flag in Flag if f"| {flag.value} | {flag.name} |" not in flag_rows] == []


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_of_a_verb_is_on_its_page(verb, commands):
    page = commands[f"commands/{verb}.md"]
    (verbs,) = (action for action in build_parser()._actions if action.choices)
    options = [
        one for action in verbs.choices[verb]._actions for one in action.option_strings if action.help != "==SUPPRESS=="
    ]
    assert "--help" in options
    assert [one for one in options if f"`{one}" not in page and f", {one}" not in page] == []
    assert f"](commands/{verb}.md)" in commands["commands.md"]


def test_defaults_are_told(commands):
    assert re.search(r"^: .*\(default: 0\)$", commands["commands/simulate.md"], re.MULTILINE)


def test_every_public_name_is_described_once(api):
    described = re.findall(
        r"^\.\. (?:autoclass|autofunction|py:data):: (?:transtar\S*\.)?(\w+)$", api["api/transtar.rst"], re.MULTILINE
    )
    assert sorted(described) == sorted(transtar.__all__)
    elsewhere = "".join(text for name, text in api.items() if name != "api/transtar.rst")
    assert not re.search(r"^\.\. auto\w+:: \S+\.(SpectrumBatch|Flag|finetune)$", elsewhere, re.MULTILINE)
    assert "   ~transtar.finetune\n" in api["api/transtar.train.rst"]


def test_constants_come_with_the_texts_below_them():
    assert "BAD" in public_names(flags)
    assert constants("transtar.flags")["BAD"].startswith("Bits that speak against using a label")
    assert constants("transtar.catalog")["SUFFIXES"]


def test_what_is_no_page_any_more_goes(tmp_path):
    (tmp_path / "old.md").write_text("# Old\n")
    pages = write(tmp_path)
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == pages
    before = pages[0].stat().st_mtime_ns
    write(tmp_path)
    assert pages[0].stat().st_mtime_ns == before


def test_cards_of_the_shipped_models_are_shown():
    assert {"cards/mock-feh.md", "cards/through.md", "cards/emulator.md"} <= set(card_pages())
