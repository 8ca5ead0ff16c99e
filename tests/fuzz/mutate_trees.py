"""JSON, YAML and XML: values, keys, depth, and what refers to itself."""

from __future__ import annotations

import json
import re

import yaml

from ..hostile import HOSTILE, places, with_value
from .mutators import Unfit, mutator


def _json(content):
    try:
        return json.loads(content)
    except ValueError as error:
        raise Unfit(str(error)) from None


def _load(content):
    return _json(content) if content.lstrip().startswith(b"{") else yaml.safe_load(content)


def _dump(found, content):
    if content.lstrip().startswith(b"{"):
        return json.dumps(found, indent=2, skipkeys=True).encode()
    return yaml.safe_dump(found, allow_unicode=True).encode()


@mutator("yaml")
def a_hostile_value(content, rng):
    found = _load(content)
    path = rng.choice([path for path in places(found) if path])
    return _dump(with_value(found, path, rng.choice(HOSTILE)), content)


@mutator("yaml")
def a_key_removed(content, rng):
    found = _load(content)
    path = rng.choice([path for path in places(found) if path])
    inner = found
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return _dump(found, content)


@mutator("yaml")
def a_key_called_otherwise(content, rng):
    found = _load(content)
    path = rng.choice([path for path in places(found) if path and isinstance(path[-1], str)])
    inner = found
    for key in path[:-1]:
        inner = inner[key]
    inner[rng.choice([path[-1] + "s", path[-1].upper(), "x", ""])] = inner.pop(path[-1])
    return _dump(found, content)


@mutator("yaml")
def a_number_in_the_text(content, rng):
    spelt = (b"1e400", b"-1", b"0", b"1_000", b"0x10", b"010", b"1:30", b"nan", b".nan", b"NaN", b"Infinity",
        b"9" * 400, b"1e-5", b"1.0e-5", b"5.0",
             b"true", b"yes", b"null", b"2020-01-01", b"'5'", b"1,5", b"5 # five", b"[5]",
                 b"!!python/object:os.system 5", b"&a 5", b"*a", b"-0")  # fmt: skip
    found = list(re.finditer(rb"(?<![\w.])\d+\.?\d*(?:e[+-]?\d+)?(?![\w.])", content))
    if not found:
        raise Unfit
    one = rng.choice(found)
    return content[: one.start()] + rng.choice(spelt) + content[one.end() :]


@mutator("yaml")
def laid_out_otherwise(content, rng):
    """Harmless: the same values with other indents, or sorted keys."""
    found = _load(content)
    if content.lstrip().startswith(b"{"):
        return json.dumps(found, indent=rng.choice([None, 1, 8]), sort_keys=rng.random() < 0.5).encode()
    return yaml.safe_dump(
        found, sort_keys=rng.random() < 0.5, default_flow_style=rng.choice([True, False, None]), width=40
    ).encode()


@mutator("yaml")
def a_key_twice(content, rng):
    if content.lstrip().startswith(b"{"):
        key = rng.choice(list(_json(content)))
        return content.replace(b"{", b"{" + json.dumps(key).encode() + b": 1, ", 1)
    return content + rng.choice(
        [b"seeds: [7]\n", b"frame: rest\n", b"snr: 3\n", b"models: {feh: [feh]}\n", b"title: x\n"]
    )


@mutator("yaml")
def other_line_ends(content, rng):
    return content.replace(b"\n", rng.choice([b"\r\n", b"\r", b"\n\n"]))


@mutator("yaml")
def a_byte_order_mark(content, rng):
    return rng.choice(
        [b"\xef\xbb\xbf" + content, content.decode().encode("utf-16"), content.decode().encode("utf-16-le")]
    )


@mutator("yaml")
def a_strange_letter(content, rng):
    place = rng.randrange(len(content))
    return (
        content[:place]
        + rng.choice([b"\xe9", b"\0", b"\xff", "é".encode(), b"\x1b", b"\t", b"\x85", b"@", b"%"])
        + content[place:]
    )


@mutator("yaml")
def something_deep(content, rng):
    n = rng.choice([60, 2000, 200_000])
    deep = rng.choice([b"[" * n + b"]" * n, b'{"a":' * n + b"1" + b"}" * n])
    if content.lstrip().startswith(b"{"):
        return content.replace(b"{", b'{"deep": ' + deep + b", ", 1)
    return content + b"deep: " + deep + b"\n"


@mutator("yaml")
def something_long(content, rng):
    long = rng.choice([b"9" * 10**6, b'"' + b"x" * 10**7 + b'"', b"[" + b"1," * 10**6 + b"1]", b"9" * 5000])
    if content.lstrip().startswith(b"{"):
        return content.replace(b"{", b'{"long": ' + long + b", ", 1)
    return content + b"long: " + long + b"\n"


@mutator("yaml")
def laughs(content, rng):
    if content.lstrip().startswith(b"{"):
        raise Unfit
    lines = [b"a0: &a0 [x, x]"] + [
        b"a%d: &a%d [%s]" % (i, i, b", ".join([b"*a%d" % (i - 1)] * 9)) for i in range(1, 10)
    ]
    return rng.choice(
        [
            content + b"\n".join(lines) + b"\n",
            content + b"a: &a [*a]\n",
            content + b"<<: {seeds: [1]}\n",
            content + b"a: &a {<<: *a}\n",
        ]
    )


@mutator("yaml")
def what_it_extends(content, rng):
    return (
        b"extends: "
        + rng.choice([b"study.yaml", b"lamost-to-miles", b"nowhere", b"/dev/zero", b"[a]", b"../../etc/passwd"])
        + b"\n"
        + content
    )


@mutator("yaml")
def something_else(content, rng):
    return rng.choice(
        [
            b"[]",
            b"{}",
            b"null",
            b"5",
            b"'text'",
            b"- a\n- b\n",
            b"---\na: 1\n---\nb: 2\n",
            b"{",
            b"%YAML 9.9\n---\na: 1\n",
            b"\n",
            b"NaN",
        ]
    )


@mutator("xml")
def an_attribute(content, rng):
    found = list(
        re.finditer(
            rb"(datatype|arraysize|name|unit|ref|ID|nrows|version|xmlns|encoding|value|ucd)=\"([^\"]*)\"", content
        )
    )
    if not found:
        raise Unfit
    one = rng.choice(found)
    new = rng.choice([b"double", b"float", b"int", b"char", b"long", b"unicodeChar", b"*", b"99999999999", b"-1",
        b"2x3", b"", b"x", b"nm", b"flux", b"1.9",
                      b"boolean", b"floatComplex", b"bit", b"unsignedByte", b"short"])  # fmt: skip
    return content[: one.start(2)] + new + content[one.end(2) :]


@mutator("xml")
def an_element_removed(content, rng):
    found = list(re.finditer(rb"<(TD|FIELD|PARAM|TR|INFO)\b[^>]*?(?:/>|>.*?</\1>)", content, re.DOTALL))
    if not found:
        raise Unfit
    one = rng.choice(found)
    return content[: one.start()] + content[one.end() :]


@mutator("xml")
def an_element_twice(content, rng):
    found = list(re.finditer(rb"<(TD|FIELD|PARAM|TR|TABLE)\b[^>]*?(?:/>|>.*?</\1>)", content, re.DOTALL))
    if not found:
        raise Unfit
    one = rng.choice(found)
    return content[: one.end()] + one[0] + content[one.end() :]


@mutator("xml")
def a_comment(content, rng):
    """Harmless."""
    found = [one.start() for one in re.finditer(rb"<(TABLE|RESOURCE|FIELD|DATA)\b", content)]
    place = rng.choice(found)
    return content[:place] + b"<!-- a comment -->\n" + content[place:]


@mutator("xml")
def laughs_in_entities(content, rng):
    entities = b"".join(b'<!ENTITY l%d "%s">' % (i, b"&l%d;" % (i - 1) * 10) for i in range(1, 10))
    doctype = (
        b'<!DOCTYPE VOTABLE [<!ENTITY l0 "lol">'
        + entities
        + rng.choice([b"", b'<!ENTITY f SYSTEM "file:///etc/passwd">'])
        + b"]>\n"
    )
    content = re.sub(
        rb"<TD>[^<]*</TD>", rng.choice([b"<TD>&l9;</TD>", b"<TD>&f;</TD>", b"<TD>&l3;</TD>"]), content, count=1
    )
    return re.sub(rb"(<\?xml[^>]*\?>\s*)?", lambda m: m[0] + doctype, content, count=1)


@mutator("xml")
def deep_elements(content, rng):
    n = rng.choice([1000, 300_000])
    place = content.find(b"<TABLE")
    return content[:place] + b"<RESOURCE>" * n + b"</RESOURCE>" * n + content[place:]


@mutator("xml")
def data_elsewhere(content, rng):
    stream = rng.choice([b'<BINARY><STREAM href="file:///etc/passwd"/></BINARY>',
        b'<BINARY><STREAM encoding="base64">AAAA</STREAM></BINARY>',
                         b'<FITS><STREAM href="http://localhost:1/x"/></FITS>', b"<TABLEDATA></TABLEDATA>"])  # fmt: skip
    changed = re.sub(rb"<(TABLEDATA|BINARY2?)>.*?</\1>", stream, content, count=1, flags=re.DOTALL)
    return changed


@mutator("xml")
def a_giant_text(content, rng):
    changed = re.sub(rb"<TD>[^<]*</TD>", b"<TD>" + rng.choice([b"9", b"x", b" "]) * 10**7 + b"</TD>", content, count=1)
    return changed


@mutator("xml")
def another_encoding(content, rng):
    if content.startswith(b"<?xml"):
        said = rng.choice([b"latin-1", b"utf-16", b"ascii", b"klingon", b"UTF-8"])
        return re.sub(rb"<\?xml[^>]*\?>", b'<?xml version="1.0" encoding="' + said + b'"?>', content, count=1)
    return b"\xef\xbb\xbf" + content


@mutator("xml")
def an_error_of_the_service(content, rng):
    info = rng.choice(
        [
            b'<INFO name="QUERY_STATUS" value="ERROR">no</INFO>',
            b'<INFO name="QUERY_STATUS" value="OVERFLOW"/>',
            b'<INFO name="x" value="y"/>',
        ]
    )
    return re.sub(rb"<RESOURCE[^>]*>", lambda m: m[0] + info, content, count=1)
