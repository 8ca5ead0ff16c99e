"""Progress bars: quiet without a terminal, a bar in a notebook, and the caller's own callback where there is one."""

import sys
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from transtar import progress
from transtar.progress import advance, epochs_followed, followed, in_notebook, progress_bar


@pytest.fixture
def kernel(monkeypatch):
    """As if IPython's kernel ran this."""
    shell = SimpleNamespace(config={"IPKernelApp": {}})
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setattr(progress, "PATIENCE", 0)
    monkeypatch.setattr(progress, "find_spec", lambda name: None)


def test_nothing_is_shown_where_there_is_no_terminal(capsys):
    with progress_bar(total=2) as bar:
        bar.update()
    assert bar.disable
    assert capsys.readouterr() == ("", "")


def test_a_plain_session_is_no_notebook(monkeypatch):
    assert not in_notebook()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    assert not in_notebook()


def test_without_widgets_a_notebook_shows_text_and_no_warning(kernel, capsys, recwarn):
    with progress_bar(total=2, desc="predict", mininterval=0) as bar:
        bar.update(2)
        assert not bar.disable
    assert "predict: 100%" in capsys.readouterr().err
    assert not recwarn.list


def test_the_callback_of_the_caller_comes_first(kernel):
    def mine(done: int, total: int) -> None:
        raise AssertionError

    with followed(mine, "predict") as given:
        assert given is mine
    with epochs_followed(mine, "train") as given:
        assert given is mine


def test_outside_of_a_notebook_there_is_no_callback():
    with followed(None, "predict") as first, epochs_followed(None, "train") as second:
        assert first is second is None


def test_in_a_notebook_a_bar_follows_the_work(kernel, monkeypatch):
    bars = []

    def bar(**settings):
        bars.append(SimpleNamespace(total=0, n=0, settings=settings))
        bars[-1].update = lambda step: setattr(bars[-1], "n", bars[-1].n + step)
        return nullcontext(bars[-1])

    monkeypatch.setattr(progress, "progress_bar", bar)
    with followed(None, "predict") as move:
        move(3, 2)
    with epochs_followed(None, "train") as show:
        show(1, 4, 0.5, 0.6)
        show(2, 4, 0.5, 0.6)
    assert [(one.settings["desc"], one.settings["unit"], one.n, one.total) for one in bars] == [
        ("predict", "spectra", 3, 3),
        ("train", "epoch", 2, 4),
    ]


def test_a_total_grows_with_what_is_done():
    bar = SimpleNamespace(total=0, n=0, update=lambda step: None)
    advance(bar)(5, 3)
    assert bar.total == 5
