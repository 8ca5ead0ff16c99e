"""FITS: cards of headers, and the order and padding of HDUs; by bytes, for astropy would not write most of it."""

from __future__ import annotations

import re

from .mutators import Unfit, mutator
from .oracle_fits import BLOCK, Broken, _size

VALUES = (
    "NaN", "'nan     '", "0,0003", "abc", "1E400", "-9999.0", "'-9999  '", "1_000", "0x1p3", "9223372036854775808",
    "4611686018427387905.0", "1.5", "T", "F", "", "''", "1.0D3", "-0", "(1.0, 2.0)", "'0.0002'", "'12 34 '", "-1", "0",
    "1e-300", "1E+15", "'" + "x" * 66 + "'", "'O''Neill'", "99999", "0.0105", "+5", "12345678901234567890123456789",
)  # fmt: skip
CARDS = (
    "Z", "OBSID", "COEFF0", "COEFF1", "CRVAL1", "CDELT1", "CRPIX1", "RA", "DEC", "SNRG", "VACUUM", "CLASS", "SUBCLASS", "DESIG",
    "TELESCOP", "DATA_V", "HPXPIXEL", "SURVEY", "PROGRAM", "TPLLIB", "EXTNAME", "CTYPE1", "CUNIT1", "BUNIT", "MEDIUM",
)  # fmt: skip


def hdus(content):
    """Beginning of the header, of the data and after the padding of each HDU."""
    found, place = [], 0
    while place < len(content) and content[place : place + 8] in (b"SIMPLE  ", b"XTENSION"):
        end = re.compile(rb"END {77}").search(content, place)
        while end and (end.start() - place) % 80:
            end = re.compile(rb"END {77}").search(content, end.start() + 1)
        if not end:
            break
        data = place + -(-(end.end() - place) // BLOCK) * BLOCK
        try:
            size = _size([content[i : i + 80] for i in range(place, end.start(), 80)])
        except Broken:
            break
        found.append((place, data, data + -(-size // BLOCK) * BLOCK))
        place = found[-1][2]
    if not found:
        raise Unfit("no FITS")
    return found


def cards_of(content, hdu):
    return [content[i : i + 80] for i in range(hdu[0], hdu[1], 80)]


def joined(content, hdu, cards):
    """The content with another list of cards of one HDU, END and filler added."""
    cards = [card for card in cards if card.strip() and card[:8] != b"END     "]
    header = b"".join(card[:80].ljust(80) for card in [*cards, b"END"])
    return content[: hdu[0]] + header + b" " * (-len(header) % BLOCK) + content[hdu[1] :]


def a_card(key, value, comment=""):
    """A card as text, without a check of anything."""
    shown = value.ljust(8) if value.startswith("'") else value.rjust(20)
    return f"{key:8}= {shown}{' / ' + comment if comment else ''}".encode("latin-1")[:80].ljust(80)


def with_card(content, hdu, key, value):
    """One card set, or added before END."""
    cards = [card for card in cards_of(content, hdu) if card.strip() and card[:8] != b"END     "]
    place = next((i for i, card in enumerate(cards) if card[:8].strip() == key.encode()), len(cards))
    cards[place : place + 1] = [a_card(key, value)]
    return joined(content, hdu, cards)


def has(content, hdu, key):
    return any(card[:8].strip() == key.encode() for card in cards_of(content, hdu))


@mutator("fits", damaged=True)
def a_claim(content, rng):
    """Axes, fields and counts that cannot be."""
    hdu = rng.choice(hdus(content))
    keys = [
        k
        for k in ("NAXIS", "NAXIS1", "NAXIS2", "NAXIS3", "BITPIX", "TFIELDS", "GCOUNT", "PCOUNT")
        if has(content, hdu, k)
    ]
    value = rng.choice(["1000000000", "-1", "0", "1", "2", "3", "999", "1000000000000000", "99999999999999999999",
        "7", "12", "-32",
                        "64", "8", "16", "1.0", "'2'", "T", "", "NaN", "2147483647"])  # fmt: skip
    return with_card(content, hdu, rng.choice(keys), value)


@mutator("fits", damaged=True)
def a_claim_off_by_one(content, rng):
    hdu = rng.choice(hdus(content))
    keys = [k for k in ("NAXIS1", "NAXIS2", "TFIELDS", "PCOUNT") if has(content, hdu, k)]
    if not keys:
        raise Unfit
    key = rng.choice(keys)
    now = next(card for card in cards_of(content, hdu) if card[:8].strip() == key.encode())
    return with_card(content, hdu, key, str(int(now[10:30]) + rng.choice([-1, 1, -8, 8])))


@mutator("fits", damaged=True)
def huge_with_fitting_axes(content, rng):
    hdu = rng.choice(hdus(content))
    for key, value in (
        ("BITPIX", "-64"),
        ("NAXIS", "2"),
        ("NAXIS1", "100000"),
        ("NAXIS2", rng.choice(["100000", "10000000"])),
    ):
        content = with_card(content, hdu, key, value)
        hdu = (hdu[0], hdu[0] + len(content[hdu[0] :]) - len(content[hdu[1] :]), hdu[2])
    return content


@mutator("fits")
def a_value(content, rng):
    found = hdus(content)
    hdu = found[0] if rng.random() < 0.7 else rng.choice(found)
    keys = [key for key in CARDS if has(content, hdu, key)]
    if not keys:
        raise Unfit
    return with_card(content, hdu, rng.choice(keys), rng.choice(VALUES))


@mutator("fits")
def another_value(content, rng):
    hdu = rng.choice(hdus(content))
    return with_card(content, hdu, rng.choice(CARDS), rng.choice(VALUES))


@mutator("fits")
def a_card_removed(content, rng):
    hdu = rng.choice(hdus(content))
    cards = [card for card in cards_of(content, hdu) if card.strip()]
    place = rng.randrange(1, max(2, len(cards) - 1))
    return joined(content, hdu, cards[:place] + cards[place + 1 :])


@mutator("fits")
def a_card_twice(content, rng):
    hdu = rng.choice(hdus(content))
    cards = [card for card in cards_of(content, hdu) if card.strip() and card[:8] != b"END     "]
    card = rng.choice(cards[3:] or cards)
    if b"=" not in card[:10]:
        raise Unfit
    return joined(content, hdu, [*cards, a_card(card[:8].decode().strip(), rng.choice(VALUES))])


@mutator("fits")
def a_card_in_small_letters(content, rng):
    hdu = rng.choice(hdus(content))
    cards = [card for card in cards_of(content, hdu) if card.strip()]
    place = rng.randrange(len(cards) - 1)
    cards[place] = cards[place][:8].lower() + cards[place][8:]
    return joined(content, hdu, cards)


@mutator("fits")
def a_strange_letter_in_a_header(content, rng):
    hdu = rng.choice(hdus(content))
    cards = [card for card in cards_of(content, hdu) if card.strip()]
    place, at = rng.randrange(len(cards) - 1), rng.randrange(80)
    cards[place] = cards[place][:at] + rng.choice([b"\xe9", b"\0", b"\t", b"\n", b"\x7f"]) + cards[place][at + 1 :]
    return joined(content, hdu, cards)


@mutator("fits")
def a_comment_changed(content, rng):
    """Harmless: what stands behind the slash of a card, or history."""
    hdu = rng.choice(hdus(content))
    cards = [card for card in cards_of(content, hdu) if card.strip() and card[:8] != b"END     "]
    added = rng.choice(
        [b"COMMENT = 5 / not a card", b"HISTORY made by hand", b"        a blank keyword", b"COMMENT " + b"x" * 72]
    )
    return joined(content, hdu, [*cards, added])


@mutator("fits")
def a_long_text(content, rng):
    hdu = rng.choice(hdus(content))
    cards = [card for card in cards_of(content, hdu) if card.strip() and card[:8] != b"END     "]
    key = rng.choice(["NOTE", "SUBCLASS", "DESIG"])
    cards = [card for card in cards if card[:8].strip() != key.encode()]
    return joined(
        content,
        hdu,
        [*cards, f"{key:8}= 'begins &'".encode(), b"CONTINUE  'and ends' / so", b"CONTINUE  7"][: rng.choice([99, 98])],
    )


@mutator("fits")
def cards_without_end(content, rng):
    hdu = rng.choice(hdus(content))
    return content[: hdu[0]] + content[hdu[0] : hdu[1]].replace(b"END" + b" " * 77, b" " * 80)


@mutator("fits")
def a_header_without_end(content, rng):
    hdu = rng.choice(hdus(content))
    head = content[hdu[0] : hdu[1]].replace(b"END" + b" " * 77, b"")
    return content[: hdu[0]] + head + b"COMMENT  and so on".ljust(80) * 200_000


@mutator("fits")
def a_long_header(content, rng):
    hdu = rng.choice(hdus(content))
    cards = [card for card in cards_of(content, hdu) if card.strip() and card[:8] != b"END     "]
    return joined(content, hdu, cards + [f"KEY{i:05d}= {i}".encode() for i in range(20_000)])


@mutator("fits", damaged=True)
def letters_behind_end(content, rng):
    hdu = rng.choice(hdus(content))
    if content[hdu[1] - 40 : hdu[1]].strip():
        raise Unfit
    return content[: hdu[1] - 9] + b"LEFT OVER" + content[hdu[1] :]


@mutator("fits", damaged=True)
def letters_in_the_padding(content, rng):
    hdu = rng.choice(hdus(content))
    if hdu[1] == hdu[2] or content[hdu[2] - 9 : hdu[2]].strip(b"\0"):
        raise Unfit
    return content[: hdu[2] - 9] + b"LEFT OVER" + content[hdu[2] :]


@mutator("fits")
def padding_left_out(content, rng):
    end = hdus(content)[-1][2]
    return content[:end].rstrip(b"\0") + content[end:]


@mutator("fits")
def a_block_of_blanks_behind(content, rng):
    return content + rng.choice([b" ", b"\0"]) * BLOCK


@mutator("fits")
def an_hdu_twice(content, rng):
    found = hdus(content)
    if len(found) < 2:
        raise Unfit
    hdu = rng.choice(found[1:])
    return content[: hdu[2]] + content[hdu[0] : hdu[2]] + content[hdu[2] :]


@mutator("fits", damaged=True)
def an_hdu_removed(content, rng):
    found = hdus(content)
    if len(found) < 2:
        raise Unfit
    hdu = rng.choice(found[1:])
    return content[: hdu[0]] + content[hdu[2] :]


@mutator("fits")
def an_hdu_moved_to_the_end(content, rng):
    found = hdus(content)
    if len(found) < 3:
        raise Unfit
    hdu = rng.choice(found[1:-1])
    return content[: hdu[0]] + content[hdu[2] :] + content[hdu[0] : hdu[2]]


@mutator("fits", damaged=True)
def half_an_hdu(content, rng):
    hdu = rng.choice(hdus(content))
    if hdu[2] - hdu[1] < 2:
        raise Unfit
    return content[: hdu[1] + (hdu[2] - hdu[1]) // 2]


@mutator("fits", damaged=True)
def data_of_zeros(content, rng):
    hdu = rng.choice([hdu for hdu in hdus(content) if hdu[2] > hdu[1]])
    return content[: hdu[1]] + b"\0" * (hdu[2] - hdu[1]) + content[hdu[2] :]


@mutator("fits", damaged=True)
def data_in_other_byte_order(content, rng):
    hdu = rng.choice([hdu for hdu in hdus(content) if hdu[2] > hdu[1]])
    data = bytearray(content[hdu[1] : hdu[2]])
    data[0::4], data[1::4], data[2::4], data[3::4] = data[3::4], data[2::4], data[1::4], data[0::4]
    return content[: hdu[1]] + bytes(data) + content[hdu[2] :]


@mutator("fits")
def values_that_are_none(content, rng):
    import struct

    hdu = rng.choice([hdu for hdu in hdus(content) if hdu[2] > hdu[1]])
    place = hdu[1] + 4 * rng.randrange((hdu[2] - hdu[1]) // 4)
    number = struct.pack(">f", rng.choice([float("nan"), float("inf"), -1.0, 0.0, 3e38, 1e-42]))
    return content[:place] + number * rng.choice([1, 1, 5]) + content[place + 4 :][: len(content)]
