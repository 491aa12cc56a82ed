"""Live table of a training run, for a terminal."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.columns import Columns
from rich.console import Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from grek.sanitize import printable


@dataclass(frozen=True)
class Sight:
    """Run as of its last update."""

    row: Mapping[str, Any]
    """Row of progress.csv."""
    fraction: float
    """Completed fraction of the budget, in [0, 1]."""
    left: float
    """Time to the end of the budget [s]."""
    falls_per_minute: float
    """Falls per simulated minute of one robot [1/min]."""
    survival: Mapping[str, tuple[float, int]]
    """Share of the last episodes that ended without a fall, and their number, by material."""
    film: Path | None = None
    """Last film."""


def table(sight: Sight) -> Group:
    """Progress, figures, survival by material and reward terms, one picture for `rich`."""
    row = sight.row
    figures = (
        ("time left", clock(sight.left)),
        ("steps", f"{row['steps']:,}"),
        ("steps/s", f"{row['steps_per_second']:,}"),
        ("level", f"{row['level']:.2f}"),
        ("falls/min", f"{sight.falls_per_minute:.2f}"),
        ("reward [1/s]", f"{row['reward']:.2f}"),
        ("std", f"{row['std']:.3f}"),
    )
    survival = (
        (name, f"{share:.2f}", str(episodes))
        for name, (share, episodes) in sorted(sight.survival.items())
    )
    terms = (
        (key.removeprefix("reward/"), f"{value:+.3f}")
        for key, value in row.items()
        if key.startswith("reward/")
    )
    left = Group(
        _grid(("run", ""), figures),
        Text(),
        _grid(("material", "survival", "episodes"), survival),
    )
    columns = Columns((left, _grid(("reward term", "1/s"), terms)), padding=(0, 4))
    film = () if sight.film is None else (_text(f"film: {sight.film}"),)
    return Group(ProgressBar(total=1.0, completed=sight.fraction, width=64), columns, *film)


def clock(seconds: float) -> str:
    """`seconds` as hours, minutes and seconds."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def _grid(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Table:
    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for i, title in enumerate(head):
        made.add_column(title, justify="right" if i else "left", no_wrap=True)
    for row in rows:
        made.add_row(*map(_text, row))
    return made


def _text(value: str) -> Text:
    return Text(printable(value))
