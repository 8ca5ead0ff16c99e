"""Text: numbers, names, separators, line ends and letters."""

from __future__ import annotations

import re

from .mutators import Unfit, mutator

NUMBERS = (
    b"nan", b"inf", b"-inf", b"1e400", b"-1e400", b"0x1p3", b"-0", b"1_000", b"9" * 40, b"1,5", b"1.5d3", b"", b"--", b"null",
    b"abc", b"1e", b"+-1", b"1.2.3", b"-9999", b"1e-400", b"99999", b"'1.0'", b" 1.0 ", b"(1,2)", b"=1+1", b"1e39", b"TRUE",
    b"18446744073709551617", b"4611686018427387904.0", b"1 000",
)  # fmt: skip
UNITS = (b"nm", b"um", b"Angstrom", b"Hz", b"K", b"dex", b"erg", b"km/s", b"furlong", b"", b"mas", b"rad")

_NUMBER = re.compile(rb"(?<![\w.])[+-]?\d+\.?\d*(?:[eE][+-]?\d+)?(?![\w.])")


def lines_of(content):
    return content.split(b"\n")


def _body(lines):
    """Places of the lines that are neither blank nor comments; the first names the columns, as a rule."""
    return [i for i, line in enumerate(lines) if line.strip() and not line.startswith(b"#")]


def _separator(line):
    return next((s for s in (b"\t", b"|", b";", b",") if s in line), b" ")


@mutator("text")
def a_number(content, rng):
    found = list(_NUMBER.finditer(content))
    one = rng.choice(found)
    return content[: one.start()] + rng.choice(NUMBERS) + content[one.end() :]


@mutator("text")
def a_cell(content, rng):
    lines = lines_of(content)
    place = rng.choice(_body(lines)[1:])
    separator = _separator(lines[place])
    cells = lines[place].split(separator)
    cells[rng.randrange(len(cells))] = rng.choice(NUMBERS)
    lines[place] = separator.join(cells)
    return b"\n".join(lines)


@mutator("text")
def a_column_of(content, rng):
    return _each_row(content, rng, lambda cells, k, value: cells.__setitem__(k, value), rng.choice(NUMBERS))


def _each_row(content, rng, change, value=None, header=False):
    lines = lines_of(content)
    places = _body(lines)
    separator = _separator(lines[places[0]])
    k = rng.randrange(len(lines[places[0]].split(separator)))
    for i in places if header else places[1:]:
        cells = lines[i].split(separator)
        if k < len(cells):
            change(cells, k, value)
        lines[i] = separator.join(cells)
    return b"\n".join(lines)


@mutator("text")
def column_dropped(content, rng):
    return _each_row(content, rng, lambda cells, k, _: cells.pop(k), header=True)


@mutator("text")
def column_doubled(content, rng):
    return _each_row(content, rng, lambda cells, k, _: cells.append(cells[k]), header=True)


@mutator("text")
def column_renamed(content, rng):
    lines = lines_of(content)
    place = _body(lines)[0]
    separator = _separator(lines[place])
    names = lines[place].split(separator)
    new = rng.choice(
        [
            b"x",
            b"",
            b"feh",
            b"flux",
            b"wave",
            b"WAVE",
            b"teff",
            b"id",
            b"mask",
            b"loglam",
            "Å".encode(),
            b'"a,b"',
            b"ivar",
        ]
    )
    names[rng.randrange(len(names))] = new
    lines[place] = separator.join(names)
    return b"\n".join(lines)


@mutator("text")
def column_with_a_unit(content, rng):
    lines = lines_of(content)
    place = _body(lines)[0]
    separator = _separator(lines[place])
    names = lines[place].split(separator)
    names[rng.randrange(len(names))] += b" [" + rng.choice(UNITS) + b"]"
    lines[place] = separator.join(names)
    return b"\n".join(lines)


@mutator("text")
def columns_in_another_order(content, rng):
    lines = lines_of(content)
    places = _body(lines)
    separator = _separator(lines[places[0]])
    order = list(range(len(lines[places[0]].split(separator))))
    rng.shuffle(order)
    for i in places:
        cells = lines[i].split(separator)
        if len(cells) == len(order) and b'"' not in lines[i]:
            lines[i] = separator.join(cells[k] for k in order)
    return b"\n".join(lines)


@mutator("text")
def cell_too_many(content, rng):
    lines = lines_of(content)
    place = rng.choice(_body(lines))
    lines[place] += _separator(lines[place]) + b"7"
    return b"\n".join(lines)


@mutator("text")
def cell_missing(content, rng):
    lines = lines_of(content)
    place = rng.choice(_body(lines))
    lines[place] = lines[place].rpartition(_separator(lines[place]))[0]
    return b"\n".join(lines)


@mutator("text", damaged=True)
def row_dropped(content, rng):
    lines = lines_of(content)
    lines.pop(rng.choice(_body(lines)))
    return b"\n".join(lines)


@mutator("text", damaged=True)
def row_doubled(content, rng):
    lines = lines_of(content)
    place = rng.choice(_body(lines))
    lines.insert(place, lines[place])
    return b"\n".join(lines)


@mutator("text", damaged=True)
def rows_swapped(content, rng):
    lines = lines_of(content)
    one, other = rng.sample(_body(lines)[1:], 2)
    lines[one], lines[other] = lines[other], lines[one]
    return b"\n".join(lines)


@mutator("text")
def other_line_ends(content, rng):
    return content.replace(b"\n", rng.choice([b"\r\n", b"\r\n", b"\r", b"\n\n", b" \n"]))


@mutator("text")
def no_last_line_end(content, rng):
    return content.rstrip(b"\n")


@mutator("text")
def blank_lines_behind(content, rng):
    return content + rng.choice([b"\n", b"\n\n\n", b"\r\n", b"   \n"])


@mutator("text")
def a_comment(content, rng):
    first = content.split(b"\n", 1)[0]
    said = rng.choice(
        [b"# made by me\n", b"# bandwidth: 3\n", b"#\n", b"# my medium: air\n", b"# grid=5 and id 7\n", b"# \xe9\xe8\n"]
    )
    if first.startswith(b"# %ECSV"):
        raise Unfit
    return said + content


@mutator("text")
def a_statement(content, rng):
    """Comments that mean something to transtar, perhaps for the second time."""
    if content.startswith((b"# %ECSV", b"<")):
        raise Unfit
    key, value = rng.choice([
        (b"medium", b"air"), (b"medium", b"water"), (b"frame", b"rest"), (b"velocity", b"nan"), (b"velocity", b"1e99"),
        (b"velocity", b"12,5"), (b"id", b"12"), (b"id", b"1.5"), (b"id", b"1e30"), (b"star", b"HD 7 B"), (b"unit", b"nm"),
    ])  # fmt: skip
    return b"# " + key + b": " + value + b"\n" + content


@mutator("text")
def a_byte_order_mark(content, rng):
    return b"\xef\xbb\xbf" + content


@mutator("text")
def in_utf16(content, rng):
    return content.decode("utf-8", "replace").encode("utf-16")


@mutator("text")
def a_strange_letter(content, rng):
    place = rng.randrange(len(content))
    return (
        content[:place]
        + rng.choice([b"\xe9", b"\0", b"\xff", "é".encode(), b"\x1b[31m", b"\x1a", "\u2028".encode(), b"\x85"])
        + content[place:]
    )


@mutator("text")
def a_quote(content, rng):
    place = rng.randrange(len(content))
    return content[:place] + rng.choice([b'"', b"'", b'""', b'"""']) + content[place:]


@mutator("text")
def all_cells_in_quotes(content, rng):
    lines = lines_of(content)
    places = _body(lines)
    separator = _separator(lines[places[0]])
    if separator == b" " or b'"' in content or b"#" in lines[places[0]] or b"-----" in content:
        raise Unfit
    for i in places:
        lines[i] = separator.join(b'"' + cell + b'"' for cell in lines[i].split(separator))
    return b"\n".join(lines)


@mutator("text")
def another_separator(content, rng):
    lines = lines_of(content)
    places = _body(lines)
    old = _separator(lines[places[0]])
    new = rng.choice([s for s in (b"\t", b";", b",", b"|") if s != old])
    if b'"' in content or any(new in lines[i] for i in places) or content.startswith(b"# %ECSV"):
        raise Unfit
    for i in places:
        lines[i] = lines[i].replace(old, new)
    return b"\n".join(lines)


@mutator("text")
def a_giant_cell(content, rng):
    lines = lines_of(content)
    place = rng.choice(_body(lines))
    lines[place] = (
        rng.choice([b"x", b"9", b" ", b'"']) * rng.choice([10**5 + 1, 3 * 10**6 + 1, 2 * 10**7 + 1]) + lines[place]
    )
    return b"\n".join(lines)


@mutator("text")
def many_columns(content, rng):
    lines = lines_of(content)
    for i in _body(lines):
        lines[i] += _separator(lines[i]) * 50_000
    return b"\n".join(lines)


@mutator("text")
def only_the_head(content, rng):
    lines = lines_of(content)
    return b"\n".join(lines[: _body(lines)[0] + rng.choice([1, 2])]) + b"\n"


@mutator("text")
def wavelengths_downwards(content, rng):
    lines = lines_of(content)
    places = _body(lines)[1:]
    for i, line in zip(places, [lines[i] for i in reversed(places)], strict=True):
        lines[i] = line
    return b"\n".join(lines)


@mutator("text-lines")
def xml_number(content, rng):
    found = list(re.finditer(rb"<TD>([^<]*)</TD>", content))
    if not found:
        raise Unfit
    one = rng.choice(found)
    return content[: one.start(1)] + rng.choice(NUMBERS) + content[one.end(1) :]
