"""Headless Chromium over its DevTools protocol: real keys, real clicks, screenshots."""

import base64
import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

PROGRAMS = ("chromium", "google-chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
    *("--ignore-gpu-blocklist", "--hide-scrollbars", "--remote-debugging-port=0"),
)
PATIENCE = 300.0  # for anything that is waited for, on a machine however busy [s]

CODES = {" ": "Space", "ArrowUp": "ArrowUp", "ArrowLeft": "ArrowLeft"}


def program() -> str | None:
    """Path of a Chromium, None without one."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


def waited(condition: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    """Value of `condition` as soon as it is true; raises AssertionError naming `what` if never."""
    end = time.monotonic() + patience
    while not (value := condition()):
        assert time.monotonic() < end, f"waited {patience:.0f} s for {what}"
        time.sleep(0.05)
    return value


class Page:
    """A tab of a browser."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._numbers = socket, itertools.count(1)
        self.errors: list[str] = []
        """Exceptions of scripts on the page."""
        self.call("Runtime.enable")
        self.call("Page.enable")

    def call(self, method: str, **parameters: Any) -> Any:
        """Result of a DevTools method."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=PATIENCE))
            if message.get("method") == "Runtime.exceptionThrown":
                self.errors.append(str(message["params"]["exceptionDetails"]))
            if message.get("id") == number:
                assert "error" not in message, (method, message)
                return message["result"]

    def value(self, expression: str) -> Any:
        """Value of a JavaScript expression."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, (expression, result)
        return result["result"].get("value")

    def news(self) -> dict[str, Any]:
        """What the page was told last."""
        return self.value("window.grek") or {}

    def key(self, key: str, down: bool) -> None:
        """Press or release a key."""
        code = CODES.get(key, f"Key{key.upper()}")
        kind = "keyDown" if down else "keyUp"
        self.call("Input.dispatchKeyEvent", type=kind, key=key, code=code)

    def click(self, x: float, y: float) -> None:
        """Click at a point of the page [px]."""
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            button = {} if kind == "mouseMoved" else {"button": "left", "clickCount": 1}
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **button)

    def press_button(self, label: str) -> None:
        """Click the button that reads `label`."""
        find = (
            "(() => { const b = [...document.querySelectorAll('button')].find(b =>"
            f" b.textContent.trim() === {json.dumps(label)});"
            " if (!b) return null; b.scrollIntoView({block: 'center'});"
            " const r = b.getBoundingClientRect();"
            " return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        waited(lambda: self.value(find), f"the button {label!r}")
        self.click(*self.value(find))

    def screenshot(self, path: Path) -> bytes:
        """PNG of the page, also written to `path`."""
        image = base64.b64decode(self.call("Page.captureScreenshot")["data"])
        path.write_bytes(image)
        return image


@contextlib.contextmanager
def browser(address: str, profile: Path, size: tuple[int, int] = (1360, 850)) -> Iterator[Page]:
    """Page of `address` in a browser of its own, with the empty directory `profile`."""
    found = program()
    assert found is not None
    process = subprocess.Popen(
        [
            *("nice", "-n", "10"),  # drawing without a GPU must not take the droid's time
            found,
            *FLAGS,
            f"--user-data-dir={profile}",
            f"--window-size={size[0]},{size[1]}",
            address,
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        told = profile / "DevToolsActivePort"
        port = waited(lambda: told.exists() and told.read_text().split("\n")[0], "the browser")
        with connect(f"ws://127.0.0.1:{port}{_tab(port)}", max_size=None) as socket:
            yield Page(socket)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _tab(port: str) -> str:
    """Path of the DevTools socket of the browser's one page."""
    import urllib.request

    def look() -> str | None:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=PATIENCE) as answer:
            pages = [tab for tab in json.load(answer) if tab["type"] == "page"]
        return pages[0]["webSocketDebuggerUrl"].partition(port)[2] if pages else None

    return str(waited(look, "the page"))
