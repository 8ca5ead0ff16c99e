"""What the files of a sample do not say, a study can."""

import pytest

from transtar.errors import SettingsError
from transtar.studies.load import build_study

GIVEN = {"survey": "generic", "spectra": "s", "labels": "l.csv"}


def target(**said):
    """The target of a study that says this of it."""
    content = {"title": "t", "source": GIVEN, "target": GIVEN | said, "models": {"feh": ["feh"]}}
    return build_study(content, "study").target


def test_a_sample_states_medium_frame_and_unit():
    sample = target(medium="air", frame="rest", unit="nm")
    assert (sample.medium, sample.frame, sample.unit) == ("air", "rest", "nm")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"medium": "water"}, "study: target: medium 'water' is not one of"),
        ({"unit": "km/s"}, "study: target: unit 'km/s' is not a unit of wavelength"),
        ({"medium": "air", "survey": "lamost"}, "lamost files state their medium themselves"),
        ({"medium": 3}, r"study: target\.medium: must be text, not 3"),
    ],
)
def test_what_it_cannot_say_is_refused(said, message):
    with pytest.raises(SettingsError, match=message):
        target(**said)
