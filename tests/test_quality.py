import numpy as np
import pytest

from transtar.errors import SettingsError
from transtar.flags import Flag, has
from transtar.quality import FORMER, Quality, take_thresholds


def test_flags_are_set_at_the_thresholds_and_taken_back_beyond_them():
    snr = np.array([9.99, 10, np.nan, np.nan, 50], np.float32)
    good = np.array([0.9, 0.7, 0.9, 0.9, 0.4], np.float32)
    old = np.array([0, Flag.LOW_SNR | Flag.BAD_FIBER, Flag.NO_IVAR, 0, Flag.NO_VELOCITY], np.int32)
    before = old.copy()
    flags = [Flag(int(one)) for one in Quality(good_fraction=0.7).flags(snr, good, old)]
    # 0.7 in single precision is not below 0.7.
    expected = [
        Flag.LOW_SNR, Flag.BAD_FIBER, Flag.NO_IVAR, Flag.LOW_SNR, Flag.NO_VELOCITY | Flag.LOW_GOOD_FRACTION,
    ]  # fmt: skip
    assert flags == expected
    loose = Quality(snr=0, good_fraction=0).flags(snr, good, np.array(expected, np.int32))
    assert not (loose & int(Flag.LOW_GOOD_FRACTION)).any()
    # An S/N that is unknown although there are errors is low by any threshold.
    assert (loose & int(Flag.LOW_SNR) != 0).tolist() == [False, False, False, True, False]
    np.testing.assert_array_equal(old, before)
    assert loose.dtype == np.int32


def test_sets_of_the_time_before_keep_their_threshold():
    older = {"provenance": {}, "preprocessing": FORMER | {"grid": "blue"}}
    assert Quality.recorded(older) == Quality(good_fraction=0.8)
    share = np.array([0.6, 0.59], np.float32)
    assert has(Quality().flags(np.array([50, 50]), share, np.zeros(2, int)), Flag.LOW_GOOD_FRACTION).tolist() == [
        False,
        True,
    ]


def test_hot_stars():
    assert Quality().hot_flags(np.array([7500, 7500.1, np.nan])).tolist() == [0, Flag.HOT_STAR, 0]
    assert Quality(hot=6500).hot_flags(np.array([7000.0])).tolist() == [Flag.HOT_STAR]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"good_fraction": 80}, "good_fraction must be between 0 and 1, not 80"),
        ({"snr": "low"}, "snr must be a number, not 'low'"),
        ({"snr": True}, "snr must be a number"),
        ({"snr": float("nan")}, "snr must be a number"),
        ({"hot": -1}, "hot must be above 0"),
        ({"SNR": 5}, "quality: unknown key SNR; known keys: doubt, gate, good_fraction, hot, misfit, snr"),
        ([5], "expected thresholds by name"),
    ],
)
def test_impossible_thresholds(content, message):
    with pytest.raises(SettingsError, match=message):
        Quality.from_dict(content)


def test_what_is_recorded_with_a_set_of_any_version():
    older = {"provenance": {}, "preprocessing": {"grid": "blue", "snr": 5.0, "good_fraction": 0.7}}
    assert Quality.recorded(older) == Quality(snr=5, good_fraction=0.7)
    newer = {"provenance": {"quality": Quality(hot=6000).to_dict()}, "preprocessing": {"grid": "blue"}}
    assert Quality.recorded(newer) == Quality(hot=6000)
    assert Quality.recorded({"provenance": {"mock": {}}, "preprocessing": {}}) == Quality()


def test_thresholds_are_taken_out_of_settings():
    given = {"grid": "blue", "snr": 5}
    assert take_thresholds(given) == ({"grid": "blue"}, {"snr": 5})
    assert given == {"grid": "blue", "snr": 5}


def test_changes():
    assert Quality(snr=5).changed({"hot": 8000}) == Quality(snr=5, hot=8000)
    assert str(Quality()) == "snr 10, good_fraction 0.6, hot 7500, gate 0.8, doubt 0.2, misfit 5.5"


def test_numbers_of_numpy_are_numbers():
    assert Quality(snr=np.float32(12), hot=np.int64(8000)).to_dict() == {
        "snr": 12.0,
        "good_fraction": 0.6,
        "hot": 8000.0,
        "gate": 0.8,
        "doubt": 0.2,
        "misfit": 5.5,
    }
    for value in (10**400, True, np.bool_(True), 1j, None):
        with pytest.raises(SettingsError, match="quality: snr must be a number"):
            Quality(snr=value)
