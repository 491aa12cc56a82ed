"""Server of the page: viser's, behind checks of who connects and what they send.

viser itself answers any address on all interfaces, sets any attribute of a control that a message
names, takes uploads and opens a public tunnel for whoever asks. Here every connection passes
`_Gate` first, which also adds our script to the page and serves its socket for keys.
"""

import asyncio
import contextlib
import http
import io
import logging
import secrets
import socket
import warnings
from collections.abc import Callable, Iterator
from importlib import resources
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import viser
import websockets.asyncio.server
from viser import _messages
from viser.infra import _infra
from viser.infra._async_message_buffer import AsyncMessageBuffer
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from grek.errors import InputError

LOOPBACK = ("127.0.0.1", "localhost")
SOCKET = "/keys"
LONGEST = 64 * 1024  # of a message from a page [bytes]
TELL = 0.1  # between two messages to a page, unless something happens [s]

Check = Callable[[object], bool]
_Few = Annotated[tuple[str, ...], msgspec.Meta(max_length=16)]


class _Keys(msgspec.Struct, forbid_unknown_fields=True):
    """Message of a page: all keys that it holds, and those that went down just now."""

    held: _Few
    taps: _Few = ()


class Visitors:
    """Own socket of all pages: takes held keys, tells all pages the same news.

    `press` and `leave` are called on the server's thread.
    """

    def __init__(
        self,
        press: Callable[[int, tuple[str, ...], tuple[str, ...]], None],
        leave: Callable[[int], None],
    ) -> None:
        self.dropped = 0
        """Messages of a wrong form, or that ask for what no page may."""
        self.count = 0
        """Pages that are open."""
        self._press, self._leave = press, leave
        self._news: dict[str, Any] = {}
        self._next = 1
        self._wakes: set[asyncio.Event] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def tell(self, news: dict[str, Any], at_once: bool) -> None:
        """Let pages have `news`: by the next beat, or `at_once`. Never waits for a page."""
        self._news = news
        if at_once and self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the server has stopped
                self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        for event in self._wakes:
            event.set()

    async def serve(self, connection: ServerConnection) -> None:
        """Serve one page until it closes."""
        self._loop = asyncio.get_running_loop()
        visitor, wake = self._next, asyncio.Event()
        self._next += 1
        self.count += 1
        self._wakes.add(wake)
        telling = asyncio.create_task(self._telling(connection, visitor, wake))
        try:
            async for raw in connection:
                try:
                    keys = msgspec.json.decode(raw, type=_Keys)
                    self._press(visitor, keys.held, keys.taps)
                except (ValueError, msgspec.MsgspecError):
                    self.dropped += 1
        except ConnectionClosed:
            pass
        finally:
            telling.cancel()
            self._wakes.discard(wake)
            self.count -= 1
            self._leave(visitor)

    async def _telling(
        self, connection: ServerConnection, visitor: int, wake: asyncio.Event
    ) -> None:
        """Send the latest news; a page that reads slowly gets fewer."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                wake.clear()
                await connection.send(msgspec.json.encode({**self._news, "you": visitor}).decode())
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(wake.wait(), TELL)


class _Event(asyncio.Event):
    """Event that threads without a loop may set, which does nothing."""

    def set(self) -> None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return
        super().set()


class Buffer(AsyncMessageBuffer):
    """Buffer of viser that any thread may push to.

    `push` of the original sets its event on the thread that calls it, then again on the thread of
    the loop. The first can raise "deque mutated during iteration" while a page connects or waits.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.message_event = _Event()


_infra.AsyncMessageBuffer = Buffer  # type: ignore[misc]


class Server:
    """viser's server on `host` and `port`, 0 for a free one; raises InputError if it is taken.

    `checks` holds a predicate for the value of each control, by its id: a control that is not
    listed cannot be set from outside.
    """

    def __init__(self, host: str, port: int, visitors: Visitors) -> None:
        self.visitors = visitors
        self.checks: dict[str, Check] = {}
        self._socket = _listen(host, port)
        self.port = int(self._socket.getsockname()[1])
        self.token = None if host in LOOPBACK else secrets.token_urlsafe(16)
        shown = socket.gethostname() if host in ("0.0.0.0", "::") else host
        shown = f"[{shown}]" if ":" in shown else shown
        query = "" if self.token is None else f"?token={self.token}"
        self.address = f"http://{shown}:{self.port}/{query}"
        # Of messages that do not fit, each of which would be a line on the terminal.
        warnings.filterwarnings("ignore", r"\[viser\] .* does not match annotation")
        with _gated(self), contextlib.redirect_stdout(io.StringIO()):  # viser prints an address
            self.viser = viser.ViserServer(host=host, port=self.port, verbose=False)
        self.viser.request_share_url = lambda verbose=True: None  # type: ignore[method-assign]

    def stop(self) -> None:
        """Close all connections and free the port."""
        with contextlib.redirect_stdout(io.StringIO()):  # viser says that it stops
            self.viser.stop()
        self._socket.close()

    # -- what comes in -------------------------------------------------------------------------

    def sound(self, raw: object) -> bool:
        """True for a message to viser that a page of ours may send; others are counted."""
        try:
            if not isinstance(raw, bytes):
                raise TypeError("not binary")
            message = _messages.Message.deserialize(raw)
            self._check(message)
        except Exception:  # whatever a stranger's bytes may raise
            self.visitors.dropped += 1
            return False
        return True

    def _check(self, message: Any) -> None:
        """Raise an exception unless `message` is of a kind and form that pages send."""
        if isinstance(message, _messages.ViewerCameraMessage):
            for vector, size in ((message.wxyz, 4), (message.position, 3), (message.look_at, 3)):
                _numbers(vector, size)
            _numbers(message.up_direction, 3)
            _numbers(
                (message.fov, message.near, message.far, message.image_height, message.image_width)
            )
        elif isinstance(message, _messages.GuiUpdateMessage):
            if set(message.updates) != {"value"}:
                raise ValueError(f"sets {set(message.updates)}")
            if not self.checks[message.uuid](message.updates["value"]):
                raise ValueError("value out of range")
        elif isinstance(message, _messages.ScenePointerMessage):
            if message.event_type != "click":
                raise ValueError(f"a pointer's {message.event_type}")
            for ray in (message.ray_origin, message.ray_direction):
                _numbers(ray, 3)
            _numbers(message.screen_pos[0], 2)
        elif not isinstance(message, _messages.FileTransferPartAck):
            raise ValueError(f"{type(message).__name__} is not for pages")

    def admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refusal of a request from a stranger or a page of another site, else None."""
        host, origin = request.headers.get("Host", ""), request.headers.get("Origin")
        if self.token is None and urlsplit(f"//{host}").hostname not in LOOPBACK:
            return connection.respond(http.HTTPStatus.FORBIDDEN, "unknown host\n")
        if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            return connection.respond(http.HTTPStatus.FORBIDDEN, "foreign origin\n")
        if self.token is not None and not self._knows(request):
            return connection.respond(
                http.HTTPStatus.FORBIDDEN, "the address that `grek drive` prints holds a token\n"
            )
        return None

    def _knows(self, request: Request) -> bool:
        """True if `request` has the token in its query or its cookie."""
        given = parse_qs(urlsplit(request.path).query).get("token", [])
        for part in request.headers.get("Cookie", "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == self._cookie:
                given.append(value)
        return any(
            secrets.compare_digest(text.encode(), str(self.token).encode()) for text in given
        )

    @property
    def _cookie(self) -> str:
        return f"grek{self.port}"  # cookies do not tell ports apart

    def furnish(self, request: Request, response: Response) -> Response:
        """Add our script to the page, and the token as a cookie."""
        script = resources.files("grek.drive").joinpath("page.html").read_bytes()
        body = response.body.replace(b"<title>Viser</title>", b"<title>Grek</title>", 1)
        head, mark, rest = body.partition(b"</head>")
        response.body = head + script + mark + rest
        del response.headers["Content-Length"]
        response.headers["Content-Length"] = str(len(response.body))
        response.headers["Cache-Control"] = "no-store"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["X-Frame-Options"] = "DENY"
        if self.token is not None:
            kept = f"{self._cookie}={self.token}; HttpOnly; SameSite=Strict; Path=/"
            response.headers["Set-Cookie"] = kept
        return response


def _numbers(values: Any, size: int | None = None) -> None:
    """Raise ValueError or TypeError unless `values` are finite numbers, `size` of them."""
    if size is not None and len(values) != size:
        raise ValueError("wrong length")
    for value in values:
        if not abs(value + 0.0) < 1e9:
            raise ValueError("not a finite number")


def _listen(host: str, port: int) -> socket.socket:
    """Listening socket at `host` and `port`; raises InputError if it cannot be had."""
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(64)
    except (OSError, UnicodeError) as error:
        listening.close()
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot listen at {host}:{port}: {reason}") from None
    return listening


@contextlib.contextmanager
def _gated(server: Server) -> Iterator[None]:
    """Context in which a server of viser that starts is made with our checks.

    viser calls `websockets.asyncio.server.serve` and offers no argument for any of them.
    """
    original = websockets.asyncio.server.serve

    class Connection(ServerConnection):
        async def recv(self, *arguments: Any, **keywords: Any) -> Any:
            while True:
                raw = await super().recv(*arguments, **keywords)
                ours = self.request is not None and _path(self.request) == SOCKET
                if ours or server.sound(raw):
                    return raw

    def serve(handler: Any, host: Any, port: Any, **options: Any) -> Any:
        answer = options.pop("process_request")

        def process(connection: ServerConnection, request: Request) -> Response | None:
            refused = server.admit(connection, request)
            if refused is not None or _path(request) == SOCKET:
                return refused
            if request.headers.get("Upgrade", "").lower() == "websocket":
                offered = request.headers.get("Sec-WebSocket-Protocol", "")
                if offered == f"viser-v{viser.__version__}":
                    return None
                return connection.respond(http.HTTPStatus.BAD_REQUEST, "not a page of ours\n")
            if "Accept-Encoding" in request.headers:  # the page is changed, then sent as it is
                del request.headers["Accept-Encoding"]
            response = answer(connection, request)
            is_page = response is not None and _path(request) in ("/", "/index.html")
            return server.furnish(request, response) if is_page else response

        async def handle(connection: ServerConnection) -> None:
            assert connection.request is not None
            if _path(connection.request) == SOCKET:
                await server.visitors.serve(connection)
            else:
                await handler(connection)

        options |= {"max_size": LONGEST, "create_connection": Connection}
        quiet = logging.getLogger("grek.drive.server")
        quiet.setLevel(logging.CRITICAL + 1)  # strangers' broken handshakes are no news
        return original(
            handle, sock=server._socket, process_request=process, logger=quiet, **options
        )

    websockets.asyncio.server.serve = serve  # type: ignore[assignment,misc]
    try:
        yield
    finally:
        websockets.asyncio.server.serve = original  # type: ignore[misc]


def _path(request: Request) -> str:
    return urlsplit(request.path).path
