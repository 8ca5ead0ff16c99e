import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from transtar.cli import main
from transtar.datasets import embed as module
from transtar.datasets import embed_set
from transtar.datasets.embed_shards import embed_folder
from transtar.encoders import save_encoder
from transtar.errors import InputError, MismatchError, SettingsError
from transtar.shards import Part, Shards

from . import test_prepared
from .test_embed import content, network
from .test_prepared import write

N = 23


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Blocks of two, shards of eight spectra."""
    monkeypatch.setattr(module, "BLOCK", 2)


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "set", n=N)
    return tmp_path / "set"


@pytest.fixture
def encoder(tmp_path):
    save_encoder(network(), tmp_path / "through")
    return tmp_path / "through"


def test_parts_and_executors_make_the_set_that_one_process_makes(folder, encoder, tmp_path):
    embed_set(folder, encoder, tmp_path / "whole")
    for number in (1, 2):
        told = embed_set(folder, encoder, tmp_path / "shared", shards=Shards(Part(number, 3), workers=1))
        assert (
            told
            == f"{tmp_path / 'shared'}: {3 - number} of 3 shards are left to other parts; the last of them makes the set"
        )
        assert not (tmp_path / "shared").exists()
    with ThreadPoolExecutor(2) as executor:
        told = embed_set(folder, encoder, tmp_path / "shared", shards=Shards(executor=executor, workers=2))
    assert told.startswith(f"input 'through' of {N} spectra: 8 values each by encoder ")
    assert content(tmp_path / "shared") == content(tmp_path / "whole")
    assert not embed_folder(tmp_path / "shared", "through").exists()
    again = embed_set(tmp_path / "shared", encoder, shards=Shards(workers=1))
    assert "already" in again


def test_it_goes_on_where_it_stopped(folder, encoder, tmp_path):
    embed_set(folder, encoder, tmp_path / "whole")
    seen = []

    class StopError(BaseException):
        pass

    def stop(spectra, done, n):
        seen.append((spectra, done, n))
        if done == 2:
            raise StopError

    with pytest.raises(StopError):
        embed_set(folder, encoder, shards=Shards(workers=1, progress=stop))
    assert seen == [(0, 0, 3), (8, 1, 3), (16, 2, 3)]
    assert "inputs" not in json.loads((folder / "set.json").read_text())
    seen.clear()
    embed_set(folder, encoder, shards=Shards(workers=1, progress=lambda *told: seen.append(told)))
    assert seen == [(0, 2, 3), (7, 3, 3)]
    assert content(folder) == content(tmp_path / "whole")


@pytest.mark.parametrize("n_blank", [1, 9, N])
def test_spectra_without_flux_are_told(encoder, tmp_path, monkeypatch, caplog, n_blank):
    original = test_prepared.spectra

    def blank(*given, **more):
        made = original(*given, **more)
        made.flux[:n_blank] = np.nan
        return made

    monkeypatch.setattr(test_prepared, "spectra", blank)
    write(tmp_path / "set", n=N)
    if n_blank == N:
        with pytest.raises(InputError, match=f"none of its {N} spectra has a flux"):
            embed_set(tmp_path / "set", encoder, tmp_path / "shared", shards=Shards(workers=1))
        return
    embed_set(tmp_path / "set", encoder, tmp_path / "whole")
    embed_set(tmp_path / "set", encoder, tmp_path / "shared", shards=Shards(workers=1))
    assert content(tmp_path / "shared") == content(tmp_path / "whole")
    for name in ("whole", "shared"):
        assert f"{tmp_path / name}: {n_blank} of {N} spectra are without the input 'through' (NaN)" in caplog.text


def test_refusals(folder, encoder, tmp_path):
    with pytest.raises(SettingsError, match="by its name or folder"):
        embed_set(folder, network(), shards=Shards(workers=1))
    embed_set(folder, encoder, shards=Shards(Part(1, 3), workers=1))
    shutil.rmtree(encoder)
    save_encoder(network(seed=1), encoder)
    with pytest.raises(MismatchError, match=r"other settings: encoder.sha256"):
        embed_set(folder, encoder, shards=Shards(workers=1))


def test_a_damaged_shard_is_told(folder, encoder, tmp_path):
    def damage(spectra, done, n):
        if done == n:
            shard = embed_folder(folder, "through") / "shards/000001.npy"
            values = bytearray(shard.read_bytes())
            values[-1] ^= 1
            shard.write_bytes(values)

    with pytest.raises(InputError, match=r"000001.npy: damaged"):
        embed_set(folder, encoder, shards=Shards(workers=1, progress=damage))
    assert "inputs" not in json.loads((folder / "set.json").read_text())


def test_on_the_command_line(folder, encoder, tmp_path, capsys):
    given = ["embed", "--model", str(encoder), "--data", str(folder), "--out", str(tmp_path / "with")]
    assert main([*given, "--part", "1/2", "--workers", "1"]) == 0
    assert capsys.readouterr().out == (
        f"{tmp_path / 'with'}: 1 of 3 shards are left to other parts; the last of them makes the set\n"
    )
    assert main([*given, "--workers", "1", "--threads", "1"]) == 0
    assert capsys.readouterr().out.startswith(f"{tmp_path / 'with'}: input 'through' of {N} spectra: 8 values each")
