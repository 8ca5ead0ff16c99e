"""The command `transtar` by a process that has imported everything and forks for each call.

A process of its own per command spends seconds on imports, most of what a page of commands takes. Here each command still has a
process of its own, with its folder, environment, streams and exit status; only the imports are shared. That the command starts
from nothing is tested elsewhere: tests/cli/test_process.py, tests/test_wheel.py, and the pages that install a package.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import traceback
from pathlib import Path

READY = "ready"

CLIENT = """#!{python} -S
import json, os, socket, sys

with socket.socket(socket.AF_UNIX) as link:
    link.connect({address!r})
    asked = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(link, [len(asked).to_bytes(8, "big")], [0, 1, 2])
    link.sendall(asked)
    sys.exit(int(link.makefile().read() or 70))
"""


@contextlib.contextmanager
def forked_transtar(folder: Path):
    """Give a folder to be put first on PATH, in which `transtar` is served until the end of the context.

    Parameters
    ----------
    folder : path
        New; its path must be short enough for a socket (about 100 bytes) when seen from itself.

    Yields
    ------
    path
    """
    folder.mkdir()
    # Sockets have short names; those of pytest's folders are not.
    address = f"\0transtar-tests-{os.getpid()}-{folder.name}"
    script = folder / "transtar"
    script.write_text(CLIENT.format(python=sys.executable, address=address))
    script.chmod(0o755)
    command = [sys.executable, "-m", "tests.forking", address[1:]]
    server = subprocess.Popen(command, cwd=Path(__file__).parents[1], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert server.stdout.readline().decode().strip() == READY
        yield folder
    finally:
        # It ends with its standard input.
        server.communicate(timeout=60)


def serve(address: str) -> None:
    """Fork for each command until standard input ends."""
    # All that verbs import when they run; nothing that starts a thread.
    import select

    import torch

    import transtar.catalog
    import transtar.evaluate
    import transtar.explain
    import transtar.models
    import transtar.report
    import transtar.selections
    import transtar.simulate
    import transtar.studies
    import transtar.train
    from transtar.cli import build_parser

    build_parser()
    torch.zeros(1)
    assert transtar.train
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("\0" + address)
        listening.listen()
        print(READY, flush=True)
        while listening in select.select([listening, sys.stdin], [], [])[0]:
            link, _ = listening.accept()
            with link:
                size, streams, _, _ = socket.recv_fds(link, 8, 3)
                asked = link.makefile("rb").read(int.from_bytes(size, "big"))
                child = os.fork()
                if not child:
                    _run(streams, *json.loads(asked))
                for stream in streams:
                    os.close(stream)
                link.sendall(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])).encode())


def _run(streams: list[int], arguments: list[str], folder: str, environment: dict[str, str]) -> None:
    """Be that command; does not return."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    # Those of the server may be of another kind: a file, say, in which one can seek.
    sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w", 1)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["transtar", *arguments]
    code: object = 70
    try:
        from transtar.cli import main

        code = main()
    except SystemExit as stopped:
        code = stopped.code
    except BaseException:
        traceback.print_exc()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    serve(sys.argv[1])
    # To take down what was imported takes as long as a command.
    os._exit(0)
