from dataclasses import replace

import numpy as np
import pytest

from transtar.errors import InputError, SettingsError
from transtar.models import Estimator
from transtar.models.error_table import AXES, SNR_EDGES, Cell, ErrorTable, kinds_of, snr_bins

from .examples import small_estimator


def made_table(n_axes=3, told_by="model", **changes) -> ErrorTable:
    """Each cell has numbers of its own; giants are pooled."""
    cells = tuple(
        Cell(kind, snr, 0.1 * (kind + 1), 1.0 + 0.1 * snr, 2.0 + 0.1 * snr, 40, bool(kind & 2))
        for kind in range(2**n_axes)
        for snr in range(-1, len(SNR_EDGES) + 1)
    )
    rows = [{"bin": "all", "n": 40, "within_68": 0.7, "within_95": 0.925, "width": 0.13}]
    fields = {
        "cells": cells,
        "axes": AXES[:n_axes],
        "told_by": told_by,
        "stars": "some stars",
        "n": 40,
        "label_noise": (0.05, 0.1),
        "coverage": {"some stars, judged": rows},
    }
    return ErrorTable(**(fields | changes))


def test_intervals_add_the_noise_of_the_star_to_what_its_kind_has():
    table = made_table()
    told = {
        "feh": np.array([-2.0, 0.0, 0.0]),
        "logg": np.array([4.0, 2.0, 4.0]),
        "teff": np.array([5000.0, 5000, 4000]),
    }
    halves, pooled = table.intervals(np.array([0.3, np.nan, 0.0]), told, np.array([10.0, np.nan, 100.0]))
    np.testing.assert_allclose(halves[:, 0], [np.hypot(0.3, 0.2), 0.9 * 0.3, 1.2 * 0.5])
    np.testing.assert_allclose(halves[:, 1], [2 * np.hypot(0.3, 0.2), 1.9 * 0.3, 2.2 * 0.5])
    assert pooled.tolist() == [False, True, False]


def test_spectra_of_another_survey_have_more():
    cells = tuple(replace(cell, elsewhere=0.4) for cell in made_table(0).cells)
    table = made_table(0, cells=cells, survey="lamost")
    noise, snr = np.zeros(3), np.full(3, np.nan)
    halves, _ = table.intervals(noise, {}, snr, np.array(["lamost", "desi", ""]))
    np.testing.assert_allclose(halves[:, 0], 0.9 * np.array([0.1, np.hypot(0.1, 0.4), 0.1]))
    np.testing.assert_allclose(table.intervals(noise, {}, snr, "miles")[0][:, 0], 0.9 * np.hypot(0.1, 0.4))
    nowhere = replace(table, survey="")
    np.testing.assert_allclose(nowhere.intervals(noise, {}, snr, "miles")[0][:, 0], 0.9 * 0.1)
    assert ErrorTable.from_dict(table.to_dict()) == table
    older = table.to_dict() | {"cells": [cell[:-1] for cell in table.to_dict()["cells"]]}
    del older["survey"]
    assert ErrorTable.from_dict(older) == made_table(0)


def test_kinds_and_bins():
    told = {"feh": np.array([-1.0, -1.01, np.nan]), "logg": np.array([3.4, 3.5, 3.6])}
    assert kinds_of(told, AXES[:2], 3).tolist() == [2, 1, 0]
    assert kinds_of({}, (), 2).tolist() == [0, 0]
    assert snr_bins(np.array([np.nan, 19.9, 20, 50, 500])).tolist() == [-1, 0, 1, 2, 2]


def test_it_travels_with_the_model(tmp_path):
    """On disk, with some of the labels, in the card and in what the model says of itself."""
    table = made_table()
    model = small_estimator(error_tables={"feh": table})
    model.save(tmp_path / "model")
    again = Estimator.load(tmp_path / "model")
    assert again.error_tables == {"feh": table}
    assert again.only("feh").error_tables == {"feh": table}
    assert again.only("teff").error_tables == {}
    card = (tmp_path / "model" / "README.md").read_text()
    assert "Errors of feh, star by star: calibrated on 40 stars, some stars" in card
    assert "| all | 40 | 70.0% | 92.5% | 0.13 |" in card
    assert "errors star by star, calibrated on 40 stars" in repr(again)
    assert "errors not calibrated" in repr(again)


def test_errors_of_a_label_that_is_not_predicted_are_refused():
    with pytest.raises(InputError, match="has errors of logg, which it does not predict"):
        small_estimator(error_tables={"logg": made_table()})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cells": made_table().to_dict()["cells"][:-1]}, "31 cells are not one for each of 32"),
        ({"cells": [[0, 0, -1.0, 1, 2, 40, False]]}, "errors: cell must be a number from 0"),
        ({"cells": [[0, 0, 1.0, 1, 2, 40]]}, "a cell has 6 values"),
        ({"cells": [[0, 0, 1.0, float("nan"), 2, 40, False]]}, "errors: cell must be a number"),
        ({"cells": [[0, 0, 1.0, 1, 2, 40, 1]]}, "pooled must be true or false"),
        ({"told_by": "somebody"}, "'somebody' is not one of mock, model"),
        ({"label_noise": [0.1]}, "label_noise needs two numbers"),
        ({"coverage": {"x": [{"bin": "all"}]}}, "'n'"),
        ({"stars": 3}, "errors: stars must be text"),
        ({"survey": 3}, "errors: survey must be text"),
        ({"more": 3}, "errors: unknown key"),
    ],
)
def test_what_is_no_table_is_refused(change, message):
    with pytest.raises((SettingsError, KeyError), match=message):
        ErrorTable.from_dict(made_table().to_dict() | change)
