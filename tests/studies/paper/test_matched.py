"""Poor or cool: sentences from counts, and the metal-poor column on two splits."""

from dataclasses import replace

import numpy as np
import pytest

from transtar.evaluate import r2
from transtar.rounding import with_error
from transtar.studies import load_study
from transtar.studies.experiments import MATCHED
from transtar.studies.paper.matched import compare, comparison_html, counted
from transtar.studies.paper.temperatures import Split

from .made import made_predictions

STUDY = replace(load_study("paper", "tiny")["default"], sizes=[100])


def split(pool, test, title="the study's own split"):
    teff = np.array([*pool, *test, 5000, 6000], float)
    feh = np.array([-1.5] * (len(pool) + len(test)) + [0.0, 0.0])
    part = np.array(["pool"] * len(pool) + ["test"] * len(test) + ["pool", "test"])
    return Split(title, teff, feh, part)


def test_counts_say_how_many_are_cooler():
    text = counted(split([4600, 5200, 6000], [4100, 4300]))
    assert "3 stars with [Fe/H] < -1 to learn from, of 4600 to 6000 K (median 5200)" in text
    assert "2 to be judged on, of 4100 to 4300 K (median 4200), all of them cooler" in text
    assert "1 of them cooler than the coolest" in counted(split([4200, 5200], [4100, 4300]))
    assert "none of them cooler" in counted(split([4000, 5200], [4100, 4300]))
    assert counted(split([], [4100])).endswith("0 stars with [Fe/H] < -1 to learn from, 1 to be judged on")


def test_the_poor_column_is_that_of_each_split():
    noise = {"residual": (0.1, 0.3), "zero-shot": (0.1, 0.2)}
    paper = made_predictions(noise, seeds=(0, 1, 2))
    matched = made_predictions({"residual": 0.1, "zero-shot": 0.1}, seeds=(0, 1), variant=MATCHED, seed=5)
    rows = compare(STUDY, [*paper, *matched], [0, 1])
    found = {(row["strategy"], row["split"], row["regime"]): row for row in rows}
    assert len(found) == len(rows) == 8
    one = next(e for e in paper if e.strategy == "residual")
    poor = one.reference["feh"] < -1
    both = [e for e in paper if e.strategy == "residual" and e.seed in (0, 1)]
    by_hand = np.mean([r2(e.reference["feh"][poor], e.predicted[poor]) for e in both])
    row = found["residual", "own", "poor"]
    # The third seed has no counterpart on the other split.
    assert row["r2"] == pytest.approx(by_hand)
    assert (row["n_seeds"], row["n_test"]) == (2, poor.sum())
    assert found["residual", "matched", "poor"]["sigma"] < 0.5 * row["sigma"]
    html = comparison_html(rows, (0, 1))
    assert "seeds 0, 1" in html
    assert html.count("<tr>") == 3
    assert with_error(row["r2"], row["r2_err"]) in html
