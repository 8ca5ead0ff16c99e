import math

import numpy as np
import pytest

from transtar.errors import InputError
from transtar.studies.paper.trainable_weights import against_trainable_weights

WEIGHTS = {"residual": {"H384": 562177, "H4": 5857}, "lora": {"R4": 18392, "R128": 588544}}
OFFSET = {"all": 0.0, "rich": -0.02, "poor": -0.4}


def rows():
    made = []
    for regime, offset in OFFSET.items():
        for strategy, named in WEIGHTS.items():
            for name, n in named.items():
                r2 = offset + 0.8 + 0.02 * math.log10(n) + (0.05 if (strategy == "lora") == (regime != "poor") else 0)
                made.append(
                    {"strategy": strategy, "regime": regime, "r2": r2, "r2_std": 0.01, "n_weights": n, "name": name}
                )
        made.append({"strategy": "zero-shot", "regime": regime, "r2": offset + 0.7, "r2_std": math.nan})
        made.append({"strategy": "full", "regime": regime, "r2": offset + 0.95, "r2_std": 0.02})
    return made


def test_a_line_for_each_adapter_and_across_for_what_has_no_such_choice():
    figure = against_trainable_weights(rows(), "feh")
    assert [axes.get_title() for axes in figure.axes] == [
        "all stars", "metal-rich, [Fe/H] ≥ −1", "metal-poor, [Fe/H] < −1",
    ]  # fmt: skip
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["zero-shot", "full", "residual", "lora"]
    assert figure.axes[-1].get_xlabel() == "trainable weights"
    for axes, offset in zip(figure.axes, (0.0, -0.02, -0.4), strict=True):
        assert axes.get_xscale() == "log"
        across = [line.get_ydata()[0] for line in axes.lines if line.get_linestyle() in ("--", ":")]
        np.testing.assert_allclose(across, [offset + 0.7, offset + 0.95])
        residual, lora = (drawn.lines[0].get_xydata() for drawn in axes.containers)
        np.testing.assert_array_equal(residual[:, 0], [5857, 562177])
        np.testing.assert_array_equal(lora[:, 0], [18392, 588544])
        own = offset + 0.8 + (0.05 if offset < -0.1 else 0)
        np.testing.assert_allclose(residual[:, 1], own + 0.02 * np.log10([5857, 562177]))
        segments = axes.containers[0].lines[2][0].get_segments()
        np.testing.assert_allclose([np.ptp(segment[:, 1]) for segment in segments], 0.02)


def test_points_are_named_the_better_adapter_above():
    figure = against_trainable_weights(rows(), "feh")
    for axes, above in zip(figure.axes, ("R", "R", "H"), strict=True):
        names = {text.get_text(): text for text in axes.texts}
        assert set(names) == {"H4", "H384", "R4", "R128"}
        assert names["H384"].xy[0] == 562177
        assert {name for name, text in names.items() if text.get_va() == "bottom"} == {
            name for name in names if name.startswith(above)
        }


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(InputError, match="no adapter has results of dwarf stars"):
        against_trainable_weights(rows(), "feh", ("all", "dwarf"))
    wrong = [row | ({"n_weights": 0} if row.get("name") == "H4" else {}) for row in rows()]
    with pytest.raises(InputError, match="residual H4: 0 trainable weights"):
        against_trainable_weights(wrong, "feh")
