"""Tables of cluster members and of pairs, in the spellings in which they come."""

import pytest

from transtar.errors import InputError
from transtar.labels.members import read_members, read_pairs

BIG = 2**62 + 1


def test_members_with_what_the_literature_says(tmp_path):
    path = tmp_path / "members.csv"
    path.write_text(f"Cluster,TARGETID,[Fe/H],dist\nM 92,{BIG},-2.31,8.3\n,{BIG + 1},,\n")
    table = read_members(path)
    assert table["cluster"].tolist() == ["M 92", ""]
    assert table["id"].tolist() == [BIG, BIG + 1]
    assert table["feh"][0] == -2.31
    assert "dist" not in table


def test_members_that_cannot_be(tmp_path):
    path = tmp_path / "members.csv"
    path.write_text("ra,dec,cluster\n1,2,M 3\n")
    with pytest.raises(InputError, match="no column tells which spectrum a row is for"):
        read_members(path)
    assert read_members(path, keyless=True)["cluster"].tolist() == ["M 3"]
    path.write_text("id,cluster\n1,\n2,\n")
    with pytest.raises(InputError, match="column cluster names no cluster in any row"):
        read_members(path)


@pytest.mark.parametrize(
    ("head", "what"),
    [
        ("id_1,id_2", "id"),
        ("TARGETID_A,TARGETID_B", "id"),
        ("source_id1,source_id2", "source_id"),
        ("GAIA_SOURCE_ID_1,GAIA_SOURCE_ID_2", "source_id"),
    ],
)
def test_identifiers_of_pairs_are_exact(tmp_path, head, what):
    path = tmp_path / "pairs.csv"
    path.write_text(f"{head},sep\n{BIG},{BIG + 2},7\n{BIG + 1},,8\n")
    pairs = read_pairs(path)
    assert pairs.what == what
    assert pairs.first.tolist() == [BIG, BIG + 1]
    assert pairs.second.tolist() == [BIG + 2, -1]


def test_names_of_pairs_and_which_columns_go_first(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text("star_1,star_2\nJ1,J2\n")
    assert read_pairs(path).second.tolist() == ["J2"]
    path.write_text("source_id1,source_id2,TARGETID_1,TARGETID_2\n1,2,3,4\n")
    assert read_pairs(path).first.tolist() == [3]
    path.write_text("id_1,name\n1,b\n")
    with pytest.raises(InputError, match="no two columns that tell the stars of a pair"):
        read_pairs(path)
