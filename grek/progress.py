"""Progress of long commands on stderr: a bar on a terminal, plain lines elsewhere."""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.console import RenderableType

REFRESH = 0.1  # shortest time between two updates of a bar [s]


class Show(Protocol):
    """Function that shows `done` of `total` units, and `note` on the same line."""

    def __call__(self, done: float, total: float, note: str = "") -> None: ...


@contextlib.contextmanager
def counter(unit: str) -> Iterator[Show]:
    """Yield a function that shows progress: a bar on a terminal, a line every tenth elsewhere.

    `unit` is a plural noun, such as "episodes".
    """
    with bar(unit) as show:
        yield show or lines(unit)


@contextlib.contextmanager
def bar(unit: str) -> Iterator[Show | None]:
    """Yield a function that draws a bar with the time left, or None if stderr is not a terminal.

    Other output to stderr appears above the bar. The bar is drawn by the caller's thread only: a
    thread of its own would disturb what `grek bench` measures, and be lost in a fork.
    """
    if not _redraws():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f} {task.description}", markup=False),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    progress = Progress(
        *columns, console=Console(stderr=True), auto_refresh=False, redirect_stdout=False
    )
    task = progress.add_task(unit, total=0, note="", visible=False)
    drawn = -REFRESH

    def show(done: float, total: float, note: str = "") -> None:
        nonlocal drawn
        now = time.monotonic()
        progress.update(task, completed=done, total=total, note=note, visible=True)
        if done >= total or now - drawn >= REFRESH:
            progress.refresh()
            drawn = now

    with progress:
        yield show


@contextlib.contextmanager
def live() -> Iterator["Callable[[RenderableType], None] | None"]:
    """Yield a function that draws a picture of rich in place of the last, or None as `bar` does.

    The last picture stays.
    """
    if not _redraws():
        yield None
        return
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True)
    with Live(console=console, auto_refresh=False, redirect_stdout=False) as place:
        yield lambda picture: place.update(picture, refresh=True)


def _redraws() -> bool:
    """Return True if stderr is a terminal on which lines can be drawn again."""
    return sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


def lines(unit: str) -> Show:
    """Return a function that prints a line each time another tenth is complete."""
    shown = -1

    def show(done: float, total: float, note: str = "") -> None:
        nonlocal shown
        tenth = int(10 * done // max(total, 1))
        if tenth > shown:
            print(f"{done:.0f}/{total:.0f} {unit} {note}".rstrip(), file=sys.stderr, flush=True)
            shown = tenth

    return show
