import pytest

from transtar import glossary
from transtar.errors import InputError


@pytest.mark.parametrize("name", [*glossary.COLUMNS, "feh_err", "teff_ens_std"])
def test_columns_have_type_and_description(name):
    column = glossary.describe(name)
    assert column.name == name
    assert column.dtype in ("str", "bool", "int32", "int64", "float32", "float64")
    assert column.description


def test_derived_columns_take_the_unit_of_their_label():
    assert glossary.describe("teff_err").unit == "K"
    assert "ensemble" in glossary.describe("feh_ens_std").description


@pytest.mark.parametrize("name", ["nonsense", "snr_err", "feh_mean", "snr_std"])
def test_unknown_columns_are_refused(name):
    assert not glossary.is_known(name)
    with pytest.raises(InputError, match="glossary"):
        glossary.describe(name)


def test_display_names():
    assert glossary.display("teff") == r"$T_\mathrm{eff}$ (K)"
    assert glossary.display("feh") == "[Fe/H]"
    assert glossary.display("mg_fe") == "[Mg/Fe]"
    assert glossary.display("custom") == "custom"
    assert glossary.plain("alphafe") == "[alpha/Fe]"


@pytest.mark.parametrize("name", [*glossary.COLUMNS, "custom"])
def test_names_for_text_have_no_mathematics(name):
    assert "$" not in glossary.plain(name)


def test_a_label_that_is_shown_by_a_symbol_goes_by_its_name_in_text(monkeypatch):
    vmic = glossary.Column("vmic", "float32", "km/s", "microturbulent velocity", r"$v_\mathrm{mic}$")
    monkeypatch.setitem(glossary.COLUMNS, "vmic", vmic)
    monkeypatch.setattr(glossary, "LABELS", (*glossary.LABELS, "vmic"))
    assert glossary.plain("vmic") == "vmic"
    assert glossary.display("vmic") == r"$v_\mathrm{mic}$ (km/s)"


def test_markdown_table_holds_every_key_column_and_its_unit():
    text = glossary.as_markdown()
    assert "| `teff` | float32 | K | effective temperature |" in text
    assert "`feh_ens_std`" in text
    assert text.count("\n") == len(glossary.as_markdown(["id"]).splitlines()) - 1 + text.count("\n| `")


def test_decimals_are_none_in_kelvin():
    assert [glossary.decimals(name) for name in ("teff", "feh", "logg", "custom")] == [0, 3, 3, 3]
