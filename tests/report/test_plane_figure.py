import numpy as np
import pytest

from transtar.errors import InputError
from transtar.report import Plane, abundance_plane
from transtar.report.plane_figure import DENSITY


def plane(title, n=400, seed=0, far=0, **mmd):
    rng = np.random.default_rng(seed)
    thick = rng.random(n) < 0.4
    feh = np.where(thick, rng.normal(-0.6, 0.3, n), rng.normal(-0.1, 0.2, n))
    alphafe = np.where(thick, 0.28, 0.03) + rng.normal(0, 0.03, n)
    alphafe[:far] = 9.0
    return Plane(title, feh, alphafe, **mmd)


def texts(axes):
    return axes.texts[0].get_text().splitlines()


def test_panels_say_what_they_show():
    figure = abundance_plane(
        plane("reference"),
        [plane("zero-shot", seed=1, mmd=0.01234, mmd_error=0.002), plane("lora", seed=2, mmd=-0.00004, far=3)],
    )
    *panels, bar = figure.axes
    assert [axes.get_title() for axes in panels] == ["reference", "zero-shot", "lora"]
    assert [texts(axes) for axes in panels] == [
        ["$N$ = 400"],
        ["$N$ = 400", "MMD$^2$ = 0.0123 ± 0.0020"],
        ["$N$ = 400", "MMD$^2$ = 0.0000", "3 outside"],
    ]
    assert {axes.get_xlabel() for axes in panels} == {"[Fe/H]"}
    assert figure.axes[0].get_ylabel() == r"[$\alpha$/Fe]"
    assert len({axes.get_ylim() for axes in panels}) == 1
    assert figure.axes[0].get_ylim()[1] < 1
    # All panels have the scale of the bar.
    most = max(axes.collections[0].get_array().max() for axes in panels)
    assert bar.get_ylabel() == "stars per cell"
    assert bar.get_ylim() == pytest.approx((1, most))
    assert {axes.collections[0].get_clim() for axes in panels} == {(1, most)}


def test_counts_can_be_read_without_colour():
    """The scale goes from light to dark evenly enough: no colour-blindness changes that."""
    red, green, blue = DENSITY(np.linspace(0, 1, 11))[:, :3].T
    light = 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2
    assert (np.diff(light) < -0.01).all()
    assert light[0] > 10 * light[-1]


def test_cells_hold_all_stars_inside_and_stars_without_label_are_left_out():
    other = plane("other", n=300, seed=3, far=5)
    other.feh[-2:] = np.nan
    axes = abundance_plane(plane("reference"), [other]).axes[1]
    assert texts(axes)[0] == "$N$ = 298"
    assert np.ma.sum(axes.collections[0].get_array()) == 293


def test_a_negative_value_is_printed_as_such():
    axes = abundance_plane(plane("reference"), [plane("a", mmd=-0.0021, mmd_error=float("nan"))]).axes[1]
    assert texts(axes)[1] == "MMD$^2$ = −0.0021"


def test_a_reference_of_few_stars_is_refused():
    with pytest.raises(InputError, match="ten stars at least, not 3"):
        abundance_plane(plane("reference", n=3), [])
