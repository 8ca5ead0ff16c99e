"""Universes that cannot be, or would grow without bound from a few bytes."""

import pytest

from transtar.errors import SettingsError
from transtar.simulate.universe.universe_settings import universe_settings

from ...hostile import try_hostile_values


def test_hostile_values_everywhere():
    content = universe_settings("small").to_dict()
    seed = content.pop("seed")

    def use(changed):
        universe_settings(changed["scale"], changed["seed"], changed["changes"])

    refused, faults = try_hostile_values(use, {"scale": "small", "seed": seed, "changes": content})
    assert not faults
    assert refused > 500


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lamost": 10**12}, "scale: lamost must be a whole number from 0 to 10000000"),
        ({"lamost": -1}, "scale: lamost must be"),
        ({"lamost": "many"}, "scale: lamost must be .* not 'many'"),
        ({"lamost": 1e3}, "scale: lamost must be"),
        ({"lamost": 10**400}, "scale: lamost must be"),
        ({"blanketing": float("nan")}, "blanketing must be a number from 0"),
        ({"blanketing": float("inf")}, "blanketing must be a number from 0"),
        ({"xp_continuous": 10**12}, "xp_continuous must be"),
        ({"xp_lamost": 1}, "xp_lamost must be true or false, not 1"),
        ({"lamots": 3}, "unknown key lamots; known keys"),
    ],
)
def test_numbers(changes, message):
    with pytest.raises(SettingsError, match=message):
        universe_settings("small", 0, changes)
