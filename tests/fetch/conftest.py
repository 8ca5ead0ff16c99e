import pytest

from transtar.fetch import Answers, Patience, Service, Sparcl, fetch_sparcl

from .stand_in import StandIn, records


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def serve():
    """Start stand-ins that are shut down at the end."""
    started = []

    def start(stars=None, **attributes):
        service = StandIn(records() if stars is None else stars)
        for name, value in attributes.items():
            assert hasattr(service, name)
            setattr(service, name, value)
        started.append(service)
        return service

    yield start
    for service in started:
        service.close()


@pytest.fixture
def fetch(tmp_path):
    """Fetch from an address into tmp_path/out."""

    def run(
        address, ask, search=None, out=None, refresh=False, allow_pickle=False, cache=None, patience=None, lines=None
    ):
        patience = patience or Patience(timeout=20.0, tries=3, pause=0.0)
        service = Service(address, patience, (lambda line: None) if lines is None else lines.append)
        answers = Answers(cache or tmp_path / "cache", service.address, refresh)
        return fetch_sparcl(Sparcl(service, answers, allow_pickle), ask, out or tmp_path / "out", search)

    return run
