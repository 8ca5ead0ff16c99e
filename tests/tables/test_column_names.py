import pytest

from transtar.labels import canonical_label
from transtar.tables.column_names import key_columns


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("TEFF", "teff"),
        ("Teff", "teff"),
        ("[Fe/H]", "feh"),
        ("FE_H", "feh"),
        ("feh", "feh"),
        ("LOGG", "logg"),
        ("log_g", "logg"),
        ("[alpha/Fe]", "alphafe"),
        ("ALPHAFE", "alphafe"),
        ("MG_FE", "mg_fe"),
        ("[Mg/Fe]", "mg_fe"),
        ("e_teff", "teff_err"),
        ("e_[Fe/H]", "feh_err"),
        ("TEFF_ERR", "teff_err"),
        ("FE_H_ERR", "feh_err"),
        ("logg_sigma", "logg_err"),
        ("[M/H]", "m_h"),
        ("ALPHA_M", "alpha_m"),
        ("reTeff", None),
        ("loggSeis", None),
        ("fe", None),
        ("ra", None),
    ],
)
def test_canonical_label(name, label):
    assert canonical_label(name) == label


def test_key_columns():
    assert key_columns(["GaiaDR3", "TARGETID", "File", "designation"]) == {
        "id": "TARGETID",
        "file": "File",
        "star": "designation",
    }
