"""Examples in docstrings of the public names: they run, in a folder with thirty spectra like those of MILES."""

import doctest
import os

import matplotlib
import pytest

import transtar
from transtar.cli import main
from transtar.surveys import base

from .made_surveys import made_miles, star_spectrum

NEED_A_STUDY = {"redraw", "run_study"}
"""Their examples take minutes; those of tests/studies are run."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """`miles` with labels, `sets/miles`, and `catalog.parquet`, as the examples take them."""
    folder = tmp_path_factory.mktemp("examples")
    made_miles(folder / "miles", n=30, spectrum=star_spectrum)
    given = ["--spectra", str(folder / "miles/spectra"), "--labels", str(folder / "miles/labels.csv")]
    assert main(["prepare", "--survey", "miles", *given, "--out", str(folder / "sets/miles")]) == 0
    transtar.predict_set("mock-feh", folder / "sets/miles", folder / "catalog.parquet")
    return folder


def examples(name: str) -> list[doctest.Example]:
    tests = doctest.DocTestFinder(recurse=False).find(getattr(transtar, name), name, globs={})
    return [example for test in tests for example in test.examples]


@pytest.mark.parametrize("name", transtar.__all__)
def test_every_public_name_has_an_example(name):
    shown = examples(name)
    assert shown
    skipped = [example for example in shown if example.options.get(doctest.SKIP)]
    assert bool(skipped) == (name in NEED_A_STUDY)


@pytest.mark.parametrize("name", sorted(set(transtar.__all__) - NEED_A_STUDY))
def test_the_example_of_a_public_name_runs(name, folder, monkeypatch):
    if any("specutils" in example.source for example in examples(name)):
        pytest.importorskip("specutils")
    monkeypatch.chdir(folder)
    # A survey that an example registers is gone after it.
    monkeypatch.setattr("transtar.surveys.base._REGISTERED", dict(base._REGISTERED))
    matplotlib.use("Agg")
    told: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE, verbose=False)
    value = getattr(transtar, name)
    (test,) = doctest.DocTestFinder(recurse=False).find(value, name, globs={name: value})
    runner.run(test, out=told.append)
    assert runner.summarize(verbose=False).failed == 0, os.linesep.join(told)
