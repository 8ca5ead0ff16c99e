"""The errors transtar raises on purpose: one line each, fit to be shown to a user as they stand."""


class TranstarError(Exception):
    """Base of every error whose message says what is wrong, where, and what to do."""


class InputError(TranstarError):
    """A file, table or array that cannot be used."""


class SettingsError(TranstarError):
    """A setting that does not exist or cannot have the value given."""


class MismatchError(TranstarError):
    """Two things that must agree (a model and a prepared set, say) and do not."""


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
    known = sorted(known)
    # Keys of a YAML file need not be text.
    unknown = sorted({str(key) for key in given} - set(known))
    if unknown:
        raise SettingsError(f"{what}: unknown key {', '.join(unknown)}; known keys: {', '.join(known)}")


def missing_package(package: str, extra: str) -> TranstarError:
    """Build the error for an optional package that is not installed."""
    return TranstarError(f"this needs the package '{package}': pip install 'transtar[{extra}]'")
