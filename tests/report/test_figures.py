from dataclasses import replace

import matplotlib
import numpy as np
import pytest

from transtar.errors import InputError
from transtar.report import Panel, against_inputs, against_sample_size, one_to_one, regime_dots, save

from .results import summary


def panel(n=80, label="feh", title="lora", outlier=False):
    rng = np.random.default_rng(0)
    reference = rng.uniform(-2, 0.4, n) if label != "teff" else rng.uniform(4000, 7000, n)
    predicted = reference + 0.05 * np.ptp(reference) * rng.normal(size=n)
    if outlier:
        predicted[0] = 100
    return Panel(title, label, reference, predicted, {"n": n, "r2": 0.9, "sigma": 0.12345}, reference < -1)


def test_one_to_one_has_lines_scores_and_labels():
    figure = one_to_one([panel(title="zero-shot"), panel()])
    left, right = figure.axes
    assert left.get_xlabel() == "reference [Fe/H]"
    assert left.get_ylabel() == "predicted [Fe/H]"
    assert right.get_ylabel() == ""
    assert [axes.get_title() for axes in figure.axes] == ["zero-shot", "lora"]
    assert left.texts[0].get_text() == "$N$ = 80\n$R^2$ = 0.900\n$\\sigma$ = 0.123 dex"
    lines = {(line.get_linestyle(), line.get_color()): line for line in left.lines if line.get_linestyle() != "None"}
    ideal, dotted = lines["--", "black"], lines[":", "#555555"]
    np.testing.assert_array_equal(ideal.get_xdata(), ideal.get_ydata())
    np.testing.assert_allclose(np.abs(np.subtract(dotted.get_ydata(), dotted.get_xdata())), 0.2)
    assert left.get_xlim() == left.get_ylim() == right.get_xlim()
    assert [text.get_text() for text in figure.legends[0].get_texts()][-1] == "±0.2 dex"


def test_panels_without_titles_have_no_room_for_them():
    figure = one_to_one([panel(title="") for _ in range(3)])
    figure.draw_without_rendering()
    assert figure.axes[0].get_window_extent().y1 > 0.95 * figure.bbox.y1


def test_panels_of_several_labels_have_no_empty_band_above_them():
    figure = one_to_one([panel(title="", label=label) for label in ("teff", "logg", "feh")])
    figure.draw_without_rendering()
    assert figure.axes[0].get_window_extent().y1 > 0.93 * figure.bbox.y1


def test_a_single_star_has_room_and_no_scores_that_are_no_numbers():
    nan = float("nan")
    axes = one_to_one(
        [Panel("", "feh", np.array([-0.4865]), np.array([-0.4]), {"n": 1, "r2": nan, "sigma": nan})]
    ).axes[0]
    assert np.ptp(axes.get_xlim()) > 0.4
    assert axes.texts[0].get_text() == "$N$ = 1"


def test_metal_poor_stars_have_their_own_marker():
    markers = {line.get_marker(): len(line.get_xdata()) for line in one_to_one([panel()]).axes[0].lines}
    assert markers["^"] == panel().poor.sum()
    assert markers["o"] == 80 - markers["^"]


def test_tolerance_and_unit_of_teff():
    axes = one_to_one([panel(label="teff")]).axes[0]
    assert axes.get_xlabel() == r"reference $T_\mathrm{eff}$ (K)"
    dotted = next(line for line in axes.lines if line.get_linestyle() == ":")
    assert abs(dotted.get_ydata()[0] - dotted.get_xdata()[0]) == pytest.approx(200)


def test_an_outlier_is_shown_on_the_edge_and_does_not_shrink_the_rest():
    axes = one_to_one([panel(outlier=True)]).axes[0]
    assert axes.get_ylim()[1] < 2
    assert any(line.get_marker() == "^" and len(line.get_xdata()) == 1 for line in axes.lines)


def test_many_stars_become_a_density():
    assert len(one_to_one([panel(n=5000)]).axes[0].collections) == 2


def labels_by_models(columns, n=40):
    return [panel(n, label, title) for label in ("feh", "alphafe") for title in columns]


def test_rows_of_labels_and_columns_of_models_name_each_once():
    figure = one_to_one(labels_by_models("abcdef"), columns=6)
    upper, lower = figure.axes[:6], figure.axes[6:]
    assert [axes.get_title() for axes in figure.axes] == [*"abcdef", *[""] * 6]
    assert {axes.get_xlabel() for axes in upper} == {"reference [Fe/H]"}
    assert {axes.get_xlabel() for axes in lower} == {r"reference [$\alpha$/Fe]"}
    assert [axes.get_ylabel() for axes in lower] == [r"predicted [$\alpha$/Fe]", *[""] * 5]
    assert len({axes.get_xlim() for axes in upper}) == len({axes.get_xlim() for axes in lower}) == 1
    assert figure.get_size_inches()[0] == pytest.approx(7.1)
    assert figure.legends[0].get_texts()[-1].get_text() == "±0.2 dex"
    # No room for the unit in panels this small.
    assert upper[0].texts[0].get_text().endswith("$\\sigma$ = 0.123")
    with pytest.raises(InputError, match="7 panels in a row"):
        one_to_one(labels_by_models("abcdefg"), columns=7)


def test_an_empty_place_leaves_the_labels_to_its_neighbours():
    panels = labels_by_models("abc")
    panels[3] = None
    figure = one_to_one(panels, columns=3)
    assert not figure.axes[3].axison
    assert [axes.get_ylabel() for axes in figure.axes[3:]] == ["", r"predicted [$\alpha$/Fe]", ""]
    assert figure.axes[4].yaxis.get_tick_params()["labelleft"]


@pytest.mark.parametrize(("n", "columns"), [(1, 1), (2, 1), (4, 3), (5, 4)])
@pytest.mark.parametrize("poor", [False, True])
@pytest.mark.parametrize("labels", [("feh",), ("feh", "teff")])
def test_nothing_is_cropped(n, columns, poor, labels):
    panels = [panel(label=labels[i % len(labels)], title=f"adapted {i}") for i in range(n)]
    if not poor:
        panels = [replace(one, poor=None) for one in panels]
    figure = one_to_one(panels, columns=columns)
    figure.canvas.draw()
    texts = [
        text for axes in figure.axes for text in (axes.title, axes.xaxis.label, axes.yaxis.label) if text.get_text()
    ]
    for shown in [*texts, *figure.legends]:
        box = shown.get_window_extent()
        assert min(box.x0, box.y0, figure.bbox.x1 - box.x1, figure.bbox.y1 - box.y1) > 0, shown


def test_scores_stand_where_fewer_stars_are():
    reference = np.linspace(-2, 0.4, 60)
    for shift, corner in ((0.8, ("right", "bottom")), (-0.8, ("left", "top"))):
        scores = {"n": 60, "r2": -0.25, "sigma": 0.1}
        (text,) = one_to_one([Panel("a", "feh", reference, reference + shift, scores)]).axes[0].texts
        assert (text.get_ha(), text.get_va()) == corner
        assert "$R^2$ = −0.250" in text.get_text()


def test_axes_rise_where_all_r2_lie_below_them():
    """As those of five metal-poor stars may."""
    for low, high in ((-1.0, 0.0), (-30.0, -20.0)):
        rows = [row | {"r2": low if row["strategy"] == "zero-shot" else high} for row in summary()]
        for draw in (against_sample_size, lambda rows, label: against_inputs(rows, label, ["flux"])):
            assert all(axes.get_ylim()[0] < axes.get_ylim()[1] for axes in draw(rows, "feh").axes)


def test_sample_size_panels():
    figure = against_sample_size(summary(), "feh")
    assert [axes.get_ylabel() for axes in figure.axes] == ["$R^2$ of [Fe/H]"] * 3 + [r"$\sigma$ of [Fe/H] (dex)"]
    assert figure.axes[0].get_xscale() == "log"
    assert figure.axes[0].get_xlabel() == "fine-tuning stars $n$"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["residual", "lora", "scratch", "zero-shot"]
    # R2 of -2.5 stays off the axis and is written beside an arrow.
    assert figure.axes[1].get_ylim()[0] > -1.5
    assert any(text.get_text().startswith("−2.") for text in figure.axes[1].texts)


def test_what_needs_no_star_of_the_target_is_a_line_for_all_sizes():
    rows = summary()
    beside = [row | {"strategy": "shipped", "r2": 0.95} for row in rows if row["strategy"] == "zero-shot"]
    figure = against_sample_size([*rows, *beside], "feh")
    assert [text.get_text() for text in figure.legends[0].get_texts()][-2:] == ["zero-shot", "shipped"]
    dotted = [line for line in figure.axes[0].lines if line.get_linestyle() == ":"]
    assert [list(line.get_ydata()) for line in dotted] == [[0.95, 0.95]]


def test_regimes_that_have_results_are_shown_with_their_stars():
    figure = regime_dots(summary(), "feh", 50)
    names = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert names == ["dwarf ($N$ = 323)", "giant ($N$ = 323)"]
    assert [axes.get_xlabel() for axes in figure.axes] == ["$R^2$", r"$\sigma$ (dex)", "bias (dex)"]


def test_saved_as_pdf_and_png_without_touching_the_callers_settings(tmp_path):
    size = matplotlib.rcParams["font.size"]
    paths = save(one_to_one([panel()]), tmp_path / "figures", "figure-2")
    assert paths["png"].read_bytes().startswith(b"\x89PNG")
    assert paths["pdf"].read_bytes().startswith(b"%PDF")
    assert {path.name for path in (tmp_path / "figures").glob("[!.]*")} == {"figure-2.pdf", "figure-2.png"}
    assert matplotlib.rcParams["font.size"] == size


def test_nothing_to_draw_is_an_error():
    with pytest.raises(InputError, match="at least one panel"):
        one_to_one([])
    with pytest.raises(InputError, match="'teff'"):
        against_sample_size(summary(), "teff")
    with pytest.raises(InputError, match="n_finetune 77"):
        regime_dots([row for row in summary() if row["n_finetune"]], "feh", 77)
