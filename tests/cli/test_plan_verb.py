import pytest

from transtar.catalog import read_columns


@pytest.mark.usefixtures("unquestioned")
def test_a_plan_for_a_set(world, transtar, fails, tmp_path):
    out = tmp_path / "plan.csv"
    command = ("plan", "--data", world.target, "--model", world.model, "--out", out)
    done = transtar(*command, "--n", 4)
    assert done.code == 0, done.err
    assert done.out.startswith(f"{out}: 4 of ")
    assert "with a predicted [Fe/H] below -1" in done.out
    assert "spectra left out: " in done.err
    assert "not in the pool" in done.err
    table = read_columns(out)
    assert table["plan_rank"].tolist() == [1, 2, 3, 4]
    before = set(table["file"].tolist())
    done = transtar(*command[:-1], tmp_path / "more.csv", "--n", 3, "--known", out)
    assert done.code == 0, done.err
    assert before.isdisjoint(read_columns(tmp_path / "more.csv")["file"].tolist())
    assert "4 of stars that are known" in done.err
    assert "stars to choose from, and 500 are wanted" in fails(*command, "--n", 500)
    assert "--n: must be a whole number from 1" in fails(*command, "--n", 0, code=2)
