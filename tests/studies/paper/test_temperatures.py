import numpy as np
import pytest

from transtar.errors import InputError
from transtar.studies.paper.temperatures import Split, poor_temperatures


def split(title, parts):
    teff = np.array([4250.0, 4260.0, 4420.0, 5010.0, 5090.0, 5500.0, np.nan, 4700.0, 6010.0])
    feh = np.array([-1.2, -1.5, -2.0, -1.1, -1.3, -0.5, -1.4, -1.0, -1.7])
    return Split(title, teff, feh, np.array(parts))


def histograms(axes):
    return [patch for patch in axes.patches if not patch.get_fill()]


def test_metal_poor_stars_of_both_parts_are_counted_by_temperature():
    before = split("before", ["test"] * 3 + ["pool"] * 5 + ["neither"])
    after = split("after", ["test", "pool", "pool", "test", "pool", "pool", "pool", "pool", "neither"])
    figure = poor_temperatures([before, after], cut=4500)
    upper, lower = figure.axes[:2], figure.axes[2:]
    assert [axes.get_title() for axes in upper] == ["before", "after"]
    assert {axes.get_xlabel() for axes in lower} == {r"$T_\mathrm{eff}$ (K)"}
    assert upper[0].get_ylabel() == "stars per 100 K"
    # The star of exactly -1 is not metal-poor, that without Teff cannot be placed, and 'neither' is neither.
    names = [[text.get_text() for text in axes.get_legend().get_texts()] for axes in upper]
    assert names == [["fine-tuning, $N$ = 2", "test, $N$ = 3"], ["fine-tuning, $N$ = 3", "test, $N$ = 2"]]
    assert upper[0].get_legend().get_title().get_text() == "[Fe/H] < −1"
    pool, test = (patch.get_data() for patch in histograms(upper[0]))
    assert dict(zip(pool.edges, pool.values, strict=False)) == {
        4200: 0, 4300: 0, 4400: 0, 4500: 0, 4600: 0, 4700: 0, 4800: 0, 4900: 0, 5000: 2,
    }  # fmt: skip
    assert [edge for edge, count in zip(test.edges, test.values, strict=False) if count] == [4200, 4400]
    assert test.values.max() == 2
    points = {line.get_marker(): line.get_xydata().tolist() for line in lower[1].lines if len(line.get_xdata())}
    assert points["^"] == [[4250, -1.2], [5010, -1.1]]
    assert sorted(points["o"]) == [[4260, -1.5], [4420, -2.0], [5090, -1.3]]
    assert all(any(set(line.get_xdata()) == {4500} for line in axes.lines) for axes in figure.axes)


@pytest.mark.parametrize("hottest", [4900.0, 6300.0, 6900.0])
def test_the_legend_covers_no_bin(hottest):
    """Bins lie on both sides, the highest where the legend was."""
    teff = np.repeat([4050.0, 4250.0, 4450.0, hottest, hottest + 100], [2, 9, 1, 9, 1])
    parts = np.repeat(["test", "pool"], [12, 10])
    figure = poor_temperatures([Split("a", teff, np.full(22, -1.5), parts)] * 2, cut=4500)
    figure.canvas.draw()
    for axes in figure.axes[:2]:
        box = axes.get_legend().get_window_extent()
        for steps in histograms(axes):
            edges, counts = steps.get_data().edges, steps.get_data().values
            x = axes.transData.transform(np.column_stack([edges, np.zeros(len(edges))]))[:, 0]
            below = (x[1:] > box.x0) & (x[:-1] < box.x1)
            tops = axes.transData.transform(np.column_stack([edges[:-1], counts]))[:, 1]
            assert below.any()
            assert (tops[below] < box.y0).all()
        assert box.y1 < axes.bbox.y1


def test_the_limit_of_metal_poor_may_be_another():
    axes = poor_temperatures([split("a", ["pool"] * 8 + ["test"])], poor_below=-1.6).axes[0]
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert texts == ["fine-tuning, $N$ = 1", "test, $N$ = 1"]


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(InputError, match="no split"):
        poor_temperatures([])
    with pytest.raises(InputError, match=r"no star of a split has \[Fe/H\] < -5"):
        poor_temperatures([split("a", ["pool"] * 9)], poor_below=-5)
    with pytest.raises(InputError, match=r"split 'a': 9 Teff, 9 .* and 3 parts"):
        poor_temperatures([split("a", ["pool"] * 3)])
