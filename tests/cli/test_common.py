"""What verbs show while they work."""

import math
import time

from transtar.cli.common import epoch_bar


def test_what_takes_minutes_says_so_in_a_log(monkeypatch, capsys):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    quiet, told = epoch_bar("full"), epoch_bar("cross-validation", line_every=20)
    for epoch in range(1, 61):
        now[0] += 1
        for show in (quiet, told):
            show(epoch, 60, math.nan, math.nan)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["cross-validation: 21 of 60 epochs in 21 s", "cross-validation: 42 of 60 epochs in 42 s"]
