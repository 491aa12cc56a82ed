"""Tables fitted to the width of a terminal, or printed as plain unwrapped lines when piped.

Cells and lines are literal text: rich markup is not interpreted, control characters become blanks.
"""

import io
import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from grek.sanitize import printable

UNLIMITED = 1_000_000  # console width [columns], at which rich does not wrap


def table(head: Sequence[str], rows: Iterable[Sequence[object]], align: str) -> Table:
    """Table with column titles `head`; `align` has "<" or ">" per column and repeats its last.

    Raises ValueError unless every row has as many cells as `head`.
    """
    made = Table(box=None, pad_edge=False, header_style="bold")
    for title, side in zip(head, align.ljust(len(head), align[-1]), strict=True):
        made.add_column(_text(title), justify="right" if side == ">" else "left", overflow="fold")
    for row in rows:
        made.add_row(*(_text(cell) for cell, _ in zip(row, head, strict=True)))
    return made


def text(*parts: Table | str) -> str:
    """Tables and lines, one below another, as plain text without wrapping or padding."""
    file = io.StringIO()
    _print(Console(file=file, width=UNLIMITED, color_system=None), parts)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def show(*parts: Table | str) -> None:
    """Print tables and lines: fitted to a terminal, else as `text`."""
    if sys.stdout.isatty():
        _print(Console(), parts)
    else:
        print(text(*parts))


def _print(console: Console, parts: Iterable[Table | str]) -> None:
    for part in parts:
        console.print(_text(part) if isinstance(part, str) else part)


def _text(value: object) -> Text:
    return Text(printable(value))
