import csv
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow.parquet as pq
import pytest

from transtar.catalog import merge_shards, predict_files, predict_survey, read_columns, read_metadata, write_catalog
from transtar.catalog import shard_work as working
from transtar.errors import InputError, MismatchError, SettingsError
from transtar.flags import Flag, has
from transtar.models import export_model
from transtar.shards import Part
from transtar.shards import tasks as of_tasks

from ..made_surveys import FIRST_ID, made_lamost, write_csv

MODELS = ("mock-feh", "mock-teff")

pytestmark = pytest.mark.usefixtures("unquestioned")


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Shards of two files."""
    monkeypatch.setattr(of_tasks, "FEWEST_FILES", 2)


@pytest.fixture(scope="module")
def spectra(tmp_path_factory):
    """Seven files, one of them broken; the last is of the star of the first."""
    folder = made_lamost(tmp_path_factory.mktemp("lamost"), n=6) / "spectra"
    (folder / "spec-002b.fits").write_text("no")
    shutil.copy(folder / "spec-000.fits", folder / "spec-900.fits")
    return folder


@pytest.fixture(scope="module")
def whole(spectra, tmp_path_factory):
    """The catalog that is made without shards."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("transtar.catalog.predict.witnesses_for", _silent)
        return predict_files(MODELS, "lamost", spectra).columns


def _silent(*_):
    from ..conftest import Silent

    return Silent(None, None)


def assert_like(columns, other):
    """The same rows; other batches may change a last digit."""
    assert list(columns) == list(other)
    for name, values in columns.items():
        if values.dtype.kind == "f":
            np.testing.assert_allclose(values, other[name], rtol=2e-6, atol=2e-6, err_msg=name)
        else:
            np.testing.assert_array_equal(values, other[name], err_msg=name)


def status(out):
    with (out / "status.csv").open() as file:
        return {row["file"].rsplit("/", 1)[1]: row for row in csv.DictReader(file)}


def test_shards_merged_are_the_catalog(spectra, whole, tmp_path):
    out = tmp_path / "run"
    seen = []
    result = predict_survey(MODELS, "lamost", spectra, out, workers=1, progress=lambda *told: seen.append(told))
    assert (result.n_shards, result.n_done, result.n_spectra, result.n_new) == (4, 4, 7, 7)
    assert [told[1:] for told in seen] == [(0, 8), (2, 8), (4, 8), (6, 8), (8, 8)]
    ((file, why),) = result.skipped
    assert "spec-002b.fits" in file
    assert "spec-002b.fits" in why
    states = status(out)
    assert {name: row["state"] for name, row in states.items() if row["state"] != "done"} == {
        "spec-002b.fits": "failed"
    }
    assert [row["n"] for row in states.values()] == ["1", "1", "1", "0", "1", "1", "1", "1"]
    merged = merge_shards(out, tmp_path / "c.parquet")
    assert (merged.n, merged.n_shards, merged.flags) == (7, 4, result.flags | {"DUPLICATE": 2})
    assert_like(read_columns(tmp_path / "c.parquet"), whole)
    # Of one shard nobody knows the others.
    assert has(whole["flags"], Flag.DUPLICATE).tolist() == [True, *[False] * 5, True]
    about = read_metadata(tmp_path / "c.parquet")
    assert about["models"] == list(MODELS)
    assert about["written"].endswith("Z")
    assert len(about["calibration_hashes"]) == 2
    assert about["run"]["n_files"] == 8
    assert len(about["run"]["model_hashes"]) == 2


def test_it_goes_on_where_it_stopped(spectra, tmp_path, monkeypatch):
    predict_survey(MODELS, "lamost", spectra, tmp_path / "whole", workers=1)

    class StopError(BaseException):
        pass

    def stop(done, files, n_files):
        if files == 4:
            raise StopError

    with pytest.raises(StopError):
        predict_survey(MODELS, "lamost", spectra, tmp_path / "run", workers=1, progress=stop)
    assert [row["state"] for row in status(tmp_path / "run").values()].count("waiting") == 4
    made = []
    monkeypatch.setattr(working, "catalog_metadata", _counting(made))
    result = predict_survey(MODELS, "lamost", spectra, tmp_path / "run", workers=1)
    assert len(made) == 2
    assert (result.n_done, result.n_spectra, result.n_new) == (4, 7, 4)
    for name in ("000000", "000001", "000002", "000003"):
        shard = f"shards/{name}.parquet"
        assert (tmp_path / "run" / shard).read_bytes() == (tmp_path / "whole" / shard).read_bytes()
    merge_shards(tmp_path / "run", tmp_path / "a.parquet")
    merge_shards(tmp_path / "whole", tmp_path / "b.parquet")
    one, other = read_columns(tmp_path / "a.parquet"), read_columns(tmp_path / "b.parquet")
    for name, column in one.items():
        np.testing.assert_array_equal(column, other[name], err_msg=name)


def _counting(made):
    original = working.catalog_metadata

    def counted(*given):
        made.append(given)
        return original(*given)

    return counted


def test_parts_and_executors(spectra, whole, tmp_path):
    out = tmp_path / "run"
    with ThreadPoolExecutor(2) as executor:
        first = predict_survey(MODELS, "lamost", spectra, out, part=Part(1, 2), executor=executor, workers=2)
    assert (first.n_done, first.n_shards) == (2, 4)
    with pytest.raises(InputError, match=r"2 of 4 shards are not made.*--partial"):
        merge_shards(out, tmp_path / "c.fits")
    assert merge_shards(out, tmp_path / "part.fits", partial=True).n_missing == 2
    last = predict_survey(MODELS, "lamost", spectra, out, part=Part(2, 2), workers=1)
    assert (last.n_done, last.n_shards) == (4, 4)
    merge_shards(out, tmp_path / "c.fits")
    assert_like(read_columns(tmp_path / "c.fits"), whole)


def test_a_list_of_files(spectra, tmp_path):
    (tmp_path / "list.txt").write_text(f"# good ones\n{spectra / 'spec-001.fits'}\n\n  {spectra}/spec-00[45].fits\n")
    result = predict_survey("mock-feh", "lamost", f"@{tmp_path / 'list.txt'}", tmp_path / "run", workers=1)
    assert list(status(tmp_path / "run")) == ["spec-001.fits", "spec-004.fits", "spec-005.fits"]
    assert result.n_spectra == 3


def test_a_shard_without_a_row_is_a_table(spectra, tmp_path):
    write_csv(tmp_path / "stars.csv", [{"obsid": FIRST_ID + 1}])
    write_csv(tmp_path / "velocities.csv", [{"obsid": FIRST_ID + 1, "velocity": 12.5}])
    given = {"stars": tmp_path / "stars.csv", "velocities": f"{tmp_path}/velocities.csv:velocity"}
    result = predict_survey(MODELS, "lamost", spectra, tmp_path / "run", **given, workers=1)
    assert result.n_spectra == 1
    assert result.lines[0] == "stars: 1 of 1 in stars.csv have spectra here"
    assert result.lines[1].startswith("velocities: 1 spectra have one in the table (joined by id), 0 have none")
    tables = [pq.read_table(path) for path in sorted((tmp_path / "run" / "shards").glob("*.parquet"))]
    assert sorted(len(table) for table in tables) == [0, 0, 0, 1]
    assert len({tuple(table.schema.names) for table in tables}) == 1
    merged = merge_shards(tmp_path / "run", tmp_path / "c.csv")
    assert merged.n == 1
    assert read_columns(tmp_path / "c.csv")["id"].tolist() == [FIRST_ID + 1]


def test_what_is_of_no_use_in_the_end_is_told(spectra, tmp_path):
    write_csv(tmp_path / "stars.csv", [{"obsid": 5}])
    with pytest.raises(InputError, match=r"stars.csv: none of its 1 stars has a spectrum here"):
        predict_survey("mock-feh", "lamost", spectra, tmp_path / "run", stars=tmp_path / "stars.csv", workers=1)
    with pytest.raises(InputError, match=r"no spectrum could be used: .*spec-002b.fits"):
        predict_survey("mock-feh", "lamost", spectra / "spec-002b.fits", tmp_path / "other", workers=1)
    with pytest.raises(InputError, match="no shard has a row"):
        merge_shards(tmp_path / "other", tmp_path / "c.csv")


def test_a_model_that_was_replaced_is_refused(spectra, tmp_path):
    export_model("mock-feh", tmp_path / "model")
    predict_survey(tmp_path / "model", "lamost", spectra, tmp_path / "run", part=Part(1, 2), workers=1)
    shutil.rmtree(tmp_path / "model")
    export_model("mock-teff", tmp_path / "model")
    with pytest.raises(MismatchError, match="begun with other settings: model_hashes"):
        predict_survey(tmp_path / "model", "lamost", spectra, tmp_path / "run", part=Part(2, 2), workers=1)


def test_a_model_that_is_replaced_in_mid_run_is_refused(spectra, tmp_path):
    """A worker that loads it afterwards sees it."""
    export_model("mock-feh", tmp_path / "model")

    def replace(done, files, n_files):
        if files == 2:
            shutil.rmtree(tmp_path / "model")
            export_model("mock-teff", tmp_path / "model")
            working._OPENED.clear()

    with pytest.raises(MismatchError, match="model: was replaced by another model since the run began"):
        predict_survey(tmp_path / "model", "lamost", spectra, tmp_path / "run", workers=1, progress=replace)
    shutil.rmtree(tmp_path / "model")
    export_model("mock-feh", tmp_path / "model")
    assert predict_survey(tmp_path / "model", "lamost", spectra, tmp_path / "run", workers=1).n_done == 4


def test_other_settings_are_refused(spectra, tmp_path):
    predict_survey("mock-feh", "lamost", spectra, tmp_path / "run", workers=1)
    with pytest.raises(MismatchError, match=r"other settings: quality.snr 10.0, now 99"):
        predict_survey("mock-feh", "lamost", spectra, tmp_path / "run", workers=1, quality={"snr": 99})
    with pytest.raises(SettingsError, match="workers"):
        predict_survey("mock-feh", "lamost", spectra, tmp_path / "run", workers=0)
    with pytest.raises(InputError, match="no such file or folder"):
        predict_survey("mock-feh", "lamost", tmp_path / "none", tmp_path / "run", workers=1)


def test_a_damaged_shard_is_not_merged(spectra, tmp_path):
    predict_survey("mock-feh", "lamost", spectra, tmp_path / "run", workers=1)
    shard = tmp_path / "run" / "shards" / "000001.parquet"
    content = bytearray(shard.read_bytes())
    content[100] ^= 1
    shard.write_bytes(content)
    with pytest.raises(InputError, match=r"000001.parquet: damaged.*made again"):
        merge_shards(tmp_path / "run", tmp_path / "c.csv")
    shard.unlink()
    predict_survey("mock-feh", "lamost", spectra, tmp_path / "run", workers=1)
    assert merge_shards(tmp_path / "run", tmp_path / "c.csv").n == 7


def test_shards_with_further_columns_are_merged(tmp_path, spectra):
    """Files of one run may differ in what they know."""
    out = tmp_path / "run"
    predict_survey("mock-feh", "lamost", spectra, out, workers=1)
    record = out / "shards" / "000002.json"
    columns = read_columns(out / "shards" / "000002.parquet")
    columns = {name: columns[name] for name in columns if name != "flags"} | {
        "visit": np.array([3, 4]), "plate": np.array(["a", "b"]), "seeing": np.array([1.5, 2.5]), "flags": columns["flags"],
    }  # fmt: skip
    shard = out / "shards" / "000002.parquet"
    shard.unlink()
    write_catalog(shard, columns, {})
    _note(record, shard)
    merge_shards(out, tmp_path / "c.parquet")
    merged = read_columns(tmp_path / "c.parquet")
    assert merged["visit"].tolist() == [-1, -1, -1, 3, 4, -1, -1]
    assert merged["plate"].tolist() == ["", "", "", "a", "b", "", ""]
    assert merged["seeing"][3:5].tolist() == [1.5, 2.5]
    assert np.isnan(merged["seeing"][:3]).all()
    assert list(merged)[-1] == "flags"


def _note(path, shard):
    from dataclasses import replace

    from transtar.files import write_json
    from transtar.seal import file_hash
    from transtar.shards.shard_record import read_record

    record = replace(read_record(path), hash=file_hash(shard), size=shard.stat().st_size)
    write_json(path, record.to_dict(), ours=True)
