"""Asking a service over HTTP, patiently: time limits, retries with growing pauses, and errors of one line.

The standard library does all of it; no package has to be installed.
"""

from __future__ import annotations

import email.utils
import gzip
import http.client
import json
import random
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from ..errors import SettingsError, TranstarError
from ..version import __version__

PIECE = 1 << 20
"""Bytes read at a time, between looks at the clock."""

RETRIED = (408, 425, 429, 500, 502, 503, 504)
"""HTTP statuses that may be gone a moment later."""


class Unreachable(TranstarError):
    """Nobody answers at the address."""


class TooMuch(TranstarError):
    """An answer did not come, or not whole: asking for less may help."""


class Refused(TranstarError):
    """The service says that the question is wrong."""


@dataclass(frozen=True)
class Patience:
    """How long to wait, and how often to ask again.

    Parameters
    ----------
    timeout : float
        Seconds for one answer, from the question to its last byte.
    tries : int
        How often a question is asked in all.
    pause : float
        Seconds before the second try; doubled before each further one, and shortened at random by up to a half so that many
        clients do not come back at once.
    longest_pause : float
        Seconds; also the longest that the service may ask for (Retry-After).
    """

    timeout: float = 120.0
    tries: int = 5
    pause: float = 1.0
    longest_pause: float = 300.0

    def __post_init__(self) -> None:
        if not (self.timeout > 0 and self.tries >= 1 and self.pause >= 0):
            raise SettingsError("a time limit must be positive, and a question is asked at least once")


class Service:
    """One service, by the address of its interface.

    Parameters
    ----------
    address : str
        Such as ``https://astrosparcl.datalab.noirlab.edu``.
    patience : Patience
    tell : callable, optional
        Called with one line before each pause.

    Attributes
    ----------
    questions : int
        How many were sent, repetitions among them.

    Raises
    ------
    SettingsError
        If the address is not one of http or https.
    """

    def __init__(
        self, address: str, patience: Patience | None = None, tell: Callable[[str], None] | None = None
    ) -> None:
        self.address = address.rstrip("/")
        parts = urlsplit(self.address)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise SettingsError(f"--server takes an address that begins with http:// or https://, not '{address}'")
        self.patience = patience or Patience()
        self.tell = tell or (lambda line: None)
        self.questions = 0

    def ask(
        self,
        path: str,
        query: dict[str, Any] | None = None,
        body: Any = None,
        parse: Callable[[bytes], Any] = json.loads,
        slow_tries: int | None = None,
    ) -> Any:
        """Ask one question.

        Parameters
        ----------
        path : str
            Below the address.
        query : dict, optional
            Parameters in the address.
        body : anything JSON can hold, optional
            Makes the question a POST.
        parse : callable
            Takes the bytes of the answer; a ValueError means that it came damaged.
        slow_tries : int, optional
            How often an answer may fail to come in time, or whole; as often as any failure if not given.

        Returns
        -------
        whatever `parse` returns

        Raises
        ------
        Refused
            If the service finds fault with the question.
        TooMuch
            If every answer was late, cut short or a failure of the server.
        Unreachable
            If there is no connection.
        """
        url = f"{self.address}/{path}" + (f"?{urlencode(query)}" if query else "")
        tries, slow = 0, 0
        while True:
            try:
                return parse(self._once(url, body))
            except urllib.error.HTTPError as error:
                failure: TranstarError = _refusal(error, url)
                wait = _retry_after(error.headers)
                slow += error.code in (500, 502, 504)
            except (TimeoutError, urllib.error.URLError, http.client.HTTPException, ConnectionError) as error:
                failure, wait = self._failure(error), None
                slow += isinstance(failure, TooMuch)
            except (ValueError, EOFError, zlib.error) as error:
                failure = TooMuch(f"{self.address}: the answer came damaged ({' '.join(str(error).split())[:120]})")
                wait = None
                slow += 1
            tries += 1
            if isinstance(failure, Refused) or tries >= self.patience.tries:
                raise failure
            if slow_tries is not None and slow >= slow_tries:
                raise failure
            if wait is not None and wait > self.patience.longest_pause:
                raise Unreachable(f"{self.address}: the service asks to come back in {wait:.0f} s; run again then")
            self._pause(tries, wait, failure)

    def _pause(self, tries: int, wait: float | None, failure: TranstarError) -> None:
        pause = min(self.patience.pause * 2 ** (tries - 1), self.patience.longest_pause)
        pause = max(pause * random.uniform(0.5, 1.0), wait or 0.0)
        self.tell(f"{failure}; try {tries + 1} of {self.patience.tries} in {pause:.1f} s")
        time.sleep(pause)

    def _once(self, url: str, body: Any) -> bytes:
        headers = {"User-Agent": f"transtar/{__version__}", "Accept-Encoding": "gzip"}
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(body).encode()
        self.questions += 1
        limit = time.monotonic() + self.patience.timeout
        request = urllib.request.Request(url, content, headers)
        pieces = []
        with urllib.request.urlopen(request, timeout=self.patience.timeout) as response:
            # The time limit of a socket is for each piece: a server that trickles would never reach it.
            while piece := response.read1(PIECE):
                pieces.append(piece)
                if time.monotonic() > limit:
                    raise TimeoutError
            if response.length:
                raise http.client.IncompleteRead(b"", response.length)
            packed = response.headers.get("Content-Encoding") == "gzip"
        answer = b"".join(pieces)
        return gzip.decompress(answer) if packed else answer

    def _failure(self, error: Exception) -> TranstarError:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, TimeoutError):
            return TooMuch(f"{self.address}: no answer within {self.patience.timeout:g} s")
        if isinstance(reason, http.client.IncompleteRead):
            return TooMuch(f"{self.address}: the answer was cut short")
        if isinstance(reason, ConnectionResetError | http.client.HTTPException):
            return TooMuch(f"{self.address}: the connection was broken off")
        what = getattr(reason, "strerror", None) or reason
        return Unreachable(f"{self.address}: not reachable ({what})")


def _refusal(error: urllib.error.HTTPError, url: str) -> TranstarError:
    """What an HTTP error means; SPARCL explains its own as JSON with errorCode and errorMessage."""
    try:
        content = error.read(100_000)
        if error.headers.get("Content-Encoding") == "gzip":
            content = gzip.decompress(content)
        explained = json.loads(content)
        detail = explained.get("errorMessage") or explained.get("detail") or ""
    except (ValueError, AttributeError, OSError, EOFError, zlib.error, http.client.HTTPException):
        detail = ""
    where = urlsplit(url)
    what = f"{where.scheme}://{where.netloc}{where.path}: HTTP {error.code} ({error.reason})"
    if detail:
        what += f": {' '.join(str(detail).split())[:300]}"
    if error.code == 413 or error.code in RETRIED:
        return TooMuch(what)
    return Refused(what)


def _retry_after(headers: Any) -> float | None:
    """Seconds that the service asks to wait, given as a number or as a date."""
    text = (headers.get("Retry-After") or "").strip() if headers is not None else ""
    if not text:
        return None
    if text.isdigit():
        return float(text)
    try:
        return max(email.utils.parsedate_to_datetime(text).timestamp() - time.time(), 0.0)
    except (TypeError, ValueError):
        return None
