import pytest

from transtar.errors import InputError
from transtar.studies.study_record import counts_of, read_record, write_record


def test_round_trip(tmp_path):
    assert read_record(tmp_path) == {}
    write_record(tmp_path, {"finetuning_stars": [[0, 0, 0], [24, 4, 20]], "element": None, "element_stars": 3})
    record = read_record(tmp_path)
    assert "element" not in record
    assert counts_of(record) == {0: (0, 0), 24: (4, 20)}


@pytest.mark.parametrize(("old", "new"), [("24", "25"), ("{", ""), ('"format": 1', '"format": 9')])
def test_damage_is_told(tmp_path, old, new):
    write_record(tmp_path, {"finetuning_stars": [[24, 4, 20]]})
    path = tmp_path / "study.json"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(InputError, match=r"study\.json"):
        read_record(tmp_path)
