"""A page without a browser: viser's socket and the socket for keys, as Chromium would use them."""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import viser
import zstandard
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

PATIENCE = 300.0  # for anything that is waited for, on a machine however busy [s]


class Visitor:
    """One page, read by threads of its own; `beats` sends what it holds ten times a second."""

    def __init__(self, address: str, headers: dict[str, str] | None = None) -> None:
        base = address.partition("?")[0].replace("http", "ws").rstrip("/")
        self.headers = {"Origin": address.partition("/?")[0].rstrip("/"), **(headers or {})}
        self.controls: dict[str, str] = {}
        """Ids of controls by label."""
        self.values: dict[str, Any] = {}
        """Properties of controls that were updated, by id."""
        self.news: dict[str, Any] = {}
        self.kinds: dict[str, int] = {}
        """Number of messages of viser by type."""
        self.received = 0
        """Bytes of viser's socket."""
        self.files: dict[str, bytes] = {}
        self.held: tuple[str, ...] = ()
        self.heard = 0.0
        """Time of the last news [s]."""
        self.keys = connect(f"{base}/keys", additional_headers=self.headers)
        self.view = connect(
            base,
            additional_headers=self.headers,
            subprotocols=[f"viser-v{viser.__version__}"],  # type: ignore[list-item]
            max_size=None,
            compression=None,
        )
        self._changed = threading.Condition()
        self._beating = threading.Event()
        threads = (self._read_news, self._read_view, self._beat)
        self._threads = [threading.Thread(target=run, daemon=True) for run in threads]
        for thread in self._threads:
            thread.start()
        self.look()
        self.wait(lambda: "step" in self.news, "the first news")

    # -- what it sends -------------------------------------------------------------------------

    def look(self) -> None:
        """Report a camera, as a page does first."""
        self.send(
            type="ViewerCameraMessage",
            wxyz=(1.0, 0.0, 0.0, 0.0),
            position=(1.0, 1.0, 1.0),
            fov=1.0,
            near=0.1,
            far=100.0,
            image_height=100,
            image_width=100,
            look_at=(0.0, 0.0, 0.0),
            up_direction=(0.0, 0.0, 1.0),
        )

    def send(self, **message: Any) -> None:
        """Send a message to viser."""
        self.view.send(msgspec.msgpack.encode(message))

    def set(self, label: str, value: Any) -> None:
        """Set the control with this label."""
        self.wait(lambda: label in self.controls, f"the control {label!r}")
        self.send(type="GuiUpdateMessage", uuid=self.controls[label], updates={"value": value})

    def press(self, label: str) -> None:
        """Press the button with this label."""
        self.set(label, True)

    def hold(self, *codes: str) -> None:
        """Hold these keys and no others."""
        self.held = codes
        self._send_keys()

    def tap(self, code: str) -> None:
        """Press a key that acts once."""
        self.keys.send(json.dumps({"held": self.held, "taps": [code]}))

    def _send_keys(self) -> None:
        self.keys.send(json.dumps({"held": self.held}))

    # -- what it waits for ---------------------------------------------------------------------

    def wait(self, condition: Any, what: str) -> Any:
        """Value of `condition` as soon as it is true; AssertionError naming `what` if never."""
        end = time.monotonic() + PATIENCE
        with self._changed:
            while not (value := condition()):
                left = end - time.monotonic()
                assert left > 0, f"waited {PATIENCE:.0f} s for {what}; news: {self.news}"
                self._changed.wait(min(left, 0.2))
        return value

    def close(self, politely: bool = True) -> None:
        """Close both sockets, or break the connection off."""
        self._beating.set()
        for socket in (self.keys, self.view):
            if politely:
                socket.close()
            else:
                socket.socket.close()

    # -- what it reads -------------------------------------------------------------------------

    def _beat(self) -> None:
        while not self._beating.wait(0.1):
            if self.held:
                with contextlib.suppress(ConnectionClosed, OSError):
                    self._send_keys()

    def _read_news(self) -> None:
        with contextlib.suppress(ConnectionClosed, OSError):
            for text in self.keys:
                with self._changed:
                    self.news, self.heard = json.loads(text), time.monotonic()
                    self._changed.notify_all()

    def _read_view(self) -> None:
        unpack, parts = zstandard.ZstdDecompressor(), {}
        with contextlib.suppress(ConnectionClosed, OSError):
            for raw in self.view:
                assert isinstance(raw, bytes)
                size, packed = (int.from_bytes(raw[i : i + 8], "little") for i in (0, 8))
                body = unpack.decompress(raw[16 : 16 + packed], max_output_size=size)
                with self._changed:
                    self.received += len(raw)
                    for message in msgspec.msgpack.decode(body)["messages"]:
                        self._take(message, parts)
                    self._changed.notify_all()

    def _take(self, message: dict[str, Any], parts: dict[str, Any]) -> None:
        kind = message["type"]
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        if kind.startswith("Gui") and "label" in message.get("props", {}):
            self.controls[message["props"]["label"]] = message["uuid"]
        elif kind == "GuiUpdateMessage":
            self.values.setdefault(message["uuid"], {}).update(message["updates"])
            if "label" in message["updates"]:
                self.controls[message["updates"]["label"]] = message["uuid"]
        elif kind == "FileTransferStartDownload":
            parts[message["transfer_uuid"]] = message
            message["content"] = b""
        elif kind == "FileTransferPart":
            start = parts[message["transfer_uuid"]]
            start["content"] += bytes(message["content"])
            self.send(
                type="FileTransferPartAck",
                source_component_uuid=None,
                transfer_uuid=message["transfer_uuid"],
                transferred_bytes=len(start["content"]),
                total_bytes=start["size_bytes"],
            )
            if len(start["content"]) == start["size_bytes"]:
                self.files[start["filename"]] = start["content"]


@contextlib.contextmanager
def visiting(address: str, **options: Any) -> Iterator[Visitor]:
    """A visitor who leaves when the context ends."""
    visitor = Visitor(address, **options)
    try:
        yield visitor
    finally:
        visitor.close()


def attempt(url: str, **headers: str) -> ClientConnection:
    """Connection to a socket with these headers; raises InvalidStatus if it is refused."""
    return connect(url, additional_headers=headers, subprotocols=[f"viser-v{viser.__version__}"])  # type: ignore[list-item]
