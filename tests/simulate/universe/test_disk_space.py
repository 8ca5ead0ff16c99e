import pytest

from transtar.errors import TranstarError
from transtar.simulate.universe.disk_space import check_disk, estimate


def test_disk_space_is_told_and_checked(tmp_path):
    size = estimate({"desi": 1000}, {"desi": 2000}, {"desi": 10})
    assert estimate({"desi": 1000}, {"desi": 2000}, {"desi": 10}, resolution=True) > 4 * size
    line = check_disk(tmp_path / "new" / "folder", size)
    assert "MB to write" in line
    with pytest.raises(TranstarError, match=r"too little; choose a smaller scale, --catalogs-only"):
        check_disk(tmp_path, 10**18)
    assert not (tmp_path / "new").exists()
