"""Positions of a mock survey are those of its epoch: stars in common are found by position only if they are moved."""

import numpy as np
from astropy.table import Table

from transtar.labels import Positions, match_positions
from transtar.simulate.stars import epochs
from transtar.simulate.stars.epochs import at_epoch


def test_stars_are_found_at_another_epoch():
    rng = np.random.default_rng(0)
    truth = Table({"ra": rng.uniform(0, 360, 500), "dec": rng.uniform(-60, 89, 500),
                   "pmra": rng.normal(0, 100, 500), "pmdec": rng.normal(0, 100, 500)})  # fmt: skip
    before = truth["ra"].copy()
    seen = at_epoch(truth, epochs.APOGEE)
    assert (truth["ra"] == before).all()
    here, there = (tuple(np.asarray(rows[name]) for name in ("ra", "dec")) for rows in (truth, seen))
    motion = np.asarray(truth["pmra"]), np.asarray(truth["pmdec"])
    rows, report = match_positions(Positions(*here, epochs.TRUTH, *motion), Positions(*there, epochs.APOGEE), 0.01)
    np.testing.assert_array_equal(rows, np.arange(500))
    assert report.epoch == epochs.APOGEE
    assert match_positions(Positions(*here, 2016.0), Positions(*there, 2016.0), 1.0)[1].matched < 250
    del truth["pmra"]
    assert at_epoch(truth, 2000.0) is truth
