import numpy as np
import pytest

from transtar.errors import InputError
from transtar.report import Plane
from transtar.studies.paper.normalised_plane import normalised_plane


def plane(title, n=400, seed=0, far=0, **mmd):
    rng = np.random.default_rng(seed)
    thick = rng.random(n) < 0.4
    feh = np.where(thick, rng.normal(-0.6, 0.3, n), rng.normal(-0.1, 0.2, n))
    alphafe = np.where(thick, 0.28, 0.03) + rng.normal(0, 0.03, n)
    alphafe[:far] = 9.0
    return Plane(title, feh, alphafe, **mmd)


def texts(axes):
    return axes.texts[0].get_text().splitlines()


def test_counts_and_the_same_divided_by_the_maximum_of_each_column():
    models = [plane("scratch", seed=1, mmd=(0.01234, 9.0), mmd_error=(0.002, 9.0)), plane("lora", n=900, far=4)]
    figure = normalised_plane(plane("APOGEE", seed=2), models)
    upper, lower = figure.axes[:3], figure.axes[3:6]
    assert [axes.get_title() for axes in upper] == ["scratch", "lora", "APOGEE"]
    assert [axes.get_title() for axes in lower] == ["", "", ""]
    assert {axes.get_xlim() for axes in figure.axes[:6]} == {(-1.5, 0.4)}
    assert {axes.get_ylim() for axes in figure.axes[:6]} == {(-0.2, 0.45)}
    assert {axes.get_xlabel() for axes in lower} == {"[Fe/H]"}
    model = models[1]
    inside = (model.feh > -1.5) & (model.feh < 0.4) & (model.alphafe > -0.2) & (model.alphafe < 0.45)
    counts = upper[1].collections[0].get_array()
    assert np.ma.sum(counts) == inside.sum() < 900
    assert texts(upper[1]) == ["$N$ = 900", f"{900 - inside.sum()} outside"]
    # One column by hand: its cells against a histogram of the stars whose [Fe/H] is in it.
    edges = np.linspace(-1.5, 0.4, counts.shape[1] + 1)
    column = int(np.searchsorted(edges, -0.1)) - 1
    within = inside & (model.feh >= edges[column]) & (model.feh < edges[column + 1])
    by_hand = np.histogram(model.alphafe[within], counts.shape[0], (-0.2, 0.45))[0]
    np.testing.assert_array_equal(counts[:, column].filled(0), by_hand)
    shares = lower[1].collections[0].get_array()
    np.testing.assert_allclose(shares[:, column].filled(0), by_hand / by_hand.max())
    filled = counts.filled(0).sum(axis=0) > 0
    np.testing.assert_array_equal(shares.filled(0).max(axis=0), filled.astype(float))
    # Of several discrepancies the first; the reference has none.
    assert [texts(axes) if axes.texts else [] for axes in lower] == [
        ["MMD$^2$ = 0.0123", "± 0.0020"], [], [],
    ]  # fmt: skip
    assert [axes.get_ylabel() for axes in figure.axes[6:]] == ["stars per cell", "column-normalised"]


def test_seven_columns_share_a_page_and_no_text_pushes_them_apart():
    """Six numbers of fine-tuning stars and the reference, as in the paper's Figure A2."""
    models = [plane("a", mmd=-0.0012, mmd_error=0.0034) for _ in range(6)]
    figure = normalised_plane(plane("reference"), models, ((-2, 1), (-0.5, 0.6)))
    figure.draw_without_rendering()
    assert figure.get_size_inches()[0] == pytest.approx(7.1)
    assert min(axes.get_position().width for axes in figure.axes[:14]) > 0.095
    assert figure.axes[0].get_xlim() == (-2, 1)
    with pytest.raises(InputError, match="8 panels in a row"):
        normalised_plane(plane("reference"), [*models, plane("b")])
    with pytest.raises(InputError, match="no star of the reference"):
        normalised_plane(plane("reference"), models, ((-9, -8), (0, 1)))
