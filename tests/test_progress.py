"""Progress on a terminal and in a pipe."""

import os
import pty
import re
import subprocess
import sys

WORK = """
import sys
from grek import progress
progress.REFRESH = 0
with progress.counter("episodes") as show:
    for done in range(21):
        show(done, 20, "[a note]")
        if done == 10:
            print("a warning", file=sys.stderr)
        if done == int(sys.argv[1]):
            raise KeyboardInterrupt
print("a result")
"""


def terminal(*arguments: str, code: str = WORK, **environment: str) -> str:
    """All output of a process that runs `code` on a terminal of 100 columns."""
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        **{"stdin": child, "stdout": child, "stderr": child},  # type: ignore[call-overload]
        env={**os.environ, "COLUMNS": "100", "TERM": "xterm", **environment},
    )
    os.close(child)
    said = b""
    try:
        while part := os.read(parent, 65536):
            said += part
    except OSError:  # the other end is closed
        pass
    process.wait()
    os.close(parent)
    return said.decode()


def test_a_pipe_gets_plain_lines_every_tenth():
    said = subprocess.run(
        [sys.executable, "-c", WORK, "99"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "FORCE_COLOR": "1"},
    )
    tenths = [f"{done}/20 episodes [a note]" for done in range(0, 21, 2)]
    assert said.stderr.splitlines() == [*tenths[:6], "a warning", *tenths[6:]]
    assert said.stdout == "a result\n"


def test_a_terminal_gets_a_bar_and_the_time_left():
    said = terminal("99")
    assert "━" in said and re.search(r"\d:\d\d:\d\d", said)
    assert "10/20 episodes" in said and "20/20 episodes" in said and "[a note]" in said
    assert re.search(r"^a warning\r$", said.replace("\x1b[2K", "\n"), re.MULTILINE)
    assert said.rstrip().endswith("a result")


def test_an_interrupted_bar_leaves_the_cursor_visible_on_a_new_line():
    said = terminal("5")
    hidden, shown = said.rindex("\x1b[?25l"), said.rindex("\x1b[?25h")
    assert hidden < shown < said.index("Traceback")
    assert said[: said.index("\x1b[?25h")].endswith("\r\n")


def test_a_dumb_terminal_gets_lines():
    said = terminal("99", TERM="dumb")
    assert "\x1b" not in said and "20/20 episodes [a note]\r\n" in said


LIVE = """
import sys
from rich.text import Text
from grek import progress
with progress.live() as draw:
    for k in range(3):
        if draw:
            draw(Text(f"first {k}\\nsecond {k}"))
        else:
            print("plain", file=sys.stderr)
        if k == 1:
            print("a warning", file=sys.stderr)
"""


def test_a_live_picture_is_drawn_over_the_last_and_stays():
    said = terminal(code=LIVE)
    rows: list[str] = [""]  # of a terminal that knows newline, cursor up and erase
    at = 0
    for part in re.findall(r"\x1b\[\??\d*[A-Za-z]|\r|\n|[^\x1b\r\n]+", said):
        if part == "\n":
            at += 1
            rows += [""] * (at + 1 - len(rows))
        elif part == "\x1b[1A":
            at -= 1
        elif part == "\x1b[2K":
            rows[at] = ""
        elif part[0] not in "\x1b\r":
            rows[at] += part
    assert [row for row in rows if row] == ["a warning", "first 2", "second 2"]


def test_a_pipe_gets_no_live_picture():
    done = subprocess.run([sys.executable, "-c", LIVE], capture_output=True, text=True, check=True)
    assert done.stderr.split() == ["plain", "plain", "a", "warning", "plain"]
