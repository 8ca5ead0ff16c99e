import numpy as np
import pytest

from transtar.errors import InputError
from transtar.explain.response import Response
from transtar.report.response_figure import error_of, response_matrix

from .explained import made_test


def matrix(axes):
    return np.asarray(axes.images[0].get_array())


def test_numbers_and_colours():
    figure = response_matrix(made_test("lora", "zero-shot").responses)
    first, second = figure.axes[:2]
    assert [axes.get_title() for axes in (first, second)] == ["zero-shot", "lora"]
    texts = [text.get_text() for text in first.texts]
    assert texts[:4] == ["0.90", "± 0.05", "0.60", "± 0.05"]
    assert texts[6] == "0.00"
    assert [text.get_text() for text in first.get_yticklabels()] == ["all ($N$ = 48)", "poor ($N$ = 20)"]
    # 0.9 instead of 1 errs by 0.01 dex if [Fe/H] changes by 0.1; 0.6 per 100 K by 0.6 dex; 0.3 per dex in log g by 0.06.
    np.testing.assert_allclose(matrix(first)[0], [-0.01, 0.6, 0.06, 0.0], atol=1e-9)
    low, high = first.images[0].norm.vmin, first.images[0].norm.vmax
    assert (low, high) == pytest.approx((-0.6, 0.6))


@pytest.mark.parametrize(("n", "shown"), [(1, 1), (2, 2), (4, 4), (5, 6)])
def test_a_panel_for_each_model(n, shown):
    figure = response_matrix(made_test(*"abcdefg"[:n]).responses)
    assert sum(bool(axes.images) for axes in figure.axes) == n
    assert len(figure.axes) == shown + 1
    below = [axes for axes in figure.axes[:shown] if axes.images and axes.xaxis.get_tick_params()["labelbottom"]]
    assert len(below) == min({1: 1, 2: 2, 4: 2, 5: 3}[n], n)


def test_a_label_that_cannot_be_moved_is_held_against_zero():
    one = Response("m", "all", "mg_fe", "alphafe", 0.8, 0.1, 5, float("nan"))
    assert error_of(one) == pytest.approx(0.08)


def test_nothing_to_draw():
    with pytest.raises(InputError, match="no responses"):
        response_matrix([])
    with pytest.raises(InputError, match="no responses"):
        response_matrix(made_test("lora").responses, regimes=("rich",))
