"""What a study file takes from the one that it extends, and what not."""

from copy import deepcopy
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from transtar.studies import load_study
from transtar.studies.load import NOT_INHERITED, WHOLE, build_study, merge
from transtar.studies.spec import Study

from ..hostile import places
from .test_load import FULL

PAGE = (Path(__file__).parents[2] / "docs" / "settings-files.md").read_text(encoding="utf-8")


def at(content, path):
    for step in path:
        content = content[step]
    return content


def mappings():
    """Paths of all mappings of a study that has every key, but for those inside lists."""
    paths = [
        path
        for path in places(FULL)
        if path and all(not isinstance(at(FULL, path[:n]), list) for n in range(len(path)))
    ]
    return [path for path in paths if isinstance(at(FULL, path), dict) and at(FULL, path)]


def test_the_study_has_every_mapping_key():
    kinds = {one.name for one in fields(Study) if isinstance(FULL.get(one.name), dict)}
    assert {path[0] for path in mappings()} == kinds
    # Anything that may be a mapping is one here, or these tests say nothing of it.
    assert {one.name for one in fields(Study)} - set(FULL) <= {"lines", "simulate", "prior"}


@pytest.mark.parametrize("path", mappings(), ids=lambda path: ".".join(map(str, path)))
def test_an_empty_mapping_replaces_everywhere(path):
    child: dict = {}
    for step in reversed(path):
        child = {step: child}
    merged = merge(FULL, child)
    assert at(merged, path) == {}
    wanted = deepcopy(FULL)
    at(wanted, path[:-1])[path[-1]] = {}
    # Of a mapping that is replaced as a whole, nothing else is left.
    for depth, step in enumerate(path[:-1]):
        if step in WHOLE:
            at(wanted, path[:depth])[step] = at(child, path[: depth + 1])
    assert merged == wanted


@pytest.mark.parametrize(
    "key", ["variants", "scales", "pipeline", "pretrain", "adapter", "quality", "encoders", "shipped"]
)
def test_an_empty_mapping_is_as_if_the_key_had_never_been_there(key):
    emptied = build_study(merge(FULL, {key: {}}), "study")
    without = build_study({name: value for name, value in FULL.items() if name != key}, "study")
    assert emptied == without != build_study(FULL, "study")


def write(path, content):
    path.write_text(yaml.safe_dump(content))
    return str(path)


def test_description_and_notes_are_not_inherited(tmp_path):
    base = write(tmp_path / "base.yaml", FULL)
    middle = write(tmp_path / "middle.yaml", {"extends": base, "seeds": [0], "notes": ["of the middle"]})
    top = write(tmp_path / "top.yaml", {"extends": middle, "description": "of the top"})
    of = {name: load_study(name)["default"] for name in (base, middle, top)}
    assert (of[base].description, of[base].notes) == ("d", ["n"])
    assert (of[middle].description, of[middle].notes) == ("", ["of the middle"])
    assert (of[top].description, of[top].notes) == ("of the top", [])
    assert of[top].seeds == [0]
    assert of[top].title == FULL["title"]
    # A scale is the same study.
    assert load_study(base, "small")["default"].notes == ["n"]


def test_a_variant_that_is_empty_differs_in_nothing(tmp_path):
    base = write(tmp_path / "base.yaml", FULL)
    top = write(tmp_path / "top.yaml", {"extends": base, "variants": {"observed": {}}})
    studies = load_study(top)
    assert studies["observed"].preprocessing == studies["default"].preprocessing


def test_the_page_names_what_is_special():
    rules = PAGE.partition("## A file that extends another")[2]
    for name in (*NOT_INHERITED, *WHOLE):
        assert f"`{name}`" in rules, name
