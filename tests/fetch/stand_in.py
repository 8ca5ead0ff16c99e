"""A stand-in for the SPARCL service on this machine: answers of the shapes of the real one, and every way of failing.

Shapes are those that sparclclient 1.3.1 and its notebook show: `datafields` rows of data_release, origdp, newdp, storage, default
and all; answers that are lists whose first element is a header; records in internal names with ``_dr``; errors as JSON with
errorCode and errorMessage; a pickle unless ``format=json``.
"""

import gzip
import json
import pickle
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import numpy as np

from ..made_surveys import line_spectrum

RELEASES = ("DESI-DR1", "SDSS-DR16")
FIRST_ID = 2**62 + 1

CORE = {
    "sparcl_id": "uuid", "specid": "specid", "targetid": "target.id", "data_release": "data_release__name", "ra": "ra",
    "dec": "dec", "redshift": "redshift", "redshift_err": "redshift_err", "redshift_warning": "redshift_warning",
    "spectype": "spectype", "specprimary": "specprimary",
}  # fmt: skip
ARRAYS = {name: f"spectra.coadd.{name}" for name in ("wavelength", "flux", "ivar", "mask")}
OTHER = {
    "DESI-DR1": {**ARRAYS, "survey": "survey", "program": "program", "healpix": "healpix",
                 "coadd_fiberstatus": "COADD_FIBERSTATUS"},
    "SDSS-DR16": {**{name: own.upper() for name, own in ARRAYS.items()}, "subtype": "SUBCLASS", "survey": "SURVEY"},
}  # fmt: skip
RANGES = ("ra", "dec", "redshift")


def datafields():
    rows = []
    for release in RELEASES:
        for kind, fields in (("C", CORE), ("S", OTHER[release])):
            for public, own in fields.items():
                row = {"data_release": release, "origdp": own, "newdp": public, "storage": kind}
                rows.append({**row, "default": public in ("sparcl_id", "specid", "flux", "wavelength"), "all": True})
    return rows


def records(n=12, sdss=0, seed=0):
    """Records under public names: `n` of DESI, then `sdss` of SDSS whose spectra begin and end at different pixels."""
    rng = np.random.default_rng(seed)
    made = []
    for i in range(n + sdss):
        desi = i < n
        wave = 3600.0 + 0.8 * np.arange(7781) if desi else 10 ** (3.58 + 1e-4 * np.arange(i, i + 3800))
        redshift = float(rng.uniform(-5e-4, 5e-4))
        flux = 10 * line_spectrum(wave / (1 + redshift), float(rng.uniform(-2, 0.4))) + rng.normal(0, 0.1, len(wave))
        mask = np.zeros(len(wave), int)
        mask[100] = 16777216
        record = {
            "sparcl_id": str(uuid.UUID(int=rng.integers(2**62).item() << 60 | i)), "specid": FIRST_ID + i,
            "targetid": FIRST_ID + i, "data_release": RELEASES[0] if desi else RELEASES[1], "ra": 10.0 + 0.1 * i,
            "dec": 20.0 + 0.01 * i, "redshift": redshift, "redshift_err": 1e-5, "redshift_warning": 0, "spectype": "STAR",
            "specprimary": 1, "survey": "main" if desi else "sdss",
            "wavelength": np.round(wave, 4).tolist(), "flux": np.round(flux, 4).tolist(), "ivar": [100.0] * len(wave),
            "mask": mask.tolist(),
        }  # fmt: skip
        if not desi:
            record["subtype"] = "F9"
        else:
            record |= {
                "program": "backup" if i % 2 else "bright",
                "healpix": 1000 + i,
                "coadd_fiberstatus": 8 if i else 512,
            }
        made.append(record)
    return made


class StandIn:
    """The service; set its attributes to make it fail.

    Attributes
    ----------
    asked : list of (str, dict, body)
        Every question: path, query, body.
    trouble : list of str
        What the next questions meet, one each, after which all is well: an HTTP status (``503 Retry-After: 0``), ``slow``,
        ``cut``, ``garbage``, ``reset``.
    slow_above : int
        Questions for more spectra than this time out.
    slow_ids, drop, refuse : set of str
        sparcl_ids that make a question time out, are left out of the answer, make it an error.
    drop_once : set of str
        Left out the first time.
    most : int
        Larger pages are refused.
    shuffle, zipped, only_pickle : bool
    """

    def __init__(self, stars):
        self.stars = stars
        self.asked = []
        self.trouble = []
        self.slow_above, self.most = 10**9, 24_000
        self.slow_ids, self.drop, self.drop_once, self.refuse = set(), set(), set(), set()
        self.shuffle = self.zipped = True
        self.only_pickle = False
        self.pause = 0.6
        self.after = lambda n: None
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *arguments):
                pass

            def do_GET(self):
                stand_in.answer(self, None)

            def do_POST(self):
                stand_in.answer(self, json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def count(self, path):
        return sum(found == path for found, _, _ in self.asked)

    def sizes(self):
        """Numbers of spectra asked for, question by question."""
        return [len(body) for path, _, body in self.asked if path == "/api/spectras/"]

    def answer(self, handler, body):
        parts = urlsplit(handler.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.asked.append((parts.path, query, body))
        self.after(len(self.asked))
        trouble = self.trouble.pop(0) if self.trouble else ""
        if trouble[:3].isdigit():
            status, _, header = trouble.partition(" ")
            return send(handler, int(status), {"detail": "Request was throttled."}, header)
        try:
            if trouble == "reset":
                return handler.connection.close()
            if trouble == "slow":
                time.sleep(self.pause)
            status, content = self.content(parts.path, query, body)
            if isinstance(content, bytes):
                packed, kind = content, "application/octet-stream"
            else:
                packed, kind = json.dumps(content).encode(), "application/json"
            if trouble == "garbage":
                packed = packed[: len(packed) // 2]
            coding = self.zipped and trouble != "cut"
            packed = gzip.compress(packed, 1) if coding else packed
            handler.send_response(status)
            handler.send_header("Content-Type", kind)
            handler.send_header("Content-Length", str(len(packed)))
            if coding:
                handler.send_header("Content-Encoding", "gzip")
            handler.end_headers()
            handler.wfile.write(packed[: len(packed) // 2] if trouble == "cut" else packed)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it did not wait

    def content(self, path, query, body):
        if path == "/api/version/":
            return 200, b"14.2"
        if path == "/api/datafields/":
            return 200, datafields()
        if path == "/api/find/":
            return self.find(query, body)
        if path == "/api/spectras/":
            return self.spectra(query, body)
        return 404, {"errorCode": "BADPATH", "errorMessage": f"no such path {path}"}

    def find(self, query, body):
        public = {own: name for name, own in CORE.items()}
        for name, *_ in body["search"]:
            if name not in public:
                return 400, {"errorCode": "BADCONST", "errorMessage": f"bad search field {name}"}
        found = []
        for star in self.stars:
            for own, *values in body["search"]:
                value = star[public[own]]
                if not (values[0] <= value <= values[1] if public[own] in RANGES else value in values):
                    break
            else:
                found.append({own: star[public[own]] for own in body["outfields"]} | {"_dr": star["data_release"]})
        if self.shuffle:
            found = found[::-1]
        header = {"status": {"success": True, "info": [], "warnings": []}, "UNITS": {}}
        return 200, [header, *found[: int(query["limit"])]]

    def spectra(self, query, body):
        if len(body) > self.most:
            return 413, {"errorCode": "TOOMANYR", "errorMessage": "too many records"}
        if len(body) > self.slow_above or self.slow_ids & set(body):
            time.sleep(self.pause)
        if self.refuse & set(body):
            return 400, {"errorCode": "UNKNOWN", "errorMessage": "cannot read a file"}
        gone = self.drop | self.drop_once
        self.drop_once -= set(body)
        release = query["dataset_list"]
        public = {own: name for name, own in {**CORE, **OTHER[release]}.items()}
        wanted = query["include"].split(",")
        if unknown := [own for own in wanted if own not in public]:
            return 400, {"errorCode": "UNKFIELD", "errorMessage": f"unknown field {unknown}"}
        found = [
            {own: star[public[own]] for own in wanted} | {"_dr": release}
            for star in self.stars
            if star["sparcl_id"] in body and star["sparcl_id"] not in gone and star["data_release"] == release
        ]
        if self.shuffle:
            found = found[::-1]
        header = {"status": {"success": True, "info": [f"Successfully found {len(found)} records"], "warnings": []}}
        if self.only_pickle or query["format"] == "pkl":
            return 200, pickle.dumps([header, *map(as_numpy, found)])
        return 200, [header, *found]


def as_numpy(record):
    """A record as the real pickles have it."""
    own = {name: np.array(value) if isinstance(value, list) else value for name, value in record.items()}
    return {**own, CORE["sparcl_id"]: uuid.UUID(record[CORE["sparcl_id"]])}


def send(handler, status, content, header=""):
    packed = json.dumps(content).encode()
    handler.send_response(status)
    if header:
        name, _, value = header.partition(": ")
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(packed)))
    handler.end_headers()
    handler.wfile.write(packed)
