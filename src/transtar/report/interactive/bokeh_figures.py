"""The figures of a page to look into: axes, tools and empty sources, which the page fills."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import missing_package
from ..style import BLACK, BLUE, GREEN, GREY, SKY, VERMILION

PLANES = ("one", "kiel", "alpha")
"""Names of the planes of stars."""

HEIGHT = 380
SPECTRUM_HEIGHTS = {"flux": 270, "residual": 140, "gradient": 170}
"""In CSS pixels."""


def require_bokeh() -> None:
    """Refuse to go on without Bokeh.

    Raises
    ------
    TranstarError
        Naming the extra to install.
    """
    try:
        import bokeh  # noqa: F401
    except ImportError:
        raise missing_package("bokeh", "report") from None


def bokeh_script() -> str:
    """The library that draws in the browser, to stand in the page."""
    from bokeh.resources import Resources

    return "\n".join(Resources(mode="inline", components=["bokeh"]).js_raw)


def plane_item(name: str, x: str, y: str, x_range: tuple[float, float], y_range: tuple[float, float]) -> dict[str, Any]:
    """A plane of stars as Bokeh embeds it.

    Stars are an image that `page.js` draws: glyphs take a second for a hundred thousand. Rings about some of them are glyphs of a
    layer of their own, so that looking at the next star draws nothing else anew.

    Parameters
    ----------
    name : str
        Of `PLANES`.
    x, y : str
        Titles of the axes.
    x_range, y_range : tuple of float
        As they are shown; the first may be the greater.
    """
    from bokeh.plotting import figure

    models = _models()

    plot = figure(
        name=name,
        height=HEIGHT,
        sizing_mode="stretch_width",
        x_range=models.Range1d(start=x_range[0], end=x_range[1]),
        y_range=models.Range1d(start=y_range[0], end=y_range[1]),
        x_axis_label=x,
        y_axis_label=y,
        tools="lasso_select,box_select,box_zoom,pan,wheel_zoom,save",
        active_drag="lasso_select",
        toolbar_location="above",
        min_border_right=22,
    )
    blank = models.ColumnDataSource(
        {"image": [np.zeros((1, 1), np.uint32)], "x": [0.0], "y": [0.0], "dw": [1.0], "dh": [1.0]}
    )
    blank.name = f"{name}-stars"
    plot.image_rgba("image", x="x", y="y", dw="dw", dh="dh", source=blank)
    if name == "one":
        plot.add_layout(models.Slope(gradient=1, y_intercept=0, line_color=BLACK, line_width=1, line_dash="dashed"))
    near = models.ColumnDataSource({"x": [], "y": []}, name=f"{name}-near")
    plot.scatter(
        "x",
        "y",
        source=near,
        marker="diamond",
        size=13,
        fill_color=None,
        line_color="white",
        line_width=4,
        level="overlay",
    )
    plot.scatter(
        "x",
        "y",
        source=near,
        marker="diamond",
        size=13,
        fill_color=None,
        line_color=GREEN,
        line_width=2,
        level="overlay",
    )
    focus = models.ColumnDataSource({"x": [], "y": []}, name=f"{name}-focus")
    plot.scatter("x", "y", source=focus, size=17, fill_color=None, line_color="white", line_width=5, level="overlay")
    plot.scatter("x", "y", source=focus, size=17, fill_color=None, line_color=BLACK, line_width=2.5, level="overlay")
    _plain(plot)
    return _item(plot)


def spectrum_item(wave: np.ndarray, lines: list[tuple[float, str]]) -> dict[str, Any]:
    """Flux and twin, residual, and gradient of one star below each other, on one axis of wavelengths."""
    from bokeh.layouts import column
    from bokeh.plotting import figure

    models = _models()

    empty = ("wave", "flux", "twin", "residual", "low", "high", "gradient")
    source = models.ColumnDataSource({name: [] for name in empty}, name="spectrum")
    across = models.Range1d(start=float(wave[0]), end=float(wave[-1]))
    titles = {"flux": "flux / continuum", "residual": "residual", "gradient": "gradient"}
    plots = []
    for name, height in SPECTRUM_HEIGHTS.items():
        plot = figure(
            name=name, height=height, sizing_mode="stretch_width", x_range=across, y_range=models.Range1d(start=0, end=1),
            y_axis_label=titles[name], tools="box_zoom,pan,wheel_zoom,reset,save", active_drag="box_zoom", min_border_left=70,
            toolbar_location="above" if name == "flux" else None,
        )  # fmt: skip
        for place, _ in lines:
            plot.add_layout(
                models.Span(location=place, dimension="height", line_color=GREY, line_width=0.6, line_dash="dotted")
            )
        _plain(plot)
        plots.append(plot)
    flux, residual, gradient = plots
    for number, (place, title) in enumerate(lines):
        flux.add_layout(
            models.Label(
                x=place,
                y=4 + 13 * (number % 2),
                y_units="screen",
                text=title,
                text_font_size="11px",
                text_color="#444444",
                x_offset=3,
            )
        )
    flux.line("wave", "flux", source=source, color=BLACK, line_width=1)
    flux.line("wave", "twin", source=source, color=VERMILION, line_width=1.4)
    residual.varea("wave", "low", "high", source=source, fill_color=SKY, fill_alpha=0.45)
    residual.line("wave", "residual", source=source, color=BLACK, line_width=1)
    for plot in (residual, gradient):
        plot.add_layout(models.Span(location=0, dimension="width", line_color=GREY, line_width=1))
    gradient.line("wave", "gradient", source=source, color=BLUE, line_width=1)
    gradient.xaxis.axis_label = "vacuum wavelength (Å)"
    for plot in (flux, residual):
        plot.xaxis.major_label_text_font_size = "0px"
        plot.xaxis.minor_tick_line_color = None
    return _item(column(*plots, sizing_mode="stretch_width"))


def _models() -> Any:
    """Bokeh's models, of which type checkers know too little."""
    import bokeh.models

    return bokeh.models


def _plain(plot: Any) -> None:
    """Looks of all plots: no grid, dark text of a readable size."""
    plot.grid.grid_line_color = None
    plot.background_fill_color = plot.border_fill_color = "white"
    plot.toolbar.logo = None
    plot.outline_line_color = "#444444"
    for axis in (*plot.xaxis, *plot.yaxis):
        axis.axis_label_text_font_style = "normal"
        axis.axis_label_text_font_size, axis.major_label_text_font_size = "14px", "12px"
        axis.axis_label_text_color = axis.major_label_text_color = "#1d2733"
        axis.major_tick_in, axis.major_tick_out, axis.minor_tick_out = 5, 0, 0


def _item(model: Any) -> dict[str, Any]:
    from bokeh.embed import json_item

    return dict(json_item(model))
