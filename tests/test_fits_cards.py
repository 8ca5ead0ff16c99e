import warnings

import pytest
from astropy.io import fits

from transtar.fits_cards import Cards

PLAIN = {
    "SIMPLE  = ": "T", "BITPIX  = ": "-32 / bits", "NAXIS   = ": "2", "NAXIS1  = ": "0007", "EXTNAME = ": "'B_FLUX  '",
    "EMPTY   = ": "''", "BLANKS  = ": "'   '", "LEADING = ": "'  x '", "REAL    = ": "2000.0 / years", "SMALL   = ": "-1.5E-03",
    "PLUS    = ": "+5", "FALSE   = ": "F / no", "LARGE   = ": "922337203685477580", "SLASH   = ": "'a/b' / c",
}  # fmt: skip

ODD = {
    "COLON   = ": "'DP1: 3'", "AMPER   = ": "'one & two'", "QUOTED  = ": "'it''s'", "HUGE    = ": "4611686018427387905000",
    "EXP     = ": "1.5D3", "NOTHING = ": "", "COMMA   = ": "3,5", "NOQUOTE = ": "nan",
}  # fmt: skip


def content(*cards):
    text = "".join(card.ljust(80) for card in (*cards, "END"))
    return text.ljust(-(-len(text) // 2880) * 2880).encode()


def of_astropy(header):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fits.Header.fromstring(header)


def looked_up(header, key):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return type(header[key]), repr(header[key])
        except Exception as error:
            return type(error)


def test_values_are_those_of_astropy():
    """Plain ones without it, all others by it."""
    header = content(*(start + value for start, value in (PLAIN | ODD).items()), "COMMENT NAXIS   = 9", "NAXIS   = 3")
    cards, expected = Cards(header), of_astropy(header)
    for start in PLAIN:
        assert looked_up(cards, start[:8].strip()) == looked_up(expected, start[:8].strip())
    assert "header" not in vars(cards)
    for start in ODD:
        assert looked_up(cards, start[:8].strip()) == looked_up(expected, start[:8].strip())
    assert "header" in vars(cards)
    assert cards.get("NAXIS") == 2
    assert cards["COMMENT"] == expected["COMMENT"]


@pytest.mark.parametrize(
    "odd",
    ["naxis   = 5", "HIERARCH NAXIS = 5", "AB= 5", "NAXIS     5", "LONG    = 'one &'\nCONTINUE  'two'", "NAXIS1 7= 5"],
)
def test_headers_that_are_not_plain_are_astropys(odd):
    header = content("SIMPLE  = T", *odd.split("\n"), "EXTNAME = 'X'")
    cards, expected = Cards(header), of_astropy(header)
    assert "header" in vars(cards)
    for key in ("NAXIS", "SIMPLE", "EXTNAME", "LONG", "AB", "HIERARCH"):
        assert (key in cards) == (key in expected)
        assert looked_up(cards, key) == looked_up(expected, key)


def test_what_is_not_there():
    cards = Cards(content("SIMPLE  = T", "NAXIS   = 0"))
    assert "TFIELDS" not in cards
    assert cards.get("TFIELDS") is None
    assert cards.get("TFIELDS", 4) == 4
    with pytest.raises(KeyError, match="TFIELDS"):
        cards["TFIELDS"]
    assert list(cards) == ["SIMPLE", "NAXIS"]
    assert cards.tostring() == of_astropy(content("SIMPLE  = T", "NAXIS   = 0")).tostring()


def test_real_headers(data):
    """Of real coadds and spectra, all keywords and values."""
    files = [*(data / "desi").glob("*.fits"), *sorted((data / "lamost_dr10" / "spectra").glob("*.fits.gz"))[:3]]
    assert len(files) > 5
    n_plain = 0
    for path in files:
        with fits.open(path) as hdus:
            for hdu in hdus:
                raw = hdu.header.tostring().encode("ascii", "replace")
                cards, expected = Cards(raw), of_astropy(raw)
                n_plain += "header" not in vars(cards)
                for key in dict.fromkeys(expected):
                    if key:
                        assert looked_up(cards, key) == looked_up(expected, key), (path, key)
    assert n_plain > 20
