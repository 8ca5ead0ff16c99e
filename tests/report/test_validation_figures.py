"""Figures of a validation: one for each check, with axes that say what they are."""

import numpy as np
import pytest

from transtar.evaluate.validation.bound import Bound, BoundBin
from transtar.evaluate.validation.validation import Further, Wanted, validate_catalog
from transtar.report.validation_figures import MOST_LABELS, figures


@pytest.fixture(scope="module")
def catalog():
    rng = np.random.default_rng(0)
    star = np.repeat(np.arange(60), 2)
    snr = rng.uniform(15, 90, 120)
    noise = 2 / snr
    return {
        "id": star, "snr": snr, "feh": np.repeat(rng.uniform(-1, 0.2, 12), 5)[star] + rng.normal(0, noise),
        "feh_err": noise, "teff": rng.uniform(4900, 6000, 60)[star],
    }  # fmt: skip


@pytest.fixture(scope="module")
def validation(catalog):
    rows = np.arange(120) // 2
    members = Further("members", {"cluster": rows[::2] // 5, "feh": np.linspace(-1, 0, 60)}, lambda labels: rows)
    place = np.arange(0, 120, 4)
    result = validate_catalog(catalog, Wanted(members=members, pairs=(place, place + 2)), ["feh"], n_boot=50)
    part = BoundBin(120, 40.0, 0.03, 0.02, 0.04, None)
    bounds = 1.2 / catalog["snr"]
    result.labels["feh"].bound = Bound({"all": part, "S/N 20-40": part}, np.arange(120), bounds, bounds / 2)
    return result


def test_each_check_has_a_figure_whose_axes_are_named(validation):
    drawn = figures(validation)
    assert list(drawn) == ["repeats", "clusters", "pairs", "bound"]
    for figure, caption in drawn.values():
        assert caption.endswith(".")
        shown = [axes for axes in figure.axes if axes.axison]
        assert shown
        assert all(axes.get_xlabel() and axes.get_ylabel() for axes in shown)
    legend = drawn["repeats"][0].axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["stated error", "Cramér-Rao bound", "repeats"]
    # Hot stars on the left, as in a Hertzsprung-Russell diagram.
    assert drawn["clusters"][0].axes[0].xaxis_inverted()
    # Means of twelve clusters.
    assert len(drawn["clusters"][0].axes[1].lines[0].get_xdata()) == 12


def test_what_is_not_known_takes_no_panel(catalog):
    bare = {name: catalog[name] for name in ("id", "feh")}
    assert figures(validate_catalog(bare, n_boot=50)) == {}
    rows = np.arange(120) // 2
    members = Further("members", {"cluster": rows[::2] // 5}, lambda labels: rows)
    drawn = figures(validate_catalog(bare, Wanted(members=members), n_boot=50))
    assert list(drawn) == ["clusters"]
    assert not any(axes.axison for axes in drawn["clusters"][0].axes)


def test_more_labels_than_fit_are_told(catalog, caplog):
    many = {
        **catalog,
        **{name: catalog["feh"] for name in ("alphafe", "m_h", "mg_fe", "ca_fe", "si_fe", "c_fe", "n_fe")},
    }
    figure, _ = figures(validate_catalog(many, n_boot=50))["repeats"]
    assert len([axes for axes in figure.axes if axes.axison]) == MOST_LABELS
    assert f"shows the first {MOST_LABELS} of 9 labels" in caplog.text
