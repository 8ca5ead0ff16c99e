"""One rule for saying of which seeds a number or a figure is."""

from types import SimpleNamespace

import pytest

from transtar.studies.reporters.formatting import mean_and_spread, mean_of, which_seed


@pytest.mark.parametrize(
    ("seeds", "text"),
    [
        ([3], "seed 3"),
        ([0, 1], "mean of seeds 0, 1"),
        ([0, 1, 2, 3, 4], "mean of seeds 0 to 4"),
        ([2, 5, 7], "mean of seeds 2, 5, 7"),
    ],
)
def test_seeds_are_named(seeds, text):
    assert mean_of(seeds) == text
    # One seed has no spread, and nothing shows it.
    assert mean_and_spread(seeds).startswith(text)
    assert ("standard deviation" in mean_and_spread(seeds)) == (len(seeds) > 1)
    shown = which_seed(SimpleNamespace(seeds=seeds))
    assert shown.startswith(f"seed {seeds[0]}")
    assert (text in shown.removeprefix(f"seed {seeds[0]}")) == (len(seeds) > 1)
