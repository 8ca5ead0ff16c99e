import pytest

from transtar.errors import SettingsError
from transtar.networks.alignment_settings import ALIGNMENT_SIZES, VARIANTS, AlignmentSettings, alignment_settings


def test_settings_of_every_size_and_variant_come_back():
    for size, variants in ALIGNMENT_SIZES.items():
        assert tuple(variants) == VARIANTS
        for variant in variants:
            settings = alignment_settings(variant, size)
            assert AlignmentSettings(**settings.to_dict()) == settings
            assert settings.variant == variant


@pytest.mark.parametrize(
    "changes",
    [
        {"variant": "clip"},
        {"width": 0},
        {"width": 10**6},
        {"heads": 0},
        {"block": 1.0},
        {"dropout": 1.0},
        {"private_width": 4},
        {"variant": "split"},
        {"variant": "split", "private_width": -1},
        {"variant": "split", "private_width": 4, "private_heads": 0},
    ],
)
def test_what_is_out_of_range_is_refused(changes):
    with pytest.raises(SettingsError, match="alignment"):
        AlignmentSettings(**changes)


def test_unknown_names_are_refused_with_those_known():
    with pytest.raises(SettingsError, match="no size 'huge'; there are paper, small"):
        alignment_settings("base", "huge")
    with pytest.raises(SettingsError, match="no variant 'clip'; there are base, pr, split"):
        alignment_settings("clip", "small")
