import math

import numpy as np
import pytest

from transtar.errors import InputError
from transtar.studies.paper.learning_curve import learning_curve

R2 = {"feh": {0: 0.873, 100: 0.906, 2069: 0.923}, "alphafe": {0: 0.776, 100: 0.808, 2069: 0.829}}


def rows(label, strategy, **other):
    return [
        {
            "label": label, "strategy": strategy if size else "zero-shot", "n_finetune": size, "regime": "all",
            "r2": value, "r2_std": 0.01 if size else math.nan, "sigma": 0.1 - value / 20, "sigma_std": 0.002, **other,
        }
        for size, value in R2.get(label, R2["feh"]).items()
    ]  # fmt: skip


@pytest.fixture(scope="module")
def summary():
    # In any order, and among results of other strategies and regimes.
    return [*rows("alphafe", "lora")[::-1], *rows("feh", "residual"), *rows("feh", "full", r2=0.1)[1:],
            *rows("feh", "residual", regime="poor", r2=0.5)]  # fmt: skip


def test_points_bars_and_names(summary):
    figure = learning_curve(summary, {"feh": "residual", "alphafe": "lora"})
    upper, lower = figure.axes
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["[Fe/H], residual", r"[$\alpha$/Fe], lora"]
    assert (upper.get_ylabel(), lower.get_ylabel()) == ("$R^2$", r"$\sigma$ (dex)")
    for axes, metric in ((upper, "r2"), (lower, "sigma")):
        for label, drawn in zip(("feh", "alphafe"), axes.containers, strict=True):
            line, _, (bars,) = drawn.lines
            expected = [(n, v if metric == "r2" else 0.1 - v / 20) for n, v in R2[label].items()]
            np.testing.assert_allclose(line.get_xydata(), expected)
            heights = [np.ptp(segment[:, 1]) for segment in bars.get_segments()]
            # The spread of zero-shot is unknown for R2: no bar.
            np.testing.assert_allclose(heights, [0, 0.02, 0.02] if metric == "r2" else [0.004] * 3, atol=1e-12)
    assert {drawn.lines[0].get_linestyle() for drawn in upper.containers} == {"-", "--"}


def test_zero_has_its_place_on_the_axis(summary):
    lower = learning_curve(summary, {"feh": "residual"}).axes[1]
    assert lower.get_xscale() == "symlog"
    assert [text.get_text() for text in lower.get_xticklabels()] == ["0\nzero-shot", "100", "2069"]
    at = [lower.transData.transform((x, 0.05))[0] for x in (0, 100, 200, 2000)]
    decade = (at[3] - at[2]) / np.diff(np.log10([200, 2000]))[0]
    assert 0.3 * decade < at[1] - at[0] < 1.0 * decade
    alone = [row for row in summary if row["n_finetune"]]
    assert learning_curve(alone, {"feh": "residual"}).axes[1].get_xscale() == "log"


def test_what_does_not_make_a_curve_is_refused(summary):
    with pytest.raises(InputError, match="no results for label 'feh' by strategy 'lora'"):
        learning_curve(summary, {"feh": "lora"})
    with pytest.raises(InputError, match="two results for label 'feh' with 0 fine-tuning stars"):
        learning_curve(summary * 2, {"feh": "residual"})
    with pytest.raises(InputError, match="one unit, not K, dex"):
        learning_curve([*summary, *rows("teff", "lora")], {"feh": "residual", "teff": "lora"})
    with pytest.raises(InputError, match="one unit, not no label"):
        learning_curve(summary, {})
