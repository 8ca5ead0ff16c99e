import math
import time
from pathlib import Path

import pytest
import yaml

import transtar
from transtar.errors import InputError, SettingsError, TranstarError
from transtar.plain_yaml import LONGEST_CHAIN, MOST_BYTES, MOST_VALUES, parse_yaml, read_extending, read_yaml

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 10)}]\n" for n in range(9)
)


@pytest.mark.parametrize("path", sorted(Path(transtar.__file__).parent.rglob("*.yaml")), ids=lambda path: path.stem)
def test_what_ships_reads_as_yaml_says(path):
    assert read_yaml(path) == yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4), ("1E5", 1e5), ("-1.5", -1.5), (".5", 0.5), ("-3", -3), ("0", 0), ("true", True), ("~", None), ("", None),
        # What YAML 1.1 takes for 8, 5400 and a day, and nobody else does.
        ("010", "010"), ("1:30", "1:30"), ("2020-13-45", "2020-13-45"),
        ("{a: &x {p: 1, q: 2}, b: {<<: *x, p: 3}}", {"a": {"p": 1, "q": 2}, "b": {"p": 3, "q": 2}}),
        ("{1: a}", {1: "a"}),
    ],
)  # fmt: skip
def test_values(text, value):
    found = parse_yaml(text, "x")
    assert found == value
    assert type(found) is type(value)


def test_numbers_that_are_none():
    assert math.isnan(parse_yaml(".nan", "x"))
    assert parse_yaml(".inf", "x") == math.inf


@pytest.mark.parametrize("text", ["a: 1\na: 2", "{a: {b: 1, b: 1}}", "- {1: a, 1: b}", "<<: {a: 1}\n<<: {a: 2}"])
def test_a_key_that_stands_twice(text):
    with pytest.raises(SettingsError, match=r"x: line \d: the key '.*' stands twice"):
        parse_yaml(text, "x")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, "stands for more than"),
        ("[" * 10**5, "nested deeper"),
        ("- " * 10**5, "nested deeper"),
        ("{a: " * 10**5, "nested deeper"),
        ("- a\n" * (2 * MOST_VALUES), "holds more than"),
        ("x" * (MOST_BYTES + 1), "longer than"),
        ("a: &a [*a]", "an alias stands within what it names"),
        ("&a {b: {c: *a}}", "an alias stands within what it names"),
        ("!!python/object/apply:os.system [ls]", "no plain value"),
        ("!!binary aGk=", "no plain value"),
        ("!mine a", "no plain value"),
        ("? [a]\n: 1", "a key is a name or a number"),
        ("[1,", "not YAML"),
        ("a: b: c", "not YAML"),
        ("a: *b", "not YAML"),
        ("--- a\n--- b", "not YAML"),
        ("!!int abc", "not YAML"),
        ("\x00", "not YAML"),
        ("a: <<", "not YAML"),
    ],
)
def test_what_is_refused(text, message):
    started = time.monotonic()
    with pytest.raises(InputError, match=f"^x: .*{message}") as caught:
        parse_yaml(text, "x")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    assert time.monotonic() - started < 20


def test_files(tmp_path):
    path = tmp_path / "a.yaml"
    with pytest.raises(InputError, match="no such file"):
        read_yaml(path)
    with pytest.raises(InputError, match="no such file"):
        read_yaml(tmp_path)
    path.write_bytes(b"\xef\xbb\xbfa: \xc3\xa9")
    assert read_yaml(path) == {"a": "é"}
    path.write_bytes(b"a: \xe9")
    with pytest.raises(InputError, match="not YAML"):
        read_yaml(path)
    path.write_bytes(b"\xe9" * (MOST_BYTES + 1))
    with pytest.raises(InputError, match="longer than"):
        read_yaml(path)


def chain(folder, **files):
    for name, text in files.items():
        (folder / name).write_text(text)
    return lambda name: read_extending(name, lambda other: folder / other, lambda a, b: a | b, "study")


def test_files_that_extend_others(tmp_path):
    read = chain(tmp_path, a="a: 1\nb: 1", b="extends: a\nb: 2\nc: 2", c="extends: b\nc: 3")
    assert read("c") == {"a": 1, "b": 2, "c": 3}
    read = chain(tmp_path, a="extends: a", b="extends: c", c="extends: b", d="extends: [a]", e="- a", f="extends: gone")
    for name, message in {
        "a": "a: extends itself", "b": "b: extends itself", "d": "extends names one other study", "e": "holds no settings",
        "f": "gone: no such file",
    }.items():  # fmt: skip
        with pytest.raises(TranstarError, match=message):
            read(name)
    numbers = range(LONGEST_CHAIN + 1)
    read = chain(tmp_path, **{f"n{n}": f"extends: n{n + 1}" for n in numbers}, **{f"n{len(numbers)}": "a: 1"})
    with pytest.raises(SettingsError, match="extends more than"):
        read("n0")
