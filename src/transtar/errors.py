"""The errors transtar raises on purpose: one line each, fit to be shown to a user as they stand."""

LONGEST = 80
"""Characters of a value that a message repeats."""


_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))} | dict.fromkeys(map(ord, "\t\n\r"), " ")


def one_line(message: object) -> str:
    """A message in one line, without the characters that a terminal obeys, wherever in a file or a library they came from."""
    return str(message).translate(_CONTROL)


class TranstarError(Exception):
    """Base class of all errors whose message says, in one line, what is wrong, where, and what to do.

    Examples
    --------
    >>> import transtar as ts
    >>> try:
    ...     ts.read_set("sets/nothing")
    ... except ts.TranstarError as error:
    ...     print(str(error).split(":")[0])
    sets/nothing
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(one_line(message))


class InputError(TranstarError):
    """A file, table or array that cannot be used."""


class TooFew(InputError):
    """Too few stars, or no results at all, of what is to be drawn or compared: the rest of a report can do without it."""


class SettingsError(TranstarError):
    """A setting that does not exist or cannot have the value given."""


class MismatchError(TranstarError):
    """Two things that must agree (a model and a prepared set, say) and do not."""


def shown(value, limit: int = LONGEST) -> str:
    """A value as a message repeats it: in one line, without control characters, and not longer than `limit`.

    Parameters
    ----------
    value : object
    limit : int
        Characters.

    Returns
    -------
    str
    """
    # The few characters shown are cut out first: of a value of megabytes nobody should wait for the rest.
    text = value[: limit + 1] if isinstance(value, str) else str(value)
    more = "..." if len(text) > limit else ""
    return printable(" ".join(text[:limit].split())) + more


def said(error: BaseException, limit: int = 300) -> str:
    """An exception of a library, which met a file that it was not made for, as a message repeats it (`shown`).

    Parameters
    ----------
    error : exception
    limit : int
        Characters.

    Returns
    -------
    str
    """
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, KeyError):
        return shown(f"{error} is not there", limit)
    # What the exceptions of Python are called tells something of a program, nothing of a file.
    known = type(error).__module__ == "builtins" and str(error).strip()
    return shown(error if known else f"{type(error).__name__}: {error}", limit)


def printable(text: str) -> str:
    """`text` with the characters escaped that a terminal would obey rather than show."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def check_keys(given, known, what: str) -> None:
    """Refuse unknown keys.

    Parameters
    ----------
    given, known : iterable of str
    what : str
        What the keys belong to, for the message.

    Raises
    ------
    SettingsError
        If a key is not known; the message lists the known ones.
    """
    # Keys of a YAML file need not be text.
    known = {str(key) for key in known}
    unknown = {str(key) for key in given} - known
    if unknown:
        raise SettingsError(f"{what}: {unknown_text(sorted(unknown), known)}")


def unknown_text(unknown, known, what: str = "key") -> str:
    """Say which names are unknown, which are known, and which of them may be meant.

    Parameters
    ----------
    unknown, known : iterable of str
    what : str
        What they are names of.

    Returns
    -------
    str
        ``unknown key sneeds; known keys: models, seeds; did you mean seeds?``
    """
    from difflib import get_close_matches

    unknown, known = [str(name) for name in unknown], sorted(map(str, known))
    more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
    names = ", ".join(shown(name) or "''" for name in unknown[:5]) + more
    # Of names that are much too long nobody should wait for the comparison.
    near = get_close_matches(unknown[0], known, 1) if len(unknown[0]) <= LONGEST else []
    meant = f"; did you mean {printable(near[0])}?" if near else ""
    return f"unknown {what} {names}; known {what}s: {', '.join(map(printable, known)) or 'none'}{meant}"


def missing_package(package: str, extra: str) -> TranstarError:
    """Build the error for an optional package that is not installed."""
    return TranstarError(f"this needs the package '{package}': pip install 'transtar[{extra}]'")
