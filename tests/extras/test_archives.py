"""The extra `archives`: the catalogs of LAMOST and Gaia are asked by TAP, through astroquery, here of a stand-in."""

import csv
import io
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest
from astropy.table import Table

from transtar.cli import main
from transtar.errors import TranstarError
from transtar.fetch import archives


class Catalog:
    """A TAP service on this machine that gives every question one table, or an error where there is none."""

    def __init__(self):
        self.asked: list[tuple[str, str]] = []
        self.table: Table | None = None
        catalog = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *arguments):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                catalog.asked.append((self.path, parse_qs(body)["QUERY"][0]))
                content = io.BytesIO()
                if catalog.table is not None:
                    catalog.table.write(content, format="votable")
                self.send_response(200 if catalog.table is not None else 503)
                self.send_header("Content-Type", "application/x-votable+xml")
                self.send_header("Content-Length", str(len(content.getvalue())))
                self.end_headers()
                self.wfile.write(content.getvalue())

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}/tap"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


@pytest.fixture
def catalog(monkeypatch):
    """The stand-in, asked in place of the genuine catalogs."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    catalog = Catalog()
    for service, (_, question) in archives.TAP.items():
        monkeypatch.setitem(archives.TAP, service, (catalog.address, question))
    yield catalog
    catalog.server.shutdown()
    catalog.server.server_close()


def missing(folder):
    with open(folder / "missing.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_the_catalog_of_lamost_tells_the_names_of_files(catalog, tmp_path):
    catalog.table = Table({"ObsID": [5], "LMJD": [56000], "PlanId": ["PLAN"], "spId": [3], "FiberId": [7]})
    assert main(["fetch", "--service", "lamost", "--ids", "5", "6", "--query", "--out", str(tmp_path)]) == 0
    ((path, question),) = catalog.asked
    assert path == "/tap/sync"
    assert question.startswith("SELECT")
    assert question.endswith('FROM "V/164/dr5" WHERE ObsID IN (5,6)')
    assert [row["file"] for row in missing(tmp_path)] == ["spec-56000-PLAN_sp03-007.fits", ""]


def test_the_catalog_of_gaia_tells_which_stars_have_spectra(catalog, tmp_path):
    large = 2**62 + 1
    catalog.table = Table(
        {"source_id": [large, 8], "has_xp_continuous": [True, False], "has_xp_sampled": [False, False]}
    )
    ids = [str(large), "8", "9"]
    assert main(["fetch", "--service", "gaia", "--ids", *ids, "--query", "--out", str(tmp_path)]) == 0
    assert f"({large},8,9)" in catalog.asked[0][1]
    why = [row["why"] for row in missing(tmp_path)]
    assert why == ["no files given (--have)", "Gaia DR3 has no XP spectrum of it", "no such source in Gaia DR3"]


def test_a_catalog_that_does_not_answer_is_named(catalog, tmp_path, capsys):
    assert main(["fetch", "--service", "lamost", "--ids", "5", "--query", "--out", str(tmp_path)]) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith(f"transtar fetch: {catalog.address}: no answer (")
    assert line.endswith("without --query nothing is asked")


def test_a_missing_astroquery_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "astroquery.utils.tap.core", None)
    with pytest.raises(TranstarError, match=r"pip install 'transtar\[archives\]'"):
        archives.ask_tap("http://127.0.0.1:9/tap", "SELECT 1")
