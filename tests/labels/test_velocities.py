import numpy as np
import pytest

from transtar.errors import InputError
from transtar.labels import VelocityReport, find_velocities

BIG = 2**62 + 1
NAMES = np.full(3, "coadd-a.fits")


def table(ids, velocity, **more):
    return {"id": np.array(ids), "velocity": np.array(velocity, float), **more}


def test_found_missing_and_ambiguous_are_counted_over_batches():
    report = VelocityReport()
    velocities = table([BIG, BIG + 1, BIG + 1, BIG + 2], [10, 20, 21, np.nan])
    first = find_velocities(velocities, file=NAMES, ids=np.array([BIG + 1, BIG, 5]), report=report)
    np.testing.assert_array_equal(first, [np.nan, 10, np.nan])
    second = find_velocities(velocities, file=NAMES, ids=np.array([1, 2, 3]), report=report)
    assert np.isnan(second).all()
    third = find_velocities(velocities, file=NAMES[:2], ids=np.array([BIG + 2, BIG]), report=report)
    np.testing.assert_array_equal(third, [np.nan, 10])
    assert report == VelocityReport(found=2, missing=6, ambiguous=1, key="id")
    assert str(report) == (
        "velocities: 2 spectra have one in the table (joined by id), 6 have none (1 of them because rows of the table "
        "disagree)"
    )
    report.require_match("v.csv")


def test_a_table_that_matches_nothing_is_refused_in_the_end():
    report = VelocityReport()
    find_velocities(table([7], [1]), file=NAMES, ids=np.array([1, 2, 3]), report=report)
    with pytest.raises(InputError, match=r"v\.csv: none of 3 spectra is in this table of velocities"):
        report.require_match("v.csv")


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)])
def test_the_order_of_the_table_does_not_matter(order):
    rng = np.random.default_rng(0)
    ids = np.sort(rng.choice(10**6, 5000, replace=False)) + BIG
    values = rng.normal(0, 100, 5000)
    wanted = rng.choice(ids, 64)
    found = find_velocities(table(ids[order], values[order]), file=np.full(64, "a"), ids=wanted)
    np.testing.assert_array_equal(found, values[np.searchsorted(ids, wanted)])
