"""FITS: scaling, columns and types; some of it written anew by astropy, so that it is sound."""

from __future__ import annotations

import io
import warnings

import numpy as np

from .mutate_fits import a_card, cards_of, has, hdus, joined, with_card
from .mutators import Unfit, mutator


def _tables(content):
    found = [hdu for hdu in hdus(content) if has(content, hdu, "TFIELDS")]
    if not found:
        raise Unfit
    return found


def _fields(content, hdu):
    card = next(card for card in cards_of(content, hdu) if card.startswith(b"TFIELDS"))
    n = int(card[10:30])
    if n < 1:
        raise Unfit
    return n


@mutator("fits")
def image_scaled(content, rng):
    hdu = rng.choice([hdu for hdu in hdus(content) if hdu[2] > hdu[1]])
    key, value = rng.choice([("BSCALE", "2.0"), ("BZERO", "10.0"), ("BZERO", "32768"), ("BLANK", "-1"), ("BSCALE",
        "1.0"), ("BZERO", "0.0"),
                             ("BSCALE", "NaN"), ("BSCALE", "0.0"), ("BZERO", "2147483648"), ("BSCALE", "'1.0'")])  # fmt: skip
    return with_card(content, hdu, key, value)


@mutator("fits")
def column_scaled(content, rng):
    hdu = rng.choice(_tables(content))
    i = rng.randint(1, _fields(content, hdu))
    key, value = rng.choice([("TSCAL", "2.0"), ("TZERO", "10.0"), ("TNULL", "7"), ("TSCAL", "1.0"), ("TZERO", "0.0"),
        ("TSCAL", "NaN"),
                             ("TZERO", "9223372036854775808"), ("TDIM", "'(2,2)'"), ("TDIM", "'(9999999,9999999)'"),
                                 ("TDIM", "'x'"),
                             ("TUNIT", "'nm'"), ("TUNIT", "'furlong'"), ("TUNIT", "'0.1 nm'"), ("TDISP", "'F8.3'"),
                                 ("TNULL", "-99")])  # fmt: skip
    form = next((card for card in cards_of(content, hdu) if card[:8].strip() == f"TFORM{i}".encode()), b"")
    if key == "TZERO" and not value.startswith("9") and b"K" in form[10:30]:
        # astropy fails of itself (no variable bzero64), and nobody could say who is right.
        raise Unfit
    return with_card(content, hdu, f"{key}{i}", value)


@mutator("fits", damaged=True)
def column_of_another_type(content, rng):
    hdu = rng.choice(_tables(content))
    form = rng.choice(["1E", "1D", "1K", "1J", "8A", "0E", "999999999E", "-3E", "3909M", "1QQ", "A", "1PE(5)",
        "1QD(5)", "17X", "", "E1", "5",
                       "1L", "99999999999999999999D", "1U", "4B", "2I"])  # fmt: skip
    return with_card(content, hdu, f"TFORM{rng.randint(1, _fields(content, hdu))}", f"'{form}'")


@mutator("fits")
def column_called_otherwise(content, rng):
    hdu = rng.choice(_tables(content))
    name = rng.choice(
        [
            "FLUX",
            "flux",
            "IVAR",
            "WAVELENGTH",
            "LOGLAM",
            "TARGETID",
            "X",
            "",
            " ",
            "feh",
            "teff",
            "Z",
            "ANDMASK",
            "source_id",
        ]
    )
    return with_card(content, hdu, f"TTYPE{rng.randint(1, _fields(content, hdu))}", f"'{name}'")


@mutator("fits", damaged=True)
def rows_claimed(content, rng):
    hdu = rng.choice(_tables(content))
    return with_card(content, hdu, "NAXIS2", rng.choice(["0", "1", "2", "1000000", "-5"]))


@mutator("fits", damaged=True)
def many_fields_claimed(content, rng):
    hdu = rng.choice(_tables(content))
    return with_card(content, hdu, "TFIELDS", rng.choice(["0", "1", "999", "1000000000", "-1"]))


@mutator("fits")
def a_header_of_many_fields(content, rng):
    hdu = rng.choice(_tables(content))
    cards = [card for card in cards_of(content, hdu) if card.strip() and card[:8] != b"END     "]
    cards += [a_card(f"TFORM{i}", "'0E      '") for i in range(_fields(content, hdu) + 1, 1000)]
    return with_card(
        joined(content, hdu, cards), hdus(joined(content, hdu, cards))[hdus(content).index(hdu)], "TFIELDS", "999"
    )


def _rewrite(content, change):
    from astropy.io import fits

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with fits.open(io.BytesIO(content), memmap=False) as opened:
                found = change(fits, fits.HDUList([hdu.copy() for hdu in opened]))
                out = io.BytesIO()
                found.writeto(out, output_verify="silentfix")
        except Unfit:
            raise
        except Exception as error:
            raise Unfit(str(error)) from None
    return out.getvalue()


def _a_table(found, rng):
    places = [i for i, hdu in enumerate(found) if hasattr(hdu, "columns") and len(hdu.columns)]
    if not places:
        raise Unfit
    return rng.choice(places)


def _columns(content, rng, change):
    def rewrite(fits, found):
        place = _a_table(found, rng)
        old = found[place]
        columns = [fits.Column(c.name, c.format, c.unit, array=old.data[c.name]) for c in old.columns]
        own = fits.Header(
            [
                card
                for card in old.header.cards
                if not card.keyword.startswith(("T", "NAXIS", "BITPIX", "PCOUNT", "XTENSION", "GCOUNT"))
            ]
        )
        found[place] = fits.BinTableHDU.from_columns(change(columns), header=own, name=old.name)
        return found

    return _rewrite(content, rewrite)


@mutator("fits")
def columns_in_another_order(content, rng):
    return _columns(content, rng, lambda columns: rng.sample(columns, len(columns)))


@mutator("fits")
def a_column_dropped(content, rng):
    return _columns(
        content, rng, lambda columns: rng.sample(columns, len(columns) - 1) if len(columns) > 1 else columns[:0]
    )


@mutator("fits")
def a_column_of_names_added(content, rng):
    def change(columns):
        import astropy.io.fits as fits

        n = len(columns[0].array)
        return [*columns, fits.Column("REMARK", "12A", array=np.full(n, "some remark"))]

    return _columns(content, rng, change)


@mutator("fits")
def wider_types(content, rng):
    """Harmless: single precision written as double, whole numbers as wider ones."""

    def change(columns):
        import astropy.io.fits as fits

        wider = {"E": "D", "J": "K", "I": "J"}
        return [
            fits.Column(c.name, c.format[:-1] + wider.get(c.format[-1], c.format[-1]), c.unit, array=c.array)
            for c in columns
        ]

    return _columns(content, rng, change)


@mutator("fits")
def images_of_double_precision(content, rng):
    """Harmless."""

    def change(fits, found):
        for hdu in found:
            if not hasattr(hdu, "columns") and hdu.data is not None and hdu.data.dtype.kind == "f":
                hdu.data = hdu.data.astype(np.float64)
        return found

    return _rewrite(content, change)


@mutator("fits")
def with_sums(content, rng):
    """Harmless: checksums added."""

    def change(fits, found):
        for hdu in found:
            hdu.add_checksum()
        return found

    return _rewrite(content, change)


@mutator("fits", damaged=True)
def with_wrong_sums(content, rng):
    changed = with_sums(content, rng)
    hdu = rng.choice([hdu for hdu in hdus(changed) if hdu[2] > hdu[1]])
    place = rng.randrange(hdu[1], hdu[2])
    return changed[:place] + bytes([changed[place] ^ (1 << rng.randrange(8))]) + changed[place + 1 :]


@mutator("fits")
def another_hdu_added(content, rng):
    """Harmless."""

    def change(fits, found):
        found.append(rng.choice([fits.ImageHDU(np.zeros((3, 3)), name="EXTRA"), fits.ImageHDU(name="EMPTY")]))
        return found

    return _rewrite(content, change)


@mutator("fits")
def images_compressed(content, rng):
    """As fpack does."""

    def change(fits, found):
        place = rng.choice([i for i, hdu in enumerate(found) if not hasattr(hdu, "columns") and hdu.data is not None])
        kind = rng.choice(["GZIP_1", "GZIP_2"])
        packed = fits.CompImageHDU(found[place].data, found[place].header, compression_type=kind, quantize_level=0)
        if place == 0:
            return fits.HDUList([fits.PrimaryHDU(), packed, *found[1:]])
        found[place] = packed
        return found

    return _rewrite(content, change)


@mutator("fits")
def a_column_of_lengths_of_their_own(content, rng):
    """Variable-length arrays in place of vectors."""

    def change(columns):
        import astropy.io.fits as fits

        out = []
        for c in columns:
            if np.ndim(c.array) == 2 and c.format[-1] in "ED":
                cells = np.array([*[row for row in c.array], None], dtype=object)[:-1]
                out.append(fits.Column(c.name, f"P{c.format[-1]}()", array=cells))
            else:
                out.append(c)
        return out

    return _columns(content, rng, change)
