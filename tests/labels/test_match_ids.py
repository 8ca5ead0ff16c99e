import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from transtar.labels.join import match_ids

IDS = st.lists(st.integers(2**62, 2**62 + 9) | st.just(-1), max_size=12)


@given(IDS, IDS.filter(len))
def test_like_looking_one_by_one(ours, theirs):
    expected = [theirs.index(i) if i != -1 and i in theirs else -1 for i in ours]
    assert match_ids(np.array(ours, np.int64), np.array(theirs, np.int64)).tolist() == expected


def test_text_and_nothing_to_match_with():
    assert match_ids(np.array(["1 main bright", "", "x"]), np.array(["", "1 main bright"])).tolist() == [1, -1, -1]
    assert match_ids(np.array([5]), np.zeros(0, np.int64)).tolist() == [-1]
