import numpy as np

from transtar.labels import read_labels


def test_a_column_without_any_value(tmp_path):
    (tmp_path / "a.csv").write_text("id,feh,c_fe\n1,-0.5,\n2,0.1,nan\n")
    table = read_labels(tmp_path / "a.csv")
    assert np.isnan(table["c_fe"]).all()
    assert table["feh"].tolist() == [-0.5, 0.1]
