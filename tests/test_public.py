"""The public names: complete, documented, typed, and loaded only when used."""

import inspect
import re
import subprocess
import sys

import pytest

import transtar

HEAVY = ("torch", "astropy", "pyarrow", "matplotlib", "scipy", "specutils", "numpy")


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_transtar_loads_no_heavy_package():
    assert python(f"import sys, transtar; print([name for name in {HEAVY} if name in sys.modules])") == "[]"


def test_names_of_settings_and_errors_load_no_torch():
    loaded = python("import sys, transtar; transtar.Flag, transtar.TranstarError, transtar.Survey; print(*sys.modules)")
    assert "torch" not in loaded.split()


def test_the_parser_of_the_command_line_loads_no_heavy_package():
    # numpy and its like are for the verbs to load: --help should come at once.
    code = "import sys; from transtar.cli import build_parser; build_parser(); print('torch' in sys.modules)"
    assert python(code) == "False"


def test_lists_agree():
    assert sorted(transtar._MODULES) == sorted(transtar.__all__) == sorted(set(transtar.__all__))
    assert {name for name in dir(transtar) if not name.startswith("_")} == {*transtar.__all__, *transtar._PACKAGES}
    assert 15 <= len(transtar.__all__) <= 41


@pytest.mark.parametrize("name", transtar.__all__)
def test_every_public_name_loads_and_is_documented(name):
    value = getattr(transtar, name)
    assert not inspect.ismodule(value)
    text = inspect.getdoc(value)
    assert text
    assert len(text.splitlines()[0]) > 10
    if inspect.isfunction(value):
        sections = set(re.findall(r"^(\w+)\n-+$", text, re.MULTILINE))
        assert {"Parameters", "Raises"} <= sections
        assert sections & {"Returns", "Yields"} or inspect.signature(value).return_annotation == "None"


@pytest.mark.parametrize("name", transtar.__all__)
def test_a_public_name_is_the_same_whatever_was_imported_before(name):
    module = __import__(f"transtar.{transtar._MODULES[name]}", fromlist=[name])
    assert getattr(transtar, name) is getattr(module, name)


def test_no_public_name_hides_a_subpackage():
    assert not set(transtar.__all__) & set(transtar._MODULES.values())


def test_plot_needs_no_import_of_its_own():
    code = "import transtar as ts; print(ts.plot.__all__, 'matplotlib' in __import__('sys').modules)"
    assert python(code) == "['one_to_one', 'spectrum'] True"


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = transtar.nonsense


SNIPPET = """
import numpy as np

import transtar as ts

survey: ts.Survey = ts.get_survey("miles")
settings = ts.Preprocessing(frame="rest")
model: ts.Estimator = ts.Estimator.load("model")
for batch in ts.stream(survey, "spectra"):
    spectra = ts.preprocess_batch(batch, survey, settings)
    labels: np.ndarray = model.predict(spectra.flux)
prepared: ts.PreparedSet = ts.read_set("set")
stars: ts.Stars = prepared.stars(["feh"], np.arange(5))
adapted: ts.Estimator = ts.finetune(model, stars, strategy=ts.make_strategy("lora", epochs=10))
adapted.save("adapted")
catalog = ts.predict_files("adapted", survey, ["spectra"], quality=ts.Quality(snr=20))
assert catalog.columns is not None
feh: np.ndarray = catalog.columns["feh"]
ts.predict_set([adapted, "model"], "set", "catalog.fits", quality={"snr": 20})
number: str = ts.get_survey("miles").resolution
"""


@pytest.mark.slow
def test_types_reach_the_user(tmp_path):
    pytest.importorskip("mypy")
    snippet = tmp_path / "snippet.py"
    snippet.write_text(SNIPPET)
    command = [sys.executable, "-m", "mypy", "--ignore-missing-imports", "--follow-imports=silent", "--config-file="]
    done = subprocess.run([*command, str(snippet)], capture_output=True, text=True, cwd=tmp_path, check=False)
    lines = [line for line in done.stdout.splitlines() if "error" in line and "snippet.py" in line]
    # The one wrong line is found, and nothing else is amiss: the types are there.
    assert len(lines) == 1, done.stdout
    assert 'variable has type "str"' in lines[0]
