"""What the files of a sample do not say, a study can."""

import pytest

from transtar.errors import SettingsError
from transtar.studies.load import _sample
from transtar.studies.spec import Sample

GIVEN = {"survey": "generic", "spectra": "s", "labels": "l.csv"}


def test_a_sample_states_medium_frame_and_unit():
    sample = _sample(Sample, {**GIVEN, "medium": "air", "frame": "rest", "unit": "nm"}, "study, target")
    assert (sample.medium, sample.frame, sample.unit) == ("air", "rest", "nm")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"medium": "water"}, "study, target: medium 'water' is none of"),
        ({"unit": "km/s"}, "study, target: unit 'km/s' is none of wavelengths"),
        ({"medium": "air", "survey": "lamost"}, "lamost files state their medium themselves"),
        ({"medium": 3}, "study, target: medium must be text"),
    ],
)
def test_what_it_cannot_say_is_refused(said, message):
    with pytest.raises(SettingsError, match=message):
        _sample(Sample, {**GIVEN, **said}, "study, target")
