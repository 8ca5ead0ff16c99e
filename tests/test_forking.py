"""Commands that are served by forks are as those of a process that begins anew."""

import os
import subprocess
import sys
from pathlib import Path


def both(served, arguments, cwd, **variables):
    """What the served command and one of its own process do: status, output, and errors."""
    done = []
    for command in ([served / "transtar"], [sys.executable, "-m", "transtar"]):
        result = subprocess.run(
            [*command, *arguments], cwd=cwd, env=os.environ | variables, capture_output=True, text=True, check=False
        )
        done.append((result.returncode, result.stdout, result.stderr))
    return done


def test_status_output_folder_and_environment_are_those_of_a_process_of_its_own(served, tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "broken").mkdir()
    (tmp_path / "models" / "broken" / "config.json").write_text("{")
    for arguments, status in (
        (["models", "show", "models/broken"], 1),
        (["prepare"], 2),
    ):
        one, other = both(served, arguments, tmp_path, TRANSTAR_MODELS="models")
        assert one == other
        assert one[0] == status


def test_a_shell_sees_a_failure_and_a_pipe(served, tmp_path):
    environment = os.environ | {"PATH": f"{served}{os.pathsep}{os.environ['PATH']}"}
    script = "transtar models path mock-feh | tr a-z A-Z; transtar models show nowhere; echo never"
    done = subprocess.run(["bash", "-euc", script], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout.strip().endswith("/SHIPPED/MOCK-FEH")
    assert "never" not in done.stdout
    assert Path(done.stdout.strip().lower()).name == "mock-feh"
