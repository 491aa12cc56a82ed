"""Tables as text: complete, aligned, literal."""

import io
import sys

import pytest

from grek import terminal


def test_a_table_by_hand() -> None:
    table = terminal.table(("name", "n [m/s]", "more"), [("a", 1, "x"), ("日本", 12.5, "")], "<>")
    assert terminal.text(table, "", "end") == (
        "name  n [m/s]  more\na           1     x\n日本     12.5\n\nend"
    )


def test_nothing_is_cut_or_folded() -> None:
    wide = terminal.text(terminal.table(["a", "b"], [["x" * 500, "y" * 500]], "<"), "z " * 500)
    lines = wide.splitlines()
    assert lines[1] == "x" * 500 + "  " + "y" * 500
    assert lines[2:] == [("z " * 500).rstrip()]


def test_markup_and_control_characters_stay_text() -> None:
    said = "[red]a[/red]\x1b[31m\n:smile:\u202e\x07"
    shown = "[red]a[/red] [31m :smile:"
    assert terminal.text(terminal.table([said], [[said]], "<"), said).splitlines() == [shown] * 3


def test_rows_have_as_many_cells_as_there_are_columns() -> None:
    for row in (["a"], ["a", "b", "c"]):
        with pytest.raises(ValueError, match="argument"):
            terminal.table(["x", "y"], [row], "<")


def test_piped_output_is_plain(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "10")
    terminal.show(terminal.table(["a"], [["x" * 30]], "<"), "last line")
    assert capsys.readouterr().out == f"a\n{'x' * 30}\nlast line\n"


def test_a_terminal_is_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdout", Screen())
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setenv("TERM", "xterm")
    terminal.show(terminal.table(["a", "b"], [["x" * 30, 7]], "<>"), "[bold]")
    said = sys.stdout.getvalue()  # type: ignore[attr-defined]
    assert "\x1b[1m" in said and "[bold]" in said
    assert said.count("x") == 30 and max(map(len, said.splitlines()[1:])) == 20
