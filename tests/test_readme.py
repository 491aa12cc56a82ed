"""The README tells the truth: its tables come from scorecards, its commands and code run.

`make readme` (this file as a script) writes the tables anew.
"""

import contextlib
import io
import re
import shlex
from pathlib import Path

from grek.__main__ import main

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
TABLE = re.compile(r"(<!-- (grek [^\n]*?) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def regenerated(text: str) -> str:
    """`text` with what each marked command prints between its marker and the next end."""

    def run(match: re.Match[str]) -> str:
        said = io.StringIO()
        with contextlib.chdir(ROOT), contextlib.redirect_stdout(said):
            code = main(shlex.split(match[2])[1:])
        assert code == 0, match[2]
        return match[1] + said.getvalue() + match[4]

    return TABLE.sub(run, text)


def test_tables_are_what_their_commands_print():
    text = README.read_text()
    assert text.count("<!-- grek ") == text.count("<!-- end -->") == len(TABLE.findall(text)) > 0
    assert text == regenerated(text), "run: make readme"


def test_a_table_that_lies_is_found():
    text = README.read_text()
    start = text.index("| `walk` | 0.")
    assert regenerated(text[:start] + text[start:].replace("0.", "1.", 1)) == text


if __name__ == "__main__":
    README.write_text(regenerated(README.read_text()))
