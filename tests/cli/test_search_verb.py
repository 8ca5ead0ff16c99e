import csv
import re

import numpy as np
import pytest

from transtar.catalog import read_columns
from transtar.datasets import read_set
from transtar.encoders import save_encoder

from ..datasets.test_embed import network
from ..made_surveys import FIRST_ID


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("encoders") / "through"
    save_encoder(network(), folder)
    return folder


def test_search_by_identifier_row_file_and_set(world, transtar, encoder, tmp_path):
    command = ("search", "--model", encoder, "--data", world.source, "--out")
    queries = {
        "id": [FIRST_ID + 3],
        "row": [f"{world.source}:3"],
        "file": [world.lamost / "spectra/spec-003.fits", "--survey", "lamost"],
        "file-row": [f"{world.lamost / 'spectra/spec-003.fits'}:0", "--survey", "lamost"],
    }
    columns = {}
    for name, query in queries.items():
        out = tmp_path / f"{name}.csv"
        done = transtar(*command, out, "--top", 5, "--query", *query)
        assert done.code == 0, done.err
        assert done.out == f"{out}: 5 neighbours of 1 queries among 40 spectra\n"
        columns[name] = read_columns(out)
    assert columns["id"]["set_row"].tolist() == columns["row"]["set_row"].tolist()
    # A file brings a spectrum that the set may have, and then it is the nearest of all.
    assert columns["file"]["set_row"].tolist() == [3, *columns["id"]["set_row"][:4].tolist()]
    assert columns["file"]["set_row"].tolist() == columns["file-row"]["set_row"].tolist()
    assert set(columns["id"]["query_id"].tolist()) == {FIRST_ID + 3}
    done = transtar(*command, tmp_path / "all.parquet", "--query", world.target)
    assert done.out == f"{tmp_path}/all.parquet: 360 neighbours of 36 queries among 40 spectra\n"
    every = read_columns(tmp_path / "all.parquet")
    vectors = [network().encode(read_set(folder).flux) for folder in (world.target, world.source)]
    lengths = [np.linalg.norm(one, axis=1, keepdims=True) for one in vectors]
    cosines = (vectors[0] / lengths[0]) @ (vectors[1] / lengths[1]).T
    np.testing.assert_allclose(every["cosine"], -np.sort(-cosines, axis=1)[:, :10].ravel(), atol=1e-5)


def test_the_embeddings_of_the_set_are_taken(world, transtar, fails, encoder, tmp_path):
    data, out = tmp_path / "set", tmp_path / "near.csv"
    assert transtar("embed", "--model", encoder, "--data", world.source, "--out", data).code == 0
    command = ["search", "--data", data, "--query", FIRST_ID, "--out", out, "--model"]
    done = transtar(*command, encoder)
    assert done.code == 0
    assert "is encoded" not in done.err
    assert "are encoded" not in done.err
    with open(out, newline="") as file:
        assert next(csv.reader(file))[:6] == [
            "query_file", "query_id", "query_star", "neighbour_rank", "cosine", "set_row",
        ]  # fmt: skip
    save_encoder(network(seed=1), tmp_path / "through")
    line = fails(*command, tmp_path / "through")
    assert re.search("input 'through': .* encoder 'through'", line)
    assert f"transtar embed --replace --model {tmp_path / 'through'}" in line


def test_wrong_use_is_one_line(world, fails, encoder, tmp_path):
    given = ("search", "--model", encoder, "--data", world.source, "--out", tmp_path / "near.csv")
    file = world.lamost / "spectra/spec-003.fits"
    assert "--top: must be a whole number from 1" in fails(*given, "--query", FIRST_ID, "--top", 0, code=2)
    assert "--survey NAME" in fails(*given, "--query", file, code=2)
    assert "survey: is for files of spectra" in fails(*given, "--query", FIRST_ID, "--survey", "lamost", code=2)
    assert "medium: is for files of spectra" in fails(*given, "--query", FIRST_ID, "--medium", "air", code=2)
    assert "has no spectrum of the identifier 77" in fails(*given, "--query", 77)
    assert "has no row 40" in fails(*given, "--query", f"{world.source}:40")
    assert "is no prepared set" in fails(*given, "--query", "nowhere")
    assert "no such encoder folder" in fails(*given[:1], "--model", "nowhere", *given[3:], "--query", 77)
    line = fails(*given[:1], "--model", world.target, *given[3:], "--query", 77)
    assert f"{world.target}: is a prepared set, not an encoder" in line
    assert "ends in one of" in fails(*given[:-1], tmp_path / "near.txt", "--query", FIRST_ID, code=2)
    assert not list(tmp_path.iterdir())
