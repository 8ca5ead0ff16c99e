import re

import numpy as np
import pytest

from tools.model_scores import CARDS, LABELS, PAGE, hypatia_labels, measure, put
from tools.train_models import write_models
from transtar.models import named

from ..made_surveys import write_csv
from ..models.examples import small_estimator


def test_stars_of_hypatia_are_those_of_the_same_abundances(tmp_path):
    (tmp_path / "labels").mkdir()
    rows = [
        {"Fe": feh, "Mg": feh + 0.1, "Si": feh, "Ca": "", "Ti": feh - 0.05, "f_teff": teff, "f_logg": 4.5}
        for feh, teff in ((-0.5, 5000), (0.2, 6000), (0.2, 6100))
    ]
    write_csv(tmp_path / "labels" / "hypatia.csv", rows)
    miles = {
        "file": np.array(["a", "b", "c", "d"]), "feh_hypatia": np.array([-0.5, 0.2, np.nan, -0.5]),
        "mg_fe": np.array([0.1, 0.1, np.nan, 0.3]), "si_fe": np.zeros(4), "ca_fe": np.full(4, np.nan), "ti_fe": np.full(4, -0.05),
    }  # fmt: skip
    labels = hypatia_labels(miles, tmp_path)
    # Two stars that could be meant are none, and neither is one that differs in an element.
    np.testing.assert_array_equal(labels["teff"], [5000, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(labels["feh"], miles["feh_hypatia"])


def test_scores_are_put_where_they_were_or_into_a_new_card(tmp_path, monkeypatch):
    monkeypatch.setattr(named, "SHIPPED", tmp_path / "shipped")
    card = write_models(small_estimator(), tmp_path)[1] / "README.md"
    before = card.read_text()
    put(card, "scores", ["| one |"])
    assert card.read_text().startswith(before.rstrip())
    assert card.read_text().count("| one |") == 1
    card.write_text(card.read_text() + "\nWritten by hand.\n")
    put(card, "scores", [r"| two \1 |"])
    assert "| one |" not in card.read_text()
    assert card.read_text().count(r"| two \1 |") == 1
    assert card.read_text().endswith("\nWritten by hand.\n")


def test_cards_and_page_have_their_scores():
    for label in LABELS:
        (scores,) = re.findall(
            r"<!-- scores: .*?<!-- end -->", (CARDS / f"mock-{label}" / "README.md").read_text(), re.DOTALL
        )
        assert "Hypatia" in scores
        assert ("Cenarro" in scores) == (label != "alphafe")
    assert "| [Fe/H] | 81 (" in PAGE.read_text()


@pytest.mark.slow
def test_scores_in_cards_and_page_are_those_of_the_shipped_models(data):
    for name, lines in measure(data).items():
        path = PAGE if name == "noise" else CARDS / f"mock-{name}" / "README.md"
        assert "\n".join(lines) in path.read_text(), "run: python -m tools.model_scores --write"


@pytest.mark.parametrize("reference", ["Cenarro et al. (2007)", "the Hypatia catalogue"])
def test_the_first_screen_of_the_readme_has_the_scores_of_the_page(reference):
    row = f"| [Fe/H], MILES, 4000 to 7000 K, against {reference} |"
    (line,) = (one for one in PAGE.read_text().splitlines() if one.startswith(row))
    stars, r2, sigma, bias = (one.strip() for one in line.removeprefix(row).strip("| ").split("|"))
    name = reference.removeprefix("the ")
    shown = f"| {name}, 4000 to 7000 K | {stars.split()[0]} | {r2.split()[0]} | {sigma} | {bias} |"
    assert shown in (PAGE.parents[1] / "README.md").read_text()
