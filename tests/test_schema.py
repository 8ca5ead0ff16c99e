"""Plain data against typed dataclasses: what is taken, and the one line that is said of the rest."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from math import inf, nan
from typing import Annotated, Any

import pytest

from transtar.errors import SettingsError
from transtar.schema import (
    Filled,
    Name,
    Section,
    Settings,
    Switch,
    Text,
    descriptions,
    fault,
    listed,
    null_is,
    one_of,
    parse,
    real,
    rule,
    stands_as,
    whole,
)

Colour = Annotated[str, one_of(("blue", "green"), "colour")]
Seeds = Annotated[list[Annotated[int, whole(0, 9)]], listed("a list of numbers", fewest=1, once=True)]
Even = Annotated[int, whole(), rule(lambda value: "" if value % 2 == 0 else f"{value} is odd")]


@dataclass(frozen=True)
class Star(Section):
    """A star.

    Parameters
    ----------
    name, other : str
        Of the star,
        in two lines.
    teff
        In K.

    Raises
    ------
    SettingsError
        Never.
    """

    name: Filled
    other: Annotated[Text, null_is(str)] = ""
    teff: Annotated[float, real(0, 1e5, above=True)] | None = None


def doubled(given: dict) -> Any:
    if "star" in given:
        raise fault("no star")
    return given | given


@dataclass(frozen=True)
class File(Section):
    """A file.

    Parameters
    ----------
    first : Star
        Of them.
    """

    first: Star
    second: Star | None = None
    others: dict[Name, Star] = field(default_factory=dict)
    seeds: Seeds = field(default_factory=lambda: [1])
    bright: Switch = False
    even: Even = 2
    by_number: dict[Annotated[int, whole()], Colour] = field(default_factory=dict)
    free: Settings = field(default_factory=dict)
    twice: Annotated[dict[str, Any], stands_as(Settings, doubled)] = field(default_factory=dict)


GOOD = {
    "first": {"name": "a", "other": None, "teff": 5000},
    "others": {"b": {"name": "b"}},
    "by_number": {5: "blue"},
    "free": {"x": [1, {}]},
    "twice": {"y": 1},
}


def test_values_stand_as_they_are_given():
    made = parse(File, GOOD, "f.yaml")
    assert made == File(
        Star("a", "", 5000), others={"b": Star("b")}, by_number={5: "blue"}, free={"x": [1, {}]}, twice={"y": 1}
    )
    assert type(made.first.teff) is int
    assert made.seeds == [1]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (None, "f.yaml: must be settings by name (first, second, others, seeds, bright, even, by_number, free, twice), not None"),
        ({"first": None}, "f.yaml: first: must be settings by name (name, other, teff), not None"),
        ({"first": {}}, "f.yaml: first: needs name"),
        ({"others": {"b": 3}}, "f.yaml: others.b: must be settings by name (name, other, teff), not 3"),
        ({"second": {"nam": "a"}}, "f.yaml: second: unknown key nam; known keys: name, other, teff; did you mean name?"),
        ({"first": {"name": ""}}, "f.yaml: first.name: must be text that is not empty, not ''"),
        ({"first": {"name": 3}}, "f.yaml: first.name: must be text that is not empty, not 3"),
        ({"first": {"name": "a", "teff": nan}}, "f.yaml: first.teff: must be a number above 0 and up to 100000, not nan"),
        ({"first": {"name": "a", "teff": inf}}, "f.yaml: first.teff: must be a number above 0 and up to 100000, not inf"),
        ({"first": {"name": "a", "teff": 0}}, "f.yaml: first.teff: must be a number above 0 and up to 100000, not 0"),
        ({"first": {"name": "a", "teff": True}}, "f.yaml: first.teff: must be a number above 0 and up to 100000, not True"),
        ({"first": {"name": "a", "teff": "5"}}, "f.yaml: first.teff: must be a number above 0 and up to 100000, not '5'"),
        ({"others": {"../b": {"name": "b"}}}, "f.yaml: others: '../b' cannot be a name: it has a slash or a backslash"),
        ({"others": {3: {"name": "b"}}}, "f.yaml: others: each key must be text, not 3"),
        ({"others": [1]}, "f.yaml: others: must be names and settings, not [1]"),
        ({"seeds": 3}, "f.yaml: seeds: must be a list of numbers, not 3"),
        ({"seeds": []}, "f.yaml: seeds: must be a list of numbers, not []"),
        ({"seeds": [3, 3]}, "f.yaml: seeds: 3 comes twice"),
        ({"seeds": [1, 1.0]}, "f.yaml: seeds[1]: must be a whole number from 0 to 9, not 1.0"),
        ({"seeds": [1, "1", True]}, "f.yaml: seeds[1]: must be a whole number from 0 to 9, not '1' (and 1 more fault)"),
        ({"seeds": [10, 11, 12]}, "f.yaml: seeds[0]: must be a whole number from 0 to 9, not 10 (and 2 more faults)"),
        ({"bright": 1}, "f.yaml: bright: must be true or false, not 1"),
        ({"even": 3}, "f.yaml: even: 3 is odd"),
        ({"by_number": {5: "blu"}}, "f.yaml: by_number.5: unknown colour blu; known colours: blue, green; did you mean blue?"),
        ({"by_number": {5: 7}}, "f.yaml: by_number.5: unknown colour 7; known colours: blue, green"),
        ({"by_number": {"5": "blue"}}, "f.yaml: by_number: each key must be a whole number from 1 to 1000000000, not '5'"),
        ({"free": 3}, "f.yaml: free: must be names and settings, not 3"),
        ({"twice": {"star": 1}}, "f.yaml: twice: no star"),
        ({"twice": [1]}, "f.yaml: twice: must be names and settings, not [1]"),
    ],
)  # fmt: skip
def test_what_is_said(changes, said):
    with pytest.raises(SettingsError) as caught:
        parse(File, None if changes is None else GOOD | changes, "f.yaml")
    assert str(caught.value) == said


def test_a_long_or_strange_value_does_not_fill_the_line():
    with pytest.raises(SettingsError) as caught:
        parse(File, GOOD | {"bright": "y\n\x1b" * 1000}, "f.yaml")
    assert len(str(caught.value)) < 200
    assert str(caught.value).isprintable()


def test_descriptions_come_from_docstrings():
    assert descriptions(Star) == {
        "name": "Of the star, in two lines.",
        "other": "Of the star, in two lines.",
        "teff": "In K.",
    }


def test_pydantic_is_imported_when_a_file_is_read_and_not_before():
    code = (
        "import sys, transtar.schema, transtar.studies.spec, transtar.selections; assert 'pydantic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
