"""Where catalogs keep positions, and what a selection file may change of it."""

from dataclasses import replace

import pytest

from transtar.errors import SettingsError
from transtar.labels.catalog_places import PLACE_COLUMNS, PLACES, changed_place
from transtar.labels.kinds import KINDS


def test_kinds_with_positions_are_kinds_of_catalogs():
    assert set(PLACES) <= set(KINDS)
    assert PLACE_COLUMNS == ("ra", "dec", "pmra", "pmdec", "parallax", "radial_velocity", "epoch")


def test_changes():
    gaia = PLACES["gaia"]
    assert changed_place(gaia, {}, "here") == gaia
    assert changed_place(gaia, {"ra": "RA_OBS"}, "here") == replace(gaia, ra=("RA_OBS",))
    assert changed_place(gaia, {"epoch": "EPOCH"}, "here") == replace(gaia, epoch_column=("EPOCH",))
    # A number holds for all rows, whatever column of epochs there is.
    assert changed_place(gaia, {"epoch": 2010.5}, "here") == replace(gaia, epoch=2010.5, epoch_column=())


def test_a_number_is_no_column():
    with pytest.raises(SettingsError, match=r"here\.ra: must be the name of a column, not 1900"):
        changed_place(PLACES["gaia"], {"ra": 1900}, "here")
