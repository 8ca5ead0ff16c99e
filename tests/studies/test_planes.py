from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from transtar.errors import InputError, TooFew
from transtar.evaluate import GAMMAS, halves_floor, squared_mmd
from transtar.studies import planes
from transtar.studies.planes import (
    AXES,
    HALVES,
    REFERENCE,
    TRUE,
    TRUTH,
    PlaneLabels,
    _rows,
    _to_tables,
    _write_mmd,
    collect_plane,
    mean_mmd,
    read_mmd,
    read_planes,
)
from transtar.studies.predictions import write_stars


def sequences(n, rng):
    """Two sequences 0.2 dex apart, [Fe/H] and [alpha/Fe]."""
    feh = rng.normal(-0.4, 0.25, n)
    return np.stack([feh, np.where(rng.random(n) < 0.4, 0.27, 0.07) - 0.1 * feh + rng.normal(0, 0.03, n)], axis=1)


def test_the_scan_tells_what_the_kernel_of_the_paper_does_not():
    rng = np.random.default_rng(0)
    true, reference = sequences(8000, rng), sequences(4000, rng)
    # Labels of the right mean and covariance that make one sequence of two.
    merged = rng.multivariate_normal(true.mean(axis=0), np.cov(true.T), len(true))
    merged[:100, 1] = np.nan
    rows = list(_rows([(TRUE, 0, 0, true), ("lora", 200, 1, merged)], reference))
    kinds = [(TRUE, REFERENCE), (TRUE, TRUTH), ("lora", REFERENCE), ("lora", TRUTH), (HALVES, REFERENCE)]
    assert [(row["strategy"], row["against"], row["gamma"]) for row in rows] == [(*k, g) for k in kinds for g in GAMMAS]
    assert [row["n"] for row in rows[::3]] == [8000, 4000, 7900, pytest.approx(3950, abs=30), 2000]
    ratios = {}
    for gamma in GAMMAS:
        for kind in kinds:
            value, error = mean_mmd(rows, *kind, gamma=gamma)
            ratios[(*kind, gamma)] = value / error
        found = squared_mmd(merged[100:], reference, gamma)
        assert mean_mmd(rows, "lora", REFERENCE, gamma) == pytest.approx((found.value, found.error), abs=1e-12)
        assert mean_mmd(rows, HALVES, REFERENCE, gamma) == pytest.approx(
            (halves_floor(reference, gamma).value, halves_floor(reference, gamma).error), abs=1e-12
        )
        assert abs(ratios[TRUE, REFERENCE, gamma]) < 3
        assert abs(ratios[TRUE, TRUTH, gamma]) < 3
    for against in (REFERENCE, TRUTH):
        wide, middle, narrow = (ratios["lora", against, gamma] for gamma in GAMMAS)
        assert wide < 2.5
        assert middle > 3
        assert narrow > 8


def test_what_is_kept_of_a_plane_comes_back_as_it_was(tmp_path):
    rng = np.random.default_rng(1)
    stars = {name: rng.normal(size=30) for name in AXES}
    stars["feh"][4] = np.nan
    runs = {("zero-shot", 0, 0): stars, ("lora", 24, 1): {"alphafe": rng.normal(size=30)}}
    default = PlaneLabels(runs, rng.normal(size=(30, 2)), None, sequences(20, rng))
    other = PlaneLabels({("scratch", 24, 0): stars}, None, None, default.reference)
    embedded = replace(default, runs={("lora", 24, 1): {name: values + 1 for name, values in stars.items()}})
    path = tmp_path / "plane.parquet"
    write_stars(
        list(_to_tables({"flux": {"default": default, "rate-0.1": other}, "embed": {"default": embedded}})), path
    )
    back = read_planes(path, "flux")
    assert list(back) == ["default", "rate-0.1"]
    assert list(back["default"].runs) == list(runs)
    for run, labels in runs.items():
        assert set(back["default"].runs[run]) == set(labels)
        for name, values in labels.items():
            np.testing.assert_array_equal(back["default"].runs[run][name], values)
    np.testing.assert_array_equal(back["default"].truth, default.truth)
    assert back["default"].pipeline is None
    np.testing.assert_array_equal(back["rate-0.1"].reference, default.reference)
    assert back["default"].stars(("zero-shot", 0, 0), ("lora", 24, 1)).shape == (30, 2)
    assert back["default"].stars(("lora", 24, 1), ("lora", 24, 1)) is None
    # Networks of another input have the same truth and reference.
    further = read_planes(path, "embed")
    assert list(further) == ["default"]
    assert list(further["default"].runs) == [("lora", 24, 1)]
    np.testing.assert_array_equal(further["default"].runs["lora", 24, 1]["feh"], stars["feh"] + 1)
    np.testing.assert_array_equal(further["default"].truth, default.truth)
    assert read_planes(path, "through") is None
    assert read_planes(tmp_path / "none.parquet", "flux") is None
    # In files of older versions all are of the flux.
    write_stars([pq.read_table(path).filter(pc.field("input") != "embed").drop_columns(["input"])], path)
    assert list(read_planes(path, "flux")["default"].runs) == list(runs)
    assert read_planes(path, "embed") is None
    write_stars([pa.table({"a": [1]})], path)
    with pytest.raises(InputError, match="not a table of a plane"):
        read_planes(path, "flux")


def test_discrepancies_come_back_typed_and_damage_is_told(tmp_path):
    rng = np.random.default_rng(2)
    rows = list(_rows([("lora", 24, 1, sequences(60, rng))], sequences(60, rng)))
    path = tmp_path / "mmd.csv"
    _write_mmd(rows, path)
    for row, back in zip(rows, read_mmd(path), strict=True):
        assert back == {
            name: pytest.approx(value, abs=1e-6) if isinstance(value, float) else value for name, value in row.items()
        }
    assert read_mmd(tmp_path / "none.csv") == []
    path.write_text(path.read_text().replace("lora,24", "lora,x", 1))
    with pytest.raises(InputError, match=r"mmd\.csv: not a table of discrepancies"):
        read_mmd(path)


def test_a_plane_of_too_few_stars_leaves_no_older_one_behind(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    labels = dict(zip(AXES, sequences(50, rng).T, strict=True))
    few = PlaneLabels({("zero-shot", 0, 0): labels}, None, None, sequences(3, rng))
    enough = PlaneLabels({("zero-shot", 0, 0): labels}, None, None, sequences(30, rng))
    for made in (enough, few):
        monkeypatch.setattr(planes, "plane_labels", lambda study, jobs, out, made=made: {"flux": {"default": made}})
        if made is few:
            with pytest.raises(TooFew, match="halves of 3 stars cannot be compared"):
                collect_plane(None, [], tmp_path, tmp_path / "stars")
        else:
            collect_plane(None, [], tmp_path, tmp_path / "stars")
        files = [tmp_path / "mmd.csv", tmp_path / "stars" / "plane.parquet"]
        assert [path.is_file() for path in files] == [made is enough] * 2
