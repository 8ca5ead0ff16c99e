import numpy as np

from transtar.explain.translation import Translation, translation_errors
from transtar.report.translation_figure import draw_translations


def test_a_panel_for_each_direction():
    generator = np.random.default_rng(0)
    translations = []
    for from_, to, n in (("lrs", "xp", 5), ("xp", "lrs", 7)):
        true = generator.uniform(0.5, 1.5, (4, n))
        true[:, 1] = np.nan
        errors = translation_errors(true * 1.1, true)
        translations.append(Translation(from_, to, 4000 + np.arange(n, dtype=np.float64), 4, errors))
    panels = draw_translations(translations).axes
    assert [panel.get_title(loc="left") for panel in panels] == ["XP from LRS, 4 pairs", "LRS from XP, 4 pairs"]
    for panel, one in zip(panels, translations, strict=True):
        _, plain, error, bias = (line.get_ydata() for line in panel.get_lines())
        np.testing.assert_array_equal(error, 100 * one.errors.error)
        np.testing.assert_allclose(bias[[0, 2]], 10)
        np.testing.assert_array_equal(plain, 100 * one.errors.error_of_median)
        assert np.isnan(error[1])
