"""The interface of SPARCL, the spectral archive of NOIRLab (DESI, SDSS, BOSS), spoken directly over HTTP.

What is asked and how was read off the client that the service offers, sparclclient 1.3.1 (MIT):

- ``GET api/datafields/``: for each release the internal name of a field (origdp), its public name (newdp), and whether it can be
  searched for (storage C).
- ``POST api/find/?limit=N`` with ``{"outfields": [...], "search": [[field, value, ...], ...]}``, in internal names: JSON.
- ``POST api/spectras/?include=...&format=...&dataset_list=RELEASE`` with a list of sparcl_ids. The answer is a Python pickle by
  default; with ``format=json``, which the client has but does not use, it is JSON.

Each answer is a list, a header first. The client itself is not used: it reads pickles without restraint, contacts the service as
soon as it is made, has no retries, and cannot be installed beside current numpy and pandas (numpy < 2.4, pandas < 2.2).
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import InputError
from ..spectra import check_wave
from ..surveys.sparcl import ARRAYS, REAL, TEXT, WHOLE
from .cache import Answers, Pages, Record
from .pickles import read_pickle
from .transport import Refused, Service, TooMuch

SERVER = "https://astrosparcl.datalab.noirlab.edu"

API_VERSION = 14
"""Main version of the interface that this was written for."""

MOST_RECORDS = 24_000
"""The service's own limit for the records of one answer."""

FOUND = (
    "sparcl_id", "specid", "targetid", "data_release", "ra", "dec", "redshift", "redshift_warning", "spectype", "specprimary",
)  # fmt: skip
"""What is asked of a search."""

FAILURES_IN_A_ROW = 3
"""So many single records that fail one after another mean that it is the service, not they."""

GROW_AFTER = 6
"""So many answers in time in a row, and a page that was halved is doubled: each try too large costs a time limit."""


class Sparcl:
    """One SPARCL service.

    Parameters
    ----------
    service : Service
    answers : Answers
        What it has answered before.
    allow_pickle : bool
        Ask for pickles, which are smaller, and read them with `transtar.fetch.pickles`; else JSON, and a pickle is refused.
    """

    def __init__(self, service: Service, answers: Answers, allow_pickle: bool = False) -> None:
        self.service = service
        self.answers = answers
        self.allow_pickle = allow_pickle
        self._internal: dict[str, dict[str, str]] = {}
        self._searchable: set[str] = set()

    @property
    def internal(self) -> dict[str, dict[str, str]]:
        """For each release, internal names by public name."""
        if not self._internal:
            rows = self.answers.get({"ask": "datafields"}, self._ask_fields)
            for row in rows:
                self._internal.setdefault(row["data_release"], {})[row["newdp"]] = row["origdp"]
                if row.get("storage") == "C":
                    self._searchable.add(row["newdp"])
        return self._internal

    def _ask_fields(self) -> list[dict[str, Any]]:
        version = self.service.ask("api/version/", parse=_number)
        if int(version) > API_VERSION:
            self.service.tell(
                f"the service speaks version {version} of its interface, newer than the {API_VERSION} known"
            )
        rows = self.service.ask("api/datafields/")
        if not isinstance(rows, list) or not all(
            isinstance(row, dict) and {"data_release", "origdp", "newdp"} <= set(row) for row in rows
        ):
            raise InputError(
                f"{self.service.address}: its list of fields is not that of a SPARCL service; is --server right?"
            )
        return rows

    def check_releases(self, names: Sequence[str]) -> None:
        """Refuse a release that the service does not have.

        Raises
        ------
        InputError
        """
        unknown = [name for name in names if name not in self.internal]
        if unknown:
            raise InputError(f"no release {', '.join(unknown)} in SPARCL; it has {', '.join(sorted(self.internal))}")

    def find(self, constraints: Mapping[str, Sequence[Any]], limit: int) -> list[dict[str, Any]]:
        """Search for records.

        Parameters
        ----------
        constraints : mapping of str to sequence
            Public name of a field to the values it may have, or to the ends of a range (ra, dec, redshift).
        limit : int

        Returns
        -------
        list of dict
            `FOUND` by public name, at most `limit`; ``data_release`` always.

        Raises
        ------
        InputError
            If a field cannot be searched for, or the answer is not a list of records.
        """
        names = self._names(constraints)
        outfields = [names[name] for name in FOUND if name in names and name in self._searchable]
        search = [[names[name], *values] for name, values in constraints.items()]
        body = {"outfields": outfields, "search": search}
        return self.answers.get({"ask": "find", **body, "limit": limit}, lambda: self._ask_find(body, limit))

    def _names(self, constraints: Mapping[str, Sequence[Any]]) -> dict[str, str]:
        """Internal names of the fields that can be searched for, which are those of every release."""
        names = {public: internal for release in self.internal.values() for public, internal in release.items()}
        bad = [name for name in constraints if name not in names or name not in self._searchable]
        if bad:
            raise InputError(
                f"{self.service.address}: cannot search for {', '.join(bad)}, only for {', '.join(sorted(self._searchable))}"
            )
        return names

    def _ask_find(self, body: dict[str, Any], limit: int) -> list[dict[str, Any]]:
        records = _records(self.service.ask("api/find/", {"limit": limit}, body, slow_tries=2), self.service.address)
        return [self._public(record) for record in records]

    def _public(self, record: dict[str, Any]) -> dict[str, Any]:
        """A record under public names."""
        release = record.get("_dr") or record.get("data_release")
        public = {internal: name for name, internal in self.internal.get(str(release), {}).items()}
        named = {public.get(key, key): value for key, value in record.items() if key != "_dr"}
        named["data_release"] = str(release)
        if "sparcl_id" in named:
            named["sparcl_id"] = str(named["sparcl_id"])
        return named

    def fields(self, release: str) -> list[str]:
        """Public names of what is retrieved of a release.

        Raises
        ------
        InputError
            If it has no wavelengths or fluxes.
        """
        internal_names = self.internal.get(release, {})
        lacking = [name for name in ("sparcl_id", "wavelength", "flux") if name not in internal_names]
        if lacking:
            raise InputError(f"release {release} has no field {', '.join(lacking)}; its spectra cannot be used")
        return [name for name in (*TEXT, *WHOLE, *REAL, *ARRAYS) if name in internal_names]

    def pages(self, release: str) -> Pages:
        """Records of a release that are in the cache."""
        return self.answers.pages(release, self.fields(release))

    def retrieve(
        self, release: str, pages: Pages, ids: Sequence[str], page: int, on_page: Callable[[int], None] = lambda n: None
    ) -> dict[str, str]:
        """Bring records of one release into the cache.

        Parameters
        ----------
        release : str
        pages : Pages
            Of that release; what is in it is not asked for.
        ids : sequence of str
            sparcl_ids.
        page : int
            Records of one question; halved when the answer does not come in time, and later carefully doubled up to this again.
        on_page : callable
            Called with the number of records settled.

        Returns
        -------
        dict of str to str
            Records that did not come this time, and why; those that the service does not have at all are in ``pages.absent``.

        Raises
        ------
        Unreachable
            If the connection is lost for good. What came before is kept.
        TooMuch, Refused
            If several single records in a row fail, which is not their fault.
        """
        fields = self.fields(release)
        wanted = [name for name in ids if name not in pages and name not in pages.absent]
        failed: dict[str, str] = {}
        queue = deque(wanted[start : start + page] for start in range(0, len(wanted), page))
        size, good, in_a_row, again = page, 0, 0, set[str]()
        halved = False
        while queue:
            part = queue.popleft()
            if len(part) > size:
                queue.appendleft(part[size:])
                part = part[:size]
            try:
                raw = self._ask_spectra(release, fields, part, slow_tries=1 if halved and len(part) > 1 else 2)
            except (TooMuch, Refused) as error:
                if len(part) > 1:
                    size, good, halved = (len(part) + 1) // 2, 0, True
                    self.service.tell(f"{error}; asking for {size} spectra at a time")
                    queue.appendleft(part)
                    continue
                failed[part[0]] = str(error)
                in_a_row += 1
                if in_a_row >= FAILURES_IN_A_ROW:
                    raise
                on_page(1)
                continue
            in_a_row, good = 0, good + 1
            if good == GROW_AFTER:
                size, good = min(2 * size, page), 0
            records, absent = _sort_out(raw, part)
            dropped = [name for name in part if name not in records and name not in absent]
            if twice := [name for name in dropped if name in again]:
                absent |= dict.fromkeys(twice, "found by the service, but not delivered, asked twice")
            once = [name for name in dropped if name not in again]
            if once:
                again.update(once)
                queue.append(once)
            pages.add(records, absent)
            on_page(len(part) - len(once))
        return failed

    def _ask_spectra(self, release: str, fields: list[str], ids: list[str], slow_tries: int) -> list[dict[str, Any]]:
        query = {
            "include": ",".join(self.internal[release][name] for name in fields),
            "format": "pkl" if self.allow_pickle else "json",
            "dataset_list": release,
        }
        answer = self.service.ask("api/spectras/", query, ids, self._parse, slow_tries)
        return [self._public(record) for record in _records(answer, self.service.address)]

    def _parse(self, content: bytes) -> Any:
        if not content.startswith(b"\x80"):
            return json.loads(content)
        if self.allow_pickle:
            return read_pickle(content)
        raise Refused(
            f"{self.service.address}: answered with a Python pickle although JSON was asked for; a pickle can carry code: "
            "--allow-pickle reads one with all but plain values and arrays forbidden"
        )


def _number(content: bytes) -> float:
    return float(content.decode("ascii", "replace").strip().strip('"'))


def _records(answer: Any, address: str) -> list[dict[str, Any]]:
    """Records of an answer, without the header that comes first."""
    if not isinstance(answer, list) or not all(isinstance(record, dict) for record in answer):
        raise InputError(f"{address}: the answer is no list of records; is --server right?")
    return [record for record in answer[1:] if "_dr" in record or "data_release" in record]


def _sort_out(raw: list[dict[str, Any]], ids: list[str]) -> tuple[dict[str, Record], dict[str, str]]:
    """Usable records in the order asked for, and the reasons why others are not usable."""
    records: dict[str, Record] = {}
    bad: dict[str, str] = {}
    for fields in raw:
        name = str(fields.get("sparcl_id"))
        try:
            records[name] = to_record(fields)
        except (InputError, ValueError, TypeError) as error:
            bad[name] = f"unusable record: {' '.join(str(error).split())}"
    return {name: records[name] for name in ids if name in records}, {name: bad[name] for name in ids if name in bad}


def to_record(raw: Mapping[str, Any]) -> Record:
    """Check one record of an answer.

    Parameters
    ----------
    raw : mapping
        Public names to values; arrays as lists or ndarrays.

    Returns
    -------
    Record

    Raises
    ------
    InputError
        If arrays are missing or differ in length, or an identifier was spoilt by floating point.
    """
    arrays = {}
    for name in ARRAYS:
        if raw.get(name) is not None:
            arrays[name] = np.array(raw[name], dtype=np.float64)
    for name in ("wavelength", "flux"):
        if name not in arrays:
            raise InputError(f"no {name}")
    check_wave(arrays["wavelength"], "wavelength")
    for name, values in arrays.items():
        if values.shape != arrays["wavelength"].shape:
            raise InputError(f"{name} has {values.size} pixels, the wavelengths {arrays['wavelength'].size}")
    mask = ~np.isfinite(arrays["flux"])
    if "mask" in arrays:
        mask |= np.nan_to_num(arrays["mask"], nan=1.0) != 0
    ivar = arrays.get("ivar")
    fields: dict[str, Any] = {name: None if raw.get(name) is None else str(raw[name]) for name in TEXT}
    fields |= {name: whole(raw.get(name), name) for name in WHOLE}
    fields |= {name: None if raw.get(name) is None else float(raw[name]) for name in REAL}
    if fields["specid"] is None:
        raise InputError("no specid")
    return Record(
        fields,
        arrays["wavelength"],
        arrays["flux"].astype(np.float32),
        None if ivar is None else np.nan_to_num(ivar, nan=0.0, posinf=0.0, neginf=0.0).astype(np.float32),
        mask,
    )


def whole(value: Any, name: str) -> int | None:
    """A whole number of 64 bits; SDSS's are without sign, and stand as negative numbers from 2**63 on.

    Raises
    ------
    InputError
        If it is none, or a float that may have lost digits.
    """
    if value is None:
        return None
    if isinstance(value, float) and (not value.is_integer() or abs(value) >= 2.0**53):
        raise InputError(f"{name} {value!r} came as floating point, which loses digits")
    try:
        number = int(value)
    except ValueError:
        raise InputError(f"{name} '{value}' is no whole number") from None
    if 2**63 <= number < 2**64:
        number -= 2**64
    if not -(2**63) <= number < 2**63:
        raise InputError(f"{name} {number} does not fit 64 bits")
    return number
