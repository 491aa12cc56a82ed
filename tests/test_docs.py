"""README and docs: tables match scorecards, commands parse, code runs, links work.

`make docs` (this file as a script) writes the generated tables anew.
"""

import contextlib
import io
import pkgutil
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from grek.__main__ import main, parse
from grek.commands import COMMANDS
from grek.envs.rendering.canvas import check_rendering
from grek.envs.scenarios.spaces import parse as scenario
from grek.errors import InputError

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
TABLE = re.compile(r"(<!-- (grek [^\n]*?) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
SCENARIO = re.compile(r"\b(?:train|heldout|numerics)(?:/[\w-]+)?:\d+\b")
CODE = re.compile(r"`([^`\n]+)`")
FOLDERS = ("assets", "deploy", "docs", "envs", "eval", "grek", "tests", "training")
RUN_ELSEWHERE = ("extending.md", "clients.md")  # by tests/test_extending.py, test_clients.py
LONGEST_README = 110  # lines
LARGEST_PICTURE = 3_000_000  # bytes

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def regenerated(text: str) -> str:
    """`text` with the output of each marked command, fenced unless it is a Markdown table."""

    def run(match: re.Match[str]) -> str:
        said = io.StringIO()
        with contextlib.chdir(ROOT), contextlib.redirect_stdout(said):
            code = main(shlex.split(match[2])[1:])
        assert code == 0, match[2]
        printed = said.getvalue()
        if not printed.startswith("|"):
            printed = f"```text\n{printed}```\n"
        return match[1] + printed + match[4]

    return TABLE.sub(run, text)


def blocks(page: Path, language: str) -> list[str]:
    """Fenced blocks of `page` in `language`, "" for commands."""
    return [block for kind, block in FENCE.findall(page.read_text()) if kind == language]


def prose(page: Path) -> str:
    """`page` without its fenced blocks."""
    return FENCE.sub("", page.read_text())


def commands(page: Path) -> Iterator[list[str]]:
    """Arguments of every `grek` command line in the fenced blocks and the prose of `page`."""
    for block in (*blocks(page, ""), *blocks(page, "yaml")):
        for line in block.splitlines():
            words = shlex.split(line.split("run: ")[-1], comments=True)
            if words[:1] == ["grek"]:
                yield words[1:]
    for code in CODE.findall(prose(page)):
        words = shlex.split(code)
        if words[0] == "grek" and len(words) > 2:  # `grek render` alone is a name
            yield words[1:]


def anchors(page: Path) -> set[str]:
    """Fragments by which GitHub links to the headings of `page`."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


# -- tables ----------------------------------------------------------------------------------


@each_page
def test_tables_are_what_their_commands_print(page):
    text = page.read_text()
    assert text.count("<!-- grek ") == text.count("<!-- end -->") == len(TABLE.findall(text))
    assert text == regenerated(text), "run: make docs"


def test_a_table_that_lies_is_found():
    text = README.read_text()
    assert len(TABLE.findall(text)) == 1
    start = text.index("| `walk` | 0.")
    assert regenerated(text[:start] + text[start:].replace("0.", "1.", 1)) == text


# -- commands --------------------------------------------------------------------------------


@each_page
def test_commands_parse(page):
    for command in commands(page):
        try:
            parse(command)
        except SystemExit as leaving:
            assert not leaving.code, command


def test_scenarios_named_can_be_drawn():
    text = "\n".join(page.read_text() for page in PAGES if page.name not in RUN_ELSEWHERE)
    names = set(SCENARIO.findall(text))
    assert any("/" in name for name in names)
    for name in names:
        assert scenario(name).name == name or "/" not in name


def test_every_command_is_shown():
    shown = {command[0] for page in PAGES for command in commands(page)}
    named = {c[5:] for page in PAGES for c in CODE.findall(prose(page)) if c.startswith("grek ")}
    assert set(COMMANDS) <= shown | named


@each_page
def test_targets_of_make_exist(page):
    targets = re.findall(r"^(\w[\w -]*):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    known = {name for line in targets for name in line.split()}
    lines = [line for block in blocks(page, "") for line in block.splitlines()]
    shown = [x.split()[1] for x in (*lines, *CODE.findall(prose(page))) if x.startswith("make ")]
    assert set(shown) <= known


def test_the_workflow_names_existing_files():
    workflow = " ".join(block for page in PAGES for block in blocks(page, "yaml"))
    named = re.findall(r"vendor/grek\b(\S*)", workflow)
    assert named and all((ROOT / name.strip("/,}")).exists() for name in named)


# -- code ------------------------------------------------------------------------------------


@each_page
def test_code_runs_as_shown(page, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    try:
        check_rendering()
        left_out: tuple[str, ...] = ("grek_gate",)
    except InputError:
        left_out = ("grek_gate", "rgb_array")
    for block in blocks(page, "python") if page.name not in RUN_ELSEWHERE else ():
        if not any(word in block for word in left_out):
            exec(compile(block, page.name, "exec"), names)


def test_the_gate_runs_as_shown(tmp_path, request, monkeypatch):
    """Every block with the fixture, on a policy and a baseline made as the pages show."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.chdir(tmp_path)
    gated = {b for page in PAGES for b in blocks(page, "python") if "grek_gate" in b}
    (exported,) = (b for b in blocks(ROOT / "docs/scores.md", "python") if "export(" in b)
    exec(compile(exported, "scores.md", "exec"), {})
    # Only now: after its test, pytester forgets modules that were first imported during it, and
    # PyTorch's cannot be imported twice.
    pytester = request.getfixturevalue("pytester")
    monkeypatch.chdir(pytester.path)
    (tmp_path / "mine.onnx").rename("policy.onnx")
    command = ["eval", "policy.onnx", "--suite", "train", "--episodes", "1", "--out", "scores"]
    assert main(command) == 0
    Path("tests").mkdir()
    Path("scores", "scorecard.json").rename("tests/walk.json")
    Path("released.onnx").write_bytes(Path("policy.onnx").read_bytes())
    pytester.makepyfile(*gated)
    pytester.runpytest_inprocess("-p", "grek.pytest_plugin").assert_outcomes(passed=len(gated))


# -- links and pictures ----------------------------------------------------------------------


@each_page
def test_links_lead_to_files_and_headings(page):
    for target in LINK.findall(prose(page)):
        if "://" in target:
            continue
        path, _, fragment = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.is_file(), target
        assert not fragment or fragment in anchors(file), target


@each_page
def test_files_and_modules_named_exist(page):
    for code in CODE.findall(prose(page)):
        if re.fullmatch(rf"({'|'.join(FOLDERS)})/[\w./-]+", code):
            assert (ROOT / code).exists(), code
        elif re.fullmatch(r"grek(\.\w+)+", code):
            pkgutil.resolve_name(code)


def test_every_page_is_linked_from_the_readme():
    linked = {(ROOT / target.split("#")[0]).resolve() for target in LINK.findall(prose(README))}
    assert set(PAGES[1:]) <= linked


def test_the_readme_is_short():
    assert len(README.read_text().splitlines()) <= LONGEST_README


def test_the_moving_picture_moves_and_is_small():
    pictures = [ROOT / t for t in LINK.findall(prose(README)) if t.endswith((".webp", ".gif"))]
    assert sum(picture.stat().st_size for picture in pictures) < LARGEST_PICTURE
    with Image.open(pictures[0]) as opened:
        assert getattr(opened, "n_frames", 1) >= 36  # 3 s at 12 frames a second


def test_the_glossary_is_alphabetical():
    lines = (ROOT / "docs/glossary.md").read_text().splitlines()
    terms = [line.split(" | ")[0].lower() for line in lines if line.startswith("| ")][2:]
    assert len(terms) > 50 and terms == sorted(terms)


if __name__ == "__main__":
    for written in PAGES:
        written.write_text(regenerated(written.read_text()))
