"""By geometry, at every number of panels: nothing is cropped, no text overlaps another, and no box covers a star."""

import numpy as np
import pytest

from transtar.report import Panel, Plane, abundance_plane, against_inputs, one_to_one
from transtar.report.corners import Note, clear_legends, clear_of_points, covered, put
from transtar.report.style import new_figure, paper_style

from .results import summary


@pytest.fixture(autouse=True)
def style():
    """Whatever a package that another test imported did to the settings of matplotlib."""
    with paper_style():
        yield


def panel(number, n=60, label="feh", spread=0.15, beyond=0):
    rng = np.random.default_rng(number)
    reference = rng.uniform(-2, 0.4, n)
    predicted = reference + spread * rng.normal(size=n)
    predicted[:beyond] = 9.0
    return Panel(f"adapted {number}", label, reference, predicted, {"n": n, "r2": 0.9, "sigma": 0.12}, reference < -1)


def labels_of(axes):
    """Texts of a panel that are drawn: title, axis labels, tick labels inside the view, and what is written in it."""
    ticks = [
        tick.label1
        for axis in (axes.xaxis, axes.yaxis)
        for tick in axis.get_major_ticks()
        if tick.label1.get_visible() and axis.get_view_interval()[0] <= tick.get_loc() <= axis.get_view_interval()[1]
    ]
    inside = [axes.title, axes.xaxis.label, axes.yaxis.label, *ticks, *axes.texts]
    return [text for text in inside if text.get_text() and text.get_visible()] if axes.axison else []


def check(figure):
    """Every text lies in the figure, and none upon another."""
    figure.canvas.draw()
    texts = [text for axes in figure.axes for text in labels_of(axes)]
    boxes = [text.get_window_extent() for text in texts] + [one.get_window_extent() for one in figure.legends]
    names = [text.get_text() for text in texts] + ["legend"] * len(figure.legends)
    for box, name in zip(boxes, names, strict=True):
        assert min(box.x0, box.y0, figure.bbox.x1 - box.x1, figure.bbox.y1 - box.y1) > -0.5, name
    corners = np.array([[box.x0, box.y0, box.x1, box.y1] for box in boxes])
    for number, (x0, y0, x1, y1) in enumerate(corners):
        others = np.delete(corners, number, axis=0)
        deep = (
            np.minimum(x1, others[:, 2]) - np.maximum(x0, others[:, 0]),
            np.minimum(y1, others[:, 3]) - np.maximum(y0, others[:, 1]),
        )
        # Boxes of texts are a little larger than their ink.
        upon = (deep[0] > 2) & (deep[1] > 2)
        assert not upon.any(), (
            names[number],
            [name for name, one in zip(np.delete(names, number), upon, strict=True) if one],
        )


def stars_of(axes):
    """Where markers are drawn, in the coordinates of the data."""
    lines = [line for line in axes.lines if line.get_marker() not in ("None", "", None)]
    return np.concatenate([np.stack(line.get_data(), axis=1) for line in lines]) if lines else np.empty((0, 2))


@pytest.mark.parametrize("columns", [4])
@pytest.mark.parametrize("n", range(1, 10))
def test_one_to_one(n, columns):
    figure = one_to_one([panel(number, beyond=number % 3) for number in range(n)], columns)
    check(figure)
    for axes in figure.axes[:n]:
        (text,) = axes.texts
        assert covered(Note(text, lambda axes=axes: stars_of(axes))) == 0, axes.get_title()


def test_stars_everywhere_make_the_limits_wider():
    rng = np.random.default_rng(5)
    reference, predicted = rng.uniform(-2, 0.4, (2, 300))
    figure = one_to_one([Panel("", "feh", reference, predicted, {"n": 300, "r2": -1.0, "sigma": 0.9})])
    check(figure)
    (axes,) = figure.axes
    assert np.ptp(axes.get_xlim()) > 1.1 * np.ptp(reference)
    assert axes.get_xlim() == axes.get_ylim()
    # Off the diagonal, where no line is hidden.
    assert (axes.texts[0].get_ha(), axes.texts[0].get_va()) in (("left", "top"), ("right", "bottom"))
    assert covered(Note(axes.texts[0], lambda: stars_of(axes))) == 0


def test_how_far_stars_lie_beyond_the_axes_is_said():
    figure = one_to_one([panel(1, beyond=1), panel(2, beyond=3)])
    first, second = (axes.texts[0].get_text() for axes in figure.axes)
    assert first.endswith("▲ 1 at 9.00")
    assert second.endswith("▲ 3 to 9.00")
    for axes, n in zip(figure.axes, (1, 3), strict=True):
        triangles = [line for line in axes.lines if line.get_marker() == "^" and line.get_color() == "#777777"]
        (edge,) = triangles
        assert len(edge.get_xdata()) == n
        assert (edge.get_ydata() < axes.get_ylim()[1]).all()


@pytest.mark.parametrize("columns", [4])
@pytest.mark.parametrize("n", range(1, 10))
def test_planes(n, columns):
    def plane(number, mmd=None):
        rng = np.random.default_rng(number)
        feh = rng.uniform(-2.2, 0.4, 90)
        return Plane(f"adapted {number}", feh, 0.1 - 0.15 * feh + 0.05 * rng.normal(size=90), mmd, mmd and 0.01)

    figure = abundance_plane(plane(0), [plane(number, 0.02) for number in range(1, n)], columns)
    check(figure)
    for number, axes in enumerate(figure.axes[:n]):
        # Below the lowest panel of each column stands what the axis is.
        lowest = number + min(columns, n) >= n
        assert (axes.get_xlabel() != "") == lowest
        assert any(tick.label1.get_visible() for tick in axes.xaxis.get_major_ticks()) == lowest
        stars = plane(number)
        assert covered(Note(axes.texts[0], lambda stars=stars: np.stack([stars.feh, stars.alphafe], axis=1))) == 0


@pytest.mark.parametrize("kind", ["markers", "scatter", "line", "steps", "band"])
def test_a_text_takes_the_corner_where_nothing_is_drawn(kind):
    """Of whatever is drawn, and half a marker is one; drawn as pixels by another way than the rule's."""
    figure = new_figure(3, 2.4)
    axes = figure.subplots()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    x = np.linspace(0, 1, 41)
    # From the upper left corner down, and along to the lower right one.
    low = np.where(x < 0.4, 0.99 - 2.3 * x, 0.07)
    draw = {
        "markers": lambda: axes.plot(x, low, "o", ms=5),
        "scatter": lambda: axes.scatter(x, low, s=25),
        "line": lambda: axes.plot(x[[0, 17, -1]], low[[0, 17, -1]]),
        "steps": lambda: axes.stairs(low[:-1], x),
        "band": lambda: axes.fill_between(x, low - 0.02, low + 0.02),
    }
    draw[kind]()
    box = {"facecolor": "white", "edgecolor": "none"}
    text = axes.text(0, 0, "N = 5", transform=axes.transAxes, bbox=box, zorder=6)
    note = Note(text)
    clear_of_points(figure, [note], corners=("upper left", "lower right", "upper right"))
    assert (text.get_ha(), text.get_va()) == ("right", "top")
    assert covered_pixels(figure, text) == 0
    put(text, "lower right")
    figure.canvas.draw()
    assert covered(note) > 0
    assert covered_pixels(figure, text) > 0


def covered_pixels(figure, text):
    """How many pixels of what is drawn differ where the text stands, with it and without."""
    text.set_visible(False)
    figure.canvas.draw()
    image = np.asarray(figure.canvas.buffer_rgba())[::-1, :, :3]
    text.set_visible(True)
    x0, y0, x1, y1 = text.get_bbox_patch().get_window_extent().extents.round().astype(int)
    return int((image[y0:y1, x0:x1] < 250).any(axis=2).sum())


@pytest.mark.parametrize(("scale", "low"), [("linear", 0.0), ("log", 0.1)])
def test_limits_grow_until_a_legend_covers_nothing(scale, low):
    figure = new_figure(2.5, 2)
    axes = figure.subplots()
    axes.stairs([3, 3, 3, 3], label="stars")
    legend = axes.legend()
    axes.plot([0, 4], [0.2, 3])
    axes.hlines([2.2, 2.6], 0, 4)
    axes.set(yscale=scale, ylim=(low, 3.2))
    note = Note(legend)
    figure.draw_without_rendering()
    put(legend, "upper right")
    assert covered(note) > 0
    to_axes = axes.transAxes.inverted()
    before = to_axes.transform(axes.transData.transform((0, 3)))[1]
    clear_legends(figure, ("upper right", "upper left"))
    figure.draw_without_rendering()
    assert covered(note) == 0
    assert axes.get_ylim()[0] == low
    # What is drawn keeps more than a third of its height.
    assert before / 3 < to_axes.transform(axes.transData.transform((0, 3)))[1] < before


def test_marks_in_the_background_are_avoided_where_another_corner_is_as_free():
    figure = new_figure(3, 2)
    axes = figure.subplots()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.axvline(0.1, zorder=0)
    text = axes.text(0, 0, "poor stars", transform=axes.transAxes)
    clear_of_points(figure, [Note(text)], corners=("lower left", "lower right"))
    assert text.get_ha() == "right"
    axes.axvline(0.9, zorder=0)
    axes.axvline(0.95, zorder=0)
    # Neither is free of them, and the limits need not grow for that.
    clear_of_points(figure, [Note(text)], lambda *_: pytest.fail("wider"), corners=("lower left", "lower right"))
    assert text.get_ha() == "left"


def test_r2_below_the_axis_has_its_value_on_the_edge():
    rows = [row | ({"r2": -7.25} if row["strategy"] == "lora" else {}) | {"input": "flux"} for row in summary()]
    figure = against_inputs(rows, "feh", ["flux"])
    figure.canvas.draw()
    column = next(axes for axes in figure.axes if axes.get_title().lower() == "lora")
    assert "−7.2" in [text.get_text() for text in column.texts]


def test_where_all_r2_lie_below_the_axis_goes_there():
    rows = [row | {"r2": -20.0 - row["n_finetune"] / 1000, "input": "flux"} for row in summary()]
    for axes in against_inputs(rows, "feh", ["flux"]).axes:
        low, high = axes.get_ylim()
        assert low < min(row["r2"] for row in rows) < max(row["r2"] for row in rows) < high
        assert not axes.texts
