"""What verbs show while they work."""

import math
import time

from transtar.cli.common import epoch_bar


def test_what_takes_minutes_says_so_in_a_log(monkeypatch, capsys):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    show = epoch_bar("full")
    for epoch in range(1, 61):
        now[0] += 1
        show(epoch, 60, math.nan, math.nan)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["full: 21 of 60 epochs in 21 s", "full: 42 of 60 epochs in 42 s"]
