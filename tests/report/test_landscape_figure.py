import numpy as np
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.contour import ContourSet

from transtar.errors import InputError
from transtar.explain import Landscape
from transtar.report.landscape_figure import draw_landscapes
from transtar.report.style import save

AXIS = np.linspace(-3, 3, 7)


def made(strategy, at=(0, 0), scale=1.0, zero_shot=0.5, n_seeds=2, label="feh"):
    bowl = 0.01 * scale * (1 + (AXIS[:, None] - at[0]) ** 2 + 3 * (AXIS - at[1]) ** 2)
    loss = np.stack([bowl * (seed + 1) for seed in range(n_seeds)])
    return Landscape(strategy, "all weights", label, 79, np.arange(n_seeds), AXIS, AXIS, loss, zero_shot)


def panels(figure):
    surfaces = [axes for axes in figure.axes if axes.name == "3d"]
    contours = [axes for axes in figure.axes if axes.name != "3d" and axes.get_xlabel()]
    (bar,) = [axes for axes in figure.axes if axes not in (*surfaces, *contours)]
    return surfaces, contours, bar


def points(axes, marker):
    return [tuple(np.ravel(line.get_data())) for line in axes.lines if line.get_marker() == marker]


def dashed(axes):
    return [c for c in axes.collections if isinstance(c, ContourSet) and c.get_linestyle()[0][1] is not None]


def test_each_strategy_has_a_surface_and_contours_on_one_scale():
    figure = draw_landscapes({"lora": made("lora", (1, -2)), "residual": made("residual", (0, 0), 10)})
    surfaces, contours, bar = panels(figure)
    assert len(surfaces) == len(contours) == 2
    # In the order of all figures, whatever the order given.
    assert [text.get_text() for text in figure.texts] == ["residual", "lora"]
    meshes = [next(c for c in axes.collections if isinstance(c, QuadMesh)) for axes in contours]
    assert meshes[0].norm.vmin == meshes[1].norm.vmin < -2 < 0.5 < meshes[0].norm.vmax == meshes[1].norm.vmax
    assert {axes.get_zlim() for axes in surfaces} == {(meshes[0].norm.vmin, meshes[0].norm.vmax)}
    np.testing.assert_allclose(bar.get_ylim(), (meshes[0].norm.vmin, meshes[0].norm.vmax))
    # alpha to the right, beta upwards: the cell of the minimum is the darkest.
    values = np.asarray(meshes[1].get_array()).reshape(7, 7)
    assert np.unravel_index(values.argmin(), values.shape) == (1, 4)
    assert values.min() == pytest.approx(-2)
    assert contours[0].get_xlabel().split(";")[0] == r"$\alpha$"
    assert contours[0].get_ylabel() == r"$\beta$"
    assert "dex$^2$" in bar.get_ylabel()


def test_minimum_centre_and_zero_shot_are_marked():
    landscapes = {"residual": made("residual", (1, -2), zero_shot=0.2), "full": made("full", (3, 3), zero_shot=np.nan)}
    figure = draw_landscapes(landscapes)
    _, contours, bar = panels(figure)
    assert [points(axes, "*") for axes in contours] == [[(1, -2)], [(3, 3)]]
    assert [points(axes, "P") for axes in contours] == [[(0, 0)], [(0, 0)]]
    centre = 0.01 * (1 + 1 + 12)
    assert contours[0].get_title() == f"★ 0.01 at 2.24   ✚ {centre:.3g}"
    assert [len(dashed(axes)) for axes in contours] == [1, 0]
    (level,) = dashed(contours[0])[0].levels
    assert level == pytest.approx(np.log10(0.2))
    marks = {line.get_marker(): line.get_ydata()[0] for line in bar.lines}
    assert marks["o"] == marks["^"] == pytest.approx(-2)
    (line,) = [line for line in bar.lines if line.get_linestyle() == "--"]
    assert line.get_ydata()[0] == pytest.approx(np.log10(0.2))
    legend = [text.get_text() for text in figure.legends[0].texts]
    assert "loss before fine-tuning" in legend


def test_without_a_loss_before_nothing_is_said_of_it():
    figure = draw_landscapes({"scratch": made("scratch", zero_shot=np.nan)})
    assert "loss before fine-tuning" not in [text.get_text() for text in figure.legends[0].texts]


@pytest.mark.parametrize(("power", "step"), [(0.001, None), (0.1, 0.02), (1, 0.2), (10, 2.0)])
def test_contours_are_as_many_as_can_be_read_and_say_their_step(power, step):
    landscape = made("full", zero_shot=np.nan)
    landscape.loss[:] **= power
    axes = panels(draw_landscapes({"full": landscape}))[1][0]
    lines = [c for c in axes.collections if isinstance(c, ContourSet)]
    if step is None:
        assert not lines
        assert axes.get_xlabel() == r"$\alpha$"
        return
    # Below the panel, in which lines are everywhere.
    assert axes.get_xlabel() == rf"$\alpha$; lines every {step:g} dex"
    assert not axes.texts
    np.testing.assert_allclose(np.diff(lines[0].levels), step)
    heights = np.log10(landscape.loss[0])
    # Of a lowest point that is a level itself, rounding decides on which side of it that is.
    assert -1e-9 <= lines[0].levels[0] - heights.min() < step + 1e-9


def test_another_seed_is_another_plane():
    landscape = made("full", (1, 1))
    title = panels(draw_landscapes({"full": landscape}, seed=1))[1][0].get_title()
    assert title.startswith("★ 0.02 at 1.41")
    with pytest.raises(InputError, match="full has no plane of seed 2; it has: 0, 1"):
        draw_landscapes({"full": landscape}, seed=2)


def test_flat_and_far_away_surfaces_are_drawn(tmp_path):
    flat = made("residual", zero_shot=0.3)
    flat.loss[:] = 0.3
    save(draw_landscapes({"residual": flat}), tmp_path, "flat")
    assert (tmp_path / "flat.pdf").stat().st_size > 1000
    many = {f"model {number}": made("full", scale=10.0**number, zero_shot=1e-9) for number in range(5)}
    figure = draw_landscapes(many)
    assert len([axes for axes in figure.axes if axes.name == "3d"]) == 5
    inside = [text.get_window_extent() for text in figure.texts]
    assert all(box.x0 > 0 and box.x1 < figure.bbox.x1 for box in inside)


def test_landscapes_of_several_labels_are_not_drawn_together():
    with pytest.raises(InputError, match="of one label"):
        draw_landscapes({"full": made("full"), "lora": made("lora", label="teff")})
    with pytest.raises(InputError, match="at least one"):
        draw_landscapes({})
