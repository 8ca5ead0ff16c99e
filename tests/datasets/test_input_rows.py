import numpy as np
import pytest

from transtar.datasets.input_rows import InputRows, npy_header
from transtar.errors import InputError


def rows(path, *parts):
    one = InputRows(path, "x")
    for part in parts:
        one.append(part)
    one.finish()
    return one


@pytest.mark.parametrize("n", [0, 1, 9, 1000])
def test_the_file_is_what_numpy_writes(tmp_path, n):
    array = np.random.default_rng(0).random((n, 3)).astype(np.float32)
    rows(tmp_path / "one.npy", np.empty((0, 3), np.float32), *np.array_split(array, 4))
    np.save(tmp_path / "other.npy", array)
    assert (tmp_path / "one.npy").read_bytes() == (tmp_path / "other.npy").read_bytes()


def test_the_header_has_one_length_for_all_numbers_of_rows():
    assert len({len(npy_header(n, 128)) for n in (0, 1, 10**5, 10**9)}) == 1


def test_rows_of_which_nothing_is_known(tmp_path):
    nothing, some = np.empty((2, 0), np.float32), np.ones((3, 4), np.float32)
    some[1] = np.nan
    one = rows(tmp_path / "x.npy", nothing, some, nothing)
    values = np.load(tmp_path / "x.npy")
    assert np.isnan(values).all(axis=1).tolist() == [True, True, False, True, False, True, True]
    assert (one.n, one.n_without, one.width) == (7, 5, 4)
    assert rows(tmp_path / "y.npy", nothing, nothing).n_without == 4
    assert np.load(tmp_path / "y.npy").shape == (4, 1)


def test_other_numbers_of_values_are_refused(tmp_path):
    with pytest.raises(InputError, match="input 'x' has 3 values per star for some spectra, 2 for others"):
        rows(tmp_path / "x.npy", np.ones((2, 3), np.float32), np.ones((2, 2), np.float32))
