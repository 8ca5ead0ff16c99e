"""What is written can be read again, and drawn without a model."""

import csv

import numpy as np
import pytest

from transtar.errors import InputError
from transtar.explain.lines import read_lines
from transtar.explain.stored_results import read_saliency, read_test, shares, write_saliency, write_shares, write_test
from transtar.explain.text_tables import format_responses, format_shares, format_weights

from ..report.explained import WAVE, made_saliency, made_test


def test_saliency_comes_back(tmp_path):
    found = made_saliency("zero-shot", "lora")
    write_saliency(tmp_path, found)
    again = read_saliency(tmp_path)
    assert (again.label, again.n_stars, again.stars, list(again.models)) == ("feh", 59, "poor", ["zero-shot", "lora"])
    np.testing.assert_array_equal(again.wave, found.wave)
    np.testing.assert_array_equal(again.models["lora"].absolute.upper, found.models["lora"].absolute.upper)
    np.testing.assert_array_equal(again.models["lora"].mean, found.models["lora"].mean)
    np.testing.assert_array_equal(again.spectra.lower, found.spectra.lower)


def test_physical_test_comes_back(tmp_path):
    test = made_test("zero-shot", "lora")
    write_test(tmp_path, test, WAVE)
    again = read_test(tmp_path)
    assert (again.label, again.n_stars, again.left_out) == (test.label, test.n_stars, test.left_out)
    assert list(again.weights) == list(test.weights)
    np.testing.assert_array_equal(again.weights["poor"], test.weights["poor"])
    assert len(again.responses) == len(test.responses)
    for one, other in zip(again.responses, test.responses, strict=True):
        assert (one.model, one.regime, one.label, one.moved) == (other.model, other.regime, other.label, other.moved)
        assert (one.mean, one.scatter) == pytest.approx((other.mean, other.scatter), rel=1e-5)
        assert one.expected == other.expected
        assert one.n_stars == other.n_stars


def test_shares_by_model(tmp_path):
    found = made_saliency("zero-shot", "lora")
    path = write_shares(tmp_path, shares(found, read_lines()))
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["model"] for row in rows} == {"zero-shot", "lora"}
    elements = {row["name"]: row for row in rows if row["kind"] == "element" and row["model"] == "lora"}
    # The made-up gradient sits on H beta.
    assert float(elements["H"]["enhancement"]) > 3
    assert float(elements["H"]["enhancement"]) == pytest.approx(
        float(elements["H"]["share"]) / float(elements["H"]["chance"]), rel=1e-4
    )
    assert next(row for row in rows if row["kind"] == "rest")["wavelength"] == ""


def test_tables_for_a_terminal():
    found, test = made_saliency("zero-shot", "lora"), made_test("zero-shot", "lora")
    text = format_shares(shares(found, read_lines())).splitlines()
    assert text[1].split()[-2:] == ["zero-shot", "lora"]
    assert text[2].startswith("H  ")
    assert "H beta" in text[-8]
    lines = format_responses(test.responses).splitlines()
    assert [line.split()[:3] for line in lines[1:]] == [
        ["zero-shot", "all", "48"], ["zero-shot", "poor", "20"], ["lora", "all", "48"], ["lora", "poor", "20"],
    ]  # fmt: skip
    assert lines[1].split()[3:6] == ["0.900", "+-", "0.050"]
    assert format_weights(found, test).splitlines()[1].endswith("1.00")


@pytest.mark.parametrize("read", [read_saliency, read_test])
def test_what_is_not_there_or_damaged(tmp_path, read):
    with pytest.raises(InputError, match="no such file"):
        read(tmp_path)
    for name in ("saliency.parquet", "weights.parquet"):
        (tmp_path / name).write_bytes(b"nothing")
    with pytest.raises(InputError, match="damaged"):
        read(tmp_path)


def test_a_damaged_table_of_responses(tmp_path):
    write_test(tmp_path, made_test("lora"), WAVE)
    (tmp_path / "response.csv").write_text("model,regime\nlora,all\n")
    with pytest.raises(InputError, match=r"response\.csv: not a table of responses"):
        read_test(tmp_path)
    (tmp_path / "response.csv").unlink()
    with pytest.raises(InputError, match=r"response\.csv: cannot be read"):
        read_test(tmp_path)
