"""A browser without a window, driven over the DevTools protocol, for tests and benchmarks of pages; it reaches no network."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")

STARTED_WITHIN = 60.0
"""Seconds."""

OPTIONS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-extensions",
    "--disable-background-networking", "--disable-dev-shm-usage", "--remote-allow-origins=*", "--remote-debugging-port=0",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)  # fmt: skip


def find_browser() -> str | None:
    """Where a Chromium is; None where there is none."""
    named = os.environ.get("TRANSTAR_BROWSER")
    return named or next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """One page of a browser: commands of the protocol, and what they are needed for."""

    def __init__(self, socket, loop: asyncio.AbstractEventLoop):
        self._socket, self._loop, self._number = socket, loop, 0
        self.requests: list[str] = []
        self.complaints: list[str] = []

    def send(self, method: str, **parameters: Any) -> dict:
        """Send a command and wait for its answer; events that come before it are noted."""
        self._number += 1
        message = json.dumps({"id": self._number, "method": method, "params": parameters})
        self._loop.run_until_complete(_awaited(self._socket.write_message(message)))
        while True:
            answer = json.loads(self._loop.run_until_complete(_awaited(self._socket.read_message())))
            self._note(answer)
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                return answer["result"]

    def _note(self, event: dict) -> None:
        parameters = event.get("params", {})
        if event.get("method") == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif event.get("method") == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description") or details["text"])
        elif event.get("method") == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "assert"):
            self.complaints.append(
                " ".join(str(one.get("value", one.get("description"))) for one in parameters["args"])
            )

    def open(self, path: Path, ready: str = "document.readyState === 'complete'", within: float = 120) -> float:
        """Open a file and wait until an expression holds; returns the seconds this took."""
        self.send("Page.navigate", url=path.resolve().as_uri())
        return self.wait(ready, within)

    def wait(self, expression: str, within: float = 30) -> float:
        """Wait until an expression holds; returns the seconds this took."""
        started = time.perf_counter()
        while not self.value(f"!!({expression})"):
            assert time.perf_counter() - started < within, (expression, self.complaints)
            time.sleep(0.02)
        return time.perf_counter() - started

    def value(self, expression: str) -> Any:
        """The value of an expression, or of what it promises."""
        answer = self.send("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        details = answer.get("exceptionDetails")
        assert details is None, details.get("exception", {}).get("description") or details["text"]
        return answer["result"].get("value")

    def key(self, name: str, text: str = "") -> None:
        """Press a key, such as 'ArrowRight', or 'c' with the text that it types."""
        text = text or (name if len(name) == 1 else "\r" if name == "Enter" else "")
        codes = {
            "Enter": 13,
            "Tab": 9,
            "Escape": 27,
            "ArrowRight": 39,
            "ArrowLeft": 37,
            "ArrowDown": 40,
            "Home": 36,
            "End": 35,
        }
        code = codes.get(name, ord(name.upper()) if len(name) == 1 else 0)
        shared = {
            "key": name,
            "windowsVirtualKeyCode": code,
            "code": f"Key{name.upper()}" if name.isalpha() and len(name) == 1 else name,
        }
        self.send("Input.dispatchKeyEvent", type="keyDown", **shared, **({"text": text} if text else {}))
        self.send("Input.dispatchKeyEvent", type="keyUp", **shared)

    def click(self, x: float, y: float) -> None:
        """Click at a place of the window, in CSS pixels."""
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def drag(self, start: tuple[float, float], stop: tuple[float, float]) -> None:
        """Drag the mouse from one place to another."""
        middle = ((start[0] + stop[0]) / 2, (start[1] + stop[1]) / 2)
        places = [("mouseMoved", start), ("mousePressed", start), ("mouseMoved", middle), ("mouseMoved", stop)]
        for kind, (x, y) in [*places, ("mouseReleased", stop)]:
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)

    def window(self, width: int, height: int) -> None:
        """Set the size of the window, in CSS pixels."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def picture(self, path: Path, whole: bool = True) -> Path:
        """Write a picture of the page as PNG."""
        answer = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(answer["data"]))
        return path

    def printed(self, path: Path) -> Path:
        """Write the page as it would be printed, as PDF."""
        path.write_bytes(base64.b64decode(self.send("Page.printToPDF", printBackground=False)["data"]))
        return path


async def _awaited(future):
    return await future


@contextmanager
def browser(width: int = 1400, height: int = 1000) -> Iterator[Page]:
    """Start a browser, and end it after the block."""
    from tornado.websocket import websocket_connect

    executable = find_browser()
    assert executable is not None
    loop = asyncio.new_event_loop()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        process = subprocess.Popen(
            [executable, *OPTIONS, f"--user-data-dir={folder}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            port = _port(Path(folder) / "DevToolsActivePort", process)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
                (target,) = [one for one in json.load(answer) if one["type"] == "page"]
            asyncio.set_event_loop(loop)

            async def connected():
                return await websocket_connect(target["webSocketDebuggerUrl"], max_message_size=1 << 30)

            page = Page(loop.run_until_complete(connected()), loop)
            for domain in ("Page", "Runtime", "Network"):
                page.send(f"{domain}.enable")
            page.send(
                "Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0
            )
            page.window(width, height)
            yield page
        finally:
            process.terminate()
            process.wait(30)
            asyncio.set_event_loop(None)
            loop.close()


def _port(file: Path, process: subprocess.Popen) -> int:
    started = time.monotonic()
    while time.monotonic() - started < STARTED_WITHIN:
        if file.exists() and (lines := file.read_text().split()):
            return int(lines[0])
        assert process.poll() is None, f"the browser ended with status {process.returncode}"
        time.sleep(0.05)
    raise AssertionError("the browser does not answer")
