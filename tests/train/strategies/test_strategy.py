"""The registry of strategies, and a strategy of another package."""

import importlib
import sys
from dataclasses import dataclass
from typing import ClassVar

import pytest

from tests.plugged import HUBER, plug_in
from transtar.errors import SettingsError
from transtar.report.style import in_order, strategy_style, strategy_title
from transtar.train import (
    Full,
    Strategy,
    candidates_of_auto,
    command_strategies,
    find_strategy,
    get_strategy,
    make_strategy,
    null_models,
    register_strategy,
    strategy_names,
    trained_strategies,
)
from transtar.train.strategies import strategy as registry_module

OURS = ["zero-shot", "recalibrate", "ridge", "residual", "lora", "full", "scratch", "auto"]


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    monkeypatch.setattr(registry_module, "_REGISTERED", dict(registry_module._REGISTERED))


def test_what_others_ask_the_registry_for():
    assert strategy_names() == OURS
    assert command_strategies() == ["residual", "lora", "full", "auto", "recalibrate"]
    assert [strategy.name for strategy in candidates_of_auto()] == [
        "zero-shot",
        "recalibrate",
        "full",
        "lora",
        "residual",
    ]
    assert null_models() == ("recalibrate", "ridge")
    assert trained_strategies() == ("residual", "lora", "full", "scratch")
    assert [name for name in OURS if not get_strategy(name).uses_model] == ["ridge", "scratch"]
    assert [name for name in OURS if not get_strategy(name).fits] == ["zero-shot"]
    looks = [tuple(strategy_style(name).values()) for name in (*OURS, "pipeline")]
    assert len(set(looks)) == 9
    assert strategy_style("full") == {"color": "#009E73", "marker": "^"}


def test_a_variant_has_a_look_of_its_own_and_is_not_tried_unasked():
    @register_strategy
    @dataclass(frozen=True)
    class Gentle(Full):
        name: ClassVar[str] = "gentle"

    assert get_strategy("gentle") is Gentle
    assert "gentle" in command_strategies()
    assert "gentle" in trained_strategies()
    assert "gentle" not in [strategy.name for strategy in candidates_of_auto()]
    assert strategy_style("gentle") != strategy_style("full")
    assert strategy_title("gentle") == "gentle"
    assert in_order(["new", "pipeline", "gentle", "full"]) == ["full", "gentle", "pipeline", "new"]


@pytest.mark.parametrize("name", ["full", "auto", "pretrain", "a/b", None])
def test_names_that_cannot_be(name):
    class Other(Strategy):
        pass

    Other.name = name
    with pytest.raises(SettingsError, match=r"registered already|cannot be a name|a name is text"):
        register_strategy(dataclass(frozen=True)(Other))


def test_only_strategies_are_registered():
    with pytest.raises(SettingsError, match=r"is a dataclass that is a transtar\.train\.Strategy"):
        register_strategy(dict)


def test_a_package_offers_a_strategy(tmp_path, monkeypatch):
    plug_in(
        tmp_path,
        monkeypatch,
        "[transtar.strategies]\nhuber = huberplug:Huber\nbroken = nowhere:X\nwrong = huberplug:DELTA\n",
    )
    assert "huberplug" not in sys.modules
    assert strategy_names() == [*OURS, "broken", "huber", "wrong"]
    assert "huberplug" not in sys.modules
    huber = make_strategy("huber", delta=0.2, epochs=3)
    assert (huber.name, huber.delta, huber.epochs, huber.rate) == ("huber", 0.2, 3, 1e-5)
    assert "huber" in HUBER
    assert strategy_title("huber") == "full, Huber loss"
    assert strategy_style("huber") == {"color": "#332288", "marker": "p"}
    # A package that is broken spoils nothing but its own strategy.
    assert command_strategies() == ["residual", "lora", "full", "auto", "huber", "recalibrate"]
    assert find_strategy("broken") is None
    with pytest.raises(SettingsError, match="'broken' of package 'huberplug'"):
        make_strategy("broken")
    with pytest.raises(SettingsError, match="is a float, not a"):
        make_strategy("wrong")
    with pytest.raises(SettingsError, match=r"unknown key gamma; known keys: .*delta"):
        make_strategy("huber", gamma=1)
    importlib.invalidate_caches()
    sys.modules.pop("huberplug")


def test_a_class_whose_own_settings_would_be_none_is_refused():
    class Undecorated(Full):
        name: ClassVar[str] = "undecorated"
        delta: float = 1.0

    with pytest.raises(SettingsError, match="a strategy is a dataclass"):
        register_strategy(Undecorated)

    @dataclass(frozen=True)
    class Mlp(Full):
        name: ClassVar[str] = "mlp"

    with pytest.raises(SettingsError, match="registered already"):
        register_strategy(Mlp)


def test_two_packages_that_offer_one_name_are_both_named(tmp_path, monkeypatch):
    plug_in(tmp_path, monkeypatch)
    other = tmp_path / "otherplug-1.0.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: otherplug\nVersion: 1.0\n")
    (other / "entry_points.txt").write_text("[transtar.strategies]\nhuber = otherplug:Huber\n")
    importlib.invalidate_caches()
    with pytest.raises(
        SettingsError, match=r"offered by the packages (huber|other)plug and (huber|other)plug; uninstall all but one"
    ):
        make_strategy("huber")
