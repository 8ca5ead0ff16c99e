from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.text import Text
from scipy.optimize import isotonic_regression

from transtar.errors import InputError
from transtar.explain.lines import read_lines
from transtar.report.saliency_figure import WINDOWS, draw_saliency, saliency_maps, spread

from .explained import WAVE, made_saliency, made_test


def panels(figure):
    return [axes for part in figure.subfigs for axes in part.axes]


def test_panels_show_what_they_say():
    found = made_saliency("zero-shot", "residual", "lora")
    weights = made_test("lora").weights["poor"]
    figure = saliency_maps(found, read_lines(), weights=weights)
    spectra, one, *windows = panels(figure)
    assert "59" in spectra.texts[0].get_text()
    assert "[Fe/H] < −1" in spectra.texts[0].get_text()
    np.testing.assert_array_equal(spectra.lines[0].get_ydata(), found.spectra.median)
    # The paper's panel shows the residual head.
    assert one.texts[0].get_text() == "residual"
    np.testing.assert_array_equal(one.lines[0].get_ydata(), found.models["residual"].absolute.median)
    assert "dex per unit flux" in one.get_ylabel()
    assert len(windows) == 2 * len(WINDOWS)
    upper, lower = windows[: len(WINDOWS)], windows[len(WINDOWS) :]
    assert [axes.get_title() for axes in upper] == list(WINDOWS)
    curves = [[line for line in axes.lines if len(line.get_xdata()) > 2] for axes in (upper[2], lower[2])]
    inside = np.isin(WAVE, curves[0][0].get_xdata())
    assert [len(found) for found in curves] == [3, 4]
    np.testing.assert_array_equal(curves[0][2].get_ydata(), found.models["lora"].absolute.median[inside])
    np.testing.assert_array_equal(curves[1][0].get_ydata(), found.models["zero-shot"].mean[inside])
    np.testing.assert_array_equal(curves[1][3].get_ydata(), weights[inside])
    (legend,) = figure.subfigs[1].legends
    assert [text.get_text() for text in legend.get_texts()] == ["zero-shot", "residual", "lora", "minimum variance"]


def test_marks_are_where_the_effect_is_and_iron_has_a_colour_of_its_own():
    figure = saliency_maps(made_saliency("lora"), read_lines(), marked=12)
    top = panels(figure)[0]
    marks = {text.get_text(): text for text in top.texts[1:]}
    assert r"H$\beta$" in marks
    assert len(marks) == 12
    iron = {text.get_color() for name, text in marks.items() if name.startswith("Fe")}
    others = {text.get_color() for name, text in marks.items() if not name.startswith("Fe")}
    assert len(iron) == len(others) == 1
    assert iron != others


def test_labels_of_lines_do_not_overlap():
    figure = saliency_maps(made_saliency("lora"), read_lines())
    figure.draw_without_rendering()
    # Those of the texts, without their leader lines.
    boxes = [Text.get_window_extent(text) for text in panels(figure)[0].texts[1:]]
    assert len(boxes) == 26
    assert all(left.x1 <= right.x0 + 0.5 for left, right in pairwise(boxes))


@pytest.mark.parametrize("seed", range(5))
def test_spread_is_the_least_squares_solution(seed):
    places = np.sort(np.random.default_rng(seed).uniform(0, 100, 12))
    steps = 4.0 * np.arange(12)
    found = spread(places, 4.0, -1000, 1000)
    np.testing.assert_allclose(found, isotonic_regression(places - steps).x + steps)
    assert np.diff(found).min() > 4 - 1e-9


def test_spread_keeps_within_its_limits():
    found = spread(np.array([0.5, 1.0, 99.9]), 10.0, 0, 100)
    assert found[0] >= 5
    assert found[-1] <= 95 + 1e-9
    assert np.diff(found).min() >= 10 - 1e-9
    crowded = spread(np.linspace(40, 60, 30), 10.0, 0, 100)
    assert crowded[0] > 0
    assert crowded[-1] < 100
    assert len(spread(np.array([]), 10.0, 0, 100)) == 0


def test_a_model_that_is_not_there():
    with pytest.raises(InputError, match="no saliency of 'full'; there is: lora"):
        saliency_maps(made_saliency("lora"), read_lines(), shown="full")
    with pytest.raises(InputError, match="there is: none"):
        saliency_maps(made_saliency(), read_lines())


def test_all_figures_from_stored_results(tmp_path):
    files = draw_saliency(tmp_path, made_saliency("lora"), read_lines(), made_test("lora"))
    assert sorted(path.name for kinds in files.values() for path in kinds.values()) == [
        "response.pdf", "response.png", "saliency.pdf", "saliency.png",
    ]  # fmt: skip
    assert all(path.stat().st_size > 5000 for kinds in files.values() for path in kinds.values())
    assert list(draw_saliency(tmp_path, made_saliency("lora"), read_lines())) == ["saliency"]


def test_a_grid_on_which_the_windows_are_not():
    """Elsewhere, or with few pixels in a window, as of Gaia XP."""
    found = made_saliency("lora")
    for wave in (np.linspace(8200, 9000, len(WAVE)), np.linspace(3000, 20 * len(WAVE), len(WAVE))):
        assert len(panels(saliency_maps(replace(found, wave=wave), ()))) == 2


def test_models_without_a_strategy_have_a_panel_and_a_colour_each():
    found = made_saliency("mock-feh", "lamost-feh")
    spectra, *others = panels(saliency_maps(found, read_lines(), ["lamost-feh", "mock-feh"]))
    for axes, name in zip(others[:2], ("lamost-feh", "mock-feh"), strict=True):
        assert axes.texts[0].get_text() == name
        np.testing.assert_array_equal(axes.lines[0].get_ydata(), found.models[name].absolute.median)
    assert len({axes.lines[0].get_color() for axes in others[:2]}) == 2
    assert others[0].get_ylim() == others[1].get_ylim()
    marked = [
        [line.get_xdata()[0] for line in axes.lines if len(line.get_xdata()) == 2] for axes in (spectra, *others[:2])
    ]
    assert marked[0] == marked[1] == marked[2]
