"""Every option of every verb refuses what it cannot take, with status 2, one line, and its own name.

The options are found in the parser itself: a new one that takes a number, a path or a text without a check fails here.
"""

import argparse
from pathlib import Path

import pytest

from transtar.cli import arguments as values
from transtar.cli import build_parser
from transtar.devices import check_device, known_devices
from transtar.errors import SettingsError


def options(parser=None, words=()):
    """Words that lead to each parser, and each of its actions that takes a value."""
    for action in (parser or build_parser())._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, kind in action.choices.items():
                yield from options(kind, (*words, name))
        elif action.nargs != 0:
            yield pytest.param(words, action, id=" ".join([*words, (action.option_strings or [action.dest])[-1]]))


NUMBERS = (values.Whole, values.Real)

BAD = {
    "number": [
        "",
        " ",
        "nan",
        "-nan",
        "inf",
        "-inf",
        "1e400",
        "1_0",
        "0x10",
        "9" * 10_000,
        "\x1b[31m",
        "a\0b",
        "１２",
        "1;2",
    ],
    "text": ["", "  ", "a\0b", "x" * 5000],
}


def is_number(action):
    return isinstance(action.type, NUMBERS) or action.type is values.limit


def refused(words, action, value, capsys):
    """What is said of a value; the other arguments are left out, because options are looked at first."""
    given = [value] * (action.nargs if isinstance(action.nargs, int) else 1)
    if not action.option_strings:
        arguments = given
    elif len(given) == 1:
        arguments = [f"{action.option_strings[-1]}={value}"]
    else:
        # As an option's second word, what begins with a hyphen would be taken for an option.
        arguments = [action.option_strings[-1], *(word if word[1:2].isdigit() else word.lstrip("-") for word in given)]
    with pytest.raises(SystemExit) as stopped:
        build_parser().parse_args([*words, *arguments])
    said = capsys.readouterr()
    assert stopped.value.code == 2
    assert not said.out
    assert said.err.count("\n") == 1
    assert len(said.err) < 1300
    assert said.err.strip().isprintable()
    return said.err


@pytest.mark.parametrize(("words", "action"), list(options()))
def test_every_option_has_a_check(words, action):
    known = (values.text, values.any_text, values.path, values.label, values.labels, values.device, values.limit)
    assert isinstance(action.type, NUMBERS) or action.type in known, "give it a type of transtar.cli.arguments"
    # What counts something and says nothing of its limits would count to any height.
    assert not isinstance(action.default, int | float) or isinstance(action.type, NUMBERS)


@pytest.mark.parametrize(("words", "action"), list(options()))
def test_hostile_values(words, action, capsys):
    texts = BAD["number" if is_number(action) else "text"]
    for value in texts:
        if value == "" and action.type is values.any_text:
            continue
        assert (action.option_strings or [action.metavar or action.dest])[-1] in refused(words, action, value, capsys)


@pytest.mark.parametrize(("words", "action"), [p for p in options() if isinstance(p.values[1].type, values.Whole)])
def test_whole_numbers(words, action, capsys):
    kind = action.type
    for value in ("1.5", "-1", str(kind.low - 1), str(kind.high + 1), str(10**17), "1e3"):
        assert "must be a whole number from" in refused(words, action, value, capsys)
    assert (kind(str(kind.low)), kind(str(kind.high))) == (kind.low, kind.high)
    assert kind.high <= 2**32, "nothing is counted to any height"
    if action.default is not None and not isinstance(action.default, str):
        assert kind(str(action.default)) == action.default


@pytest.mark.parametrize(("words", "action"), [p for p in options() if isinstance(p.values[1].type, values.Real)])
def test_numbers(words, action, capsys):
    kind = action.type
    if kind.above:
        assert "must be a number above 0" in refused(words, action, "0", capsys)
        assert "must be a number above 0" in refused(words, action, "-1", capsys)
    assert kind("1e-3") == 1e-3


@pytest.mark.parametrize(("words", "action"), [p for p in options() if p.values[1].choices])
def test_choices(words, action, capsys):
    assert "invalid choice" in refused(words, action, "banana", capsys)


def test_a_list_comes_once(transtar):
    """Of two, the first would be lost without a word: half of the spectra, say."""
    done = transtar("pretrain", "--data", "x", "--label", "feh", "--out", "y", "--data", "a", "b")
    assert done.code == 2
    assert "argument --data: given twice; give all values after one" in done.err
    assert build_parser().parse_args(["study", "a", "--out", "b", "--set", "c=1", "--set", "d=2"]).set == ["c=1", "d=2"]


def test_devices(transtar, monkeypatch):
    common = ("pretrain", "--data", "x", "--label", "feh", "--out", "y", "--device")
    done = transtar(*common, "banana")
    assert done.code == 2
    assert "argument --device: there is no device 'banana'; devices here: cpu" in done.err
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    for name in ("cuda", "cuda:0", "cuda:99", "CUDA", "cpu:1", "meta", "cuda:" + "9" * 1000):
        done = transtar(*common, name)
        assert done.code == 2
        assert "devices here: cpu" in done.err
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert [check_device(name) for name in ("cuda", "cuda:1")] == ["cuda", "cuda:1"]
    assert known_devices()[:4] == ["cpu", "cuda", "cuda:0", "cuda:1"]
    for name in ("cuda:2", None, 1, ["cpu"]):
        with pytest.raises(SettingsError, match="devices here: cpu, cuda, cuda:0, cuda:1"):
            check_device(name)


def test_values():
    assert values.count("all") is None
    assert values.labels(" feh, teff") == ("feh", "teff")
    assert values.path("a b") == Path("a b")
    for bad in ("feh,feh", ",", "../up", "a/b", ".a"):
        with pytest.raises(argparse.ArgumentTypeError):
            values.labels(bad)
    with pytest.raises(argparse.ArgumentTypeError, match="name of a label"):
        values.label("feh,teff")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("a=[1,", "--set a: not YAML"),
        ("a={b: 1, b: 2}", "--set a: line 1: the key 'b' stands twice"),
        ("a=" + "[" * 4000, "--set a: nested deeper than"),
        ("a=!!python/name:os.system x", "--set a: "),
        ("a", "--set takes key=value, not 'a'"),
        ("=1", "--set takes key=value, not '=1'"),
        ("a..b=1", "--set takes key=value"),
        (".a=1", "--set takes key=value"),
    ],
)
@pytest.mark.parametrize(
    "words",
    [
        ["study", "quickstart", "--out", "x"],
        ["simulate", "--out", "x"],
        ["select", "desi-edr", "--catalogs", "x", "--out", "x.csv"],
    ],
)
def test_settings_that_are_none(fails, words, given, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert said in fails(*words, "--set", given, code=2)
    assert "--set: a is given twice" in fails(*words, "--set", "a=1", "--set", "a=2", code=2)
    assert not list(tmp_path.iterdir())


def test_what_a_terminal_would_obey_is_shown(fails, tmp_path):
    said = fails("study", "\x1b[31m" + "x" * 3000, "--out", tmp_path / "x")
    assert said.isprintable()
    assert len(said) < 2100
