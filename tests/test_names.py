import pytest

from transtar.errors import InputError, SettingsError, check_keys, said, shown
from transtar.names import LONGEST_NAME, check_name, check_names
from transtar.telling import tell

HOSTILE = (
    "", ".", "..", "../up", "a/b", "/etc/passwd", "a\\b", "C:\\x", ".hidden", "a\0b", "a\nb", "\x1b[31m", " a", "a ", "\u202egnp",
    "\ud800", "x" * (LONGEST_NAME + 1), "é" * (LONGEST_NAME // 2 + 1), None, 1, True, ["a"],
)  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_names_that_could_lead_elsewhere(name):
    with pytest.raises(SettingsError, match=r"^model") as caught:
        check_name(name, "model")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "name", ["feh", "mg_fe", "resolution-1800", "miles-2-line-spread", "v1.2", "[Fe/H]"[1:3], "été", "a b"]
)
def test_names_in_use(name):
    assert check_name(name, "model") == name


def test_a_name_that_comes_twice():
    assert check_names(["a", "b"], "models") == ("a", "b")
    with pytest.raises(SettingsError, match="models: 'a' comes twice"):
        check_names(["a", "b", "a"], "models")


def test_a_message_shows_little_of_a_long_value():
    assert shown("x" * 10**6) == "x" * 80 + "..."
    assert shown("a\n \x1b[31mb") == r"a \x1b[31mb"
    with pytest.raises(SettingsError) as caught:
        check_keys([f"\x1b{n}" + "y" * 10**5 for n in range(1000)], ("known",), "settings")
    message = str(caught.value)
    assert "and 995 more; known keys: known" in message
    assert len(message) < 600
    assert message.isprintable()


def test_keys_need_not_be_text():
    check_keys([1, "a"], [1, "a", None], "settings")
    with pytest.raises(SettingsError, match="unknown key None; known keys: 1"):
        check_keys([None], [1], "settings")


def test_a_message_is_one_line_for_any_terminal(caplog):
    """Whatever a file or a library put into it."""
    assert str(InputError("a.fits: \x1b[31m\x9b\x7f\x00\r\n\tend")) == r"a.fits: \x1b[31m\x9b\x7f\x00   end"
    assert str(InputError("é 星")) == "é 星"
    tell("a\x1b[31m\nb")
    assert caplog.messages == [r"a\x1b[31m b"]


def test_what_a_library_said():
    assert said(ValueError("no\nnumber")) == "no number"
    assert said(KeyError("NAXIS")) == "'NAXIS' is not there"
    assert said(AssertionError()) == "AssertionError:"
    assert said(InputError("what")) == "InputError: what"
    assert said(RecursionError("maximum recursion depth exceeded")) == "nested too deeply"
