"""Whether a label is to be believed: strange stars, second opinions, errors of each star."""

from .judge import Verdict, Witnesses, witnesses_for

__all__ = ["Verdict", "Witnesses", "witnesses_for"]
